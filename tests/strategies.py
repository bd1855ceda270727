"""Hypothesis strategies: ragged trees of every degenerate kind, and nodes of them."""

from __future__ import annotations

from hypothesis import strategies as st

from cladewise.taxonomy import Taxonomy


@st.composite
def taxonomies(draw: st.DrawFn, max_nodes: int = 24, min_nodes: int = 1) -> Taxonomy:
    """Random trees: stars, chains, single-child chains within, ragged depths, one node, synthetic roots."""
    num_nodes = draw(st.integers(min_nodes, max_nodes))
    shape = draw(st.sampled_from(["any", "any", "any", "chain", "star", "deep"]))
    parents = [-1]
    for node in range(1, num_nodes):
        low, high = {
            "any": (0, node - 1),
            "chain": (node - 1, node - 1),
            "star": (0, 0),
            "deep": (max(0, node - 3), node - 1),
        }[shape]
        parents.append(draw(st.integers(low, high)))
    names = [f"n{i}" for i in range(num_nodes)]
    return Taxonomy.from_parents(parents, names, synthetic_root=num_nodes > 1 and draw(st.booleans()))


@st.composite
def taxonomies_with_nodes(draw: st.DrawFn, max_nodes: int = 24, max_batch: int = 5) -> tuple[Taxonomy, list[int]]:
    """A tree, and a batch of any of its nodes: leaves, internal nodes and the root."""
    taxonomy = draw(taxonomies(max_nodes))
    nodes = draw(st.lists(st.integers(0, taxonomy.num_nodes - 1), min_size=1, max_size=max_batch))
    return taxonomy, nodes
