from __future__ import annotations

from typing import get_args

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import CRM, LabelSets, Leaf, Nodes, Optimal, optimal
from cladewise.decisions.expected import leaf_mass
from cladewise.decisions.optimal_sets import best_f_sets
from cladewise.errors import InputError
from cladewise.metrics import cpb, depth_scores, hierarchical_distance, information_scores
from cladewise.predictions import LeafSoftmax, Prediction
from cladewise.taxonomy import Taxonomy
from reference import optimal_twin
from reference.given_predictions import KINDS, random_prediction
from reference.small_trees import T9_THETA, ragged_taxonomies, t9, t9_nodes, t9_order

OF_NODES = [metric for metric in get_args(optimal.Metric) if metric != "hamming"]
betas = st.sampled_from([0.5, 1.0, 2.0])


def node(rule: Optimal, prediction: Prediction) -> Tensor:
    answer = rule(prediction)
    assert isinstance(answer, Nodes)
    return answer.node


def chosen(rule: Optimal, prediction: Prediction) -> Tensor:
    answer = rule(prediction)
    assert isinstance(answer, LabelSets)
    return answer.chosen


def golden() -> LeafSoftmax:
    return LeafSoftmax(t9(), torch.tensor([T9_THETA])[:, t9_order()][:, t9().leaf_nodes.copy()])


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), betas, st.integers(0, 10**6))
@settings(max_examples=40)
def test_expectations_of_all_nodes_agree_with_one_pair_at_a_time(
    taxonomy: Taxonomy, kind: str, beta: float, seed: int
) -> None:
    prediction = random_prediction(kind, taxonomy, 2, 1, seed=seed)
    for metric in OF_NODES:
        rule = Optimal(metric, beta=beta if metric in optimal.WITH_BETA else 1.0)
        values, nodes = rule.expected(prediction), node(rule, prediction)
        leaves = node(Optimal(metric, "leaf", rule.beta), prediction)
        for i in range(2):
            p = prediction.log_prob[i, 0].exp().tolist()
            every = range(taxonomy.num_nodes)
            twin = np.array([optimal_twin.expected(taxonomy, metric, p, v, rule.beta) for v in every])
            np.testing.assert_allclose(values[i, 0], twin, atol=1e-9, err_msg=metric)
            assert twin[int(nodes[i, 0])] == pytest.approx(twin.max(), abs=1e-9), metric
            assert twin[int(leaves[i, 0])] == pytest.approx(twin[taxonomy.leaf_nodes].max(), abs=1e-9), metric
            assert taxonomy.is_leaf[int(leaves[i, 0])]
            if metric in optimal.BY_LEAVES:
                assert len(taxonomy.children(int(nodes[i, 0]))) != 1


@given(ragged_taxonomies(max_nodes=8), st.sampled_from(sorted(KINDS)), betas, st.integers(0, 10**6))
@settings(max_examples=40)
def test_no_subset_of_nodes_has_a_better_expected_f_score(
    taxonomy: Taxonomy, kind: str, beta: float, seed: int
) -> None:
    prediction = random_prediction(kind, taxonomy, 3, seed=seed, scale=1.0 + seed % 3)
    sets = best_f_sets(leaf_mass(prediction), taxonomy, beta)
    assert sets[:, 0].all()
    for image in range(3):
        p = prediction.log_prob[image].exp().tolist()
        found = optimal_twin.expected_of_set(taxonomy, p, sets[image].nonzero()[:, 0].tolist(), beta)
        assert found == pytest.approx(optimal_twin.best_value_of_sets(taxonomy, p, beta), abs=1e-9)
        parents = taxonomy.parents[1:]
        assert (sets[image][1:] <= sets[image][torch.as_tensor(parents.copy())]).all()  # with all ancestors


@given(ragged_taxonomies(max_nodes=30), st.integers(0, 10**6))
@settings(max_examples=20)
def test_sets_do_not_depend_on_other_images_or_on_parts(taxonomy: Taxonomy, seed: int) -> None:
    prediction = random_prediction("LeafSoftmax", taxonomy, 40, seed=seed, scale=3.0)
    rule = Optimal("hf", "set")
    whole = chosen(rule, prediction)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cladewise.decisions.optimal_sets.CELLS_AT_ONCE", 1)
        assert chosen(rule, prediction).equal(whole)
    assert not whole[:, 0].any()


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=20)
def test_what_is_optimised_is_the_metric_of_that_name(taxonomy: Taxonomy, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    answer = torch.randint(taxonomy.num_nodes, (8,), generator=generator)
    leaf = torch.as_tensor(taxonomy.leaf_nodes.copy())[torch.randint(taxonomy.num_leaves, (8,), generator=generator)]
    scores = {
        "info-f1": information_scores(answer, leaf, taxonomy).f1,
        "depth-f1": depth_scores(answer, leaf, taxonomy).f1,
        "cpb": cpb(answer, leaf, taxonomy),
        "lca-height": -hierarchical_distance(answer, leaf, taxonomy),
    }
    for metric, values in scores.items():
        twin = [optimal_twin.value(taxonomy, metric, int(v), int(j)) for v, j in zip(answer, leaf, strict=True)]
        np.testing.assert_allclose(values.double(), twin, atol=1e-6, err_msg=metric)


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6))
@settings(max_examples=15)
def test_costs_are_those_of_crm(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 5, seed=seed)
    for cost in ("lca-height", "path-length"):
        assert node(Optimal(cost), prediction).equal(CRM("nodes", cost)(prediction).node)
        assert node(Optimal(cost, "leaf"), prediction).equal(CRM("leaves", cost)(prediction).node)


def test_golden() -> None:
    """By hand: information of the nodes 1 and 2 is log2(5/2), of leaves log2(5)."""
    p = golden().log_prob.exp()[0]
    information = np.log2(5 / t9().num_leaves_under.astype(float))
    inner, best = t9_nodes(1)[0], t9_nodes(5)[0]
    expected = Optimal("info-f1").expected(golden())[0]
    full = np.log2(5)
    assert float(expected[inner]) == pytest.approx(
        2 * float(p[inner]) * information[inner] / (full + information[inner])
    )
    of_leaf = (float(p[inner]) * information[inner] + float(p[best]) * (full - information[inner])) / full
    assert float(expected[best]) == pytest.approx(of_leaf)
    assert node(Optimal(), golden()).tolist() == [best]
    assert node(Optimal("path-length"), golden()).tolist() == [inner]


def test_hamming_is_every_label_more_probable_than_not() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction = LeafSoftmax(taxonomy, torch.tensor([[0.4, 0.4, 0.2], [0.25, 0.25, 0.5], [0.6, 0.2, 0.2]]).log())
    sets = chosen(Optimal("hamming", "set"), prediction)
    assert [row.nonzero()[:, 0].tolist() for row in sets] == [[1], [], [1, 2]]


@given(ragged_taxonomies(), st.sampled_from(sorted(KINDS)))
@settings(max_examples=15)
def test_extreme_scores_are_decided(taxonomy: Taxonomy, kind: str) -> None:
    prediction = random_prediction(kind, taxonomy, 6, seed=3, scale=1e4, dtype=torch.float32)
    for metric in OF_NODES:
        assert Optimal(metric).expected(prediction).isfinite().all(), metric
    assert chosen(Optimal("hf", "set"), prediction).shape == (6, taxonomy.num_nodes)


def test_ranking_is_by_expected_value() -> None:
    ranking = Optimal("lca-height", "leaf").ranking(golden(), 5)
    assert ranking.tolist() == [t9_nodes(5, 7, 4, 8, 3)]  # as for crm
    assert Optimal("hf", "set").ranking(golden(), 3).equal(Leaf().ranking(golden(), 3))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metric": "f1"}, "metric of the rule optimal: info-f1"),
        ({"answer": "sets"}, "answer of the rule optimal: node"),
        ({"metric": "zhao", "answer": "set"}, "metric of sets: hf, hamming"),
        ({"metric": "hamming"}, "a set for hamming"),
        ({"metric": "hf", "beta": 0.0}, "positive beta"),
        ({"metric": "cpb", "beta": 2.0}, "beta for an F-score only"),
    ],
)
def test_wrong_options_are_one_clear_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Optimal(**options)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="single nodes"):
        Optimal("hamming", "set").expected(golden())
