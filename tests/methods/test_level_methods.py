"""The papers' claims about their level-wise baselines, and how those relate."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy, methods
from cladewise.decisions import Leaf, Levels
from cladewise.heads import EmbeddedHead, Embedding, LevelClassifierHead
from cladewise.metrics import score_answer
from cladewise.predictions import SiblingSoftmax
from reference.small_trees import ragged_taxonomies

LEVELS = ("vanilla-single", "vanilla-multi", "fgon", "plc")
LEAVES = ("vanilla", "mc")
STEPS = ("m-plc", "hs")
EVERY = (*LEVELS, *LEAVES, *STEPS, "hab")
STAR = Taxonomy.from_paths([(name,) for name in "abcde"])
TREE = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e", "f"), ("g", "h", "i"), ("j",)])


def losses(name: str, taxonomy: Taxonomy, target: torch.Tensor, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Logits that ask for a gradient, and the method's loss of them."""
    loss = methods.make(name).loss(taxonomy)
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(len(target), loss.num_outputs, generator=generator, dtype=torch.float64)
    return logits.requires_grad_(), loss(logits, target)


@pytest.mark.parametrize("name", EVERY)
def test_one_level_is_cross_entropy(name: str) -> None:
    target = torch.arange(1, 6)
    logits, found = losses(name, STAR, target)
    expected = F.cross_entropy(logits, target - 1, reduction="none")
    if name == "hab":
        assert not torch.allclose(found, expected)
        expected = F.binary_cross_entropy_with_logits(logits, torch.eye(5).double(), reduction="none").mean(1)
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("name", EVERY)
def test_a_level_of_only_children_costs_per_level_classifiers_alone(name: str) -> None:
    """Above every leaf of a star one more node."""
    chained = Taxonomy.from_paths([(f"{name} above", name) for name in "abcde"])
    target = torch.tensor(chained.leaf_nodes.copy())
    loss = methods.make(name).loss(chained)
    generator = torch.Generator().manual_seed(0)
    by_leaf = torch.randn(5, 5, generator=generator, dtype=torch.float64)
    plain = F.cross_entropy(by_leaf, torch.arange(5), reduction="none")
    if name in LEVELS:  # the same scores at both levels
        torch.testing.assert_close(loss(torch.cat([by_leaf, by_leaf], 1), target), 2 * plain)
    elif name in STEPS:  # whatever an only child scores
        noise = torch.randn(5, 5, generator=generator, dtype=torch.float64)
        torch.testing.assert_close(loss(torch.stack([by_leaf, noise], -1).flatten(1), target), plain)
    elif name == "vanilla":
        torch.testing.assert_close(loss(by_leaf, target), plain)
    elif name == "mc":
        torch.testing.assert_close(loss(by_leaf, target), 2 * plain)


@pytest.mark.parametrize("name", STEPS)
@settings(max_examples=10)
@given(taxonomy=ragged_taxonomies(), seed=st.integers(0, 10**6))
def test_masked_and_hierarchical_softmax_learn_the_likelihood_of_the_target(
    name: str, taxonomy: Taxonomy, seed: int
) -> None:
    target = torch.arange(taxonomy.num_nodes)
    logits, found = losses(name, taxonomy, target, seed)
    log_prob = SiblingSoftmax(taxonomy, logits).log_prob
    torch.testing.assert_close(found, -log_prob.diagonal())
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    for node in range(taxonomy.num_nodes):  # nothing outside the families of the path
        asked = {int(c) for v in taxonomy.path(node)[:-1] for c in taxonomy.children(v)}
        outside = [v - 1 for v in range(1, taxonomy.num_nodes) if v not in asked]
        assert not gradient[node, outside].any()
        alone = [int(taxonomy.children(v)[0]) - 1 for v in taxonomy.path(node)[:-1] if len(taxonomy.children(v)) == 1]
        assert not gradient[node, alone].any()


@pytest.mark.parametrize("name", EVERY)
def test_a_label_at_an_internal_node_says_nothing_about_what_is_below(name: str) -> None:
    target = torch.tensor([TREE.find("a")])
    logits, found = losses(name, TREE, target)
    (gradient,) = torch.autograd.grad(found.sum(), logits)
    prediction = methods.make(name).head(TREE, 4).eval()(torch.zeros(1, 4))
    below = [k for k, v in enumerate(prediction.scored_nodes.tolist()) if TREE.contains(target[0], v) and v != target]
    if name in LEAVES:  # what it says of the leaves as a whole, it says of each in proportion
        share = logits[0, below].softmax(-1)
        torch.testing.assert_close(gradient[0, below] / gradient[0, below].sum(), share.detach())
    else:
        assert not gradient[0, below].any()
    assert gradient.any()


@settings(max_examples=10)
@given(ragged_taxonomies(), st.integers(0, 10**6))
def test_masked_levels_keep_their_path_and_hierarchical_softmax_the_best_of_each_level(
    taxonomy: Taxonomy, seed: int
) -> None:
    logits = torch.randn(6, taxonomy.num_nodes - 1, generator=torch.Generator().manual_seed(seed)) * 2
    prediction = SiblingSoftmax(taxonomy, logits)
    masked = methods.make("m-plc").decision()(prediction)
    for row, node in zip(logits, masked.node.tolist(), strict=True):  # type: ignore[union-attr]
        for parent, child in zip(taxonomy.path(node)[:-1], taxonomy.path(node)[1:], strict=True):
            assert row[child - 1] == row[taxonomy.children(parent) - 1].max()
        assert taxonomy.is_leaf[node]
    assume(taxonomy.num_levels > 0)
    best = methods.make("hs").decision()(prediction)
    assert best.node[:, -1].equal(Leaf()(prediction).node)  # type: ignore[union-attr]


@settings(max_examples=10)
@given(ragged_taxonomies(), st.integers(0, 10**6))
def test_vanilla_is_consistent(taxonomy: Taxonomy, seed: int) -> None:
    method = methods.make("vanilla", embedding=0)
    torch.manual_seed(seed)
    prediction = method.head(taxonomy, 5)(3 * torch.randn(20, 5))
    leaves = torch.tensor(taxonomy.leaf_nodes.copy())
    target = leaves[torch.randint(len(leaves), (20,))]
    values = score_answer(method.decision()(prediction), prediction.ranking(20), target, taxonomy)
    accuracies = [values[f"level_accuracy/{name}"].mean() for name in taxonomy.level_names]
    assert accuracies == sorted(accuracies, reverse=True)
    assert not values["tice"].any()


# ---------------------------------------------------------------- embeddings


@pytest.mark.parametrize("name", EVERY)
def test_between_features_and_classifiers_lies_an_embedding(name: str) -> None:
    def embeddings(**options: Any) -> list[int]:
        head = methods.make(name, **options).head(TREE, 9)
        assert head(torch.zeros(2, 9)).log_prob.shape == (2, TREE.num_nodes)
        return [module.width for module in head.modules() if isinstance(module, Embedding)]

    count = TREE.num_levels if name == "vanilla-multi" else 1
    assert embeddings() == [600] * count
    assert embeddings(embedding=32) == [32] * count
    assert embeddings(embedding=0) == []


def test_fine_grained_or_not_splits_its_embedding_evenly() -> None:
    head = methods.make("fgon").head(TREE, 9)
    assert isinstance(head, EmbeddedHead)
    assert isinstance(head.head, LevelClassifierHead)
    assert [layer.in_features for layer in head.head.classifiers] == [600, 400, 200]
    uneven = methods.make("fgon", embedding=10).head(TREE, 9).head.classifiers  # type: ignore[union-attr]
    assert [layer.in_features for layer in uneven] == [10, 6, 3]  # type: ignore[union-attr]


def test_the_coarse_loss_teaches_neither_the_fine_part_nor_the_fine_loss_the_coarse_one() -> None:
    head = methods.make("fgon", embedding=9).head(TREE, 6)
    assert isinstance(head, EmbeddedHead)
    rows = head.embedding.layers[1].weight  # the part of the embedding that each row makes
    logits = head(torch.randn(8, 6)).logits
    sizes = [len(TREE.level_nodes(k)) for k in (1, 2, 3)]
    for level, part in enumerate(logits.split(sizes, dim=1)):
        (gradient,) = torch.autograd.grad(part.square().sum(), rows, retain_graph=True)
        assert [bool(g.any()) for g in gradient.split(3)] == [k == level for k in range(3)]


# ---------------------------------------------------------------- what else a method says of itself


def test_towers_and_pooling() -> None:
    assert {name: kind().towers(TREE) for name, kind in methods.available().items() if kind().towers(TREE) > 1} == {
        "vanilla-multi": 3
    }
    assert methods.make("vanilla-multi").towers(Taxonomy([-1], ["thing"])) == 1
    assert {name for name, kind in methods.available().items() if kind().pooling() != "own"} == {"fgon"}
    assert methods.make("fgon", pool="own").pooling() == "own"


def test_accuracy_is_watched_by_a_rule_with_nothing_to_learn() -> None:
    assert methods.make("hab").watched() == Levels()
    assert methods.make("hace").watched() == methods.make("hace").decision()
