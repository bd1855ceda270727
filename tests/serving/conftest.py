"""Servers on loopback that the tests of this package talk to."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from PIL import Image

if TYPE_CHECKING:
    import httpx

    from shared_runs import SharedFolder

pytest.importorskip("fastapi", reason="needs the extra serve")

Serve = Callable[..., contextlib.AbstractContextManager["httpx.Client"]]


@pytest.fixture(scope="session")
def served_run(shared: SharedFolder, shared_cache: Path, colour_folder: Path) -> Path:
    """A run with the scores of its validation split, as an evaluation leaves it; to be read only."""
    from cladewise import Run, datasets, evaluate

    def make(out: Path) -> None:
        data = datasets.from_folder(colour_folder, seed=3, fractions={"train": 0.4, "val": 0.4, "test": 0.2})
        shutil.copytree(shared.trained(data, method="hace", freeze=True, epochs=20).path, out)
        evaluate(Run.open(out), split="val", progress=False)

    return shared.once("served", make)


@contextlib.contextmanager
def serving(**settings: Any) -> Iterator[httpx.Client]:
    """A server in a thread of this process, and a client of it."""
    import httpx

    from cladewise.serving import Settings
    from cladewise.serving.running import listening_on
    from cladewise.serving.server import Server

    server = Server(Settings(**{"runtime": "torch", "threads": 1, **settings}))
    with listening_on("127.0.0.1", 0) as opened:
        thread = threading.Thread(target=server.run, kwargs={"sockets": [opened]}, daemon=True)
        address = f"http://127.0.0.1:{opened.getsockname()[1]}"
        thread.start()
        try:
            while not server.ready:
                assert thread.is_alive(), server.problem
                time.sleep(0.01)
            with httpx.Client(base_url=address, timeout=30, trust_env=False) as client:
                yield client
        finally:
            server.stop()
            thread.join(30)
    assert not thread.is_alive()


@pytest.fixture
def serve(served_run: Path) -> Serve:
    """``with serve(limits=Limits(images=2)) as client``: a server of the run with these settings."""
    return lambda **settings: serving(**{"runs": {"colours": served_run}, **settings})


@pytest.fixture(scope="module")
def client(served_run: Path) -> Iterator[httpx.Client]:
    """A client of a server with default settings, shared by a module."""
    with serving(runs={"colours": served_run}) as found:
        yield found


def picture(colour: tuple[int, int, int] = (200, 30, 30), kind: str = "PNG", side: int = 24, **options: Any) -> bytes:
    """A square of one colour."""
    buffer = io.BytesIO()
    Image.new("RGB", (side, side), colour).save(buffer, kind, **options)
    return buffer.getvalue()


def refused(response: httpx.Response, status: int) -> str:
    """The message of a refusal, whose form is checked."""
    assert response.status_code == status, response.text
    error = json.loads(response.content)["error"]
    assert set(error) == {"expected", "got", "advice", "message"}
    assert error["message"].startswith("Expected "), error
    return error["message"]
