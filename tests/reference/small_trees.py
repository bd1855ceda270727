"""Trees for the tests of decisions and metrics: a golden one, and any small ragged one."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from cladewise.taxonomy import Taxonomy

T9_PARENTS = [-1, 0, 0, 0, 1, 1, 2, 6, 6]
T9_THETA = [-0.8, 0.2, 0.2, -0.8, -0.6, 0.8, -1.0, 0.6, -1.0]


def t9() -> Taxonomy:
    """Nine nodes named "0" to "8" in breadth-first order; 2 has a single child, leaves lie at depths 1 to 3."""
    return Taxonomy.from_parents(T9_PARENTS, [str(v) for v in range(9)])


def t9_nodes(*breadth_first: int) -> list[int]:
    """Nodes of :func:`t9` by their breadth-first numbers."""
    taxonomy = t9()
    return [taxonomy.find(str(v)) for v in breadth_first]


def t9_order() -> list[int]:
    """Breadth-first number of every node of :func:`t9`."""
    return [int(name) for name in t9().names]


@st.composite
def ragged_taxonomies(draw: st.DrawFn, max_nodes: int = 14) -> Taxonomy:
    """Any shape of 2 to ``max_nodes`` nodes: chains, stars, leaves at every depth, and levels that are skipped."""
    num_nodes = draw(st.integers(2, max_nodes))
    parents = [-1] + [draw(st.integers(0, v - 1)) for v in range(1, num_nodes)]
    level = [0] * num_nodes
    for v in range(1, num_nodes):
        level[v] = level[parents[v]] + draw(st.sampled_from([1, 1, 1, 2]))
    return Taxonomy.from_parents(parents, [f"n{v}" for v in range(num_nodes)], level=level)


def reordered(taxonomy: Taxonomy, seed: int) -> tuple[Taxonomy, np.ndarray]:
    """The same tree with its siblings in another order, and the new number of every node."""
    order = np.random.default_rng(seed).permutation(taxonomy.num_nodes)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    parents = taxonomy.parents[order]
    moved = Taxonomy.from_parents(
        np.where(parents < 0, -1, place[parents]),
        taxonomy.names[order],
        level=taxonomy.level[order],
        level_names=taxonomy.level_names,
    )
    number = {str(name): v for v, name in enumerate(moved.names)}
    return moved, np.array([number[str(name)] for name in taxonomy.names])
