"""Is-a relations of a label tree (ancestor-descendant pairs), and their splits for hypernym prediction."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

HELD_OUT = 0.05
"""Share of the non-basic edges held out for val, and for test."""


@dataclasses.dataclass(frozen=True, eq=False)
class HypernymEdges:
    """Pairs of a node and one of its strict ancestors below the root.

    Args:
        general: The ancestors.
        special: The descendants.
    """

    general: IntArray
    special: IntArray

    def __len__(self) -> int:
        return self.general.size

    def __getitem__(self, which: IntArray | slice) -> HypernymEdges:
        return HypernymEdges(self.general[which], self.special[which])


@dataclasses.dataclass(frozen=True, eq=False)
class EdgeSplits:
    """Edges for training, for choosing the threshold (val), and for reporting (test)."""

    train: HypernymEdges
    val: HypernymEdges
    test: HypernymEdges


def basic_edges(taxonomy: Taxonomy) -> HypernymEdges:
    """The edges between labels: from every node but the root to each of its children, through all parents of each.

    Example:
        >>> edges = basic_edges(Taxonomy.from_paths([("a", "b", "c"), ("d", "e")]))
        >>> edges.general.tolist(), edges.special.tolist()
        ([1, 2, 4], [2, 3, 5])
    """
    special = np.flatnonzero(taxonomy.parents > 0)
    further = taxonomy.further_parents[taxonomy.further_parents[:, 1] > 0]
    return HypernymEdges(
        np.concatenate([taxonomy.parents[special], further[:, 1]]), np.concatenate([special, further[:, 0]])
    )


def closure_edges(taxonomy: Taxonomy) -> HypernymEdges:
    """All edges of the transitive closure between labels: first the basic ones, then those over two steps, and so on;
    at the end those through further parents.

    Example:
        >>> edges = closure_edges(Taxonomy.from_paths([("a", "b", "c"), ("d", "e")]))
        >>> edges.general.tolist(), edges.special.tolist()
        ([1, 2, 4, 1], [2, 3, 5, 3])
    """
    basic = basic_edges(taxonomy)
    general, special = [basic.general], [basic.special]
    below = np.flatnonzero(taxonomy.parents > 0)
    step = HypernymEdges(taxonomy.parents[below], below)
    while len(step):
        above = taxonomy.parents[step.general]
        step = HypernymEdges(above[above > 0], step.special[above > 0])
        general.append(step.general)
        special.append(step.special)
    if taxonomy.has_further_parents:
        nodes, above = taxonomy.further_ancestors.above(np.arange(taxonomy.num_nodes))
        general.append(above)
        special.append(nodes)
    edges = HypernymEdges(np.concatenate(general), np.concatenate(special))
    return _once(edges, taxonomy.num_nodes) if taxonomy.has_further_parents else edges


def _once(edges: HypernymEdges, num_nodes: int) -> HypernymEdges:
    """Each edge where it is first: a further edge may be one of several steps too."""
    _, first = np.unique(edges.general * num_nodes + edges.special, return_index=True)
    return edges[np.sort(first)]


def split_edges(taxonomy: Taxonomy, *, closure: float = 0.25, seed: int = 0) -> EdgeSplits:
    """Split the closure as hypernym prediction does.

    Basic edges cannot be inferred from others, so all of them are used for training. Of the others, 5 % go to val and
    5 % to test, at least one each if there are two, and a share of the rest is used for training.

    Args:
        taxonomy: The label tree.
        closure: Share of the remaining non-basic edges to train on, 0 to 1; the papers use 0, 0.1, 0.25 and 0.5.
        seed: Seed of the split.

    Raises:
        InputError: The share is out of range, or there is no edge between labels.

    Example:
        >>> splits = split_edges(Taxonomy.from_paths([("a", "b", "c", str(k)) for k in range(10)]), closure=0.5)
        >>> len(splits.train), len(splits.val), len(splits.test)
        (22, 1, 1)

    References: Ganea et al., ICML 2018, section 5. Dhall et al., CVPR Workshops 2020, section 4.2.2.
    """
    if not 0 <= closure <= 1:
        raise InputError("a share of the closure from 0 to 1", closure)
    edges, num_basic = closure_edges(taxonomy), len(basic_edges(taxonomy))
    if not num_basic:
        raise InputError(
            "a taxonomy with an edge between two labels",
            f"{taxonomy!r}",
            advice="The root is no label: a tree of one level has no order to embed.",
        )
    others = num_basic + np.random.default_rng(seed).permutation(len(edges) - num_basic)
    held = max(round(HELD_OUT * others.size), 1) if others.size > 1 else 0
    val, test, rest = np.split(others, [held, 2 * held])
    train = np.concatenate([np.arange(num_basic), rest[: round(closure * rest.size)]])
    return EdgeSplits(edges[train], edges[val], edges[test])
