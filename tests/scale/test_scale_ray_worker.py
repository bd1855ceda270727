"""Jobs sent to other machines, and the checks there; without a cluster, since only Ray's pickling matters."""

from __future__ import annotations

import dataclasses
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cladewise.engine import Run
from cladewise.errors import InputError, MissingExtraError
from cladewise.scale import Local, Ray, predict_to, ray_engine, ray_worker
from cladewise.scale.folder import Folder
from cladewise.scale.parts import write_part
from cladewise.scale.ray_engine import missing, unfinished
from cladewise.scale.ray_worker import Cargo, Outcome, Problem, check, pack
from cladewise.sources import open_source
from shared_runs import copy_of

Trained = Callable[..., Run]


class Packing(Local):
    """The local engine, which also packs the job as for other machines."""

    def predict(self, worker: Any, folder: Folder, numbers: Any, watch: Any) -> None:
        self.__dict__["packed"] = pickled(pack(worker, folder, numbers, cpus=1, on_gpu=False))
        super().predict(worker, folder, numbers, watch)


def pickled(cargo: Cargo) -> bytes:
    from ray import cloudpickle

    return cloudpickle.dumps(cargo)


def unpacked(engine: Packing) -> Cargo:
    from ray import cloudpickle

    return cloudpickle.loads(engine.__dict__["packed"])


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    folder.mkdir()
    random = np.random.default_rng(0)
    for number in range(10):
        Image.fromarray(random.integers(0, 256, (24, 24, 3), dtype=np.uint8)).save(folder / f"{number}.png")
    return folder


FROZEN = {"method": "hace", "freeze": True, "epochs": 10}
TOWERS = {"method": "vanilla-multi", "freeze": False, "epochs": 1}


@pytest.fixture
def job(
    request: pytest.FixtureRequest, trained: Trained, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Packing:
    """A job that was predicted here and packed, with relative paths; its run folder is gone."""
    monkeypatch.chdir(tmp_path)
    run = copy_of(trained(**getattr(request, "param", FROZEN)), tmp_path / "run")
    engine = Packing()
    chosen: dict[str, Any] = {"decision": "hedging:guarantee=0.6", "part_rows": 4, "progress": False}
    predict_to("out", run, open_source(["photos"]), engine=engine, runtime="torch", **chosen)
    shutil.rmtree(tmp_path / "run")
    return engine


@pytest.mark.parametrize("job", [FROZEN, TOWERS], indirect=True, ids=["frozen", "towers"])
def test_a_job_needs_no_run_folder_where_it_arrives(job: Packing, tmp_path: Path) -> None:
    cargo = unpacked(job)
    threads = torch.get_num_threads()
    check(dataclasses.replace(cargo, cpus=threads))
    cargo.worker.load()
    there = Folder(str(tmp_path / "there"))
    for part in cargo.worker.parts([2, 0]):
        write_part(there, part)
    for number in (0, 2):
        name = f"parts/part-{number:06d}.parquet"
        assert there.read(name) == Folder(str(tmp_path / "out")).read(name)


def test_a_machine_that_sees_other_files_does_no_part(
    job: Packing, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_worker, "SEEN_AFTER", (0.0,))
    cargo = dataclasses.replace(unpacked(job), cpus=torch.get_num_threads())
    check(cargo)
    with pytest.raises(InputError, match=r"all machines share, but got one without this job at .*nowhere"):
        check(dataclasses.replace(cargo, folder=Folder(str(tmp_path / "nowhere"))))
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match="a GPU that torch can use, but got none"):
            check(dataclasses.replace(cargo, on_gpu=True))
    shutil.copy(photos / "1.png", photos / "0.png")
    with pytest.raises(InputError, match="images on every machine, but got another one for row 0 of part 0"):
        check(cargo)
    shutil.rmtree(photos)
    with pytest.raises(InputError, match=r"images on every machine, but got none .* for row 0 of part 0"):
        check(cargo)


def test_parts_that_only_another_machine_sees_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_engine, "PATIENCE", (0.0, 0.01))
    folder = Folder(str(tmp_path))
    folder.write("parts/part-000003.parquet", b"")
    left = missing(folder, [2, 3, 5], {3, 5})
    assert left == [2, 5]
    told = str(unfinished(left, {}, {3, 5}, folder))
    assert "all machines share, but got one without what other machines wrote: 1 of the parts, such as part 5" in told
    failed = {2: Problem("a file", "none"), 5: Problem("a file", "another")}
    assert str(unfinished(left, failed, set(), folder)).startswith(
        "Expected a file, but got none (in part 2, one of 2 that are missing)"
    )


def test_failures_are_values_that_come_back_whole() -> None:
    error = InputError("a file", "none", at="here", advice="Look.")
    outcome = Outcome(7, 3, 1, Problem.of(error, "there"), stops=True)
    assert Outcome.from_row(outcome.row()) == outcome
    assert str(outcome.problem.error()) == str(error)
    assert (outcome.problem.lasts, Problem.of(RuntimeError("no\nmemory"), "there").lasts) == (True, False)
    assert "RuntimeError: no memory at there" in str(Problem.of(RuntimeError("no\nmemory"), "there").error())
    assert "pip install 'cladewise[openvino]'" in Problem.of(MissingExtraError("openvino", "openvino"), "").advice


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("127.0.0.1:9", r"127\.0\.0\.1:9 \(\[Errno 111\] Connection refused\)"),
        ("ray://head:10001", "auto or host:port, but got 'ray://head:10001'"),
        ("head", "auto or host:port, but got 'head'"),
    ],
)
def test_an_address_where_no_cluster_is_ends_at_once(tmp_path: Path, address: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        Ray(address).predict(None, Folder(str(tmp_path)), [0], lambda rows, errors: None)  # type: ignore[arg-type]


def test_what_cannot_be_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for given in ({"actors": 0}, {"cpus_per_actor": 0}, {"gpus_per_actor": -1}):
        with pytest.raises(InputError, match=f"{next(iter(given))} of at least"):
            Ray(**given)
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'cladewise\[ray\]'"):
        Ray().predict(None, Folder(str(tmp_path)), [0], lambda rows, errors: None)  # type: ignore[arg-type]
