"""A server as users start it: it ends and is killed without losing what it answered, and replaces its models."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import polars as pl
import pytest

from .conftest import Serve, picture, refused

if TYPE_CHECKING:
    from cladewise.engine import Run


@pytest.fixture
def other_run(trained: Callable[..., Run], tmp_path: Path) -> Path:
    """Another run on the same tree, which a server may write scores into."""
    return Path(shutil.copytree(trained(method="flat-softmax", freeze=True, epochs=5).path, tmp_path / "other"))


class Started:
    """A server in a process of its own."""

    def __init__(self, words: list[str]) -> None:
        command = [sys.executable, "-m", "cladewise", "serve", "--port", "0", "--runtime", "torch", *words]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        line = self.process.stderr.readline()
        found = re.search(r"listening on (http://\S+)", line)
        assert found, line + self.process.stderr.read()
        self.lines = [line]
        self._reader = threading.Thread(target=lambda: self.lines.extend(self.process.stderr or ()), daemon=True)
        self._reader.start()
        self.client = httpx.Client(base_url=found[1], timeout=30, trust_env=False)

    def wait_until_ready(self) -> None:
        end = time.monotonic() + 120
        while time.monotonic() < end:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get("/readyz").status_code == 200:
                    return
            assert self.process.poll() is None, self.lines
            time.sleep(0.1)
        raise AssertionError(self.lines)

    def end(self, number: int = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        code = self.process.wait(60)
        self._reader.join()
        self.client.close()
        return code


@contextlib.contextmanager
def started(*words: str | Path) -> Iterator[Started]:
    server = Started(list(map(str, words)))
    try:
        server.wait_until_ready()
        yield server
    finally:
        if server.process.poll() is None:
            server.process.kill()
            server.process.wait()
        server.client.close()


@pytest.mark.slow
def test_sigterm_answers_what_was_accepted_and_exits_0(served_run: Path) -> None:
    with started("--model", f"colours={served_run}", "--json-logs") as server:
        statuses: list[Any] = []
        images = [("images", (f"{k}.png", picture(side=600, kind="PNG"))) for k in range(32)]

        def ask() -> None:
            with httpx.Client(base_url=server.client.base_url, timeout=60, trust_env=False) as client:
                response = client.post("/v1/predict", files=images)
                statuses.append((response.status_code, len(response.json()["results"])))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        while "active_requests 4.0" not in server.client.get("/metrics").text:
            time.sleep(0.005)
        assert server.end() == 0
        for thread in threads:
            thread.join()
        assert statuses == [(200, 32)] * 4
        assert all(json.loads(line)["message"] for line in server.lines[1:])


@pytest.mark.slow
def test_a_kill_under_load_loses_no_correction_that_was_answered(served_run: Path, tmp_path: Path) -> None:
    answered: list[str] = []
    numbers = itertools.count()
    for _ in range(2):
        with started("--model", f"colours={served_run}", "--keep", tmp_path, "--workers", "2") as server:
            stop = threading.Event()

            def correct(server: Started = server, stop: threading.Event = stop) -> None:
                with (
                    httpx.Client(base_url=server.client.base_url, timeout=10, trust_env=False) as client,
                    contextlib.suppress(httpx.TransportError),
                ):
                    while not stop.is_set():
                        k = next(numbers)
                        image = picture((k % 256, k // 256 % 256, 77))
                        data = {"label_path": "grey"}
                        response = client.post("/v1/models/colours/corrections", files={"image": image}, data=data)
                        if response.status_code == 200:
                            answered.append(response.json()["id"])

            threads = [threading.Thread(target=correct) for _ in range(4)]
            for thread in threads:
                thread.start()
            time.sleep(1.5)
            for pid in (server.process.pid, *_children(server.process.pid)):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            server.process.wait()
            stop.set()
            for thread in threads:
                thread.join()
    assert len(answered) > 20
    with started("--model", f"colours={served_run}", "--keep", tmp_path) as server:
        assert server.end() == 0
    kept = {Path(path).stem for path in pl.read_csv(tmp_path / "corrections.csv")["path"]}
    assert set(answered) <= kept
    for id in answered:
        assert len((tmp_path / "images" / f"{id}.png").read_bytes()) == len(picture())


def _children(pid: int) -> list[int]:
    """The processes of a server that answer, without the one that keeps count of what they share."""
    found = map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())
    return [child for child in found if b"spawn_main" in Path(f"/proc/{child}/cmdline").read_bytes()]


@pytest.mark.slow
def test_a_worker_that_dies_is_started_again(served_run: Path) -> None:
    with started("--model", f"colours={served_run}", "--workers", "2") as server:
        before = set(_children(server.process.pid))
        victim = max(before)
        os.kill(victim, signal.SIGKILL)
        end = time.monotonic() + 60
        while len(set(_children(server.process.pid)) - {victim}) < len(before) and time.monotonic() < end:
            time.sleep(0.1)
        assert server.client.post("/v1/predict", files={"images": picture()}).status_code == 200
        assert server.end() == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in before)


def test_a_reload_answers_with_the_new_weights_and_a_failure_keeps_the_old(
    serve: Serve, served_run: Path, other_run: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(served_run, tmp_path / "run"))
    with serve(runs={"run": path}) as client:
        (before,) = client.post("/v1/predict", files={"images": picture()}).json()["results"]
        weights = client.get("/v1/models").json()["models"][0]["weights"]
        good = (path / "model.safetensors").read_bytes()
        (path / "model.safetensors").write_bytes(good[: len(good) // 2])
        assert "run" in refused(client.post("/v1/models/run/reload"), 409)
        assert client.post("/v1/predict", files={"images": picture()}).json()["results"] == [before]
        for file in ("model.safetensors", "config.toml", "taxonomy.csv"):
            shutil.copy(other_run / file, path / file)
        found = client.post("/v1/models/run/reload").json()
        assert found["weights"] != weights
        (model,) = client.get("/v1/models").json()["models"]
        assert (model["method"], model["weights"]) == ("flat-softmax", found["weights"])
        assert client.post("/v1/predict", files={"images": picture()}).json()["results"] != [before]
        assert 'cladewise_reloads_total{model="run",outcome="failed"} 1.0' in client.get("/metrics").text


def test_a_watched_folder_is_loaded_again_under_load(
    serve: Serve, served_run: Path, other_run: Path, tmp_path: Path
) -> None:
    path = Path(shutil.copytree(served_run, tmp_path / "run"))
    with serve(runs={"run": path}, watch=0.05) as client:
        stop, statuses = threading.Event(), list[int]()

        def ask() -> None:
            with httpx.Client(base_url=client.base_url, trust_env=False, timeout=30) as own:
                while not stop.is_set():
                    statuses.append(own.post("/v1/predict", files={"images": picture()}).status_code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for thread in threads:
            thread.start()
        for file in ("taxonomy.csv", "config.toml", "model.safetensors"):
            shutil.copy(other_run / file, tmp_path / "next")
            (tmp_path / "next").replace(path / file)
        end = time.monotonic() + 30
        while client.get("/v1/models").json()["models"][0]["method"] != "flat-softmax" and time.monotonic() < end:
            time.sleep(0.05)
        time.sleep(0.2)
        stop.set()
        for thread in threads:
            thread.join()
        assert client.get("/v1/models").json()["models"][0]["method"] == "flat-softmax"
        assert len(statuses) > 3
        assert set(statuses) == {200}


def test_several_runs_are_served_by_name(serve: Serve, served_run: Path, other_run: Path) -> None:
    with serve(runs={"first": served_run, "second": other_run}) as client:
        listed = client.get("/v1/models").json()["models"]
        assert [(model["name"], model["default"]) for model in listed] == [("first", True), ("second", False)]
        answers = {
            name: client.post(f"/v1/models/{name}/predict", files={"images": picture()}).json()
            for name in ("first", "second")
        }
        assert answers["first"] == client.post("/v1/predict", files={"images": picture()}).json()
        assert answers["second"]["model"] == "second"
        assert answers["first"]["results"] != answers["second"]["results"]
        message = refused(client.post("/v1/models/third/predict", files={"images": picture()}), 404)
        assert "first, second" in message


def test_an_address_in_use_is_told_with_the_option(served_run: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        command = [sys.executable, "-m", "cladewise", "serve", str(served_run), "--port", str(taken.getsockname()[1])]
        found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 2
    assert found.stderr.strip().endswith("already in use. Choose another one: --port")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--model", "a"], "a model as name=RUN"),
        ([], "at least one run"),
        (["nowhere"], "nowhere"),
        (["--model", "a/b=RUN"], "a name of letters"),
        (["RUN", "--key-file", "nowhere"], "API keys"),
        (["RUN", "--allow-url", "ftp://a/"], "the beginning of URLs"),
        (["RUN", "--runtime", "fast"], "a runtime"),
        (["RUN", "--host", "203.0.113.7"], "a free address"),
        (["RUN", "--accept", "JPG,PNG"], "but got JPG"),
        (["--model", "..=RUN"], "a name of letters"),
    ],
)
def test_mistakes_are_told_in_one_line(served_run: Path, words: list[str], told: str) -> None:
    filled = [word.replace("RUN", str(served_run)) for word in words]
    command = [sys.executable, "-m", "cladewise", "serve", *filled]
    found = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert found.returncode == 2
    lines = found.stderr.strip().splitlines()
    assert told in lines[-1]
    assert lines[-1].startswith("cladewise: Expected")
