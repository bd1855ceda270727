"""Label hierarchy transition again for one image, with every matrix formed, from the formulas."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from cladewise.taxonomy import Taxonomy
from reference import trees
from reference.losses_margin import representative
from reference.trees import Array


class Chain(NamedTuple):
    """Probabilities by level, and the matrices ``[target, source]`` in the order that they are applied in."""

    levels: dict[int, Array]
    matrices: list[Array]


def softmax(values: Array) -> Array:
    mass = np.exp(values - values.max())
    return mass / mass.sum()


def members(taxonomy: Taxonomy, level: int) -> list[int]:
    """Nodes of the extended level."""
    return sorted({representative(taxonomy, leaf, level) for leaf in trees.leaves_under(taxonomy, 0)})


def naive(taxonomy: Taxonomy, source: int, target: int) -> Array:
    """1 where one class lies under the other, ``[target, source]``."""
    coarse, fine = min(source, target), max(source, target)
    table = np.zeros((len(members(taxonomy, coarse)), len(members(taxonomy, fine))))
    for column, node in enumerate(members(taxonomy, fine)):
        table[members(taxonomy, coarse).index(representative(taxonomy, node, coarse)), column] = 1
    return table if target == coarse else table.T


def chain(taxonomy: Taxonomy, logits: Array, levels: list[int], order: str, rank: int | None) -> Chain:
    """Everything that the logits say."""
    along = list(levels) if order == "c2f" else list(reversed(levels))
    rest = list(logits)

    def take(*shape: int) -> Array:
        count = int(np.prod(shape))
        taken, rest[:] = rest[:count], rest[count:]
        return np.array(taken).reshape(shape)

    p = {along[0]: softmax(take(len(members(taxonomy, along[0]))))}
    matrices: list[Array] = []
    for source, target in itertools.pairwise(along):
        sizes = len(members(taxonomy, source)), len(members(taxonomy, target))
        if rank is None:
            scores = take(*sizes)
        else:
            product = take(sizes[0], rank) @ take(rank, sizes[1])
            scores = product + take(1) * naive(taxonomy, source, target).T
        matrices.append(np.stack([softmax(row) for row in scores], axis=1))
        p[target] = matrices[-1] @ p[source]
    assert not rest
    return Chain(p, matrices)


def negative_entropy(matrix: Array) -> float:
    """Mean over the columns."""
    return float(np.mean([sum(x * np.log(x) for x in column if x > 0) for column in matrix.T]))


def loss(
    taxonomy: Taxonomy, logits: Array, target: int, levels: list[int], order: str, rank: int | None, confusion: float
) -> float:
    """Cross-entropy of the levels that the label says something about, and the confusion of all transitions."""
    made = chain(taxonomy, logits, levels, order, rank)
    total = confusion * sum(map(negative_entropy, made.matrices))
    for level in levels:
        if target in trees.leaves_under(taxonomy, 0) or taxonomy.level[target] >= level:
            place = members(taxonomy, level).index(representative(taxonomy, target, level))
            total -= np.log(made.levels[level][place])
    return float(total)
