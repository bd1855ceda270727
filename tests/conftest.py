"""Fixtures for all tests: devices, and the data set and runs that workers share."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import torch
from hypothesis import HealthCheck, settings

from shared_runs import SharedFolder, shared_folder, write_colours

if TYPE_CHECKING:
    from cladewise.datasets import Dataset
    from cladewise.engine import Run

settings.register_profile("cladewise", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cladewise")

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device of this machine."""
    return torch.device(request.param)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SharedFolder]:
    """The folder that all workers of this session share: what is made there is made once, and only read."""
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
    return shared.once("colours", write_colours)


@pytest.fixture(scope="session")
def colours(colour_folder: Path) -> Dataset:
    """The data set of :func:`colour_folder`."""
    from cladewise import datasets

    return datasets.from_folder(colour_folder, seed=3)


@pytest.fixture(scope="session")
def trained(shared: SharedFolder, shared_cache: Path, colours: Dataset) -> Callable[..., Run]:
    """``trained(method="hace", freeze=True, epochs=10)``: a run on the colours, trained once per session."""
    return lambda **settings: shared.trained(colours, **settings)
