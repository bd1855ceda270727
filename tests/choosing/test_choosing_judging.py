"""Figures of rules against slow ones, which rule beats which, and which images are shown."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cladewise import Taxonomy, decisions, inference
from cladewise.choosing import candidate_rules
from cladewise.choosing.examples import differing_images
from cladewise.choosing.judging import Answers, is_right, judged, with_beaten
from cladewise.decisions import Hedging, Leaf, LevelNodes, Majority, Nodes
from cladewise.engine.answering.fitted_rules import Ready
from cladewise.engine.rules import decision_of
from cladewise.predictions import LeafSoftmax
from cladewise.records import JudgedRule
from reference.metrics_twin import ancestors, height, num_leaves_under
from strategies import taxonomies


@given(taxonomy=taxonomies(), data=st.data())
def test_figures_are_those_of_slow_loops(taxonomy: Taxonomy, data: st.DataObject) -> None:
    nodes = st.lists(st.integers(0, taxonomy.num_nodes - 1), min_size=7, max_size=7)
    answered, labels = (np.array(data.draw(nodes)) for _ in range(2))
    rule = judged(Ready(Leaf(), "leaf", "leaf"), answered.astype(np.int32), labels, taxonomy, num_rules=5)
    right = [v in ancestors(taxonomy, t) or t in ancestors(taxonomy, v) for v, t in zip(answered, labels, strict=True)]
    assert is_right(answered, labels, taxonomy).tolist() == right
    interval = binomtest(sum(right), 7).proportion_ci(0.95)
    assert (rule.right, rule.num_images) == (sum(right), 7)
    np.testing.assert_allclose((rule.low, rule.high), (interval.low, interval.high))
    bound = binomtest(sum(right), 7, alternative="greater").proportion_ci(0.99).low
    np.testing.assert_allclose(rule.assured, bound)
    bits = [math.log2(taxonomy.num_leaves / num_leaves_under(taxonomy, v)) for v in answered]
    np.testing.assert_allclose(rule.information, np.mean(bits), atol=1e-12)
    heights = []
    for v, t in zip(answered.tolist(), labels.tolist(), strict=True):
        meeting = next(u for u in ancestors(taxonomy, v) if u in ancestors(taxonomy, t))
        heights.append(0 if meeting == t else height(taxonomy, meeting))
    np.testing.assert_allclose(rule.distance, np.mean(heights))
    of_wrong = [far for far, good in zip(heights, right, strict=True) if not good]
    np.testing.assert_allclose(rule.severity, np.mean(of_wrong) if of_wrong else math.nan)
    for level in range(taxonomy.num_levels + 1):
        here = [good for v, good in zip(answered, right, strict=True) if taxonomy.level[v] == level]
        assert (rule.answers[level], rule.wrong[level]) == (len(here), here.count(False))
    np.testing.assert_allclose(rule.leaves, np.mean([taxonomy.is_leaf[v] for v in answered]))


def rule(name: str, right: int, information: float, **more: Any) -> JudgedRule:
    numbers = {"low": 0.0, "high": 1.0, "assured": 0.0, "depth": 1.0, "leaves": 0.5, "severity": 1.0, "distance": 1.0}
    return JudgedRule(
        rule=name, name=name, right=right, information=information, answers=(0, 10), wrong=(0, 10 - right),
        **numbers | more,
    )  # fmt: skip


@given(points=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), min_size=1, max_size=8))
def test_a_rule_is_beaten_by_one_that_is_better_in_one_and_worse_in_none(points: list[tuple[int, int]]) -> None:
    rules = [rule(str(place), right, float(bits)) for place, (right, bits) in enumerate(points)]
    found = with_beaten(rules)
    assert sorted(each.rule for each in found) == sorted(each.rule for each in rules)
    assert [each.information for each in found] == sorted((float(bits) for _, bits in points), reverse=True)
    unbeaten = {each.rule for each in found if not each.beaten_by}
    for each in found:
        mine = (each.right, each.information)
        better = [
            other.rule
            for other in rules
            if other.right >= mine[0] and other.information >= mine[1] and (other.right, other.information) != mine
        ]
        assert bool(each.beaten_by) == bool(better), each
        assert not better or each.beaten_by in set(better) & unbeaten


def test_what_was_fitted_on_the_same_images_beats_nothing() -> None:
    found = with_beaten([rule("fitted", 10, 3.0, is_seen=True), rule("honest", 8, 2.0)])
    assert [each.beaten_by for each in found] == ["", ""]


def test_rules_are_one_if_they_answer_and_promise_the_same() -> None:
    ready = [Ready(Hedging(g, caution=1.0), "", t, split) for g, t, split in (
        (0.8, "a", "val"), (0.8, "b", "val"), (0.9, "c", "val"), (0.9, "d", ""))]  # fmt: skip
    nodes = np.zeros((4, 3), dtype=np.int32)
    assert Answers(tuple(ready), nodes, np.zeros(3, dtype=np.int64), {}).distinct() == ([0, 2, 3], [[1], [], []])


def test_candidates_are_all_rules_and_can_be_made() -> None:
    texts = candidate_rules()
    made = [decision_of(text, Leaf()) for text in texts]
    assert len(set(texts)) == len(texts)
    for name in decisions.available().keys() - {"new-class"}:
        assert any(text.rpartition("+")[2].partition(":")[0] == name for text in texts), name
    assert texts[0] == "leaf", "of rules that answer the same the simplest is named"
    if "calibrate" in inference.available():
        assert "calibrate+hedging:guarantee=0.95" in texts
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction = LeafSoftmax(tree, torch.tensor([[2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]))
    applied = [made[texts.index(text)](prediction) for text in ("leaf", "majority", "levels", "greedy:on=step")]
    assert all(isinstance(answer, Nodes | LevelNodes) for answer in applied)
    assert dataclasses.replace(Majority()) in made


@given(
    nodes=st.integers(1, 5).flatmap(
        lambda rules: st.lists(st.lists(st.integers(0, 2), min_size=9, max_size=9), min_size=rules, max_size=rules)
    ),
    most=st.integers(0, 9),
)
def test_examples_show_every_pair_that_differs(nodes: list[list[int]], most: int) -> None:
    table = np.array(nodes, dtype=np.int32)
    shown = differing_images(table, each=2, most=most)
    assert len(set(shown.tolist())) == len(shown) <= most
    for one in range(len(table)):
        for other in range(one):
            differ = np.flatnonzero(table[one] != table[other])
            if most == 9:
                assert len(np.intersect1d(differ, shown)) >= min(2, len(differ))
    assert all(len(np.unique(table[:, image])) > 1 for image in shown), "only images on which rules differ"


def test_figures_need_no_wrong_answer() -> None:
    tree = Taxonomy.from_paths([("a",), ("b",)])
    found = judged(Ready(Leaf(), "leaf", "leaf"), np.array([1], dtype=np.int32), np.array([1]), tree)
    assert math.isnan(found.severity)
    assert found.correct == pytest.approx(1.0)
