"""Decoded images of a run, on which exported files are checked and calibrated."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import UInt8
from numpy.typing import NDArray

from cladewise.datasets import Dataset, UnreadableImageError, decode
from cladewise.engine.run import Run
from cladewise.records import NO_SPLIT
from cladewise.runtimes.dead_leaves import dead_leaves

MADE_UP = 24
"""Number of synthetic images that a file is checked on if the run's images are gone."""
TALLEST = 2
"""Largest height of them as a multiple of the width: Pillow resizes taller pictures in another order than the graph."""

Picture = UInt8[np.ndarray, "height width 3"]


class Pictures(NamedTuple):
    """Decoded images.

    Args:
        source: The split of the run's data, or made-up pictures.
        pictures: The images.
        nodes: Their labels in the tree of the data; ``None`` for made-up pictures.
    """

    source: str
    pictures: list[Picture]
    nodes: NDArray[np.int64] | None


def check_pictures(run: Run, number: int, split: str | None) -> Pictures:
    """Some images of a run to check a file on, or made-up ones of several sizes if the data is gone.

    Args:
        run: The run.
        number: Their number.
        split: Their split: by default the test split, else the validation split, else the training split.
    """
    training = run.config.training
    splits = [split] if split else ["test", training.val_split, training.train_split]
    found = run_pictures(run, number, splits, must_exist=bool(split))
    if found is not None:
        return found
    made = dead_leaves(MADE_UP, 448, (0.0,) * 3, (1.0,) * 3).permute(0, 2, 3, 1).mul(255).round().byte().numpy()
    sizes = np.random.default_rng(0).integers(64, 449, (MADE_UP, 2))
    pictures = [picture[: min(h, TALLEST * w), :w] for picture, (h, w) in zip(made, sizes.tolist(), strict=True)]
    return Pictures("made-up pictures", pictures, None)


def run_pictures(run: Run, number: int, splits: Sequence[str], *, must_exist: bool = False) -> Pictures | None:
    """Images evenly drawn from the first of some splits that the run's data has; ``None`` if there are none.

    Args:
        run: The run.
        number: Their number; unreadable ones among them are left out.
        splits: The splits, in order of preference.
        must_exist: Whether a split that the data lacks is an error rather than passed over.

    Raises:
        InputError: There is no such split.
    """
    data = run.dataset_if_there
    if data is None or number == 0:
        return None
    names = [name for name in splits if name != NO_SPLIT and (must_exist or name in data.splits)]
    chosen = names[0] if names else ""
    indices = data.indices(chosen) if chosen else np.arange(len(data.paths))
    drawn = indices[np.unique(np.linspace(0, len(indices) - 1, min(number, len(indices))).round().astype(int))]
    size = run.backbone.transform().decode_size
    read = {int(index): picture for index in drawn if (picture := _read(data, int(index), size)) is not None}
    return Pictures(chosen or "the data", list(read.values()), data.nodes[list(read)]) if read else None


def _read(data: Dataset, index: int, size: int | None) -> Picture | None:
    try:
        return np.asarray(decode(os.path.join(data.root, data.paths[index]), size=size))
    except UnreadableImageError:
        return None


def of_one_size(pictures: Sequence[Picture]) -> list[Picture]:
    """The pictures cut to the size that all of them have."""
    height, width = (min(picture.shape[side] for picture in pictures) for side in (0, 1))
    return [np.ascontiguousarray(picture[:height, :width]) for picture in pictures]
