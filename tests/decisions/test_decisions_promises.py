"""Promises by level and by group, and whether promises hold as often as they should."""

from __future__ import annotations

import math
import re
import warnings

import numpy as np
import pytest
import torch

from cladewise import decisions
from cladewise.catalogue import from_spec
from cladewise.decisions import HedgedMajority, Hedging
from cladewise.decisions.guarantee import Guaranteed
from cladewise.errors import InputError
from cladewise.ops import at_levels, is_ancestor
from cladewise.predictions import LeafSoftmax, NodeSigmoid, Prediction
from cladewise.statistics import least_successes
from cladewise.taxonomy import Taxonomy

TREE = Taxonomy.from_paths(
    [(a, a + b, a + b + c) for a in "xyz" for b in "uv" for c in "klm"], level_names=["order", "family", "species"]
)


def drawn(images: int, seed: int, *, sharp: float = 1.0, kind: str = "leaves") -> tuple[Prediction, torch.Tensor]:
    """Scores, and labels drawn from the softmax of other scores that they resemble up to a factor and noise."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, TREE.num_leaves, generator=generator, dtype=torch.float64) * 3
    parents = torch.randn(images, 6, generator=generator, dtype=torch.float64).repeat_interleave(3, 1) * 2
    logits = logits + parents
    leaf = torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(1)
    labels = torch.as_tensor(TREE.leaf_nodes.copy())[leaf]
    noisy = sharp * (logits + torch.randn(logits.shape, generator=generator, dtype=torch.float64))
    if kind == "sigmoids":  # which contradict each other, so that accuracy is not monotone in the caution
        nodes = torch.randn(images, TREE.num_nodes - 1, generator=generator, dtype=torch.float64) * 2
        nodes[:, torch.as_tensor(TREE.leaf_nodes.copy()) - 1] += noisy
        return NodeSigmoid(TREE, nodes), labels
    if kind == "saturated":
        one = torch.nn.functional.one_hot(noisy.argmax(-1), TREE.num_leaves).double()
        return LeafSoftmax(TREE, one.log()), labels
    return LeafSoftmax(TREE, noisy.float()), labels


def quietly(rule: Guaranteed, prediction: Prediction, labels: torch.Tensor) -> Guaranteed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rule.fit(prediction, labels)


def test_promises_by_level_are_proven_at_every_level() -> None:
    prediction, labels = drawn(1500, 0)
    plain = Hedging(0.7).fit(prediction, labels)
    rule = Hedging(0.7, by_level={"order": 0.95, "family": 0.9}).fit(prediction, labels)  # pyright: ignore[reportArgumentType]
    assert plain.caution is not None
    assert rule.caution is not None
    assert rule.caution > plain.caution
    answer = rule(prediction)
    cut = at_levels(answer.node, TREE)
    right = [int(is_ancestor(node, labels, TREE).sum()) for node in (answer.node, cut[:, 0], cut[:, 1])]
    for count, share in zip(right, (0.7, 0.95, 0.9), strict=True):
        assert count >= least_successes(1500, share)
    assert rule.promises(TREE) == (("", 0.7), ("order", 0.95), ("family", 0.9))
    assert rule.kept(prediction, answer, labels).tolist() == [[count, 1500] for count in right]
    by_number = Hedging(0.7, by_level={"1": 0.95, "2": 0.9}).fit(prediction, labels)  # pyright: ignore[reportArgumentType]
    assert by_number.caution == rule.caution
    text = "hedging:guarantee=0.7,order=0.95,family=0.9"
    assert from_spec(decisions.available(), "decision", text) == Hedging(0.7, by_level=rule.by_level)


def test_promises_by_group_have_a_caution_each() -> None:
    prediction, labels = drawn(3000, 1)
    rule = Hedging(0.8, per="order").fit(prediction, labels)
    assert rule.is_fitted
    assert rule.cautions is not None
    assert rule.cautions.shape == (3,)
    assert rule.cautions.unique().numel() == 3
    answer = rule(prediction)
    group = at_levels(prediction.best_leaf().node, TREE)[:, 0]
    kept = rule.kept(prediction, answer, labels)
    for place, node in enumerate(TREE.level_nodes(1)):
        images = group == int(node)
        right = int(is_ancestor(answer.node, labels, TREE)[images].sum())
        assert kept[place].tolist() == [right, int(images.sum())]
        assert right >= least_successes(int(images.sum()), 0.8, confidence=1 - 0.05 / 3)
    assert [one.name for one in rule.promises(TREE)] == ["x", "y", "z"]
    alone = Hedging(0.8, confidence=1 - 0.05 / 3).fit(prediction[group == 1], labels[group == 1])
    assert alone.caution == rule.cautions[0]


def test_groups_with_too_few_images_answer_the_root() -> None:
    prediction, labels = drawn(3000, 2)
    group = at_levels(prediction.best_leaf().node, TREE)[:, 0]
    kept = (group != int(TREE.level_nodes(1)[1])) | (torch.arange(3000) < 30)
    rule = Hedging(0.9, per="order")
    with pytest.warns(UserWarning, match="answers the root for 1 of the 3 groups") as told:
        fitted = rule.fit(prediction[kept], labels[kept])
    few = int((group[kept] == int(TREE.level_nodes(1)[1])).sum())
    least = math.ceil(math.log(0.05 / 3) / math.log(0.9))  # as one of three groups
    assert few < least
    assert f"at least {least} labelled images per group, and there are fewer in y ({few})." in str(told[0].message)
    answer = fitted(prediction).node
    assert not answer[group == int(TREE.level_nodes(1)[1])].any()
    assert answer[group == int(TREE.level_nodes(1)[0])].any()


def test_groups_with_too_few_images_may_share_a_promise() -> None:
    prediction, labels = drawn(600, 3)
    group = at_levels(prediction.best_leaf().node, TREE)[:, 1]
    first = int(TREE.level_nodes(2)[0])
    kept = (group == first) | (torch.arange(600) < 150)
    rule = Hedging(0.9, per="family", rest="together")
    with pytest.warns(UserWarning, match="makes one promise for 5 of the 6 groups together"):
        fitted = rule.fit(prediction[kept], labels[kept])
    assert fitted.cautions is not None
    assert len(fitted.cautions[1:].unique()) == 1
    others = kept & (group != first)
    alone = quietly(Hedging(0.9, confidence=0.975), prediction[others], labels[others])
    assert alone.caution == fitted.cautions[1]
    assert [one.name for one in fitted.promises(TREE)] == ["x/xu", "the other 5 groups"]
    answer = fitted(prediction)
    assert (answer.node[group != first] > 0).any()
    right = is_ancestor(answer.node, labels, TREE)
    counted = [[int(right[group == first].sum()), int((group == first).sum())]]
    counted += [[int(right[group != first].sum()), int((group != first).sum())]]
    assert fitted.kept(prediction, answer, labels).tolist() == counted


def test_groups_of_another_tree_take_the_greatest_caution() -> None:
    prediction, labels = drawn(3000, 1)
    rule = HedgedMajority(0.8, per="1").fit(prediction, labels)
    renamed = Taxonomy(TREE.parents, [f"{name}!" for name in TREE.names], level=TREE.level)
    assert isinstance(prediction, LeafSoftmax)
    assert rule.cautions is not None
    moved = LeafSoftmax(renamed, prediction.leaf_logits)
    assert rule(moved).node.equal(rule.steps_of(prediction).at(float(rule.cautions.max())))
    assert not rule(moved).node.equal(rule(prediction).node)


def test_a_level_that_is_none_is_named() -> None:
    prediction, labels = drawn(50, 0)
    with pytest.raises(InputError, match="a level: order, family, species, but got 'genus'"):
        Hedging(0.5, per="genus").fit(prediction, labels)
    with pytest.raises(
        InputError, match=re.escape("a level: order, family, species, but got 'familly'. Did you mean family?")
    ):
        Hedging(0.5, by_level=(("familly", 0.9),)).fit(prediction, labels)
    with pytest.raises(InputError, match=r"a guarantee in \[0, 1\), but got 1.5"):
        Hedging(0.5, by_level=(("family", 1.5),))
    with pytest.raises(InputError, match="a confidence between 0 and 1, but got 95"):
        Hedging(0.5, confidence=95)


HEADS = {
    "calibrated": {"sharp": 1.0},
    "overconfident": {"sharp": 30.0},
    "saturated": {"kind": "saturated"},
    "contradicting sigmoids": {"kind": "sigmoids"},
}


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("rule", [Hedging(0.85), HedgedMajority(0.85), Hedging(0.8, by_level=(("order", 0.9),))])
def test_promises_hold_as_often_as_they_should(head: str, rule: Guaranteed) -> None:
    """Over many draws of fitting images from a population, where the truth is the share of the whole population."""
    prediction, labels = drawn(4000, 5, **HEADS[head])  # pyright: ignore[reportArgumentType]
    generator = np.random.default_rng(0)
    kept, repeats = 0, 150
    for _ in range(repeats):
        chosen = torch.from_numpy(generator.integers(0, 4000, 120))
        fitted = quietly(rule, prediction[chosen], labels[chosen])
        counts = fitted.kept(prediction, fitted(prediction), labels)
        kept += all(
            right >= share * images for (right, images), share in zip(counts.tolist(), rule.shares, strict=True)
        )
    assert kept / repeats >= 0.95 - 3 * (0.05 * 0.95 / repeats) ** 0.5
