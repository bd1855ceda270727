"""Laws that every decision obeys, whatever head it is given; a new decision enters by existing.

A law runs over kinds of predictions and trees; rules are fitted once, and their answers are shared among laws.
"""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Iterator
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
import torch

from cladewise import Taxonomy, decisions
from cladewise.decisions import Answer, Decision, LabelSets, LevelNodes, Nodes
from cladewise.errors import InputError
from cladewise.metrics import RANKING_LENGTH, score_answer, top_k
from cladewise.ops import is_ancestor, tree_index
from cladewise.predictions import Coherence, Fittable, ListedNodes, Prediction
from reference.given_predictions import KINDS, built_in_kinds, random_prediction, width
from reference.laws import CHAIN, DEVICE, GRAPH, LONE, RAGGED, REAL_ROOT, STAR, case
from reference.small_trees import reordered

TREES = {"ragged": RAGGED, "star": STAR, "chain": CHAIN, "lone": LONE, "real-root": REAL_ROOT}
IMAGES = 40

every_decision = pytest.mark.parametrize("name", decisions.available())


@dataclasses.dataclass(frozen=True)
class Asked:
    """A rule fitted on one prediction, and another prediction of the same kind for it to decide on."""

    rule: Decision
    prediction: Prediction


def fitted(name: str, prediction: Prediction) -> Decision:
    """The rule of a name with its defaults, fitted to labels that the prediction gets right."""
    rule = decisions.make(name)
    if not isinstance(rule, Fittable):
        return rule
    leaves = tree_index(prediction.taxonomy, prediction.device).leaf_nodes
    target = leaves[prediction.log_prob[..., leaves].argmax(-1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few images promise little
        learnt = rule.fit(prediction, target)
    assert isinstance(learnt, Decision)
    return learnt


@cache
def drawn(kind: str, taxonomy: Taxonomy, seed: int) -> Prediction:
    """A random prediction."""
    return random_prediction(kind, taxonomy, IMAGES, seed=seed, dtype=torch.float32)


@cache
def asked(name: str, kind: str, taxonomy: Taxonomy) -> Asked | None:
    """The subject of the laws; ``None`` if a rule that needs a level below the root refuses a lone root."""
    prediction = drawn(kind, taxonomy, 1)
    if taxonomy is not LONE:
        return Asked(fitted(name, drawn(kind, taxonomy, 0)), prediction)
    try:
        rule = fitted(name, drawn(kind, taxonomy, 0))
        rule(prediction)
    except InputError:
        return None
    return Asked(rule, prediction)


@cache
def answered(name: str, kind: str, taxonomy: Taxonomy) -> Answer:
    """The rule's answer."""
    about = asked(name, kind, taxonomy)
    assert about is not None
    return about.rule(about.prediction)


def cases(name: str, *trees: str) -> Iterator[tuple[str, Taxonomy, Decision, Prediction]]:
    """Every kind on some of the trees, all by default: the kind, the tree, a fitted rule and a prediction."""
    for tree in trees or TREES:
        for kind in KINDS:
            with case(kind, tree):
                about = asked(name, kind, TREES[tree])
            if about is not None:
                yield kind, TREES[tree], about.rule, about.prediction


def said(answer: Answer) -> torch.Tensor:
    """The nodes answered, or a mask of the nodes in the set."""
    return answer.chosen if isinstance(answer, LabelSets) else answer.node


def finest(answer: Answer) -> torch.Tensor:
    """The node answered, the finest if there is one per level."""
    assert not isinstance(answer, LabelSets)
    return answer.node if isinstance(answer, Nodes) else answer.node[:, -1]


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
    said_of = answer.log_prob[answer.chosen] if isinstance(answer, LabelSets) else answer.log_prob
    assert said_of.isfinite().all()  # of a node that is not in the set, a list may know nothing
    assert (answer.log_prob <= 1e-5).all()


def test_every_kind_of_prediction_is_among_them() -> None:
    assert set(KINDS) == set(built_in_kinds())
    for kind in KINDS:
        assert random_prediction(kind, RAGGED, 2).log_prob.shape == (2, RAGGED.num_nodes)


@every_decision
def test_a_root_alone_is_decided_or_refused_for_every_kind(name: str) -> None:
    assert len({asked(name, kind, LONE) is None for kind in KINDS}) == 1


@every_decision
@pytest.mark.device
def test_answers_are_nodes_with_their_log_probability(name: str) -> None:
    for kind, taxonomy, rule, drawn_here in cases(name):
        with case(kind, taxonomy):
            prediction = drawn_here.to(DEVICE)
            answer = rule(prediction) if DEVICE != "cpu" else answered(name, kind, taxonomy)
            check(answer, prediction)
            if isinstance(answer, Nodes):
                expected = prediction.log_prob.gather(-1, answer.node[:, None])[:, 0]
                torch.testing.assert_close(answer.log_prob, expected, atol=1e-5, rtol=1e-5)
            if isinstance(answer, LabelSets):
                torch.testing.assert_close(answer.log_prob, prediction.log_prob)


@every_decision
def test_images_do_not_see_each_other(name: str) -> None:
    order = torch.randperm(IMAGES, generator=torch.Generator().manual_seed(1))
    for kind, taxonomy, rule, prediction in cases(name, "ragged", "lone"):
        with case(kind, taxonomy):
            whole = said(answered(name, kind, taxonomy))
            assert said(rule(prediction[order])).equal(whole[order])
            assert said(rule(prediction[7])).equal(whole[7])
            grid = said(rule(prediction.map(lambda x: x.unflatten(0, (5, 8)))))
            assert grid.flatten(0, 1).equal(whole)
            check(rule(prediction[:0]), prediction[:0])


@every_decision
def test_extreme_scores_and_half_precision(name: str) -> None:
    for kind, taxonomy, rule, _ in cases(name, "ragged", "chain"):
        for dtype, scale, prediction in extreme(kind, taxonomy):
            with case(kind, taxonomy, dtype, scale):
                check(rule(prediction), prediction)


@cache
def extreme(kind: str, taxonomy: Taxonomy) -> list[tuple[torch.dtype, float, Prediction]]:
    """Scores of one size, up to 10,000, in every precision."""
    signs = torch.randn(IMAGES, width(kind, taxonomy), generator=torch.Generator().manual_seed(2)).sign()
    return [
        (dtype, scale, KINDS[kind](taxonomy, (scale * signs).to(dtype)))
        for dtype in (torch.float32, torch.bfloat16, torch.float16)
        for scale in (1e4, 1.0, 0.0)
    ]


@every_decision
def test_siblings_in_another_order_change_nothing(name: str) -> None:
    for kind, _, rule, _ in cases(name, "ragged"):
        before = answered(name, kind, RAGGED)
        for seed in range(3):
            with case(kind, seed):
                moved, number = in_another_order(kind, seed)
                after = rule(moved)
                if isinstance(before, LabelSets):
                    assert before.chosen.equal(said(after)[:, number])
                else:
                    assert torch.as_tensor(number)[before.node].equal(said(after))


@cache
def in_another_order(kind: str, seed: int) -> tuple[Prediction, np.ndarray]:
    """The prediction on a tree with its siblings renumbered, and the new number of every node."""
    prediction, (taxonomy, number) = drawn(kind, RAGGED, 1), reordered(RAGGED, seed)
    moved = dataclasses.replace(prediction, taxonomy=taxonomy, **_moved(prediction, taxonomy, number))
    torch.testing.assert_close(moved.log_prob[:, number], prediction.log_prob, atol=1e-4, rtol=1e-4)
    return moved, number


def _moved(prediction: Prediction, taxonomy: Taxonomy, number: np.ndarray) -> dict[str, torch.Tensor]:
    """The tensors of the prediction in the order of the renumbered tree."""
    if isinstance(prediction, ListedNodes):
        return {"nodes": torch.from_numpy(number)[prediction.nodes]}
    wanted = KINDS[type(prediction).__name__](taxonomy, prediction.logits).logit_nodes.tolist()
    waiting: dict[tuple[int, ...], list[int]] = {}
    for column, nodes in enumerate(prediction.logit_nodes.tolist()):  # a node that levels repeat has several
        waiting.setdefault(tuple(int(number[v]) if v >= 0 else v for v in nodes), []).append(column)
    columns = [waiting[tuple(nodes)].pop(0) for nodes in wanted]
    return {field: value[:, columns] for field, value in prediction.tensors().items()}


@every_decision
def test_certainty_is_believed(name: str) -> None:
    for tree, taxonomy in TREES.items():
        with case(tree):
            sure = torch.full((taxonomy.num_leaves, taxonomy.num_leaves), -1e4).fill_diagonal_(1e4)
            prediction = KINDS["LeafSoftmax"](taxonomy, sure)
            assert prediction.coherence is Coherence.EXACT
            if asked(name, "LeafSoftmax", taxonomy) is not None:
                _check_certain(name, fitted(name, prediction)(prediction), taxonomy)


def _check_certain(name: str, answer: Answer, taxonomy: Taxonomy) -> None:
    index = tree_index(taxonomy, "cpu")
    leaves = index.leaf_nodes
    if isinstance(answer, LabelSets):
        path = is_ancestor(torch.arange(taxonomy.num_nodes), leaves[:, None], taxonomy)
        assert answer.chosen[:, 1:].equal(path[:, 1:])
        return
    node = finest(answer)
    if name == "node-argmax":
        assert node.equal(leaves)
    reached = index.leaf_end[node] - index.leaf_start[node]
    hedged = isinstance(decisions.make(name), Fittable) and taxonomy.num_leaves < 29  # too few images to promise 0.9
    if not hedged:
        assert (reached == 1).all()
        assert ((node <= leaves) & (leaves < index.end[node])).all()


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
def test_a_ranking_begins_with_the_answer_and_repeats_no_node(name: str) -> None:
    for kind, taxonomy, rule, prediction in cases(name):
        with case(kind, taxonomy):
            answer = answered(name, kind, taxonomy)
            for k in (1, 2, 5, 20):
                ranking = rule.ranking(prediction, k)
                assert ranking.shape[0] == IMAGES
                assert ranking.shape[1] <= k
                assert all(len(set(row)) == len(row) for row in ranking.tolist())
                assert ((ranking >= 0) & (ranking < taxonomy.num_nodes)).all()
                if isinstance(answer, LabelSets):  # has no first
                    assert ranking.equal(prediction.ranking(k))
                    continue
                assert ranking[:, 0].equal(finest(answer))
                assert rule.ranking(prediction, k, answer).equal(ranking)


@every_decision
def test_more_ranked_nodes_never_hit_less(name: str) -> None:
    """For any label: leaves, inner nodes and the root."""
    nodes = torch.arange(RAGGED.num_nodes).repeat_interleave(IMAGES)
    for kind, _, rule, prediction in cases(name, "ragged"):
        with case(kind):
            answer = answered(name, kind, RAGGED)
            rankings = {k: rule.ranking(prediction, k).repeat(RAGGED.num_nodes, 1) for k in (1, 2, 3, 5, 20)}
            hits = [top_k(ranking, nodes, k, RAGGED) for k, ranking in rankings.items()]
            assert all((after >= before).all() for before, after in pairwise(hits))
            if not isinstance(answer, LabelSets):
                longest = rule.ranking(prediction, RANKING_LENGTH).repeat(RAGGED.num_nodes, 1)
                values = score_answer(_repeated(answer, RAGGED.num_nodes), longest, nodes, RAGGED)
                assert values["top1"].equal(hits[0])
                assert (values["top5"] >= values["top1"]).all()


def _repeated(answer: Nodes | LevelNodes, times: int) -> Nodes | LevelNodes:
    parts = [part.repeat(times, *[1] * (part.ndim - 1)) for part in (answer.node, answer.log_prob)]
    return type(answer)(*parts)


@pytest.mark.parametrize("name", ["leaf", "backtrack", "leaf-or-root", "crm"])
def test_rules_that_answer_leaves_rank_leaves(name: str) -> None:
    for kind, _, rule, prediction in cases(name, "ragged"):
        with case(kind):
            after = rule.ranking(prediction, 5)[:, 1:]
            assert after.shape[1] == 4
            assert RAGGED.is_leaf[after.numpy()].all()


@every_decision
def test_where_nodes_have_several_parents_a_rule_decides_in_the_primary_tree(name: str) -> None:
    for kind in KINDS:
        with case(kind):
            every, primary = (
                fitted(name, drawn(kind, taxonomy, 0))(drawn(kind, taxonomy, 1))
                for taxonomy in (GRAPH, GRAPH.primary_tree())
            )
            assert torch.equal(said(every), said(primary))
            assert torch.equal(every.log_prob, primary.log_prob)
