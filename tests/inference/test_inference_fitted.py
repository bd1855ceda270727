"""Differentiable diffusion: what it starts from, what it is fitted by, and what it learns."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import inference
from cladewise.engine.rules import inference_of, spec_of
from cladewise.errors import InputError
from cladewise.inference import BottomUp, DifferentiableDiffusion, Diffusion, FittableChain, Subset, chain
from cladewise.inference.level_loss import level_loss, restraint_weights
from cladewise.losses import flat_softmax_loss
from cladewise.predictions import Fittable, LeafSoftmax, LevelSoftmax, NodeSigmoid, level_width
from cladewise.taxonomy import Taxonomy
from reference import inference_twin, trees
from reference.small_trees import ragged_taxonomies, t9
from strategies import taxonomies_with_nodes

few = settings(max_examples=12)
FORMS = ["full", "neighbourhood"]
trees_with_all_nodes = ragged_taxonomies().map(lambda t: (t, list(range(t.num_nodes))))


def noisy(taxonomy: Taxonomy, images: int, seed: int = 0) -> tuple[LevelSoftmax, torch.Tensor]:
    """Scores that know the leaf only through the level above, in a wrong order that a linear map can put right."""
    generator = torch.Generator().manual_seed(seed)
    leaves = torch.tensor(taxonomy.leaf_nodes.copy())
    target = leaves[torch.randint(taxonomy.num_leaves, (images,), generator=generator)]
    levels = tuple(range(1, taxonomy.num_levels + 1))
    scores = []
    for level in levels:
        nodes = torch.tensor(taxonomy.level_nodes(level))
        right = torch.tensor(taxonomy.at_level(level))[target]
        hot = (nodes == right[:, None]).float()
        scores.append(hot.roll(1, -1) if level == levels[-1] else hot)
    logits = torch.cat(scores, -1)
    return LevelSoftmax(taxonomy, 3 * logits + torch.randn(logits.shape, generator=generator)), target


@pytest.mark.parametrize("form", FORMS)
@few
@given(ragged_taxonomies(), st.sampled_from([0.0, 0.3, 0.9]), st.integers(0, 9))
def test_starts_as_plain_diffusion(form: str, taxonomy: Taxonomy, alpha: float, seed: int) -> None:
    torch.manual_seed(seed)
    width = level_width(taxonomy, tuple(range(1, taxonomy.num_levels + 1)), tied=False)
    for prediction in (
        LevelSoftmax(taxonomy, torch.randn(3, width)),
        LeafSoftmax(taxonomy, torch.randn(3, taxonomy.num_leaves)),
    ):
        rule = DifferentiableDiffusion(alpha, form=form, radius=99, epochs=0)  # type: ignore[arg-type]
        fitted = rule.fit(prediction, torch.zeros(3, dtype=torch.int64))
        torch.testing.assert_close(
            fitted(prediction).log_prob, Diffusion(alpha)(prediction).log_prob, atol=1e-5, rtol=1e-5
        )
        assert fitted.about(prediction) == Diffusion(alpha).about(prediction)


@few
@given(ragged_taxonomies(), st.integers(0, 4))
def test_neighbourhood_has_the_entries_it_says(taxonomy: Taxonomy, radius: int) -> None:
    prediction = NodeSigmoid(taxonomy, torch.eye(taxonomy.num_nodes - 1))
    rule = DifferentiableDiffusion(form="neighbourhood", radius=radius, epochs=0)
    learnt = rule.fit(prediction, torch.zeros(taxonomy.num_nodes - 1, dtype=torch.int64))(prediction)
    full = inference_twin.diffused(taxonomy, np.eye(taxonomy.num_nodes), 0.3)
    for v in range(1, taxonomy.num_nodes):
        for place, leaf in enumerate(taxonomy.leaf_nodes.tolist()):
            up, down = trees.path(taxonomy, v), trees.path(taxonomy, leaf)
            apart = len(set(up) ^ set(down))
            near = apart <= radius or v in down
            assert float(learnt.logits[v - 1, place]) == pytest.approx(full[v, leaf] if near else 0.0, abs=1e-6)


@few
@given(taxonomies_with_nodes(max_nodes=12) | trees_with_all_nodes, st.booleans(), st.integers(0, 99))
def test_loss_is_its_twin(tree_and_targets: tuple[Taxonomy, list[int]], restrained: bool, seed: int) -> None:
    taxonomy, targets = tree_and_targets
    restraint = restraint_weights(taxonomy.num_levels, float(restrained))
    random = np.random.default_rng(seed)
    scores = 2 * random.standard_normal((len(targets), taxonomy.num_leaves))
    given_scores, nodes = torch.tensor(scores, requires_grad=True), torch.tensor(targets)
    uneven = [float(weight) for weight in random.choice([0.0, 0.5, 3.0], taxonomy.num_levels)]
    for weights, stated in (([1.0] * taxonomy.num_levels, ()), (uneven, uneven)):
        wanted = [
            inference_twin.matrix_loss(taxonomy, row, t, restraint, weights)
            for row, t in zip(scores, targets, strict=True)
        ]
        loss = level_loss(given_scores, nodes, taxonomy, restraint, stated)
        np.testing.assert_allclose(loss.detach(), wanted, rtol=1e-9, atol=1e-9)
        single = level_loss(torch.tensor(scores).float(), nodes, taxonomy, restraint, stated)
        np.testing.assert_allclose(single, wanted, rtol=1e-4, atol=1e-4)
        assert torch.autograd.gradcheck(
            lambda x, stated=stated: level_loss(x, nodes, taxonomy, restraint, stated), given_scores
        )


def test_without_restraint_the_loss_is_that_of_every_ancestor() -> None:
    """The marginalisation loss of Dhall et al., 2020: a negative log-likelihood a level, never less than the leaf's."""
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e", "f"), ("g", "h", "i")])
    leaves = torch.tensor(taxonomy.leaf_nodes.copy())
    scores = torch.randn(len(leaves), len(leaves), dtype=torch.float64)
    ancestors = torch.tensor([taxonomy.path(int(leaf)) for leaf in leaves])[:, 1:]
    expected = sum(flat_softmax_loss(scores, column, taxonomy) for column in ancestors.unbind(1))
    loss = level_loss(scores, leaves, taxonomy)
    torch.testing.assert_close(loss, expected)
    assert (loss >= flat_softmax_loss(scores, leaves, taxonomy)).all()
    assert (level_loss(scores, leaves, taxonomy, restraint_weights(3, 1.0)) >= loss).all()  # restraint is a price
    chain = Taxonomy.from_paths([("a", "b", "c")])  # one class a level: nothing to be wrong about
    assert level_loss(torch.ones(1, 1), torch.tensor([3]), chain, restraint_weights(3, 1.0)).item() == 0


@pytest.mark.parametrize("sign", [1, -1])
def test_loss_of_extreme_scores(sign: int) -> None:
    scores = torch.full((1, 5), -1e4)
    scores[0, 0] = sign * 1e4
    scores.requires_grad_()
    loss = level_loss(scores, torch.tensor([int(t9().leaf_nodes[0])]), t9(), restraint_weights(3, 1.0))
    loss.sum().backward()
    assert loss.isfinite().all()
    assert scores.grad is not None
    assert scores.grad.isfinite().all()
    if sign == 1:
        assert loss.item() == 0.0  # a perfect prediction costs nothing


def test_restraint_weights_are_the_papers() -> None:
    assert restraint_weights(7, 1.0) == (10, 5, 3, 1, 0.5, 0.2, 0)
    assert restraint_weights(0, 1.0) == ()
    assert restraint_weights(1, 1.0) == (0.0,)


@pytest.mark.parametrize("form", FORMS)
def test_it_learns_what_diffusion_cannot(form: str) -> None:
    taxonomy = Taxonomy.from_paths([(f"g{i // 3}", f"s{i}") for i in range(12)])
    (train, target), (test, wanted) = noisy(taxonomy, 600), noisy(taxonomy, 300, seed=1)
    rule = inference.make("differentiable-diffusion", form=form, radius=4, epochs=60)
    assert isinstance(rule, Fittable)
    fitted = rule.fit(train, target)

    def accuracy(rule: inference.Inference) -> float:
        return float((rule(test).ranking(1)[:, 0] == wanted).float().mean())

    assert accuracy(fitted) > accuracy(Diffusion()) + 0.2  # type: ignore[arg-type]
    again = rule.fit(train, target)
    assert fitted.matrix is not None  # type: ignore[attr-defined]
    assert fitted.matrix.equal(again.matrix)  # type: ignore[attr-defined]
    assert fitted.handle == rule.handle  # type: ignore[attr-defined]


@pytest.mark.parametrize("scale", [1.0, 20.0])
def test_a_step_moves_scores_by_as_much_whatever_their_scale(scale: float) -> None:
    taxonomy = Taxonomy.from_paths([(f"g{i // 3}", f"s{i}") for i in range(12)])
    prediction, target = noisy(taxonomy, 600)
    scores = LevelSoftmax(taxonomy, scale * prediction.logits)
    start = DifferentiableDiffusion(epochs=0).fit(scores, target).matrix
    after = DifferentiableDiffusion(epochs=1, learning_rate=0.3).fit(scores, target).matrix  # one batch, one step
    assert start is not None
    assert after is not None
    most_that_an_image_moves = (after - start).abs().max() * scores.logits.abs().sum(-1).mean()
    assert float(most_that_an_image_moves) == pytest.approx(0.3, rel=1e-3)


def test_the_weights_of_the_levels_are_those_that_train_and_choose() -> None:
    taxonomy = Taxonomy.from_paths([(f"g{i // 3}", f"s{i}") for i in range(12)])
    prediction, target = noisy(taxonomy, 600)
    shown = {"epochs": 4, "restraint": 0.0}
    plain = DifferentiableDiffusion(**shown).fit(prediction, target).matrix  # type: ignore[arg-type]
    assert plain is not None
    ones = DifferentiableDiffusion(**shown, level_weights=[1.0, 1.0]).fit(prediction, target)  # type: ignore[arg-type]
    assert plain.equal(ones.matrix)  # type: ignore[arg-type]
    assert ones.level_weights == (1.0, 1.0)

    def loss(rule: DifferentiableDiffusion, weights: tuple[float, ...]) -> float:
        fitted = rule.fit(prediction, target)(prediction)
        return float(level_loss(fitted.logits, target, taxonomy, (), weights).mean())

    coarse = DifferentiableDiffusion(**shown, level_weights=(1.0, 0.0))  # type: ignore[arg-type]
    fine = DifferentiableDiffusion(**shown, level_weights=(0.0, 1.0))  # type: ignore[arg-type]
    assert loss(coarse, (1.0, 0.0)) < loss(fine, (1.0, 0.0))
    assert loss(fine, (0.0, 1.0)) < loss(coarse, (0.0, 1.0))
    published = DifferentiableDiffusion(epochs=2).fit(prediction, target).matrix
    stated = DifferentiableDiffusion(epochs=2, restraint_weights=(0.2, 0.0)).fit(prediction, target).matrix
    assert published is not None
    assert published.equal(stated)  # type: ignore[arg-type]


def test_the_kept_matrix_is_the_one_with_the_least_loss_that_is_trained() -> None:
    """On scores with the least cross-entropy, the log-frequencies of the leaves, with an enormous restraint."""
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
    counts = torch.tensor([165, 45, 45, 45])
    target = torch.tensor(taxonomy.leaf_nodes.copy()).repeat_interleave(counts)
    prediction = LeafSoftmax(taxonomy, (counts / 300).log().expand(300, 4))
    options = {"alpha": 0.0, "epochs": 6, "learning_rate": 0.2, "restraint_weights": (0.0, 1e4)}
    fitted = DifferentiableDiffusion(**options).fit(prediction, target)(prediction)  # type: ignore[arg-type]

    def losses(leaf_logits: torch.Tensor) -> tuple[float, float]:
        """The loss that is trained, and the cross-entropy alone."""
        trained = level_loss(leaf_logits, target, taxonomy, (0.0, 1e4)).mean()
        return float(trained), float(level_loss(leaf_logits, target, taxonomy).mean())

    before, after = losses(prediction.logits), losses(fitted.logits)
    assert after[0] < before[0]
    assert after[1] > before[1]  # by the cross-entropy alone the first matrix would have been kept


def test_weights_are_one_per_level() -> None:
    prediction, target = noisy(t9(), 20)
    for option in ("level_weights", "restraint_weights"):
        with pytest.raises(InputError, match=rf"{option} with one number per level of the tree, 3, but got 2: \(1.0"):
            DifferentiableDiffusion(**{option: (1.0, 2.0)}).fit(prediction, target)
    rule = inference.make("differentiable-diffusion", level_weights=(1.0, 0.5, 0.25), restraint=0.0)
    assert spec_of(rule) == "differentiable-diffusion:restraint=0.0,level_weights=1.0,0.5,0.25"
    assert inference_of(spec_of(rule), None) == rule


def test_it_is_never_worse_than_diffusion_on_what_is_held_out() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
    prediction, _ = noisy(taxonomy, 200)
    target = noisy(taxonomy, 200, seed=7)[1]  # of other images
    wild = DifferentiableDiffusion(learning_rate=1e6, epochs=3).fit(prediction, target)
    torch.testing.assert_close(wild(prediction).log_prob, Diffusion()(prediction).log_prob)


def test_it_can_be_fitted_where_gradients_are_off() -> None:
    with torch.inference_mode():
        prediction, target = noisy(t9(), 20)
        fitted = DifferentiableDiffusion(epochs=2).fit(prediction, target)
        assert fitted.is_fitted
        assert not fitted(prediction).log_prob.isnan().any()


def test_refusals() -> None:
    taxonomy = Taxonomy.from_paths([(f"g{i % 50}", f"s{i}") for i in range(1000)])
    prediction, target = LeafSoftmax(taxonomy, torch.zeros(2, 1000)), torch.zeros(2, dtype=torch.int64)
    with pytest.raises(InputError) as error:
        DifferentiableDiffusion(memory=0.001).fit(prediction, target)
    assert str(error.value) == (
        "Expected a matrix that is learnt in 0.001 GB (the option memory), but got 1,000 nodes × 1,000 leaves, "
        "1,000,000 entries of which 5 copies take 0.02 GB. Choose form=neighbourhood."
    )
    with pytest.raises(InputError, match=r"nodes within 4 edges of each leaf, .* entries .*Lower radius"):
        DifferentiableDiffusion(form="neighbourhood", radius=4, memory=0.001).fit(prediction, target)
    with pytest.raises(InputError, match="a fitted differentiable-diffusion, but got one that was not"):
        DifferentiableDiffusion()(prediction)
    fitted = DifferentiableDiffusion(epochs=0).fit(prediction, target)
    with pytest.raises(InputError, match="scores like those that differentiable-diffusion was fitted on"):
        fitted(NodeSigmoid(taxonomy, torch.zeros(2, taxonomy.num_nodes - 1)))
    for options in (
        {"alpha": 1.0},
        {"held_out": 1.0},
        {"epochs": -1},
        {"batch_size": 0},
        {"shift": "x"},
        {"form": "x"},
        *({"learning_rate": rate} for rate in (0.0, -1.0, math.inf, math.nan)),
        *({"memory": memory} for memory in (0.0, -1.0, math.nan)),
        *({"restraint": restraint} for restraint in (-1.0, math.inf, math.nan)),
        *({"level_weights": (weight,)} for weight in (-1.0, math.inf, math.nan)),
        {"restraint_weights": (1.0, -1.0)},
        *({"seed": seed} for seed in (-1, 1 << 32, 10**30)),
    ):
        (option,) = options
        with pytest.raises(InputError, match=option.replace("_", ".")):
            inference.make("differentiable-diffusion", **options)


def test_a_chain_is_fitted_on_what_comes_before() -> None:
    prediction, target = noisy(t9(), 60)
    subset = Subset(["1", "3"])
    rule = chain(subset, DifferentiableDiffusion(epochs=2), BottomUp())
    assert isinstance(rule, FittableChain)
    assert isinstance(rule, Fittable)
    assert not isinstance(chain(subset, BottomUp()), Fittable)
    assert rule.fits_on == "train"
    assert not rule.is_fitted
    fitted = rule.fit(prediction, target)
    assert fitted.is_fitted
    alone = DifferentiableDiffusion(epochs=2).fit(subset(prediction), target)
    torch.testing.assert_close(fitted(prediction).log_prob, alone(subset(prediction)).log_prob)
