"""Edges between labels through any parents, for the methods and embeddings that are defined on graphs."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cladewise.embeddings import NegativeSampler, basic_edges, closure_edges, make
from cladewise.embeddings.graph_reconstruction import reconstruction
from cladewise.losses import MaxMarginEnergyLoss
from cladewise.taxonomy import Taxonomy
from reference.graph_metrics_twin import Graph
from strategies import graph_taxonomies

GRAPHS = graph_taxonomies().filter(lambda taxonomy: taxonomy.num_nodes > 2)
EXAMPLES = settings(max_examples=30, deadline=None)


def pairs(taxonomy: Taxonomy) -> set[tuple[int, int]]:
    """All pairs of a label above another, from networkx."""
    above = Graph(taxonomy).above
    return {(a, v) for v in range(1, taxonomy.num_nodes) for a in above[v] - {0, v}}


@given(GRAPHS)
@EXAMPLES
def test_the_closure_is_that_of_networkx(taxonomy: Taxonomy) -> None:
    edges, basic = closure_edges(taxonomy), basic_edges(taxonomy)
    found = list(zip(edges.general.tolist(), edges.special.tolist(), strict=True))
    assert len(set(found)) == len(found)
    assert set(found) == pairs(taxonomy)
    graph = Graph(taxonomy).edges
    graph.remove_node(0)
    assert set(found[: len(basic)]) == set(nx.DiGraph(graph).edges)
    tree = taxonomy.primary_tree()
    assert np.isin(closure_edges(tree).special, edges.special).all()


@given(GRAPHS, st.sampled_from(["uniform", "pick-per-level"]), st.integers(0, 1000))
@EXAMPLES
def test_no_negative_edge_is_a_true_one(taxonomy: Taxonomy, strategy, seed: int) -> None:
    edges, true = closure_edges(taxonomy), pairs(taxonomy)
    assume(len(edges) > 0)
    draw = NegativeSampler(taxonomy, strategy)
    general, special = torch.tensor(edges.general), torch.tensor(edges.special)
    found = draw(general, special, 10, torch.Generator().manual_seed(seed))
    drawn = zip(found.general[found.valid].tolist(), found.special[found.valid].tolist(), strict=True)
    assert not {(a, v) for a, v in drawn if (a, v) in true or a == v}


@given(GRAPHS, st.sampled_from(["uniform", "pick-per-level"]), st.integers(0, 1000))
@EXAMPLES
def test_the_loss_of_images_is_that_of_loops(taxonomy: Taxonomy, strategy, seed: int) -> None:
    graph = Graph(taxonomy)
    energy = torch.rand(taxonomy.num_nodes, taxonomy.num_nodes - 1, generator=torch.Generator().manual_seed(seed)) * 2
    loss = MaxMarginEnergyLoss(taxonomy, margin=1.0, num_negatives=3.0, negatives=strategy)
    values = loss(-energy, torch.arange(taxonomy.num_nodes))
    for target, row, value in zip(range(taxonomy.num_nodes), energy.tolist(), values.tolist(), strict=True):
        true = graph.above[target] - {0}
        others = [v for v in range(1, taxonomy.num_nodes) if v not in true and target not in graph.above[v]]
        groups = {int(taxonomy.level[v]) if strategy == "pick-per-level" else 0 for v in others}
        means = list[float]()
        for group in groups:
            here = [v for v in others if strategy == "uniform" or taxonomy.level[v] == group]
            means.append(sum(max(0.0, 1 - row[v - 1]) for v in here) / len(here))
        false = sum(means) / len(means) if means else 0.0
        assert value == pytest.approx(sum(row[v - 1] for v in true) + 3 * len(true) * false, abs=1e-4)


@given(GRAPHS)
@EXAMPLES
def test_reconstruction_counts_every_pair_once(taxonomy: Taxonomy) -> None:
    vectors = torch.rand(taxonomy.num_nodes - 1, 3, generator=torch.Generator().manual_seed(0))
    scores = reconstruction(taxonomy, make("order"), vectors, block=20)
    labels = taxonomy.num_nodes - 1
    assert scores.num_edges == len(pairs(taxonomy))
    assert scores.num_edges + scores.num_others == labels * (labels - 1)
