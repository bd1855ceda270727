"""The losses with a term a level, or a node, against worked values, their slow twins, and what must hold for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cladewise.losses import (
    FlatSoftmaxLoss,
    LevelSoftmaxLoss,
    Loss,
    MarginalSoftmaxLoss,
    MultilabelSoftMarginLoss,
    inverse_frequency,
)
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from reference import losses_levels as reference
from reference.laws import case
from reference.loss_laws import check_extremes, check_gradients
from reference.small_trees import T9_THETA, ragged_taxonomies, t9, t9_nodes, t9_order
from strategies import taxonomies_with_nodes

T9 = t9()
THETA = torch.tensor(T9_THETA, dtype=torch.float64)[t9_order()]
LABELS = torch.tensor(t9_nodes(3, 4, 5, 7, 8))
RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h"), ("i",)])

GOLDEN: list[tuple[Loss, torch.Tensor, list[float]]] = [
    # flat negative log-likelihoods: the leaf at every level that repeats it, and its ancestors (2 has 0.40453)
    (
        MarginalSoftmaxLoss(T9),
        THETA[T9.leaf_nodes.copy()],
        [
            3 * 2.488929,
            0.668512 + 2 * 2.288929,
            0.668512 + 2 * 0.888929,
            2 * 0.905028 + 1.088929,
            2 * 0.905028 + 2.688929,
        ],
    ),
    (MultilabelSoftMarginLoss(T9), THETA[1:], [x / 8 for x in (6.039978, 5.639978, 4.239978, 5.439978, 7.039978)]),
]


@pytest.mark.parametrize(("loss", "logits", "expected"), GOLDEN)
def test_golden_values(loss: Loss, logits: torch.Tensor, expected: list[float]) -> None:
    np.testing.assert_allclose(loss(logits.expand(5, -1), LABELS), expected, atol=2e-6)


EVERY_KIND: dict[str, tuple[Callable[[Taxonomy], Loss], Callable[..., float]]] = {
    "marginal": (MarginalSoftmaxLoss, reference.marginal_softmax),
    "soft margin": (MultilabelSoftMarginLoss, reference.soft_margin),
    "weighted soft margin": (
        lambda t: MultilabelSoftMarginLoss(t, label_weights=1.0 + torch.arange(t.num_nodes - 1)),
        lambda t, *image: reference.soft_margin(t, *image, weights=[1.0 + v for v in range(t.num_nodes - 1)]),
    ),
}


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=14, max_batch=3), seed=st.integers(0, 99))
def test_every_loss_is_its_twin(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    for kind, (make, twin) in EVERY_KIND.items():
        with case(kind):
            loss = make(taxonomy)
            logits = 2 * np.random.default_rng(seed).standard_normal((len(nodes), loss.num_outputs))
            expected = [twin(taxonomy, row, node) for row, node in zip(logits, nodes, strict=True)]
            np.testing.assert_allclose(loss(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_gradients(kind: str) -> None:
    check_gradients(EVERY_KIND[kind][0](RAGGED))


@pytest.mark.parametrize("kind", EVERY_KIND)
def test_extremes_lose_no_more_than_single_precision_does(kind: str) -> None:
    check_extremes(EVERY_KIND[kind][0](RAGGED))


# ---------------------------------------------------------------- a softmax of the leaves at every level


@settings(max_examples=12)
@given(ragged_taxonomies(), st.integers(0, 10**6))
def test_marginals_cost_at_least_the_leaf_alone(taxonomy: Taxonomy, seed: int) -> None:
    target = torch.tensor(taxonomy.leaf_nodes.copy())
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(len(target), taxonomy.num_leaves, generator=generator, dtype=torch.float64)
    more = MarginalSoftmaxLoss(taxonomy)(logits, target) - FlatSoftmaxLoss(taxonomy)(logits, target)
    assert (more >= -1e-12).all()
    # with all mass under the ancestors of every level but the finest there is nothing more to pay
    assume(taxonomy.num_levels > 1)
    above = torch.tensor(taxonomy.at_level(taxonomy.num_levels - 1).copy())
    outside = above[target][:, None] != above[target][None, :]
    sure = logits.masked_fill(outside, -1e3)
    own = torch.tensor(
        taxonomy.level[taxonomy.leaf_nodes] == taxonomy.num_levels
    )  # a leaf above is what the coarser levels ask for, too
    extra = MarginalSoftmaxLoss(taxonomy)(sure, target) - FlatSoftmaxLoss(taxonomy)(sure, target)
    torch.testing.assert_close(extra[own], torch.zeros_like(extra[own]), atol=1e-9, rtol=0)


def test_marginals_of_a_level_are_its_cross_entropy() -> None:
    logits = torch.randn(4, RAGGED.num_leaves, dtype=torch.float64)
    target = torch.tensor([RAGGED.find(name) for name in "cdeh"])
    of_level = []
    for level in range(1, RAGGED.num_levels + 1):
        nodes, log_prob = LeafSoftmax(RAGGED, logits).level_log_prob(level)
        place = torch.searchsorted(nodes, torch.tensor(RAGGED.at_level(level)[target]))
        of_level.append(F.nll_loss(log_prob, place, reduction="none"))
    torch.testing.assert_close(MarginalSoftmaxLoss(RAGGED)(logits, target), torch.stack(of_level).sum(0))


@pytest.mark.parametrize("make", [MarginalSoftmaxLoss, LevelSoftmaxLoss])
def test_one_level_is_cross_entropy(make: Callable[[Taxonomy], Loss]) -> None:
    star = Taxonomy.from_paths([(name,) for name in "abcde"])
    logits, target = torch.randn(5, 5), torch.arange(1, 6)
    torch.testing.assert_close(make(star)(logits, target), F.cross_entropy(logits, target - 1, reduction="none"))


@settings(max_examples=12)
@given(ragged_taxonomies(), st.integers(0, 10**6))
def test_level_softmax_is_the_sum_of_cross_entropies(taxonomy: Taxonomy, seed: int) -> None:
    target = torch.arange(1, taxonomy.num_nodes)
    loss = LevelSoftmaxLoss(taxonomy)
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(len(target), loss.num_outputs, generator=generator, dtype=torch.float64)
    sizes = [len(taxonomy.level_nodes(level)) for level in range(1, taxonomy.num_levels + 1)]
    expected = torch.zeros(len(target), dtype=torch.float64)
    for level, scores in enumerate(logits.split(sizes, dim=1), start=1):
        told = torch.tensor((taxonomy.level >= level) | taxonomy.is_leaf)[target]
        place = np.searchsorted(taxonomy.level_nodes(level), taxonomy.at_level(level)[target])
        place = torch.tensor(place).where(told, torch.tensor(-100))
        expected += F.cross_entropy(scores, place, reduction="none")
    torch.testing.assert_close(loss(logits, target), expected)


# ---------------------------------------------------------------- a yes or no at every node


def test_soft_margin_is_torchs_where_labels_are_leaves() -> None:
    target = torch.tensor(RAGGED.leaf_nodes.copy())
    logits = torch.randn(len(target), RAGGED.num_nodes - 1)
    wanted = torch.tensor([[v in RAGGED.path(y) for v in range(1, RAGGED.num_nodes)] for y in target.tolist()])
    weights = torch.rand(RAGGED.num_nodes - 1)
    for given_weights in (None, weights):
        expected = F.multilabel_soft_margin_loss(logits, wanted.float(), given_weights, reduction="none")
        found = MultilabelSoftMarginLoss(RAGGED, label_weights=given_weights)(logits, target)
        torch.testing.assert_close(found, expected)


@settings(max_examples=12)
@given(taxonomies_with_nodes(max_nodes=14, max_batch=6))
def test_weights_are_one_over_the_images_with_the_label(tree: tuple[Taxonomy, list[int]]) -> None:
    taxonomy, labels = tree
    assume(taxonomy.num_nodes > 1)
    num_images = torch.tensor(labels).bincount(minlength=taxonomy.num_nodes)
    weights = inverse_frequency(num_images, taxonomy)
    np.testing.assert_allclose(weights, reference.inverse_frequency(taxonomy, labels), rtol=1e-5)


def test_weights_come_with_the_labels_of_the_training_images_and_only_where_they_are_wanted() -> None:
    counts = torch.arange(T9.num_nodes)
    plain, weighted = MultilabelSoftMarginLoss(T9), MultilabelSoftMarginLoss(T9, class_weights=True)
    assert plain.for_labels(counts) is plain
    logits, target = torch.randn(5, 8), LABELS
    torch.testing.assert_close(weighted(logits, target), plain(logits, target))  # until it is told
    told = weighted.for_labels(counts)
    expected = MultilabelSoftMarginLoss(T9, label_weights=inverse_frequency(counts, T9))(logits, target)
    torch.testing.assert_close(told(logits, target), expected)
    assert not told.state_dict()
