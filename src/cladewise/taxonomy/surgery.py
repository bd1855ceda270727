"""Deliberately wrong trees for ablations: pure functions, deterministic for a seed.

An altered tree has no further parents, which would tell a method what the alteration hides.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy.alteration import Alteration
from cladewise.taxonomy.order import preorder
from cladewise.taxonomy.tree import Taxonomy

__all__ = ["random_hierarchy", "with_wrong_parents", "without_levels"]

IntArray = NDArray[np.int64]

_PERMUTED, _MOVED = 1, 2
"""Salts, so that two kinds of surgery with the same seed draw different numbers."""


def random_hierarchy(taxonomy: Taxonomy, seed: int) -> Alteration:
    """A random hierarchy of the same shape: the leaves are permuted, everything else stays.

    All orders of the leaves are equally likely, so some leaves may keep their place. Internal nodes keep their names,
    levels and numbers of leaves. A leaf takes the level of its new place, which matters only in ragged trees.

    Example:
        >>> t = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog", "wolf")])
        >>> change = random_hierarchy(t, seed=0)
        >>> [change.own.path_name(v) for v in change.own.leaf_nodes]
        ['cat/wolf', 'cat/lion', 'dog/lynx']

    References: Wang et al., Label hierarchy transition, section 4.4, "w/ Random", where the members of the groups are
        sampled at every level. Here the groups of random leaves keep their parents, so that every node keeps its
        number of leaves; shuffling random groups as well would add nothing.
    """
    origin = np.arange(taxonomy.num_nodes)
    random = np.random.default_rng((seed, _PERMUTED))
    origin[taxonomy.leaf_nodes] = taxonomy.leaf_nodes[random.permutation(taxonomy.num_leaves)]
    return _altered(taxonomy, origin, taxonomy.parents, level=taxonomy.level)


def with_wrong_parents(taxonomy: Taxonomy, share: float, seed: int) -> Alteration:
    r"""Move a random share of the leaves under a wrong parent of the same level.

    Of :math:`L` leaves, ``share`` :math:`\cdot L` (rounded) are drawn, at most half of them from one parent if there
    are enough others. They exchange places with each other, so that every node keeps its number of children. If more
    than half have the same parent anyway, or one is alone at its level, the remaining ones move under random other
    parents. No parent loses its last child. Internal nodes stay.

    Args:
        taxonomy: The tree.
        share: Share of the leaves, in [0, 1].
        seed: Another seed moves other leaves.

    Raises:
        InputError: The share is not in [0, 1], or more leaves than can move: a leaf needs another parent of the same
            level as its own.

    Example:
        >>> t = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog", "wolf"), ("dog", "fox")])
        >>> change = with_wrong_parents(t, 0.5, seed=0)
        >>> [change.own.path_name(v) for v in change.own.leaf_nodes]
        ['cat/lion', 'cat/wolf', 'dog/lynx', 'dog/fox']
    """
    if not 0 <= share <= 1:
        raise InputError("a share of the leaves in [0, 1]", share)
    count = round(share * taxonomy.num_leaves)
    if count == 0:
        return Alteration.none(taxonomy)
    random = np.random.default_rng((seed, _MOVED))
    movable = _movable(taxonomy, random)
    most = movable.size
    if count > most:
        raise InputError(
            "a share of the leaves that can move to another parent of the same level",
            f"{count} leaves ({most} of {taxonomy.num_leaves} can move)",
            advice=f"Move a share of at most {math.floor(1000 * most / taxonomy.num_leaves) / 1000:g}.",
        )
    drawn = _drawn(taxonomy, movable, count, random)
    parents = taxonomy.parents.copy()
    level_above = taxonomy.level[parents[drawn]]
    for level in np.unique(level_above):
        leaves = drawn[level_above == level]
        parents[leaves] = _other_parents(taxonomy, leaves, random)
    return _altered(taxonomy, np.arange(taxonomy.num_nodes), parents, level=taxonomy.level)


def without_levels(taxonomy: Taxonomy, levels: Iterable[int]) -> Alteration:
    """The tree without some levels: children of removed nodes move under the nearest remaining ancestor.

    A leaf of a removed level stays, and belongs to the next finer level. The remaining levels are renumbered and keep
    their names.

    Args:
        taxonomy: The tree.
        levels: Numbers of the levels to remove, 1 for the coarsest; the finest, with the leaves, cannot be removed.

    Raises:
        InputError: There is no such level, or it is the finest.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b", "c"), ("a", "d", "e")], level_names=["order", "family", "species"])
        >>> change = without_levels(t, [2])
        >>> [change.own.path_name(v) for v in change.own.leaf_nodes], change.own.level_names
        (['a/c', 'a/e'], ('order', 'species'))

    References: Wang et al., Label hierarchy transition, section 4.4, "w/o Family" and "w/o Order".
    """
    gone = sorted(set(levels))
    finest = taxonomy.num_levels
    for level in gone:
        if not 1 <= level < finest:
            coarser = f"from 1 to {finest - 1}" if finest > 1 else "other than the finest, and there is only one"
            advice = "The finest level contains the leaves and cannot be dropped."
            raise InputError(f"a level to drop {coarser}", level, advice=advice)
    if not gone:
        return Alteration.none(taxonomy)
    removed = np.isin(taxonomy.level, gone) & ~taxonomy.is_leaf
    removed[0] = False
    nearest = np.arange(taxonomy.num_nodes)  # the nearest remaining node at or above each node
    for nodes in taxonomy.nodes_by_depth[1:]:
        here = nodes[removed[nodes]]
        nearest[here] = nearest[taxonomy.parents[here]]
    kept = np.flatnonzero(~removed)
    place = np.cumsum(~removed) - 1
    above = taxonomy.parents[kept]
    parents = np.where(above < 0, -1, place[nearest[above]])
    stays = np.isin(np.arange(finest + 1), gone, invert=True)
    number = np.cumsum(stays) - stays  # a removed level gets the number of the next finer one that stays
    return _altered(
        taxonomy,
        kept,
        parents,
        level=number[taxonomy.level[kept]],
        level_names=[name for level, name in enumerate(taxonomy.level_names, start=1) if stays[level]],
    )


def _altered(
    taxonomy: Taxonomy,
    origin: IntArray,
    parents: IntArray,
    *,
    level: IntArray,
    level_names: Iterable[str] | None = None,
) -> Alteration:
    """The alteration that gives nodes of a tree other parents, in any order."""
    order = preorder(parents)
    own = Taxonomy.from_parents(
        parents,
        taxonomy.names[origin],
        level=level,
        level_names=taxonomy.level_names if level_names is None else tuple(level_names),
        columns={key: texts[origin] for key, texts in taxonomy.columns.items()},
        synthetic_root=taxonomy.synthetic_root,
    )
    return Alteration(taxonomy, own, origin[order])


def _movable(taxonomy: Taxonomy, random: np.random.Generator) -> IntArray:
    """Leaves that can all move: there is another parent of the same level, and their own keeps a child.

    If all movable leaves of a level have the same parent, and it has no other children, one of them has to stay.
    """
    inner = np.flatnonzero(~taxonomy.is_leaf)
    num_parents = np.bincount(taxonomy.level[inner], minlength=taxonomy.num_levels + 1)
    leaves = taxonomy.leaf_nodes[taxonomy.leaf_nodes > 0]
    movable = leaves[num_parents[taxonomy.level[taxonomy.parents[leaves]]] > 1]
    parents, counts = np.unique(taxonomy.parents[movable], return_counts=True)
    alone = np.bincount(taxonomy.level[parents], minlength=taxonomy.num_levels + 1)[taxonomy.level[parents]] == 1
    emptied = parents[alone & (counts == taxonomy.num_children[parents])]
    stay = [random.choice(taxonomy.children(int(parent))) for parent in emptied]  # at most one per level
    return np.setdiff1d(movable, stay)


def _drawn(taxonomy: Taxonomy, movable: IntArray, count: int, random: np.random.Generator) -> IntArray:
    """Draw some of the leaves at random, at most half per level from one parent if there are enough others.

    Raises:
        InputError: A single leaf would have to leave a parent without other children.
    """
    order = random.permutation(movable)
    above = taxonomy.parents[order]
    level = taxonomy.level[above]
    drawn: list[IntArray] = []
    for place in np.unique(level[:count]):
        here = np.flatnonzero(level == place)
        size = int((here < count).sum())
        if size == 1:  # there is nothing to exchange it with
            here = here[taxonomy.num_children[above[here]] > 1]
        if here.size == 0:
            others = movable[taxonomy.level[taxonomy.parents[movable]] != place]
            if others.size < count:
                advice = "Move a larger share: two leaves can swap places."
                raise InputError("leaves with siblings", f"{count} leaf without siblings", advice=advice)
            return _drawn(taxonomy, others, count, random)
        too_many = _rank_in_group(above[here]) >= max(size // 2, 1)
        drawn.append(order[here[np.argsort(too_many, kind="stable")[:size]]])
    return np.concatenate(drawn)


def _rank_in_group(groups: IntArray) -> IntArray:
    """Number of earlier entries of the same group, for each entry.

    Example:
        >>> _rank_in_group(np.array([7, 5, 7, 7, 5])).tolist()
        [0, 0, 1, 2, 1]
    """
    order = np.argsort(groups, kind="stable")
    first = np.flatnonzero(np.diff(groups[order], prepend=-1))
    rank = np.empty_like(groups)
    rank[order] = np.arange(groups.size) - np.repeat(first, np.diff(np.append(first, groups.size)))
    return rank


def _other_parents(taxonomy: Taxonomy, leaves: IntArray, random: np.random.Generator) -> IntArray:
    """A wrong parent for each of some leaves whose parents have the same level, by exchange as far as possible."""
    above = taxonomy.parents[leaves]
    parents, counts = np.unique(above, return_counts=True)
    largest, level = parents[counts.argmax()], taxonomy.level[above[0]]
    left_over = max(0, 2 * int(counts.max()) - leaves.size)
    alone = random.permutation(np.flatnonzero(above == largest))[:left_over]
    there = np.flatnonzero(~taxonomy.is_leaf & (taxonomy.level == level))
    found = np.empty_like(above)
    found[alone] = random.choice(there[there != largest], left_over)
    exchanging = np.setdiff1d(np.arange(leaves.size), alone)
    found[exchanging] = _exchanged(above[exchanging], random)
    return found


def _exchanged(above: IntArray, random: np.random.Generator) -> IntArray:
    """A permutation of the parents without fixed points; no parent may have more than half of the places."""
    found = random.permutation(above)
    wrong = random.permutation(np.flatnonzero(found == above))
    groups, place, counts = np.unique(above[wrong], return_inverse=True, return_counts=True)
    if 2 * counts.max(initial=0) <= wrong.size:  # leaves that drew their own parent exchange among themselves
        wrong = wrong[np.argsort(place, kind="stable")]
        found[wrong] = np.roll(above[wrong], -int(counts.max(initial=0)))
        return found
    largest = groups[counts.argmax()]
    others, own = wrong[above[wrong] != largest], wrong[above[wrong] == largest]
    pairs, own = own[: others.size], own[others.size :]
    found[pairs], found[others] = above[others], largest
    partners = np.flatnonzero((above != largest) & (found != largest))
    chosen = random.choice(partners, own.size, replace=False)
    found[own], found[chosen] = found[chosen], largest
    return found
