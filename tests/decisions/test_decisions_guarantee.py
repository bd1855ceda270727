from __future__ import annotations

import dataclasses
import math
import re
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
CAUTIONS = st.sampled_from([0.3, 0.5, 0.7])
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
    for epsilon in (0.3, 0.1, 0.05):  # the upper end of the search in the paper
        assert Hedging(caution=(1 - epsilon) * math.log2(5) / epsilon)(flat).node.tolist() == [0]


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
@given(
    ragged_taxonomies(), st.sampled_from(["LeafSoftmax", "NodeSoftmax", "NodeSigmoid"]), st.integers(0, 10**6), CAUTIONS
)
@settings(max_examples=8)
def test_the_search_agrees_with_one_image_at_a_time(
    rule: type[Guaranteed], taxonomy: Taxonomy, kind: str, seed: int, promised: float
) -> None:
    prediction, target = validation(taxonomy, 12, seed, kind)
    p = prediction.log_prob.exp().tolist()

    def right(caution: float) -> int:
        nodes = [RULES[rule](taxonomy, p[i], caution) for i in range(12)]
        return sum(bool(taxonomy.contains(v, int(y))) for v, y in zip(nodes, target, strict=True))

    fitted = quietly(rule(promised, confidence=0.6), prediction, target)
    assert fitted.caution is not None
    found = sorted({c for c in changes(rule, taxonomy, p) if c > 1e-9}, reverse=True)
    passed: list[float] = []  # cautions between those at which an answer changes, from the greatest down
    for place, above in enumerate([math.inf, *found]):
        below = found[place] if place < len(found) else 0.0
        if above - below < 1e-9 * max(1.0, below):
            continue
        middle = (above + below) / 2 if above < math.inf else below + 1.0 if rule is Hedging else (1 + below) / 2
        if decisions_twin.tail(right(middle), 12, promised) > 1 - 0.6:
            break
        passed.append(below)
    if passed:
        assert fitted.caution == pytest.approx(passed[-1], rel=1e-6, abs=1e-9)
    else:
        assert not fitted(prediction).node.any()


def changes(rule: type[Guaranteed], taxonomy: Taxonomy, p: list[list[float]]) -> set[float]:
    """All cautions at which the answer of some image can change."""
    if rule is not Hedging:
        return {min(q, 1.0) for row in p for q in row}
    bits = taxonomy.information
    lines = [[(q * float(b), 1 - q) for q, b in zip(row, bits, strict=True)] for row in p]
    pairs = [(u, v) for row in lines for u in row for v in row if u[0] > v[0] and u[1] > v[1]]
    return {(u[0] - v[0]) / (u[1] - v[1]) for u, v in pairs}


def quietly(rule: Guaranteed, prediction: Prediction, target: torch.Tensor) -> Guaranteed:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return rule.fit(prediction, target)


def right(rule: Guaranteed, prediction: Prediction, target: torch.Tensor) -> int:
    return int(is_ancestor(rule(prediction).node, target, prediction.taxonomy).sum())


@every_rule
@given(st.integers(0, 10**6), st.sampled_from([0.0, 0.5, 0.8, 0.9]))
@settings(max_examples=5)
def test_the_guarantee_is_proven_and_less_caution_would_not_do(
    rule: type[Guaranteed], seed: int, promised: float
) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e", "f", "g"), ("e", "f", "h"), ("i",)])
    prediction, target = validation(taxonomy, 300, seed)
    fitted = rule(promised).fit(prediction, target)
    assert fitted.is_fitted
    assert fitted.handle == rule(promised).handle
    assert decisions_twin.is_enough(right(fitted, prediction, target), 300, promised)
    assert fitted.caution is not None
    if fitted.caution > 1e-3:
        less = dataclasses.replace(fitted, caution=fitted.caution * (1 - 1e-5))
        assert not decisions_twin.is_enough(right(less, prediction, target), 300, promised)


OVERCONFIDENT = {
    "logits × 100": lambda logits: logits * 100,
    "one leaf has everything": lambda logits: torch.where(logits == logits.amax(-1, keepdim=True), 0.0, -torch.inf),
    "logits × 1e4": lambda logits: (logits * 1e4).float(),
}


@every_rule
@pytest.mark.parametrize("how", OVERCONFIDENT)
def test_overconfident_scores_keep_the_promise_below_the_root(rule: type[Guaranteed], how: str) -> None:
    """Every probability rounds to 1, and a tenth of the leaves are wrong, but not their parents."""
    taxonomy = Taxonomy.from_paths([(a, b, c) for a in "xyz" for b in "uv" for c in "klm"])
    generator = torch.Generator().manual_seed(4)
    target = torch.randint(18, (2000,), generator=generator)
    said = torch.where(torch.rand(2000, generator=generator) < 0.1, target // 3 * 3 + (target + 1) % 3, target)
    logits = torch.nn.functional.one_hot(said, 18).double() * 5 + torch.rand(2000, 18, generator=generator)
    prediction = LeafSoftmax(taxonomy, OVERCONFIDENT[how](logits))
    labels = torch.as_tensor(taxonomy.leaf_nodes.copy())[target]
    fitted = rule(0.95).fit(prediction[:1000], labels[:1000])
    unseen = prediction[1000:]
    assert right(fitted, unseen, labels[1000:]) >= 950 - 14  # two standard deviations of the judge
    if rule in (Hedging, HedgedMajority) and how != "logits × 100":  # there the others tell images apart, at random
        answers = fitted(unseen).node
        assert (answers > 0).float().mean() > 0.9
        assert set(torch.as_tensor(taxonomy.level.copy())[answers].tolist()) <= {1, 2, 3}


def test_certain_scores_back_off_through_every_ancestor() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e", "f"), ("g", "h", "i")])
    certain = LeafSoftmax(taxonomy, torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf]]))
    steps = Hedging().steps_of(certain)
    assert [taxonomy.path_name(v) for v in steps.node.tolist()] == ["a", "a/b", "a/b/c"]
    assert steps.caution.tolist() == sorted(steps.caution.tolist(), reverse=True)
    assert steps.caution.isfinite().all()
    by_threshold = HedgedMajority().steps_of(certain)
    assert [taxonomy.path_name(v) for v in by_threshold.node.tolist()] == ["", "a", "a/b", "a/b/c"]


@every_rule
def test_the_search_ends_at_the_first_caution_that_is_not_proven(rule: type[Guaranteed]) -> None:
    """The surest answers are wrong, and all others right."""
    taxonomy = Taxonomy.from_paths([(a, b) for a in "xyz" for b in "uvw"])
    target = torch.arange(400) % 9
    logits = torch.nn.functional.one_hot(target, 9).double() * 8
    logits[:150] = logits[:150].roll(4, dims=1) * 3
    prediction = LeafSoftmax(taxonomy, logits)
    labels = torch.as_tensor(taxonomy.leaf_nodes.copy())[target]
    fitted = quietly(rule(0.7), prediction, labels)
    assert not fitted(prediction).node[150:].any()
    assert right(fitted, prediction, labels) > 0.7 * 400


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


def test_hedging_answers_only_children_where_nothing_is_lost() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c", "d", "e"), ("f",)])
    for shift in (0.0, 0.1, -7.7):  # sums of one, which may round
        sure = LeafSoftmax(taxonomy, torch.tensor([[9.0, 0.0, 0.0], [0.0, 9.0, 0.0]]) + shift)
        assert [taxonomy.path_name(v) for v in Hedging(caution=1.0)(sure).node.tolist()] == ["a/b", "c/d/e"]
    own = torch.full((1, taxonomy.num_nodes), -9.0)
    own[0, taxonomy.find("a")] = 3.0  # what a keeps to itself counts for a alone
    assert Hedging(caution=1.0)(NodeSoftmax(taxonomy, own)).node.item() == taxonomy.find("a")
    own[0, taxonomy.find("a")], own[0, taxonomy.find("a/b")] = -torch.inf, 3.0
    assert Hedging(caution=1.0)(NodeSoftmax(taxonomy, own)).node.item() == taxonomy.find("a/b")


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
    with pytest.warns(
        UserWarning, match="answers the root for every image: 28 labelled images cannot show that a share"
    ) as told:
        fitted = rule(0.9).fit(prediction, target)
    assert not fitted(prediction).node.any()
    assert not fitted(LeafSoftmax(taxonomy, torch.eye(5) * 1e9)).node.any()
    assert "of 0.9 of any other answers is right, which takes at least 29, with no error among them." in str(
        told[0].message
    )
    assert re.search(r" 0\.8\d? can be promised, by answers \d+% as specific as leaves\.", str(told[0].message))


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
