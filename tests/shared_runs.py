"""Folders, datasets and trained runs that the workers of one test session share, each made once."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from filelock import FileLock
from PIL import Image

if TYPE_CHECKING:
    from cladewise.datasets import Dataset
    from cladewise.engine import Run

COLOURS = {
    "warm/red": (200, 30, 30),
    "warm/orange": (220, 130, 20),
    "cold/blue/navy": (10, 10, 110),
    "cold/blue/sky": (120, 180, 240),
    "cold/green": (30, 160, 40),
    "grey": (128, 128, 128),
}
IMAGES_EACH = 12
TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
}
"""Settings of the smallest run there is; a frozen one trains in a fifth of a second."""


class SharedFolder:
    """A folder that every worker of a test session sees, with things that are made once and only read afterwards."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seen: dict[Path, dict[str, tuple[int, int]]] = {}

    def once(self, name: str, make: Callable[[Path], object]) -> Path:
        """The path ``name`` in this folder, which ``make`` writes for the first worker that asks for it.

        Args:
            name: Unique for what ``make`` writes.
            make: Writes a file or a folder at the path that it is given.
        """
        path = self.path / name
        with FileLock(f"{path}.lock"):
            done = Path(f"{path}.done")
            if not done.exists():
                make(path)
                done.touch()
        self._seen.setdefault(path, listing(path))
        return path

    def trained(self, dataset: Dataset, **settings: Any) -> Run:
        """The run with these settings, trained by the first worker that asks for it.

        Args:
            dataset: The images to train on.
            **settings: Arguments of :func:`cladewise.train` except ``out``; :data:`TINY` holds the defaults.

        Returns:
            A run to read. A test that writes into the folder, by evaluating or explaining, takes :func:`copy_of` it.
        """
        from cladewise.engine import Run, train

        wanted = {**TINY, **settings}
        splits = {name: images.tolist() for name, images in dataset.splits.items()}
        what = [wanted, str(dataset.root), list(dataset.paths), dataset.nodes.tolist(), splits]
        key = hashlib.sha256(json.dumps(what, sort_keys=True, default=repr).encode()).hexdigest()[:12]
        path = self.once(f"{wanted.get('method', 'default')}-{key}", lambda out: train(dataset, out=out, **wanted))
        return Run.open(path)

    def check_unchanged(self) -> None:
        """Raise if a test wrote into what is shared."""
        changed = [
            f"{path}: {sorted(file for file, _ in before.items() ^ listing(path).items())}"
            for path, before in self._seen.items()
            if before != listing(path)
        ]
        assert not changed, f"A test wrote into a shared folder instead of a copy (copy_of): {changed}"


def listing(path: Path) -> dict[str, tuple[int, int]]:
    """Size and time of every file below ``path``, locks aside."""
    files = [path] if path.is_file() else [file for file in path.rglob("*") if file.is_file()]
    return {
        str(file): (file.stat().st_size, file.stat().st_mtime_ns) for file in files if not file.name.endswith(".lock")
    }


def shared_folder(factory: pytest.TempPathFactory) -> SharedFolder:
    """The folder that all workers of this session share."""
    base = factory.getbasetemp()
    path = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "shared"
    path.mkdir(exist_ok=True)
    return SharedFolder(path)


def copy_of(run: Run, out: Path) -> Run:
    """A copy of a shared run that a test may write into."""
    from cladewise.engine import Run

    return Run.open(shutil.copytree(run.path, out))


def write_squares(
    folder: Path,
    colours: dict[str, tuple[int, int, int]],
    each: int = IMAGES_EACH,
    *,
    noise: float = 12,
    side: int = 24,
) -> Path:
    """Noisy squares of each colour, in one folder per class."""
    random = np.random.default_rng(0)
    for label, colour in colours.items():
        (folder / label).mkdir(parents=True, exist_ok=True)
        for number in range(each):
            pixels = np.array(colour) + random.normal(0, noise, (side, side, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / label / f"{number}.png")
    return folder


def write_colours(folder: Path) -> Path:
    """Squares in a ragged tree of three levels; ``warm`` itself has images too, and one file is broken."""
    write_squares(folder, COLOURS | {"warm": (210, 80, 25)})
    whole = (folder / "grey" / "0.png").read_bytes()
    (folder / "grey" / "broken.png").write_bytes(whole[: len(whole) // 2])
    return folder
