"""The forms of heads and rules that exporters trace give what the others give."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import Taxonomy, decisions, methods
from cladewise.decisions import Decision, Nodes
from cladewise.decisions.dense import descent, first_best, on_the_way
from cladewise.errors import InputError
from cladewise.exporting.graph import check_rules, levels_on_path
from cladewise.geometry import pairwise_cone_energy, pairwise_order_energy
from cladewise.inference import Diffusion, Prior
from cladewise.ops import expm1, log1p, log_add, log_sigmoid, path_table
from cladewise.tracing import is_traced, traced
from exporting.graph_cases import TREES, choices, features, fitted, graph_of, inferences, rules
from strategies import taxonomies

METHODS = list(methods.available())
SCALES = (1.0, 30.0)


@pytest.mark.parametrize("method", METHODS)
def test_every_rule_answers_as_without_tracing(method: str) -> None:
    compared = 0
    for tree in TREES.values():
        head = graph_of(method, tree, decisions.Leaf()).head
        for scale in SCALES:
            with torch.no_grad():
                seen, new = (head(features(60, scale, seed)).settled() for seed in (1, 5))
            for handle, rule in rules().items():
                ready = fitted(rule, seen)
                assert isinstance(ready, Decision)
                wanted = ready(new)
                with traced(), torch.no_grad():
                    fresh = head(features(60, scale, 5)).settled()
                    got = ready.traced(fresh, ready.adjustable)
                for a, b in zip(choices(wanted), choices(got), strict=True):
                    assert torch.equal(a, b), (handle, scale)
                if isinstance(wanted, Nodes):
                    torch.testing.assert_close(got.log_prob, wanted.log_prob, rtol=1e-4, atol=1e-5)
                compared += 1
    assert compared == len(TREES) * len(SCALES) * len(rules())


@pytest.mark.parametrize("method", ["hace", "level-softmax", "multilabel-focal", "conditional-sigmoid", "lht"])
def test_every_inference_infers_as_without_tracing(method: str) -> None:
    compared = 0
    for tree in TREES.values():
        head = graph_of(method, tree, decisions.Leaf()).head
        with torch.no_grad():
            seen, new = (head(features(60, 3.0, seed)).settled() for seed in (1, 5))
            for handle, rule in inferences().items():
                ready = fitted(rule, seen)
                wanted = ready(new).log_prob  # type: ignore[union-attr]
                with traced():
                    got = ready(head(features(60, 3.0, 5)).settled()).log_prob  # type: ignore[union-attr]
                assert torch.equal(got.isinf(), wanted.isinf()), handle
                torch.testing.assert_close(got, wanted, rtol=2e-5, atol=2e-5, msg=handle)
                compared += 1
    assert compared == 2 * len(inferences())


def test_rules_that_cannot_be_in_a_graph_say_which_can() -> None:
    class Unknown(decisions.Leaf):
        name = "unknown-to-graphs"
        traced = Decision.traced

    with pytest.raises(InputError, match=r"can be part of a graph: backtrack, boundary, .*threshold, but got 'unknown"):
        check_rules(None, Unknown())
    with pytest.raises(InputError, match="rules of images alone for a graph, but got prior"):
        check_rules(Prior("table.csv", key="region"), decisions.Leaf())
    prediction = graph_of("level-softmax", TREES["ragged"], decisions.Leaf()).head(features(3, 1.0)).settled()
    with traced(), pytest.raises(InputError, match="top=0"):
        Diffusion(top=1)(prediction)
    with pytest.raises(InputError, match="score=aps"):
        decisions.Conformal(score="aps", threshold=0.5).traced(prediction, {})
    with pytest.raises(InputError, match="optimal for hamming"):
        decisions.Optimal("hf", "set").traced(prediction, {})


def test_every_decision_has_a_form_for_graphs() -> None:
    assert {rule.name for rule in rules().values()} == set(decisions.available())


def test_the_switch_is_off_outside() -> None:
    with traced():
        assert is_traced()
    assert not is_traced()


@given(st.data())
def test_first_best_is_the_lexicographic_best(data: st.DataObject) -> None:
    width = data.draw(st.integers(1, 6))
    values = st.lists(st.sampled_from([-math.inf, -1.0, 0.0, 2.0]), min_size=width, max_size=width)
    eligible = data.draw(st.lists(st.booleans(), min_size=width, max_size=width))
    keys = [data.draw(values), data.draw(values)]
    ranked = sorted((v for v in range(width) if eligible[v]), key=lambda v: (-keys[0][v], -keys[1][v], v))
    got = first_best(torch.tensor([eligible]), *(torch.tensor([key]) for key in keys))
    assert got.tolist() == [ranked[0] if ranked else 0]


@given(taxonomies(max_nodes=16), st.integers(0, 1000))
def test_descent_and_the_way_down_follow_the_tree(tree: Taxonomy, seed: int) -> None:
    values = torch.randint(0, 3, (1, tree.num_nodes), generator=torch.Generator().manual_seed(seed)).float()
    found, scores = descent(values, tree), values[0].tolist()
    best = [False] * tree.num_nodes
    for parent in range(tree.num_nodes):
        children = [v for v in range(1, tree.num_nodes) if tree.parents[v] == parent]
        if children:
            best[max(children, key=lambda v: (scores[v], -v))] = True
    assert found.is_best[0].tolist() == best
    runners = [-math.inf if best[v] or v == 0 else scores[v] for v in range(tree.num_nodes)]
    assert found.runner_up[0].tolist() == runners
    way = [v == 0 for v in range(tree.num_nodes)]
    for v in range(1, tree.num_nodes):
        way[v] = way[int(tree.parents[v])] and best[v]
    assert on_the_way(found.is_best, tree)[0].tolist() == way


@given(taxonomies(max_nodes=16))
def test_tables_of_paths_and_levels_are_those_of_each_node(tree: Taxonomy) -> None:
    paths, levels = path_table(tree), levels_on_path(tree)
    for node in range(tree.num_nodes):
        path, above = [node], node
        while above:
            above = int(tree.parents[above])
            path.append(above)
        assert paths[node].tolist() == path[::-1] + [-1] * (tree.max_depth + 1 - len(path))
        wanted = np.full(tree.num_levels, -1)
        for step in path[:-1]:
            wanted[tree.level[step] - 1] = step
        assert levels[node].tolist() == wanted.tolist()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_logarithms_keep_their_digits_where_exporters_lose_them(dtype: torch.dtype) -> None:
    x = torch.tensor([-1e4, -200.0, -90.0, -1.0, -1e-3, -1e-8, -1e-20, 0.0, 1e-20, 1e-8, 1e-3, 1.0, 50.0], dtype=dtype)
    y = x.flip(0)
    tolerance = {"rtol": 2e-6 if dtype == torch.float32 else 1e-14, "atol": 0.0}
    with traced():
        got = log_sigmoid(x), log_add(x, y), expm1(x), log1p(x[4:])
    wanted = torch.nn.functional.logsigmoid(x), torch.logaddexp(x, y), torch.expm1(x), torch.log1p(x[4:])
    for a, b in zip(got, wanted, strict=True):
        torch.testing.assert_close(a, b, **tolerance)


def test_energies_keep_the_half_turn_where_exporters_lose_it() -> None:
    labels = torch.tensor([[0.4, 0.0], [0.0, 0.5]])
    images = torch.tensor([[-0.3, 0.0], [0.8, 0.0], [0.4, 0.0], [0.1, 0.2]])
    for curvature in (0.0, 1.0):
        wanted = pairwise_cone_energy(labels, images, curvature=curvature)
        with traced():
            got = pairwise_cone_energy(labels, images, curvature=curvature)
        torch.testing.assert_close(got, wanted)
        assert got[0, 0] > math.pi / 2
    with traced():
        got = pairwise_order_energy(labels, images)
    torch.testing.assert_close(got, pairwise_order_energy(labels, images))
