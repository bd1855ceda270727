"""Fixtures for all tests: the device, and the dataset and runs that workers share.

Nothing heavy is imported here, for the process that hands tests out to workers loads this file and runs none.
"""

from __future__ import annotations

import gc
import os
import shutil
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.doctest import DoctestModule

if TYPE_CHECKING:
    import torch

    from cladewise.datasets import Dataset
    from cladewise.engine import Run
    from shared_runs import SharedFolder

BROWSER_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def pytest_sessionstart(session: pytest.Session) -> None:
    """Loads the Hypothesis profile before test modules are imported, in every process that imports them.

    Garbage collection pauses until they are: imports make a million objects that stay, and hardly any garbage.
    """
    gc.disable()
    hands_out = session.config.getoption("numprocesses", None) and "PYTEST_XDIST_WORKER" not in os.environ
    if not hands_out:
        from hypothesis import HealthCheck, settings

        slow_is_fine = [HealthCheck.too_slow]
        settings.register_profile("cladewise", deadline=None, max_examples=30, suppress_health_check=slow_is_fine)
        settings.load_profile("cladewise")


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Generator[None, list[pytest.Collector], list[pytest.Collector]]:
    """Leaves the doctests to ``src``: test modules have none, and their helpers are not test modules."""
    collectors = yield
    return [collector for collector in collectors if not isinstance(collector, DoctestModule)]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the tests that take a device."""
    for item in items:
        if "device" in getattr(item, "fixturenames", ()):
            item.add_marker("device")


def pytest_collection_finish() -> None:
    """Resumes garbage collection, and leaves out of it what was imported: scanning that took longer than some tests."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """An open Chromium; skips without it or playwright."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    installed = next(filter(None, map(shutil.which, names)), None)
    if installed is None:
        pytest.skip("needs Chromium on the PATH")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=installed, args=list(BROWSER_ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def device() -> torch.device:
    """The device that ``CLADEWISE_TEST_DEVICE`` names, the CPU by default."""
    import torch

    return torch.device(os.environ.get("CLADEWISE_TEST_DEVICE", "cpu"))


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedFolder]:
    """The folder that all workers of this session share: what is made there is made once, and only read."""
    from shared_runs import shared_folder

    folder = shared_folder(tmp_path_factory)
    yield folder
    folder.check_unchanged()


@pytest.fixture(scope="session")
def shared_cache(shared: SharedFolder) -> Iterator[Path]:
    """A cache of features and texts for this session, in place of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(shared.path / "cache"))
        yield shared.path / "cache"


@pytest.fixture(scope="session")
def colour_folder(shared: SharedFolder) -> Path:
    """A folder of noisy squares: a ragged tree, labels at an internal node, one broken file."""
    from shared_runs import write_colours

    return shared.once("colours", write_colours)


@pytest.fixture(scope="session")
def colours(colour_folder: Path) -> Dataset:
    """The dataset of :func:`colour_folder`."""
    from cladewise import datasets

    return datasets.from_folder(colour_folder, seed=3)


@pytest.fixture(scope="session")
def trained(shared: SharedFolder, shared_cache: Path, colours: Dataset) -> Callable[..., Run]:
    """``trained(method="hace", freeze=True, epochs=10)``: a run on the colours, trained once per session."""
    return lambda **settings: shared.trained(colours, **settings)
