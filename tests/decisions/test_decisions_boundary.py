"""Backtracking from a leaf, and boundaries that are best for F1."""

from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import Backtrack, Boundary, LabelSets, Leaf, Levels, boundary
from cladewise.errors import InputError
from cladewise.metrics import LabelCounts, label_scores, score_answer
from cladewise.metrics.answer_scores import RANKING_LENGTH
from cladewise.predictions import Fittable, LeafSoftmax, NodeSigmoid
from cladewise.taxonomy import Taxonomy
from reference import boundary_twin
from reference.given_predictions import KINDS, Given, random_prediction
from reference.small_trees import ragged_taxonomies, t9, t9_nodes, t9_order

FLAT = [1, 0.512471, 0.40453, 0.082999, 0.101375, 0.411096, 0.40453, 0.336577, 0.067954]

# ---------------------------------------------------------------- backtracking


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=6)
def test_a_leaf_and_its_ancestors(taxonomy: Taxonomy, seed: int) -> None:
    for kind in KINDS:
        prediction = random_prediction(kind, taxonomy, 2, 3, seed=seed)
        answer, leaf = Backtrack()(prediction), Leaf()(prediction)
        for level in range(taxonomy.num_levels):
            assert answer.node[..., level].equal(torch.tensor(taxonomy.at_level(level + 1))[leaf.node]), kind
        torch.testing.assert_close(answer.log_prob, prediction.log_prob.gather(-1, answer.node))


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=18)
def test_levels_never_contradict_each_other_and_grow_no_more_accurate(taxonomy: Taxonomy, seed: int) -> None:
    prediction = random_prediction("LeafSoftmax", taxonomy, 30, seed=seed)
    leaves = torch.tensor(taxonomy.leaf_nodes.copy())
    target = leaves[torch.randint(len(leaves), (30,), generator=torch.Generator().manual_seed(seed))]
    values = score_answer(Backtrack()(prediction), prediction.ranking(RANKING_LENGTH), target, taxonomy)
    assert not values["tice"].any()
    accuracies = [values[f"level_accuracy/{name}"].mean() for name in taxonomy.level_names]
    assert accuracies == sorted(accuracies, reverse=True)
    assert values["full_path"].equal(values[f"level_accuracy/{taxonomy.level_names[-1]}"])
    assert values["top1"].equal(score_answer(Leaf()(prediction), prediction.ranking(20), target, taxonomy)["top1"])


def test_what_is_summed_can_differ_from_what_is_backtracked() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
    prediction = LeafSoftmax(taxonomy, torch.tensor([[0.3, 0.3, 0.4]]).log())
    names = [taxonomy.path_name(v) for rule in (Backtrack(), Levels()) for v in rule(prediction).node[0].tolist()]
    assert names == ["d", "d/e", "a", "d/e"]


def test_a_root_alone_has_no_level() -> None:
    lone = Taxonomy([-1], ["thing"])
    with pytest.raises(InputError, match="a taxonomy with a level below the root"):
        Backtrack()(LeafSoftmax(lone, torch.zeros(1, 1)))


# ---------------------------------------------------------------- boundaries


def labelled(taxonomy: Taxonomy, kind: str, images: int, seed: int, whole: bool) -> tuple[Given, Tensor]:
    """Log-probabilities, with many equal ones if ``whole``, and labels at any node but at least one below the root."""
    log_prob = random_prediction(kind, taxonomy, images, seed=seed).log_prob
    log_prob = (2 * log_prob).round() / 2 if whole else log_prob
    target = torch.randint(taxonomy.num_nodes, (images,), generator=torch.Generator().manual_seed(seed))
    target[0] = max(1, int(target[0]))
    return Given(taxonomy, log_prob), target


@given(ragged_taxonomies(), st.sampled_from(["NodeSigmoid", "LeafSoftmax"]), st.integers(0, 10**6), st.booleans())
@settings(max_examples=20)
def test_fit_agrees_with_trying_everything(taxonomy: Taxonomy, kind: str, seed: int, whole: bool) -> None:
    prediction, target = labelled(taxonomy, kind, 8, seed, whole)
    rows, labels = prediction.log_prob.tolist(), target.tolist()
    overall = boundary_twin.best_boundary(taxonomy, rows, labels)
    assert Boundary().fit(prediction, target).boundary == overall
    by_node = Boundary("per-class").fit(prediction, target).boundary
    assert isinstance(by_node, Tensor)
    for v in range(1, taxonomy.num_nodes):
        best = boundary_twin.best_boundary(taxonomy, rows, labels, v)
        assert by_node[v] == (overall if best is None else best)


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=15)
def test_no_other_boundary_does_better_by_the_metric_it_is_for(taxonomy: Taxonomy, seed: int) -> None:
    assume(all(0 not in taxonomy.level_nodes(k + 1) for k in range(taxonomy.num_levels)))  # a label that nothing says
    prediction, target = labelled(taxonomy, "NodeSigmoid", 20, seed, whole=False)

    def scores(rule: Boundary) -> dict[str, float]:
        return label_scores(rule(prediction), target, taxonomy)

    one, each = Boundary().fit(prediction, target), Boundary("per-class").fit(prediction, target)
    micro = scores(one)["micro_f1"]
    assert scores(each)["macro_f1"] >= scores(one)["macro_f1"] - 1e-12 or taxonomy.num_levels > 1
    generator = torch.Generator().manual_seed(seed)
    others = prediction.log_prob.flatten()[torch.randperm(prediction.log_prob.numel(), generator=generator)[:10]]
    for value in [*others.tolist(), *(others + 1e-9).tolist()]:
        assert scores(Boundary(boundary=value))["micro_f1"] <= micro + 1e-12


def test_what_is_said_is_at_or_above_the_boundary_and_never_the_root() -> None:
    prediction = Given(t9(), torch.tensor([FLAT])[:, t9_order()].log())
    answer = Boundary(boundary=float(torch.tensor(0.40453).log()))(prediction)
    assert isinstance(answer, LabelSets)
    assert sorted(answer.chosen[0].nonzero().squeeze(1).tolist()) == sorted(t9_nodes(1, 2, 5, 6))
    by_node = torch.full((9,), -torch.inf)
    by_node[t9_nodes(1)] = 0.0
    answer = Boundary("per-class", boundary=by_node)(prediction)
    assert sorted((~answer.chosen[0]).nonzero().squeeze(1).tolist()) == sorted(t9_nodes(0, 1))
    nothing = Boundary(boundary=1.0)(prediction)
    assert not nothing.chosen.any()


def test_a_label_that_no_image_has_takes_the_global_boundary() -> None:
    taxonomy = Taxonomy.from_paths([("a",), ("b",), ("c",)])
    prediction = NodeSigmoid(taxonomy, torch.tensor([[3.0, -1.0, 0.0], [-2.0, 2.0, 0.5]]))
    fitted = Boundary("per-class").fit(prediction, torch.tensor([1, 2]))
    overall = Boundary().fit(prediction, torch.tensor([1, 2]))
    assert isinstance(fitted.boundary, Tensor)
    assert fitted.boundary[3] == overall.boundary
    assert fitted(prediction).chosen.tolist() == [[False, True, False, False], [False, False, True, False]]


def test_labels_below_an_internal_label_are_not_asked_about() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
    sure = NodeSigmoid(taxonomy, torch.tensor([[5.0, 4.0, 4.0, -5.0, -5.0], [5.0, 4.0, -4.0, -5.0, -5.0]]))
    target = torch.tensor([taxonomy.find("a"), taxonomy.find("b")])
    assert Boundary().fit(sure, target).boundary == pytest.approx(float(sure.log_prob[1, taxonomy.find("b")]))
    wrong = torch.tensor([taxonomy.find("b"), taxonomy.find("b")])  # then c is said of the first, and wrongly
    counts = LabelCounts(taxonomy)
    counts.update(Boundary().fit(sure, wrong)(sure), wrong)
    assert counts.compute()["micro_precision"] < 1


def test_parts_of_the_images_and_shapes_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    prediction, target = labelled(t9(), "NodeSigmoid", 60, 1, whole=False)
    one, each = Boundary().fit(prediction, target), Boundary("per-class").fit(prediction, target)
    shaped = prediction.map(lambda x: x.reshape(6, 10, -1)), target.reshape(6, 10)
    assert Boundary().fit(*shaped).boundary == one.boundary
    monkeypatch.setattr(boundary, "CELLS_AT_ONCE", 40)
    assert Boundary().fit(prediction, target).boundary == one.boundary
    again = Boundary("per-class").fit(prediction, target).boundary
    assert isinstance(again, Tensor)
    assert isinstance(each.boundary, Tensor)
    assert again.equal(each.boundary)


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=12)
def test_single_precision_scores_keep_their_boundary(taxonomy: Taxonomy, seed: int) -> None:
    """A fitted boundary, written as a number and read back, is still reached by the score that it was."""
    prediction, target = labelled(taxonomy, "NodeSigmoid", 20, seed, whole=False)
    single = prediction.to(torch.float32)
    fitted = Boundary().fit(single, target)
    assume(fitted.boundary is not None)
    assert (single.log_prob == torch.tensor(fitted.boundary, dtype=torch.float64)).any()
    assert fitted(single).chosen.any()


def test_mistakes_are_named() -> None:
    prediction, target = labelled(t9(), "NodeSigmoid", 4, 0, whole=False)
    assert isinstance(Boundary(), Fittable)
    assert Boundary().handle == "boundary"
    assert Boundary("per-class").handle == "boundary-per-class"
    with pytest.raises(InputError, match=r"a rule boundary that is fitted, but got one that is not\. Fit it on the v"):
        Boundary()(prediction)
    with pytest.raises(InputError, match="a boundary: global, per-class, but got 'local'"):
        Boundary("local")  # type: ignore[arg-type]
    with pytest.raises(InputError, match=r"but got shapes \[4\] and \[3\]"):
        Boundary().fit(prediction, target[:3])
    with pytest.raises(InputError, match="images with a label below the root, but got none among 4"):
        Boundary().fit(prediction, torch.zeros_like(target))
