"""A small data set of real files: colours with noise, in a ragged tree, with labels at an internal node."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cladewise import datasets
from cladewise.datasets import Dataset

COLOURS = {
    "warm/red": (200, 30, 30),
    "warm/orange": (220, 130, 20),
    "cold/blue/navy": (10, 10, 110),
    "cold/blue/sky": (120, 180, 240),
    "cold/green": (30, 160, 40),
    "grey": (128, 128, 128),
}
IMAGES_EACH = 12


def write_colours(folder: Path) -> Path:
    """Noisy squares of each colour; ``warm`` itself holds images too, and one file is broken."""
    random = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        _write(folder / label, colour, IMAGES_EACH, random)
    _write(folder / "warm", (210, 80, 25), IMAGES_EACH, random)
    whole = (folder / "grey" / "0.png").read_bytes()
    (folder / "grey" / "broken.png").write_bytes(whole[: len(whole) // 2])
    return folder


def _write(folder: Path, colour: tuple[int, int, int], count: int, random: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = random.normal(0, 12, (24, 24, 3))
        Image.fromarray((np.array(colour) + noise).clip(0, 255).astype(np.uint8)).save(folder / f"{number}.png")


@pytest.fixture(scope="session")
def colour_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colours(tmp_path_factory.mktemp("colours"))


@pytest.fixture(scope="session")
def colours(colour_folder: Path) -> Dataset:
    return datasets.from_folder(colour_folder, seed=3)


@pytest.fixture(scope="session", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
