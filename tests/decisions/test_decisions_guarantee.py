from __future__ import annotations

import dataclasses
import math
import warnings
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.decisions import (
    ExpectedInformation,
    HedgedExpectation,
    HedgedMajority,
    Hedging,
    Leaf,
    LeafOrRoot,
    Threshold,
    guarantee,
)
from cladewise.decisions.guarantee import Guaranteed
from cladewise.errors import InputError
from cladewise.ops import is_ancestor
from cladewise.predictions import Fittable, LeafSoftmax, NodeSoftmax, Prediction
from cladewise.taxonomy import Taxonomy
from reference import decisions_twin
from reference.given_predictions import KINDS, Given, random_prediction
from reference.small_trees import ragged_taxonomies, t9, t9_nodes, t9_order

RULES: dict[type[Guaranteed], Callable[..., int]] = {
    Hedging: decisions_twin.hedge,
    LeafOrRoot: decisions_twin.leaf_or_root,
    HedgedMajority: decisions_twin.most_informative_above,
    HedgedExpectation: decisions_twin.hedged_expectation,
}
every_rule = pytest.mark.parametrize("rule", RULES)
FLAT = [1, 0.512471, 0.40453, 0.082999, 0.101375, 0.411096, 0.40453, 0.336577, 0.067954]


def validation(taxonomy: Taxonomy, images: int, seed: int, kind: str = "LeafSoftmax", sure: float = 2.0):
    """Predictions, and labels drawn from a softmax over the leaves that they resemble."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(images, taxonomy.num_leaves, generator=generator, dtype=torch.float64) * sure
    target = torch.multinomial(logits.softmax(-1), 1, generator=generator).squeeze(1)
    if kind == "LeafSoftmax":
        prediction: Prediction = LeafSoftmax(taxonomy, logits)
    else:
        prediction = random_prediction(kind, taxonomy, images, seed=seed)
    return prediction, torch.as_tensor(taxonomy.leaf_nodes.copy())[target]


def test_golden_hedging() -> None:
    flat = Given(t9(), torch.tensor([FLAT])[:, t9_order()].log())
    assert Hedging(caution=0.0)(flat).node.tolist() == t9_nodes(5)
    for epsilon in (0.3, 0.1, 0.05):
        rule = Hedging(1 - epsilon)
        assert rule.most_cautious(t9()) == pytest.approx((1 - epsilon) * math.log2(5) / epsilon)
        assert dataclasses.replace(rule, caution=rule.most_cautious(t9()))(flat).node.tolist() == [0]


@given(
    ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6), st.sampled_from([0.0, 0.15, 0.4, 2.0])
)
@settings(max_examples=45)
def test_answers_agree_with_one_node_at_a_time(taxonomy: Taxonomy, kind: str, seed: int, caution: float) -> None:
    prediction = random_prediction(kind, taxonomy, 2, 2, seed=seed)
    p = prediction.log_prob.exp()
    for rule, twin in RULES.items():
        if caution > 1 and rule is not Hedging:
            continue
        answer = rule(caution=caution)(prediction)
        for i, j in [(i, j) for i in range(2) for j in range(2)]:
            expected = twin(taxonomy, p[i, j].tolist(), caution)
            assert answer.node[i, j] == expected, (rule, i, j)
        torch.testing.assert_close(answer.log_prob, prediction.log_prob.gather(-1, answer.node[..., None])[..., 0])


@every_rule
@given(ragged_taxonomies(), st.sampled_from(["LeafSoftmax", "NodeSoftmax", "NodeSigmoid"]), st.integers(0, 10**6))
@settings(max_examples=6)
def test_search_agrees_with_one_image_at_a_time(
    rule: type[Guaranteed], taxonomy: Taxonomy, kind: str, seed: int
) -> None:
    prediction, target = validation(taxonomy, 12, seed, kind)
    p = prediction.log_prob.exp().tolist()
    low, high = 0.0, rule(0.5).most_cautious(taxonomy)
    for _ in range(25):
        middle = (low + high) / 2
        nodes = [RULES[rule](taxonomy, p[i], middle) for i in range(12)]
        right = sum(bool(taxonomy.contains(v, int(y))) for v, y in zip(nodes, target, strict=True))
        low, high = (low, middle) if decisions_twin.is_enough(right, 12, 0.5) else (middle, high)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert rule(0.5).fit(prediction, target).caution == high


@every_rule
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.8, 0.9]))
@settings(max_examples=5)
def test_the_guarantee_holds_and_less_would_not_do(rule: type[Guaranteed], seed: int, promised: float) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e", "f", "g"), ("e", "f", "h"), ("i",)])
    prediction, target = validation(taxonomy, 300, seed)
    fitted = rule(promised).fit(prediction, target)
    assert fitted.is_fitted
    assert fitted.handle == rule(promised).handle

    def right(x: Guaranteed) -> int:
        return int(is_ancestor(x(prediction).node, target, taxonomy).sum())

    assert decisions_twin.is_enough(right(fitted), 300, promised)
    assert fitted.caution is not None
    if fitted.caution > 1e-3:
        less = dataclasses.replace(fitted, caution=fitted.caution - 1e-4)
        assert not decisions_twin.is_enough(right(less), 300, promised)


@every_rule
def test_more_accuracy_is_less_information(rule: type[Guaranteed]) -> None:
    taxonomy = Taxonomy.from_paths([(a, b, c) for a in "xyz" for b in "uv" for c in "klm"])
    prediction, target = validation(taxonomy, 500, 3)
    information = torch.tensor(taxonomy.information)
    said = [information[rule(g).fit(prediction, target)(prediction).node].mean() for g in (0.3, 0.6, 0.8, 0.9, 0.95)]
    assert said == sorted(said, reverse=True)
    assert said[0] > said[-1]


def test_hedging_says_the_most_for_the_same_accuracy() -> None:
    taxonomy = Taxonomy.from_paths([(a, b, c) for a in "xyz" for b in "uv" for c in "klm"])
    prediction, target = validation(taxonomy, 2000, 5)
    information = torch.tensor(taxonomy.information)
    said = {}
    for rule in RULES:
        node = rule(0.8).fit(prediction, target)(prediction).node
        said[rule] = float((information[node] * is_ancestor(node, target, taxonomy)).mean())
    assert max(said, key=lambda rule: said[rule]) is Hedging


def test_the_ends_of_caution() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction, _ = validation(taxonomy, 40, 0)
    assert Hedging(caution=0.0)(prediction).node.equal(ExpectedInformation()(prediction).node)
    assert not Hedging(caution=1e9)(prediction).node.any()
    assert LeafOrRoot(caution=0.0)(prediction).node.equal(Leaf()(prediction).node)
    assert HedgedMajority(caution=0.3)(prediction).node.equal(Threshold(0.3)(prediction).node)
    for rule in (LeafOrRoot, HedgedMajority, HedgedExpectation):
        assert not rule(caution=1.0)(prediction).node.any()


def test_hedging_answers_the_parent_of_an_only_child() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c", "d", "e"), ("f",)])
    for shift in (0.0, 0.1, -7.7):  # sums of one, which may round
        sure = LeafSoftmax(taxonomy, torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]) + shift)
        assert [taxonomy.path_name(v) for v in Hedging(caution=1.0)(sure).node.tolist()] == ["a", "c"]
    own = torch.full((1, taxonomy.num_nodes), -9.0)
    own[0, taxonomy.find("a")] = 3.0  # what a keeps to itself counts for a alone
    assert Hedging(caution=1.0)(NodeSoftmax(taxonomy, own)).node.item() == taxonomy.find("a")


def test_parts_of_the_validation_images_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    taxonomy = t9()
    prediction, target = validation(taxonomy, 101, 2)
    whole = [rule(0.6).fit(prediction, target).caution for rule in RULES]
    shaped = prediction.map(lambda x: x[:100].reshape(10, 10, -1)), target[:100].reshape(10, 10)
    assert Hedging(0.6).fit(*shaped).caution == Hedging(0.6).fit(prediction[:100], target[:100]).caution
    monkeypatch.setattr(guarantee, "CELLS_AT_ONCE", 30)
    assert [rule(0.6).fit(prediction, target).caution for rule in RULES] == whole


def test_labels_at_inner_nodes_are_reached_from_above_only() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction = LeafSoftmax(taxonomy, torch.tensor([[6.0, 0.0, 0.0]]).expand(60, 3))
    target = torch.full((60,), taxonomy.find("a"))
    assert HedgedMajority(0.9).fit(prediction, target)(prediction).node.unique().tolist() == [taxonomy.find("a")]


@every_rule
def test_too_few_images_are_said(rule: type[Guaranteed]) -> None:
    taxonomy = t9()
    prediction, target = validation(taxonomy, 28, 0)  # 29 right of 29 are the least that show 0.9
    with pytest.warns(UserWarning, match=r"cannot promise an accuracy of 0.9: on 28 images .* above 0\.\d{4}. Use"):
        fitted = rule(0.9).fit(prediction, target)
    assert fitted.caution == pytest.approx(rule(0.9).most_cautious(taxonomy))


@every_rule
def test_mistakes_are_named(rule: type[Guaranteed]) -> None:
    prediction, target = validation(t9(), 4, 0)
    assert isinstance(rule(), Fittable)
    assert not rule().is_fitted
    with pytest.raises(
        InputError, match=f"a rule {rule.name} that is fitted, but got one that is not. Fit it on the v"
    ):
        rule()(prediction)
    with pytest.raises(InputError, match=r"but got shapes \[4\] and \[3\]"):
        rule().fit(prediction, target[:3])
    with pytest.raises(InputError, match="one at least"):
        rule().fit(prediction[:0], target[:0])
    for wrong in (1.0, -0.1, math.nan):
        with pytest.raises(InputError, match=r"a guarantee in \[0, 1\)"):
            rule(wrong)
