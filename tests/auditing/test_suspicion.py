"""The expected false bits of labels: against a slow twin, and laws over random trees."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise.auditing.suspicion import FINER, VERDICTS, Suspicions, joined, suspicions
from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax, NodeSigmoid, NodeSoftmax, Prediction
from cladewise.taxonomy import Taxonomy
from strategies import taxonomies

KINDS = {"leaves": LeafSoftmax, "nodes": NodeSoftmax}


def made(kind: str, tree: Taxonomy, seed: int, images: int = 7, scale: float = 3.0) -> Prediction:
    width = tree.num_leaves if kind == "leaves" else tree.num_nodes
    logits = torch.randn(images, width, generator=torch.Generator().manual_seed(seed)) * scale
    return KINDS[kind](tree, logits)


def slow_bits(p: np.ndarray, label: int, tree: Taxonomy, num_labels: int, errors: float) -> tuple[float, float]:
    """Expectation over the true node, one node at a time; the mass that children leave is at the node itself."""
    own = [p[v] - sum(p[c] for c in range(1, tree.num_nodes) if tree.parents[c] == v) for v in range(tree.num_nodes)]
    lost = 0.0
    for v, mass in enumerate(own):
        meet = int(tree.lca(v, label))
        lost += mass * (tree.information[label] - tree.information[meet])
    odds = errors / (1 - errors) / max(1, num_labels - 1)
    outside = 1 - p[label]
    return odds * outside / (p[label] + odds * outside), odds * lost / (p[label] + odds * outside)


@given(taxonomies(max_nodes=16), st.integers(0, 99), st.sampled_from(sorted(KINDS)))
def test_bits_equal_the_expectation_over_true_nodes(tree: Taxonomy, seed: int, kind: str) -> None:
    prediction = made(kind, tree, seed)
    labels = torch.from_numpy(np.random.default_rng(seed).integers(tree.num_nodes, size=7))
    found = suspicions(prediction, labels, num_labels=5, expected_errors=0.1)
    p = prediction.log_prob.double().exp().numpy()
    for image, label in enumerate(labels.tolist()):
        wrong, bits = slow_bits(p[image], label, tree, 5, 0.1)
        assert found.wrong[image] == pytest.approx(wrong, abs=2e-4)
        assert found.bits[image] == pytest.approx(bits, abs=2e-3)
        assert found.probability[image] == pytest.approx(p[image, label], abs=1e-6)


@given(taxonomies(max_nodes=16), st.integers(0, 99), st.sampled_from(sorted(KINDS)))
def test_a_label_on_the_path_of_the_evidence_is_no_suspect(tree: Taxonomy, seed: int, kind: str) -> None:
    prediction = made(kind, tree, seed)
    every = [suspicions(prediction, torch.full((7,), v), num_labels=4) for v in range(tree.num_nodes)]
    for image in range(7):
        end = int(every[0].proposal[image])
        for v in tree.path(end):
            assert image not in every[v].order().tolist(), (v, end)
        bits = [one.bits[image] for one in every]
        for v in range(1, tree.num_nodes):  # a coarser label has no more false information
            assert bits[v] >= bits[tree.parents[v]] - 1e-9, v


@given(taxonomies(max_nodes=16), st.integers(0, 99))
def test_names_and_the_order_of_siblings_do_not_matter(tree: Taxonomy, seed: int) -> None:
    renamed = Taxonomy.from_parents(tree.parents.tolist(), [f"x{v}" for v in range(tree.num_nodes)])
    assert renamed.parents.tolist() == tree.parents.tolist()
    labels = torch.arange(7) % tree.num_nodes
    one = suspicions(made("leaves", tree, seed), labels, num_labels=3)
    other = suspicions(made("leaves", renamed, seed), labels, num_labels=3)
    np.testing.assert_allclose(one.bits, other.bits)
    np.testing.assert_array_equal(one.order(), other.order())


def test_only_children_and_their_parents_are_one_place() -> None:
    tree = Taxonomy.from_paths([("a", "only"), ("b", "c"), ("b", "d")])
    prediction = LeafSoftmax(tree, torch.tensor([[9.0, 0.0, 0.0]]).expand(2, 3))
    found = suspicions(prediction, torch.tensor([tree.find("a"), tree.find("only")]), num_labels=4)
    assert [VERDICTS[v] for v in found.verdict] == ["agrees", "agrees"]
    assert found.bits[0] == pytest.approx(found.bits[1])


def test_evidence_below_an_internal_label_is_a_finer_label_and_no_error() -> None:
    tree = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f",)])
    prediction = LeafSoftmax(tree, torch.tensor([[8.0, 0.0, 0.0, 0.0]]).expand(2, 4))
    found = suspicions(prediction, torch.tensor([tree.find("a"), tree.find("b")]), num_labels=4)
    assert [VERDICTS[v] for v in found.verdict] == [FINER, FINER]
    assert found.order().tolist() == []
    assert found.finer().tolist() == [0, 1]
    assert found.gain[0] == pytest.approx(2 - math.log2(4 / 3), abs=0.01)


def test_sure_errors_come_first_and_among_them_those_that_part_higher() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
    logits = torch.tensor([[12.0, 0.0, 0.0, 0.0]]).expand(3, 4).clone()
    logits[2] = torch.tensor([3.0, 2.0, 0.0, 0.0])
    found = suspicions(LeafSoftmax(tree, logits), torch.tensor([3, 5, 3]), num_labels=4)
    assert found.order().tolist() == [1, 0, 2]


@pytest.mark.parametrize("scale", [1e4, -1e4])
def test_extreme_scores_are_finite(scale: float) -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    for kind in KINDS:
        found = suspicions(made(kind, tree, 3, scale=scale), torch.arange(7) % 5, num_labels=3)
        for name in ("probability", "wrong", "bits", "gain", "top_probability"):
            assert np.isfinite(getattr(found, name)).all(), (kind, name)
        assert ((found.wrong >= 0) & (found.wrong <= 1)).all()


def test_incoherent_predictions_have_bounded_bits() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    logits = torch.randn(20, tree.num_nodes - 1, generator=torch.Generator().manual_seed(0)) * 4
    labels = torch.arange(20) % tree.num_nodes
    found = suspicions(NodeSigmoid(tree, logits), labels, num_labels=4)
    assert (found.bits <= tree.information[labels.numpy()] + 1e-9).all()
    assert set(found.verdict.tolist()) <= set(range(len(VERDICTS)))


def test_parts_join_and_the_share_of_errors_is_checked() -> None:
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction, labels = made("leaves", tree, 0), torch.arange(7) % 5
    whole = suspicions(prediction, labels, num_labels=4)
    parts = [suspicions(prediction[rows], labels[rows], num_labels=4) for rows in (slice(0, 3), slice(3, 7))]
    again: Suspicions = joined(parts)
    np.testing.assert_allclose(again.bits, whole.bits)
    with pytest.raises(InputError, match=r"expected_errors=\.\.\. above 0 and below 1, but got 1"):
        suspicions(prediction, labels, num_labels=4, expected_errors=1)
