"""Stratified splits, held-out splits and folds, deterministic for a seed."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.datasets.corrections import CORRECTIONS
from cladewise.datasets.dataset import Dataset
from cladewise.datasets.random_order import path_key, shuffled_by_node, uniform
from cladewise.datasets.relabelling import refuse_relabelled
from cladewise.errors import InputError

IntArray = NDArray[np.int64]

FRACTIONS: Mapping[str, float] = {"train": 0.7, "val": 0.1, "test": 0.2}


def split(dataset: Dataset, fractions: Mapping[str, float] = FRACTIONS, seed: int = 0) -> Dataset:
    r"""Split a dataset, stratified by node.

    A node with :math:`n` images gives split :math:`k` either :math:`\lfloor n f_k \rfloor` or
    :math:`\lceil n f_k \rceil` of them, :math:`n f_k` on average over nodes (systematic sampling), and the first split
    at least one. The assignment depends on the seed, the nodes' paths and the file names, not on the order of files.

    Args:
        dataset: Images and nodes; its splits are replaced.
        fractions: Share of each split; they sum to 1. The first is the training split.
        seed: Random seed.

    Raises:
        InputError: A fraction is not in (0, 1], they do not sum to 1, labels were changed, or classes held out.
    """
    refuse_relabelled(dataset)
    if CORRECTIONS in dataset.source:
        advice = "Split it before correcting labels."
        raise InputError("a dataset with its original labels", "corrected ones", advice=advice)
    if dataset.held_out_classes is not None:
        advice = "Split it before holding classes out."
        raise InputError("a dataset with all of its classes", "one with classes held out", advice=advice)
    if not isinstance(fractions, Mapping):  # pyright: ignore[reportUnnecessaryIsInstance] -- users write these
        raise InputError("fractions by split, such as {train: 0.8, test: 0.2}", repr(fractions))
    whole = np.arange(len(dataset))
    source = {key: value for key, value in dataset.source.items() if key != "held_out"}
    source |= {"fractions": dict(fractions), "seed": seed}
    return dataclasses.replace(dataset, splits=_spread(dataset, whole, fractions, seed), source=source)


def hold_out(dataset: Dataset, name: str, fraction: float, seed: int = 0, *, into: str = "tune") -> Dataset:
    """Split off a part of a split, stratified as in :func:`split`.

    Args:
        dataset: Images and nodes.
        name: The split to take from; each of its nodes keeps at least one image there.
        fraction: Share to take, in (0, 1).
        seed: Random seed.
        into: Name of the new split.

    Raises:
        InputError: There is no such split, ``into`` exists already, the fraction is not in (0, 1), or labels were
            changed before.
    """
    refuse_relabelled(dataset)
    if into in dataset.splits:
        raise InputError("a new name for the held-out split", f"{into!r}, which exists", advice="Pass into=...")
    if not 0 < fraction < 1:
        raise InputError("a fraction in (0, 1)", fraction)
    if "+" in name or "+" in into:
        raise InputError("one split to hold out from, and one to make", f"{name!r} and {into!r}")
    parts = _spread(dataset, dataset.indices(name), {name: 1 - fraction, into: fraction}, seed)
    step = {"name": name, "fraction": fraction, "seed": seed, "into": into}
    return dataclasses.replace(dataset, splits={**dataset.splits, **parts}, source=with_step(dataset, step))


def fold(dataset: Dataset, name: str, number: int, of: int = 5, seed: int = 0, *, into: str = "left-out") -> Dataset:
    """Leave one fold out of a split, for cross-validation with one dataset per fold.

    Each node's images are dealt to the folds in turn, starting at a random fold, so the folds of a node differ by at
    most one image. Every image is left out of exactly one of the ``of`` datasets.

    Args:
        dataset: Images and nodes.
        name: The split to leave images out of; with several joined by ``+``, each loses its share.
        number: Number of the fold, from 0.
        of: Number of folds, at least 2.
        seed: Random seed.
        into: Name of the split with the left-out images.

    Raises:
        InputError: There is no such split or fold, ``into`` exists already, or labels were changed before.
    """
    refuse_relabelled(dataset)
    if into in dataset.splits or "+" in into:
        raise InputError("a new name for the images left out", repr(into), advice="Pass into=...")
    if not (of >= 2 and 0 <= number < of):
        raise InputError("one of at least 2 folds, counted from 0", f"fold {number} of {of}")
    salt = f"{seed} folds"
    order = shuffled_by_node(dataset, dataset.indices(name), salt)
    nodes, first, counts = np.unique(dataset.nodes[order], return_index=True, return_counts=True)
    offsets = np.array([uniform(salt, path_key(dataset, node)) for node in nodes.tolist()])
    rank = np.arange(order.size) - np.repeat(first, counts)
    left_out = np.sort(order[(rank + np.repeat((offsets * of).astype(np.int64), counts)) % of == number])
    rest = {part: np.setdiff1d(dataset.splits[part], left_out) for part in name.split("+")}
    step = {"name": name, "fold": number, "of": of, "seed": seed, "into": into}
    return dataclasses.replace(
        dataset, splits={**dataset.splits, **rest, into: left_out}, source=with_step(dataset, step)
    )


def carve_again(dataset: Dataset, step: Mapping[str, Any]) -> Dataset:
    """Apply a step of :func:`hold_out` or :func:`fold` that is stored under ``held_out`` in a dataset's source."""
    if "fold" in step:
        return fold(dataset, step["name"], step["fold"], step["of"], step["seed"], into=step["into"])
    return hold_out(dataset, step["name"], step["fraction"], step["seed"], into=step["into"])


def with_step(dataset: Dataset, step: Mapping[str, object]) -> dict[str, Any]:
    """The source of a dataset with a further step of taking images out of its splits."""
    return {**dataset.source, "held_out": [*dataset.source.get("held_out", ()), step]}


def _spread(dataset: Dataset, images: IntArray, fractions: Mapping[str, float], seed: int) -> dict[str, IntArray]:
    shares = np.array(list(fractions.values()), dtype=np.float64)
    if not (shares.size and (shares > 0).all() and abs(shares.sum() - 1) < 1e-6):
        raise InputError("fractions above 0 that sum to 1", dict(fractions))
    salt = f"{seed} {' '.join(fractions)}"  # so that holding out does not repeat the draws of an earlier split
    order = shuffled_by_node(dataset, images, salt)
    nodes, first, counts = np.unique(dataset.nodes[order], return_index=True, return_counts=True)

    offsets = np.array([uniform(salt, path_key(dataset, node)) for node in nodes.tolist()])
    # rounding keeps 0.7 * 10 from becoming 6.999...
    bounds = np.round(counts[:, None] * np.cumsum(shares), 9)
    ends = np.floor(bounds + offsets[:, None]).astype(np.int64)
    ends[:, 0] = np.maximum(ends[:, 0], 1)
    ends[:, -1] = counts
    ends = np.maximum.accumulate(ends, axis=1)

    rank = np.arange(order.size) - np.repeat(first, counts)
    part = (rank[:, None] >= np.repeat(ends, counts, axis=0)).sum(axis=1)
    return {name: np.sort(order[part == k]) for k, name in enumerate(fractions)}
