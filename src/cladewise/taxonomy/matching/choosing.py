"""Choice among scored pairs of nodes: one-to-one pairs, then merged and split nodes, then pairs to ask about."""

from __future__ import annotations

import dataclasses

import numpy as np

from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.matching import evidence
from cladewise.taxonomy.matching.overlap import contained
from cladewise.taxonomy.matching.scoring import KINDS, LEAVES, FloatArray, Scored
from cladewise.taxonomy.tree import Taxonomy

MOST_ROUNDS = 100
MARGIN = 0.1
"""Difference in certainty below which neither of two counterparts is preferred."""
INSIDE = 0.75
"""Least share of a node's leaves that are below another, for one to be part of the other."""
PART = 0.1
"""Least share of an old node's leaves in a new one for it to be split."""
FEWEST = 2
"""Fewest leaves of an old node in a new one for it to be split; a single one has moved."""
NEAR_ENOUGH = 0.5
STATED = KINDS["former id"] | KINDS["synonym"]
"""Kinds by which a tree states that another name or id is part of a node."""


@dataclasses.dataclass(frozen=True)
class Chosen:
    """Rows of the correspondence.

    Attributes:
        rows: Positions among the scored pairs, ``[row]``.
        certainty: In [0, 1], ``[row]``.
        ask: Whether a person must decide, ``[row]``.
        leaves: Whether the row is there because of the leaves below its nodes, ``[row]``.
    """

    rows: IntArray
    certainty: FloatArray
    ask: BoolArray
    leaves: BoolArray


def mutual_best(scored: Scored) -> IntArray:
    """Pairs of nodes that prefer each other, then among the others again, as positions in order.

    Of equal pairs a node prefers the one with the first node. The result is the same whichever tree is called old.

    Example:
        >>> import numpy as np
        >>> zeros = np.zeros(3, dtype=np.int64)
        >>> pairs = Scored(np.array([1, 1, 2]), np.array([1, 2, 2]), np.array([0.8, 0.9, 0.7]), *[zeros] * 6)
        >>> mutual_best(pairs).tolist()
        [1]
    """
    left = np.flatnonzero(scored.certainty >= evidence.SHOWN)
    found: list[IntArray] = []
    for _ in range(MOST_ROUNDS):
        if not left.size:
            break
        u, v, c = scored.old[left], scored.new[left], scored.certainty[left]
        best = _first(u, c, v) & _first(v, c, u)
        found.append(left[best])
        left = left[~best & ~np.isin(u, u[best]) & ~np.isin(v, v[best])]
    return np.sort(np.concatenate([np.zeros(0, dtype=np.int64), *found]))


def _first(group: IntArray, certainty: FloatArray, other: IntArray) -> BoolArray:
    """Whether each pair is the best one of its group: the most certain, then the one with the first other node."""
    order = np.lexsort((other, -certainty, group))
    first = np.zeros(group.size, dtype=np.bool_)
    starts = np.diff(group[order], prepend=-1) != 0
    first[order[starts]] = True
    return first


def choose(old: Taxonomy, new: Taxonomy, scored: Scored) -> Chosen:
    """Choose pairs, and what is left open.

    One-to-one pairs are those of :func:`mutual_best`. A node that is left over is merged into, or split from, a node
    of a pair if its tree or the leaves below say so. A pair with evidence of a kind that the chosen pairs of its nodes
    lack is a rival of these: all are for a person to decide.
    """
    pairs = mutual_best(scored)
    at_old, at_new = np.full(old.num_nodes, -1), np.full(new.num_nodes, -1)
    at_old[scored.old[pairs]] = pairs
    at_new[scored.new[pairs]] = pairs
    extra, extra_certainty, by_leaves = _parts(old, new, scored, at_old, at_new)
    rivals = _rivals(scored, at_old, at_new)
    rivals = np.setdiff1d(rivals, extra)
    disputed = np.concatenate([at_old[scored.old[rivals]], at_new[scored.new[rivals]], rivals])
    rows = np.concatenate([pairs, extra, rivals])
    certainty = np.concatenate([scored.certainty[pairs], extra_certainty, scored.certainty[rivals]])
    ask = (certainty < evidence.CERTAIN) | np.isin(rows, disputed)
    leaves = np.concatenate([np.zeros(pairs.size, dtype=np.bool_), by_leaves, np.zeros(rivals.size, dtype=np.bool_)])
    return Chosen(rows, certainty, ask, leaves)


def _parts(
    old: Taxonomy, new: Taxonomy, scored: Scored, at_old: IntArray, at_new: IntArray
) -> tuple[IntArray, FloatArray, BoolArray]:
    """Pairs of a node that is left over and a node of a chosen pair, of which it is or was a part."""
    free_old, free_new = at_old[scored.old] < 0, at_new[scored.new] < 0
    stated = ((scored.bits & STATED) > 0) & (scored.certainty >= evidence.SHOWN)
    n = scored.shared
    enough = (n >= FEWEST) | (n > 0) & scored.same_parent
    merged = (n >= INSIDE * scored.of_old) & enough & free_old & ~free_new
    split = (n >= INSIDE * scored.of_new) & (n >= PART * scored.of_old) & (n >= FEWEST) & ~free_old & free_new
    partner_old = np.where(free_new, -1, scored.old[at_new[scored.new]])
    partner_new = np.where(free_old, -1, scored.new[at_old[scored.old]])
    merged &= ~_in_line(old, partner_old, scored.old)
    split &= ~_in_line(new, partner_new, scored.new)
    inside = np.where(merged, n / np.maximum(scored.of_old, 1), n / np.maximum(scored.of_new, 1))
    leaves = inside * n / (n + 0.5)
    leaves = np.where(split, leaves, 1 - (1 - leaves) * (1 - evidence.SAME_PARENT * scored.same_parent))
    by_leaves = (merged | split) & (leaves >= evidence.SHOWN)
    certainty = np.maximum(np.where(stated, scored.certainty, 0.0), np.where(by_leaves, leaves, 0.0))
    found: list[IntArray] = []
    for free, taken, group, other in (
        (free_old, ~free_new, scored.old, scored.new),
        (free_new, ~free_old, scored.new, scored.old),
    ):
        rows = np.flatnonzero(free & taken & (certainty > 0))
        dice = 2 * n[rows] / np.maximum(scored.of_old[rows] + scored.of_new[rows], 1)
        best = _first(group[rows], certainty[rows] + dice, other[rows])
        several = stated[rows] & ((scored.bits[rows] & KINDS["former id"]) > 0)  # an id may go to several on purpose
        found.append(rows[best | several])
    rows = np.unique(np.concatenate(found))
    return rows, certainty[rows], by_leaves[rows] & ~stated[rows]


def _in_line(tree: Taxonomy, ancestor: IntArray, node: IntArray) -> BoolArray:
    """Whether one of two nodes is above the other; not if one is -1."""
    known = (ancestor >= 0) & (node >= 0)
    a, b = np.maximum(ancestor, 0), np.maximum(node, 0)
    return known & (contained(tree, a, b) | contained(tree, b, a))


def _rivals(scored: Scored, at_old: IntArray, at_new: IntArray) -> IntArray:
    """Pairs that are not chosen but have evidence of a kind that the chosen pairs of their nodes lack."""
    name, synonym, id_ = KINDS["name"], KINDS["synonym"], KINDS["id"] | KINDS["former id"]
    bits = np.where(scored.bits & KINDS["former id"], scored.bits | KINDS["id"], scored.bits)
    bits = np.where(bits & name, bits | synonym, bits)
    decisive = id_ | name | synonym | LEAVES
    has = [np.where(at < 0, 0, bits[at]) for at in (at_old[scored.old], at_new[scored.new])]
    own = bits & decisive & ~has[0] & ~has[1]
    placed = scored.same_parent | (scored.near >= NEAR_ENOUGH) | ((bits & LEAVES) > 0)
    own = np.where(placed, own, own & id_)
    chosen = np.zeros(scored.old.size, dtype=np.bool_)
    chosen[at_old[at_old >= 0]] = True
    taken = (at_old[scored.old] >= 0) | (at_new[scored.new] >= 0)
    rival = (own > 0) & taken & ~chosen & (scored.certainty >= evidence.SHOWN)
    return np.flatnonzero(rival | _equally_good(scored, at_old, at_new, bits) & ~chosen)


def _equally_good(scored: Scored, at_old: IntArray, at_new: IntArray, bits: IntArray) -> BoolArray:
    """Pairs of a chosen and a left-over node that are nearly as certain as the chosen pair."""
    direct = (bits & ~LEAVES) > 0
    better = np.zeros(scored.old.size)
    for mine, other in ((at_old[scored.old], at_new[scored.new]), (at_new[scored.new], at_old[scored.old])):
        better = np.where((mine >= 0) & (other < 0), scored.certainty[mine], better)
    close = (better > 0) & (better < 1) & (scored.certainty >= np.maximum(better - MARGIN, evidence.SHOWN))
    return close & direct
