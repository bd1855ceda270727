"""Which images show best what a threshold does: those whose answers change along the way."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.report.run import FloatArray, IntArray, Status, judge
from cladewise.report.sequences import Sequences
from cladewise.taxonomy import Taxonomy

NUM_EXAMPLES = 12
SHARES = (7, 3, 2)
"""How many examples of each kind: right while coarse and wrong at the leaf; right to the end; never right."""


def choose_examples(
    sequences: Sequence[Sequences], target: IntArray, taxonomy: Taxonomy, number: int = NUM_EXAMPLES
) -> list[int]:
    """Rows of images, the same at every call.

    Each kind is ranked by how much of the way, over all sequences given, an image spends on what makes the kind:
    half-way right, or wrong. Of those that spend much, images whose labels have different parents come first, then
    those of different labels.

    Args:
        sequences: The answers of each of several models to the same images.
        target: Label of every image ``[image]``.
        taxonomy: The tree.
        number: How many to choose.
    """
    scores = np.sum([_scores(each, target, taxonomy) for each in sequences], axis=0)
    shuffled = np.random.default_rng(0).permutation(target.size)  # equal scores: not all of the first folder
    families = (taxonomy.parents[target], target, np.arange(target.size))
    chosen: list[int] = []
    wanted = np.cumsum([round(number * share / sum(SHARES)) for share in SHARES])
    for score, up_to in zip(scores, wanted.tolist(), strict=True):
        ranked = shuffled[np.argsort(-score[shuffled], kind="stable")]
        telling = ranked[score[ranked] > 0.5 * score.max()]
        for candidates, family in itertools.product((telling, ranked[score[ranked] > 0]), families):
            _take(chosen, candidates, family, min(up_to, number))
    _take(chosen, shuffled[np.argsort(-scores.sum(axis=0)[shuffled], kind="stable")], families[-1], number)
    return chosen


def _take(chosen: list[int], ranked: IntArray, family: IntArray, up_to: int) -> None:
    """Add images until there are so many, each of a family that has none yet."""
    seen = {int(family[image]) for image in chosen}
    for image in ranked.tolist():
        if len(chosen) >= up_to:
            return
        if int(family[image]) not in seen:
            seen.add(int(family[image]))
            chosen.append(image)


def _scores(sequences: Sequences, target: IntArray, taxonomy: Taxonomy) -> FloatArray:
    """Of each kind and image ``[kind, image]``, the share of the way that makes it; 0 for images of other kinds."""
    status = judge(target[sequences.image], sequences.node, taxonomy)
    width = sequences.probability - sequences.ends
    size = sequences.num_images

    def time(those: NDArray[np.bool_]) -> FloatArray:
        return np.bincount(sequences.image, weights=width * those, minlength=size).astype(np.float64)

    is_partly = (status == Status.COARSER) & (sequences.node > 0)
    is_last = np.diff(sequences.image, append=-1) != 0
    final = np.full(size, int(Status.COARSER))
    final[sequences.image[is_last]] = status[is_last]
    partly, right, wrong = time(is_partly), time(status == Status.RIGHT), time(status == Status.WRONG)
    return np.stack(
        [
            np.where(final == Status.WRONG, partly, 0.0),
            np.where(final == Status.RIGHT, partly, 0.0),
            np.where(partly + right == 0, wrong, 0.0),
        ]
    )
