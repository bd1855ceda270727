"""Laws that every decision obeys, whatever head it is given; a new decision enters by existing."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch

from cladewise import Taxonomy, decisions
from cladewise.decisions import Answer, Decision, LabelSets, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.metrics import RANKING_LENGTH, score_answer, top_k
from cladewise.ops import is_ancestor, tree_index
from cladewise.predictions import Coherence, Fittable, Prediction
from reference.given_predictions import KINDS, built_in_kinds, random_prediction, width
from reference.small_trees import reordered

RAGGED = Taxonomy.from_paths(
    [
        ("bird", "warbler", "wood warbler"),
        ("bird", "warbler", "reed warbler"),
        ("bird", "wren"),
        ("moth", "hawk moth"),  # an only child
        ("fern",),
        ("fish", "", "eel"),  # a row that skips a level
    ]
)
STAR = Taxonomy.from_paths([(name,) for name in "abcde"])
CHAIN = Taxonomy.from_paths([("a", "b", "c", "d")])
LONE = Taxonomy([-1], ["thing"])
REAL_ROOT = Taxonomy.from_parents([-1, 0, 0, 1, 1, 2], ["thing", "animal", "plant", "dog", "cat", "fern"])
TREES = {"ragged": RAGGED, "star": STAR, "chain": CHAIN, "lone": LONE, "real-root": REAL_ROOT}
DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]

every_decision = pytest.mark.parametrize("name", decisions.available())
every_kind = pytest.mark.parametrize("kind", KINDS)
every_tree = pytest.mark.parametrize("tree", TREES)


def fitted(name: str, prediction: Prediction) -> Decision:
    """The rule of a name with its defaults, learnt from labels that the prediction is right about."""
    rule = decisions.make(name)
    if not isinstance(rule, Fittable):
        return rule
    leaves = tree_index(prediction.taxonomy, prediction.device).leaf_nodes
    target = leaves[prediction.log_prob[..., leaves].argmax(-1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few images promise little
        learnt = _if_there_is_a_level(prediction, lambda: rule.fit(prediction, target))
    assert isinstance(learnt, Decision)
    return learnt


def a_rule_and_a_prediction(name: str, kind: str, taxonomy: Taxonomy) -> tuple[Decision, Prediction]:
    """A prediction, and a rule that was fitted on another of its kind."""
    seen, prediction = (random_prediction(kind, taxonomy, 40, seed=seed, dtype=torch.float32) for seed in (0, 1))
    return fitted(name, seen), prediction


def answered(rule: Decision, prediction: Prediction) -> Answer:
    """The answer of the rule."""
    return _if_there_is_a_level(prediction, lambda: rule(prediction))


def _if_there_is_a_level(prediction: Prediction, work: Callable[[], Any]) -> Any:
    """What the work gives; a rule that needs a level below the root may say so of a root alone."""
    try:
        return work()
    except InputError:
        if prediction.taxonomy is LONE:
            pytest.skip("nothing to decide on a root alone")
        raise


def said(answer: Answer) -> torch.Tensor:
    """What is answered: nodes, or which nodes are in the set."""
    return answer.chosen if isinstance(answer, LabelSets) else answer.node


def check(answer: Answer, prediction: Prediction) -> None:
    taxonomy = prediction.taxonomy
    if isinstance(answer, LabelSets):
        assert answer.chosen.shape == answer.log_prob.shape == (*prediction.batch_shape, taxonomy.num_nodes)
        assert answer.chosen.dtype == torch.bool
    else:
        shape = prediction.batch_shape + ((taxonomy.num_levels,) if isinstance(answer, LevelNodes) else ())
        assert answer.node.shape == answer.log_prob.shape == shape
        assert answer.node.dtype == torch.int64
        assert ((answer.node >= 0) & (answer.node < taxonomy.num_nodes)).all()
    assert answer.log_prob.dtype == torch.float32
    assert answer.log_prob.isfinite().all()
    assert (answer.log_prob <= 1e-5).all()


def test_every_kind_of_prediction_is_among_them() -> None:
    assert set(KINDS) == set(built_in_kinds())
    for kind in KINDS:
        assert random_prediction(kind, RAGGED, 2).log_prob.shape == (2, RAGGED.num_nodes)


@every_decision
@every_kind
@every_tree
@pytest.mark.parametrize("device", DEVICES)
def test_answers_are_nodes_with_their_log_probability(name: str, kind: str, tree: str, device: str) -> None:
    rule, prediction = a_rule_and_a_prediction(name, kind, TREES[tree])
    prediction = prediction.to(device)
    answer = answered(rule, prediction)
    check(answer, prediction)
    if isinstance(answer, Nodes):
        expected = prediction.log_prob.gather(-1, answer.node[:, None])[:, 0]
        torch.testing.assert_close(answer.log_prob, expected, atol=1e-5, rtol=1e-5)
    if isinstance(answer, LabelSets):
        torch.testing.assert_close(answer.log_prob, prediction.log_prob)


@every_decision
@every_kind
@pytest.mark.parametrize("tree", ["ragged", "lone"])
def test_images_do_not_see_each_other(name: str, kind: str, tree: str) -> None:
    rule, prediction = a_rule_and_a_prediction(name, kind, TREES[tree])
    whole = said(answered(rule, prediction))
    order = torch.randperm(40, generator=torch.Generator().manual_seed(1))
    assert said(rule(prediction[order])).equal(whole[order])
    assert said(rule(prediction[7])).equal(whole[7])
    grid = said(rule(prediction.map(lambda x: x.unflatten(0, (5, 8)))))
    assert grid.flatten(0, 1).equal(whole)
    check(rule(prediction[:0]), prediction[:0])


@every_decision
@every_kind
@pytest.mark.parametrize("tree", ["ragged", "chain"])
def test_extreme_scores_and_half_precision(name: str, kind: str, tree: str) -> None:
    taxonomy = TREES[tree]
    signs = torch.randn(40, width(kind, taxonomy), generator=torch.Generator().manual_seed(2)).sign()
    rule = a_rule_and_a_prediction(name, kind, taxonomy)[0]
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        for scale in (1e4, 1.0, 0.0):
            prediction = KINDS[kind](taxonomy, (scale * signs).to(dtype))  # type: ignore[call-arg]
            check(rule(prediction), prediction)


@every_decision
@every_kind
def test_siblings_in_another_order_change_nothing(name: str, kind: str) -> None:
    rule, prediction = a_rule_and_a_prediction(name, kind, RAGGED)
    before = rule(prediction)
    for seed in range(3):
        taxonomy, number = reordered(RAGGED, seed)
        moved = dataclasses.replace(prediction, taxonomy=taxonomy, **_moved(prediction, taxonomy, number))
        torch.testing.assert_close(moved.log_prob[:, number], prediction.log_prob, atol=1e-4, rtol=1e-4)
        after = rule(moved)
        if isinstance(before, LabelSets):
            assert before.chosen.equal(said(after)[:, number])
        else:
            assert torch.as_tensor(number)[before.node].equal(said(after))


def _moved(prediction: Prediction, taxonomy: Taxonomy, number: np.ndarray) -> dict[str, torch.Tensor]:
    """The tensors of the prediction in the order of the renumbered tree."""
    wanted = KINDS[type(prediction).__name__](taxonomy, prediction.logits).logit_nodes.tolist()  # type: ignore[call-arg]
    waiting: dict[tuple[int, ...], list[int]] = {}
    for column, nodes in enumerate(prediction.logit_nodes.tolist()):  # a node that levels repeat has several
        waiting.setdefault(tuple(int(number[v]) if v >= 0 else v for v in nodes), []).append(column)
    columns = [waiting[tuple(nodes)].pop(0) for nodes in wanted]
    return {field: value[:, columns] for field, value in prediction.tensors().items()}


@every_decision
@every_kind
@pytest.mark.parametrize("tree", ["ragged", "lone"])
def test_ranking_is_of_different_nodes_and_finite(name: str, kind: str, tree: str) -> None:
    taxonomy = TREES[tree]
    rule, prediction = a_rule_and_a_prediction(name, kind, taxonomy)
    ranking = _if_there_is_a_level(prediction, lambda: rule.ranking(prediction, 5))
    assert ranking.shape[0] == 40
    assert 0 <= ranking.shape[1] <= 5
    for row in ranking.tolist():
        assert len(set(row)) == len(row)
        assert all(0 <= node < taxonomy.num_nodes for node in row)


@every_decision
@every_tree
def test_certainty_is_believed(name: str, tree: str) -> None:
    taxonomy = TREES[tree]
    sure = torch.full((taxonomy.num_leaves, taxonomy.num_leaves), -1e4).fill_diagonal_(1e4)
    prediction = KINDS["LeafSoftmax"](taxonomy, sure)  # type: ignore[call-arg]
    assert prediction.coherence is Coherence.EXACT
    answer = answered(fitted(name, prediction), prediction)
    leaves = tree_index(taxonomy, "cpu").leaf_nodes
    if isinstance(answer, LabelSets):
        path = is_ancestor(torch.arange(taxonomy.num_nodes), leaves[:, None], taxonomy)
        assert answer.chosen[:, 1:].equal(path[:, 1:])
        return
    node = answer.node[:, -1] if isinstance(answer, LevelNodes) else answer.node
    if name == "node-argmax":
        assert node.equal(leaves)
    reached = tree_index(taxonomy, "cpu").leaf_end[node] - tree_index(taxonomy, "cpu").leaf_start[node]
    hedged = isinstance(decisions.make(name), Fittable) and taxonomy.num_leaves < 29  # too few images to promise 0.9
    if not hedged:
        assert (reached == 1).all()
        assert ((node <= leaves) & (leaves < tree_index(taxonomy, "cpu").end[node])).all()


@every_decision
def test_rule_says_what_it_is(name: str) -> None:
    kind = decisions.available()[name]
    rule = decisions.make(name)
    assert kind.__doc__
    assert rule == kind()
    assert rule.handle == name
    if isinstance(rule, Fittable):
        assert rule.fits_on in ("train", "val")
        assert not rule.is_fitted
        prediction = random_prediction("LeafSoftmax", RAGGED, 3)
        with pytest.raises(InputError, match=f"{rule.fits_on} split"):
            rule(prediction)


@every_decision
@every_kind
@every_tree
def test_a_ranking_begins_with_the_answer(name: str, kind: str, tree: str) -> None:
    taxonomy = TREES[tree]
    rule, prediction = a_rule_and_a_prediction(name, kind, taxonomy)
    answer = answered(rule, prediction)
    if isinstance(answer, LabelSets):  # has no first
        assert rule.ranking(prediction, 3).equal(prediction.ranking(3))
        return
    first = answer.node if isinstance(answer, Nodes) else answer.node[:, -1]
    for k in (1, 2, 5, 20):
        ranking = rule.ranking(prediction, k)
        assert ranking[:, 0].equal(first)
        assert rule.ranking(prediction, k, answer).equal(ranking)
        assert all(len(set(row)) == len(row) <= k for row in ranking.tolist())


@every_decision
@every_kind
def test_more_ranked_nodes_never_hit_less(name: str, kind: str) -> None:
    """Whatever is labelled: leaves, inner nodes and the root."""
    rule, prediction = a_rule_and_a_prediction(name, kind, RAGGED)
    answer = answered(rule, prediction)
    for node in range(RAGGED.num_nodes):
        target = torch.full((40,), node)
        hits = [top_k(rule.ranking(prediction, k), target, k, RAGGED) for k in (1, 2, 3, 5, 20)]
        assert all((after >= before).all() for before, after in pairwise(hits))
        if not isinstance(answer, LabelSets):
            values = score_answer(answer, rule.ranking(prediction, RANKING_LENGTH), target, RAGGED)
            assert values["top1"].equal(hits[0])
            assert (values["top5"] >= values["top1"]).all()


@pytest.mark.parametrize("name", ["leaf", "backtrack", "leaf-or-root", "crm"])
@every_kind
def test_rules_that_answer_leaves_rank_leaves(name: str, kind: str) -> None:
    rule, prediction = a_rule_and_a_prediction(name, kind, RAGGED)
    after = rule.ranking(prediction, 5)[:, 1:]
    assert after.shape[1] == 4
    assert RAGGED.is_leaf[after.numpy()].all()
