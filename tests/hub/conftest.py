"""A hub on this machine that the real client talks to, and evaluated runs to push to it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from hub.hub_server import TOKEN, Hub

if TYPE_CHECKING:
    from cladewise.engine import Run
    from shared_runs import SharedFolder


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[Hub]:
    """The hub; the client's cache and cladewise's are new and empty."""
    from huggingface_hub import constants

    from cladewise.records import hub_folder

    server = Hub()
    template = constants.HUGGINGFACE_CO_URL_TEMPLATE.replace(constants.ENDPOINT, server.url)
    monkeypatch.setattr(constants, "ENDPOINT", server.url)
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))
    hub_folder._remembered.cache_clear()
    yield server
    server.stop()


@pytest.fixture
def forget() -> Callable[[], None]:
    """Lets the process ask the hub again, as a new one would."""
    from cladewise.records import hub_folder

    return hub_folder._remembered.cache_clear


@pytest.fixture(scope="session")
def evaluated(shared: SharedFolder, trained: Callable[..., Run]) -> Path:
    """The folder of a frozen run with evaluations, a fitted rule and a log that names an image."""
    from cladewise import engine
    from cladewise.records import log

    run = trained(method="hxe", freeze=True, epochs=10)

    def make(folder: Path) -> None:
        shutil.copytree(run.path, folder)
        for decision in ("leaf", "majority", "hedging:guarantee=0.8"):
            engine.evaluate(folder, decision=decision, progress=False)
        log.append(folder / "log.jsonl", "warning", text=f"something in {run.dataset.root}/warm/red")
        log.append_skipped(folder / "log.jsonl", [("grey/broken.png", "not an image")])

    return shared.once("hub-evaluated", make)


@pytest.fixture
def run_folder(evaluated: Path, tmp_path: Path) -> Path:
    """A copy of the evaluated run to write into."""
    return Path(shutil.copytree(evaluated, tmp_path / "colours"))
