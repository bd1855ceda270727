"""Prediction on Ray nodes of this machine: the bytes of the local engine, whatever dies."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.scale import Parts, Ray, predict_to, read_parts
from cladewise.scale.folder import Folder
from cladewise.scale.worker import Watch, Worker
from cladewise.sources import open_source
from scale.deadly_source import DeadlySource
from scale.ray_nodes import STORE, kill_one_actor, nodes, once_there_are
from shared_runs import copy_of
from sources.unsteady_servers import unsteady

pytestmark = pytest.mark.slow

ALONE = {**os.environ, "RAY_ADDRESS": "local"}

Predict = Callable[..., Parts]


@pytest.fixture(scope="module")
def run(trained: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return copy_of(trained(method="hace", freeze=True, epochs=10), tmp_path_factory.mktemp("ray") / "run")


@pytest.fixture(scope="module")
def cluster(shared_cache: Path) -> Iterator[Any]:
    """Two nodes, with processes and an object store each."""
    with nodes(2, shared_cache) as found:
        yield found


@pytest.fixture
def predict(run: Run) -> Iterator[Predict]:
    """Predicts in the torch runtime, with one thread as in an actor."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)

    def predicted(out: Path, source: Any, **options: Any) -> Parts:
        return predict_to(out, run, source, **{"runtime": "torch", "progress": False, **options})

    yield predicted
    torch.set_num_threads(before)


def contents(folder: Path) -> dict[str, bytes]:
    """Files of a folder of parts by name; temporary ones would be among them."""
    return {file.name: file.read_bytes() for file in sorted((folder / "parts").iterdir())}


class Counting:
    """An engine that counts the rows that another one reports."""

    def __init__(self, engine: Ray) -> None:
        self.engine, self.rows, self.errors = engine, 0, 0

    def device(self, run: Run) -> torch.device:
        return self.engine.device(run)

    def predict(self, worker: Worker, folder: Folder, numbers: Sequence[int], watch: Watch) -> None:
        def count(rows: int, errors: int) -> None:
            self.rows, self.errors = self.rows + rows, self.errors + errors
            watch(rows, errors)

        self.engine.predict(worker, folder, numbers, count)


@pytest.mark.parametrize("runtime", ["torch", "onnxruntime"])
def test_parts_are_those_of_the_local_engine(
    cluster: Any, predict: Predict, colour_folder: Path, tmp_path: Path, runtime: str
) -> None:
    chosen: dict[str, Any] = {
        "decision": "hedging:guarantee=0.6",
        "top": 2,
        "part_rows": 20,
        "runtime": runtime,
        "keep": ["features", "scores"],
    }
    source = open_source([colour_folder])
    predict(tmp_path / "local", source, **chosen)
    found = predict(tmp_path / "ray", source, engine=Ray(actors=2), **chosen)
    assert (found.is_complete, len(found.numbers)) == (True, 5)
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert (tmp_path / "ray/job.json").read_bytes() == (tmp_path / "local/job.json").read_bytes()
    again = {"decision": "leaf", "top": 1}
    predict(tmp_path / "local-again", read_parts(tmp_path / "local"), **again)
    predict(tmp_path / "ray-again", read_parts(tmp_path / "ray"), engine=Ray(), **again)
    assert contents(tmp_path / "ray-again") == contents(tmp_path / "local-again")


def test_a_worker_and_a_machine_die(cluster: Any, predict: Predict, colour_folder: Path, tmp_path: Path) -> None:
    """Images on a slow server, named in a Parquet table: an actor is killed, then a node, and one joins."""
    images = sorted(colour_folder.rglob("*.png"))
    files = {f"{number}.png": path.read_bytes() for number, path in enumerate(images)}
    with unsteady(files) as server:
        urls = [f"{server.url}/{'404' if n % 17 == 5 else 'slow'}/{n}.png" for n in range(len(files))]
        table = tmp_path / "images.parquet"
        pl.DataFrame({"url": urls, "site": [f"pond {n}" for n in range(len(urls))]}).write_parquet(table)
        source = open_source([table])
        chosen = {"part_rows": 4, "threads": 1}
        predict(tmp_path / "local", source, **(chosen | {"threads": 16}))
        doomed, engine, parts = (
            cluster.add_node(num_cpus=1, object_store_memory=STORE),
            Counting(Ray()),
            tmp_path / "ray/parts",
        )
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(predict, tmp_path / "ray", source, engine=engine, **chosen)
            once_there_are(2, parts, kill_one_actor)
            once_there_are(5, parts, lambda: cluster.remove_node(doomed, allow_graceful=False))
            once_there_are(8, parts, lambda: cluster.add_node(num_cpus=1, object_store_memory=STORE))
            assert not done.done()
            found = done.result()
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    assert found.is_complete
    assert [name for part in found.tables() for name in part["path"]] == urls
    errors = sum("/404/" in url for url in urls) + 1  # and one file is broken
    assert found.counts() == (len(urls), errors) == (engine.rows, engine.errors)


def test_a_part_that_fails_costs_no_other(cluster: Any, predict: Predict, colour_folder: Path, tmp_path: Path) -> None:
    """Tars, of which one is gone when it is read."""
    images = sorted(path for path in colour_folder.rglob("*.png") if path.name != "broken.png")
    for number in range(4):
        with tarfile.open(tmp_path / f"{number}.tar", "w") as archive:
            for place, path in enumerate(images[number::4]):
                archive.add(path, f"{place:06d}.png")
    source = open_source([tmp_path / "{0..3}.tar"])
    predict(tmp_path / "local", source)
    shutil.move(tmp_path / "2.tar", tmp_path / "elsewhere.tar")
    with pytest.raises(InputError, match=r"but got no such file.* \(in part 2\) at .*2\.tar"):
        predict(tmp_path / "ray", source, engine=Ray())
    assert sorted(contents(tmp_path / "ray")) == [f"part-{number:06d}.parquet" for number in (0, 1, 3)]
    shutil.move(tmp_path / "elsewhere.tar", tmp_path / "2.tar")
    assert predict(tmp_path / "ray", source, engine=Ray()).is_complete
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")


@pytest.mark.skipif(torch.cuda.is_available(), reason="the machine has what the node only claims to have")
def test_a_machine_that_cannot_do_any_part_is_named(
    cluster: Any, predict: Predict, colour_folder: Path, tmp_path: Path
) -> None:
    node = cluster.add_node(num_cpus=1, num_gpus=1, object_store_memory=STORE)
    with pytest.raises(InputError, match=rf"a GPU that torch can use, but got none at {socket.gethostname()} \("):
        predict(tmp_path / "ray", open_source([colour_folder]), engine=Ray(gpus_per_actor=1))
    assert not (tmp_path / "ray/parts").exists()
    cluster.remove_node(node)


def test_a_part_that_kills_its_process_is_given_up(
    cluster: Any, predict: Predict, colour_folder: Path, tmp_path: Path
) -> None:
    source = DeadlySource(tuple(map(str, sorted(colour_folder.rglob("[0-9]*.png"))[:24])), deadly=9)
    with pytest.raises(InputError, match=r"ended the process that worked on it, 4 times \(in part 1\)"):
        predict(tmp_path / "ray", source, part_rows=6, engine=Ray())
    assert sorted(contents(tmp_path / "ray")) == [f"part-{number:06d}.parquet" for number in (0, 2, 3)]


def test_ray_is_started_for_a_command_and_ended_with_it(run: Run, colour_folder: Path, tmp_path: Path) -> None:
    """In a process of its own; the second command finds all parts there, and needs no cluster."""
    words = ["predict", run.path, colour_folder / "warm", "--out", tmp_path / "ray", "--runtime", "torch", "--quiet"]
    command = [sys.executable, "-m", "cladewise", *map(str, words), "--part-rows", "30", "--engine", "ray"]
    done = subprocess.run([*command, "--actors", "1"], capture_output=True, text=True, env=ALONE, check=False)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
    found = read_parts(tmp_path / "ray")
    assert (found.is_complete, found.counts()) == (True, (36, 0))
    again = subprocess.run(
        [*command, "--ray-address", "127.0.0.1:9"], capture_output=True, text=True, env=ALONE, check=False
    )
    assert (again.returncode, again.stderr) == (0, "")
