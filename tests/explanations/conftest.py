"""Small pictures of shapes in a ragged tree of three levels, and runs trained on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

import cladewise as cw
from cladewise import datasets
from cladewise.datasets import Dataset
from cladewise.engine import Run

SIDE = 96
SHAPES = {
    "round/disc/red": ("ellipse", (200, 50, 40)),
    "round/disc/blue": ("ellipse", (50, 80, 200)),
    "round/ring": ("arc", (40, 140, 60)),
    "angular/square/red": ("rectangle", (200, 50, 40)),
    "angular/square/blue": ("rectangle", (50, 80, 200)),
}
TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": SIDE,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "epochs": 2,
    "lr": 0.02,
}


def draw_shapes(folder: Path, each: int = 6) -> Path:
    """Shapes at random places; ``round`` itself holds images too, and one file of the test split is broken."""
    random = np.random.default_rng(0)
    for split in ("train", "test"):
        for label, (shape, colour) in SHAPES.items():
            _draw(folder / split / label, shape, colour, each, random)
        _draw(folder / split / "round", "ellipse", (150, 150, 150), each, random)
    broken = folder / "test" / "round" / "ring" / "broken.png"
    broken.write_bytes((folder / "test" / "round" / "ring" / "0.png").read_bytes()[:300])
    return folder


def _draw(folder: Path, shape: str, colour: tuple[int, int, int], count: int, random: np.random.Generator) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        noise = random.normal(0, 10, (SIDE, SIDE, 3))
        picture = Image.fromarray((170 + noise).clip(0, 255).astype(np.uint8))
        x, y = random.integers(20, SIDE - 20, 2).tolist()
        box, pen = (x - 16, y - 16, x + 16, y + 16), ImageDraw.Draw(picture)
        if shape == "arc":
            pen.arc(box, 0, 360, fill=colour, width=6)
        else:
            getattr(pen, shape)(box, fill=colour)
        picture.save(folder / f"{number}.png")


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    return datasets.from_folder(draw_shapes(tmp_path_factory.mktemp("shapes")))


@pytest.fixture(scope="session", autouse=True)
def cache_of_our_own(tmp_path_factory: pytest.TempPathFactory) -> object:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="session")
def end_to_end(shapes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "end-to-end"
    return cw.train(shapes, method="level-softmax", out=out, backbone_lr=1e-3, **TINY)


@pytest.fixture(scope="session")
def frozen(shapes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "frozen"
    return cw.train(shapes, method="hace", freeze=True, out=out, **TINY)
