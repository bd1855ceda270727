"""Images that occur twice: the same file content, or nearly the same picture."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image

from cladewise.datasets import Dataset, UnreadableImageError, decode
from cladewise.engine.feeding.features import Features
from cladewise.engine.feeding.threads import ordered_map, usable_processors
from cladewise.explanations.pairs import close_pairs
from cladewise.progress import track

IntArray = NDArray[np.int64]

FARTHEST = 0.05
"""Largest distance of the features, 1 - cosine, of near-duplicates."""
FARTHEST_EQUAL = 6
"""Most bits of 64 in which the difference hashes of near-duplicates differ."""
HASH_SIDE = 8


@dataclasses.dataclass(frozen=True, eq=False)
class Duplicates:
    """Pairs of images of a dataset that show the same picture.

    Args:
        first: Index of one image of each pair.
        second: Index of the other.
        distance: 1 - cosine of their features.
        bits: Bits in which their difference hashes differ; 0 for the same content.
        same_content: Whether the files have the same content.
    """

    first: IntArray
    second: IntArray
    distance: NDArray[np.float64]
    bits: IntArray
    same_content: NDArray[np.bool_]

    @property
    def pairs(self) -> IntArray:
        """The pairs as one array ``[2, pair]``."""
        return np.stack([self.first, self.second])

    def chosen(self, which: NDArray[np.bool_] | IntArray) -> Duplicates:
        """Some of the pairs."""
        return Duplicates(**{f.name: getattr(self, f.name)[which] for f in dataclasses.fields(self)})


def find_duplicates(
    dataset: Dataset, indices: IntArray, features: Features, *, farthest: float = FARTHEST, progress: bool = True
) -> Duplicates:
    """Find images with the same content, and near-duplicates among those with different content.

    Images are the same if their files are, whatever these are called. They are near-duplicates if their features have
    a distance of at most ``farthest`` and their difference hashes differ in at most :data:`FARTHEST_EQUAL` of 64
    bits: features alone are near for two pictures of one object too, and hashes alone for plain pictures of different
    ones.

    Args:
        dataset: The dataset.
        indices: The images to compare, with features.
        features: Their features.
        farthest: Largest distance, 1 - cosine, of the features of near-duplicates.
        progress: Show progress bars.
    """
    _, first, group = np.unique(features.places[indices, 0], return_index=True, return_inverse=True)
    again = np.setdiff1d(np.arange(indices.size), first)
    same = np.stack([first[group.reshape(-1)[again]], again])
    one_each = np.sort(first)
    vectors = torch.from_numpy(features.rows(indices[one_each]))
    near = close_pairs(vectors, farthest, progress=progress)
    ends = one_each[np.stack([near.first, near.second])]
    shown = np.unique(ends)
    hashes = difference_hashes(
        [dataset.root / str(dataset.paths[i]) for i in indices[shown].tolist()], progress=progress
    )
    bits = _differing(hashes[np.searchsorted(shown, ends)])
    alike = bits <= FARTHEST_EQUAL
    both = np.sort(np.concatenate([same, ends[:, alike]], axis=1), axis=0)
    found = Duplicates(
        indices[both[0]],
        indices[both[1]],
        np.concatenate([np.zeros(again.size), near.distance[alike]]),
        np.concatenate([np.zeros(again.size, dtype=np.int64), bits[alike]]),
        np.arange(both.shape[1]) < again.size,
    )
    return found.chosen(np.lexsort((found.second, found.first, found.distance, ~found.same_content)))


def difference_hashes(files: list[Path], *, progress: bool = True) -> NDArray[np.uint64]:
    """A hash of 64 bits per picture that changes little with its size, brightness and compression.

    The picture is shrunk to 9 x 8 grey pixels; each bit says whether a pixel is brighter than its right neighbour.
    Unreadable images have random bits.

    Args:
        files: The images.
        progress: Show a progress bar.

    Example:
        >>> file = getfixture("tmp_path") / "dark-to-bright.png"
        >>> Image.linear_gradient("L").rotate(90).save(file)
        >>> [f"{value:x}" for value in difference_hashes([file], progress=False)]
        ['0']

    References: N. Krawetz, Kind of like that (the hash dHash), hackerfactor.com, 2013.
    """
    threads = usable_processors()
    read = ordered_map(_hash, files, threads=threads, ahead=4 * threads)
    rows = list(track(read, "comparing pictures", total=len(files), shown=progress))
    return np.array(rows, dtype=np.uint64)


def _hash(file: Path) -> int:
    try:
        small = decode(file, size=64).convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS)
    except UnreadableImageError:
        return int.from_bytes(np.random.default_rng(abs(hash(file))).bytes(8), "big")
    grey = np.asarray(small, dtype=np.int16)
    return int.from_bytes(np.packbits(grey[:, :-1] > grey[:, 1:]).tobytes(), "big")


def _differing(hashes: NDArray[np.uint64]) -> IntArray:
    """Number of bits in which the two hashes of each column differ."""
    return np.bitwise_count(hashes[0] ^ hashes[1]).astype(np.int64)
