"""The probability outside a node, for every kind of prediction."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.ops import sum_outside, sums_outside
from cladewise.predictions import Coherence, LeafSoftmax, LevelSoftmax, NodeSoftmax, Prediction
from cladewise.taxonomy import Taxonomy
from reference.given_predictions import KINDS, random_prediction
from reference.small_trees import ragged_taxonomies


def outside(prediction: Prediction) -> torch.Tensor:
    """All nodes of all images."""
    images, nodes = prediction.batch_shape[0], prediction.taxonomy.num_nodes
    image = torch.arange(images).repeat_interleave(nodes)
    return prediction.prob_outside(image, torch.arange(nodes).repeat(images)).view(images, nodes)


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=40)
def test_it_is_one_minus_the_probability(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 3, seed=seed)
    found = outside(prediction)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, 1 - prediction.log_prob.exp().double(), atol=3e-6, rtol=0)


@given(ragged_taxonomies(), st.integers(0, 10**6), st.sampled_from([1.0, 30.0]))
@settings(max_examples=25)
def test_tiny_probabilities_have_all_their_digits(taxonomy: Taxonomy, seed: int, scale: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, taxonomy.num_leaves, generator=generator, dtype=torch.float64) * scale
    p = logits.softmax(-1).tolist()
    leaves = taxonomy.leaf_nodes.tolist()
    found = outside(LeafSoftmax(taxonomy, logits)).tolist()
    for image in range(2):
        for v in range(taxonomy.num_nodes):
            terms = [q for leaf, q in zip(leaves, p[image], strict=True) if not taxonomy.contains(v, leaf)]
            assert found[image][v] == pytest.approx(math.fsum(terms), rel=1e-9), v
    own = torch.randn(2, taxonomy.num_nodes, generator=generator, dtype=torch.float64) * scale
    masses, found = own.softmax(-1).tolist(), outside(NodeSoftmax(taxonomy, own)).tolist()
    for image in range(2):
        for v in range(taxonomy.num_nodes):
            terms = [m for u, m in enumerate(masses[image]) if not taxonomy.contains(v, u)]
            assert found[image][v] == pytest.approx(math.fsum(terms), rel=1e-9), v


def test_levels_in_single_precision_tell_near_certainties_apart() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
    logits = torch.tensor([[0.0, -40.0, 0.0, -30.0, -50.0]])  # a, d; b, c, e
    prediction = LevelSoftmax(taxonomy, logits)
    assert prediction.log_prob[0, : taxonomy.find("b") + 1].tolist() == [0.0, 0.0, 0.0]
    found = outside(prediction)[0]
    assert found[taxonomy.find("a")].item() == pytest.approx(math.exp(-40), rel=1e-5)
    assert found[taxonomy.find("b")].item() == pytest.approx(math.exp(-30), rel=1e-5)
    assert found[0] == 0


@pytest.mark.parametrize("kind", KINDS)
def test_extreme_scores_are_finite_and_never_more_probable_below(kind: str) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e", "f"), ("g", "h", "i")])
    prediction = random_prediction(kind, taxonomy, 20, seed=1, dtype=torch.float32)
    prediction = prediction.map(lambda x: (x * 1e4).clamp(-1e4, 1e4) if x.is_floating_point() else x)
    found = outside(prediction)
    assert found.isfinite().all()
    assert ((found >= 0) & (found <= 1 + 1e-6)).all()
    if prediction.coherence is not Coherence.NONE:
        parents = torch.as_tensor(taxonomy.parents.copy())[1:]
        assert (found[:, 1:] >= found[:, parents] - 1e-6).all()


def test_sums_outside_take_no_difference() -> None:
    values = torch.tensor([[3.0, 1e30, 4.0, 5.0], [1.0, 2.0, 3.0, 4.0]], dtype=torch.float64)
    start, end = torch.tensor([1, 0, 2]), torch.tensor([2, 4, 2])
    assert sums_outside(values, start, end).tolist() == [[12.0, 0.0, 1e30 + 12], [8.0, 0.0, 10.0]]
    assert sum_outside(values, torch.tensor([1, 0]), start[:2], end[:2]).tolist() == [8.0, 0.0]
    assert sum_outside(values[:0], start[:0], start[:0], end[:0]).shape == (0,)
