"""Edges between labels weighed by their number: the counts by a graph drawn edge by edge, and the loss by its terms."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy, methods
from cladewise.decisions import Levels
from cladewise.engine.training.in_memory import fit_features
from cladewise.heads import EnergyHead
from cladewise.losses import MaxMarginEnergyLoss
from cladewise.objectives import CountedEdgesObjective, TrainingBatch
from cladewise.records import TrainingConfig
from strategies import graph_taxonomies, taxonomies

TREE = Taxonomy.from_paths([*itertools.product("ab", "cd", "ef"), ("g", "h"), ("i",)])


@settings(max_examples=25)
@given(taxonomies() | graph_taxonomies(), st.data())
def test_counts_are_those_of_the_joint_graph(taxonomy: Taxonomy, data: st.DataObject) -> None:
    labels = st.lists(st.integers(-1, taxonomy.num_nodes - 1), max_size=8)
    nodes = np.array(data.draw(labels), dtype=np.int64)
    objective = CountedEdgesObjective(MaxMarginEnergyLoss(taxonomy), nodes, num_negatives=5)
    below_root = range(1, taxonomy.num_nodes)
    between = {(u, v) for v in below_root for u in taxonomy.ancestors(v).tolist() if u}
    to_images = [
        (u, image)
        for image, node in enumerate(nodes.tolist())
        if node > 0
        for u in {node, *taxonomy.ancestors(node).tolist()} - {0}
    ]
    assert objective.num_label_edges == len(between)
    assert objective.num_image_edges == len(to_images)
    assert objective.num_images == (nodes >= 0).sum()


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_the_loss_is_that_of_images_and_a_share_of_the_graph(weight: float) -> None:
    method = methods.make("euclidean-cones", dim=5, count_edges=True, label_weight=weight, num_negatives=10)
    torch.manual_seed(0)
    head = method.head(TREE, 6)
    assert isinstance(head, EnergyHead)
    assert head.own_loss() is None
    nodes = np.array([3, 4, 6, 3, 15, -1])
    objective = method.objective(TREE, nodes)
    assert objective is not None
    prediction, target = head(torch.randn(3, 6)), torch.tensor([3, 4, 15])
    torch.manual_seed(7)
    found = objective(TrainingBatch(prediction, target, torch.arange(3), 1, head))
    torch.manual_seed(7)
    sampled = head.label_edges()
    images = method.loss(TREE)(prediction.logits, target)
    edges = {(u, v) for v in range(1, TREE.num_nodes) for u in TREE.path(v) if u and u != v}
    num_edges = sum(len([u for u in TREE.path(node) if u]) for node in nodes.tolist() if node >= 0)
    true, lacking = sampled.true / sampled.num_true, sampled.false / sampled.num_false
    own = (len(edges) * true + 5 * (len(edges) + num_edges) * lacking) / 5
    torch.testing.assert_close(found, images + weight * own)


def test_it_trains_labels_and_images() -> None:
    generator = torch.Generator().manual_seed(0)
    leaves = TREE.leaf_nodes[np.arange(60) % TREE.num_leaves]
    centres = torch.randn(TREE.num_nodes, 8, generator=generator)
    features = centres[torch.from_numpy(leaves)] + 0.1 * torch.randn(60, 8, generator=generator)
    method = methods.make("euclidean-cones", dim=10, count_edges=True, label_epochs=5)
    settings = TrainingConfig(epochs=60, batch_size=10, optimizer="adam", lr=0.02)
    classifier = fit_features(method, TREE, features, leaves, settings)
    answer = Levels()(classifier(features))
    right = (answer.node.numpy() == np.stack([TREE.at_level(level + 1)[leaves] for level in range(3)], 1)).mean(0)
    assert right[0] > 0.8, right  # a ninth by chance at the leaves, a quarter above
    assert right[2] > 0.5, right
