"""The protocol of unknown classes on a real run: every number follows from scores and answers."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

import cladewise as cw
from cladewise import InputError, Taxonomy, inference, novelty, unknowns
from cladewise.datasets import Dataset, hold_out_classes
from cladewise.decisions import Leaf, Majority
from cladewise.engine import Run
from cladewise.engine.answering.scoring import compute_scores
from cladewise.predictions import Prediction
from cladewise.records import Unknown, UnknownRule, read_unknown
from cladewise.unknowns.measuring import edges_between, measure_rule, measure_score
from reference import unknown_twin as twin
from reference.small_trees import ragged_taxonomies
from shared_runs import SharedFolder, copy_of

HELD_OUT = ("orange", "sky")
SPLIT = "train+val+test"


@pytest.fixture(scope="session")
def held_out(shared: SharedFolder, shared_cache: Path, colours: Dataset) -> Callable[[str], Run]:
    """A run on the colours that does not know two of them."""
    known = hold_out_classes(colours, nodes=HELD_OUT)
    return lambda method: shared.trained(known, method=method, freeze=True, epochs=10)


@pytest.fixture(scope="module")
def run(held_out: Callable[[str], Run], tmp_path_factory: pytest.TempPathFactory) -> Run:
    return copy_of(held_out("level-softmax"), tmp_path_factory.mktemp("unknown") / "run")


@pytest.fixture(scope="module")
def measured(run: Run) -> Unknown:
    return unknowns.evaluate_unknown(run, split=SPLIT, progress=False)


def seen(run: Run, split: str) -> tuple[Prediction, np.ndarray]:
    """Predictions and labels of the images that take part."""
    found = compute_scores(run, split, run.dataset, progress=False)
    assert isinstance(found.scores, Prediction)
    rows = torch.ones(len(found.target), dtype=torch.bool)
    if "new" not in split:
        rows = torch.from_numpy(run.taxonomy.is_leaf[found.target.numpy()])
    return found.scores[rows], found.target[rows].numpy()


def test_the_run_does_not_know_the_classes_and_finds_its_data_again(run: Run, colours: Dataset) -> None:
    names = {run.taxonomy.path_name(v) for v in range(run.taxonomy.num_nodes)}
    assert not names & {"warm/orange", "cold/blue/sky"}
    data = Run.open(run.path).dataset
    assert data.held_out_classes is not None
    assert data.held_out_classes.taxonomy == colours.taxonomy
    assert {data.taxonomy.path_name(int(v)) for v in data.nodes[data.splits["train-new"]]} == {"warm", "cold/blue"}


def test_scores_are_measured_as_they_are(run: Run, measured: Unknown) -> None:
    (known, leaf), (new, parent) = seen(run, SPLIT), seen(run, "train-new+val-new+test-new")
    assert measured.num_known == len(leaf)
    assert measured.num_new == len(parent) == 2 * 12
    assert measured.left_out == int((~run.taxonomy.is_leaf[run.dataset.nodes[run.dataset.indices(SPLIT)]]).sum()) > 0
    label = [0] * len(leaf) + [1] * len(parent)
    for name in ("max-share", "entropy", "max-logit", "energy"):
        score = novelty.make(name)
        values = torch.cat([score(known)[:, 0], score(new)[:, 0]]).numpy()
        found = next(one for one in measured.scores if one.score == name)
        assert found.auroc == pytest.approx(roc_auc_score(label, values))
    after = inference.ProHOC()
    mass = [after(p).own_log_prob.exp()[:, torch.from_numpy(~run.taxonomy.is_leaf)].sum(-1) for p in (known, new)]
    found = next(one for one in measured.scores if one.score == "prohoc+own-mass")
    assert found.auroc == pytest.approx(roc_auc_score(label, torch.cat(mass).numpy()), abs=1e-6)


def test_answers_are_measured_as_they_are(run: Run, measured: Unknown) -> None:
    (known, leaf), (new, parent) = seen(run, SPLIT), seen(run, "train-new+val-new+test-new")
    by_text = {one.rule: one for one in measured.rules}
    for text, rule, before in (
        ("leaf", Leaf(), None),
        ("majority", Majority(), None),
        ("prohoc+majority", Majority(), inference.ProHOC()),
    ):
        first, second = (rule(p if before is None else before(p)).node.numpy() for p in (known, new))
        found = by_text[text]
        assert found.known_right == pytest.approx((first == leaf).mean())
        assert found.placed == pytest.approx((second == parent).mean())
        assert found.new_found == pytest.approx((~run.taxonomy.is_leaf[second]).mean())
    assert by_text["leaf"].placed == 0
    assert by_text["leaf"].known_called_new == 0
    assert 0 < by_text["prohoc+majority"].balanced < 1


def test_results_are_kept_and_read_again(run: Run, measured: Unknown) -> None:
    again = read_unknown(run.folder.unknown(SPLIT))
    assert again is not None
    assert repr(again) == repr(measured)  # NaNs are not equal
    assert again.held_out == ("cold/blue/sky", "warm/orange")
    run.folder.unknown(SPLIT).write_text('{"schema_version": 1}')
    with pytest.raises(InputError, match="protocol unknown"):
        read_unknown(run.folder.unknown(SPLIT))


def test_every_kind_of_head_is_measured(held_out: Callable[[str], Run], tmp_path: Path) -> None:
    for method in ("flat-softmax", "hace", "conditional-sigmoid"):
        copied = copy_of(held_out(method), tmp_path / method)
        result = cw.evaluate_unknown(copied, split=SPLIT, progress=False)
        for score in result.scores:
            assert 0 <= score.auroc <= 1, score
        assert {one.score for one in result.scores} >= {"cosine", "nearest", "mahalanobis"}


def test_runs_that_know_everything_are_refused(trained: Callable[..., Run]) -> None:
    with pytest.raises(InputError, match="--hold-out"):
        unknowns.evaluate_unknown(trained(method="flat-softmax", freeze=True, epochs=10))


def test_mistakes_are_one_line(run: Run) -> None:
    for options, told in (
        ({"scores": ["entrpy"]}, "Did you mean entropy"),
        ({"rules": ["prohok+leaf"]}, "Did you mean prohoc"),
        ({"rules": ["levls"]}, "Did you mean levels"),
        ({"features": ["euclid"]}, "cosine"),
        ({"split": "tset"}, "Did you mean test"),
        ({"rules": ["boundary"]}, "sets of labels"),
    ):
        with pytest.raises(InputError, match=told):
            unknowns.evaluate_unknown(run, progress=False, **options)  # type: ignore[arg-type]


def test_a_run_is_trained_again_from_its_configuration(run: Run, tmp_path: Path) -> None:
    again = cw.rerun(run.folder.config, tmp_path / "again", progress=False)
    assert again.taxonomy == run.taxonomy
    assert again.folder.whole_taxonomy.read_bytes() == run.folder.whole_taxonomy.read_bytes()
    assert again.model_hash == run.model_hash


@settings(deadline=None, max_examples=40)
@given(ragged_taxonomies(), st.integers(0, 5))
def test_measures_equal_the_twins(taxonomy: Taxonomy, seed: int) -> None:
    random = np.random.default_rng(seed)
    leaf = random.choice(taxonomy.leaf_nodes, 12)
    parent = random.choice(np.flatnonzero(~taxonomy.is_leaf), 9)
    known, new = random.integers(0, taxonomy.num_nodes, 12), random.integers(0, taxonomy.num_nodes, 9)
    flags = random.random(12) < 0.5, random.random(9) < 0.5
    found = measure_rule("rule", known, new, *flags, leaf, parent, taxonomy)
    far = [float(twin.edges(taxonomy, a, b)) for a, b in zip(known.tolist(), leaf.tolist(), strict=True)]
    near = [float(twin.edges(taxonomy, a, b)) for a, b in zip(new.tolist(), parent.tolist(), strict=True)]
    assert edges_between(known, leaf, taxonomy).tolist() == far
    expected = UnknownRule(
        rule="rule",
        known_right=float((known == leaf).mean()),
        known_called_new=float(flags[0].mean()),
        new_found=float(flags[1].mean()),
        placed=float((new == parent).mean()),
        known_balanced=twin.balanced((known == leaf).astype(float).tolist(), leaf.tolist()),
        placed_balanced=twin.balanced((new == parent).astype(float).tolist(), parent.tolist()),
        known_distance=float(np.mean(far)),
        new_distance=float(np.mean(near)),
        known_distance_balanced=twin.balanced(far, leaf.tolist()),
        new_distance_balanced=twin.balanced(near, parent.tolist()),
    )
    assert dataclasses.asdict(found) == pytest.approx(dataclasses.asdict(expected))


@settings(deadline=None, max_examples=40)
@given(ragged_taxonomies(), st.integers(0, 5))
def test_scores_by_depth_and_parent_equal_the_twins(taxonomy: Taxonomy, seed: int) -> None:
    random = np.random.default_rng(seed)
    leaf = random.choice(taxonomy.leaf_nodes, 12)
    parent = random.choice(np.flatnonzero(~taxonomy.is_leaf), 9)
    known = random.integers(0, 5, (12, taxonomy.max_depth)).astype(float)
    known[np.arange(taxonomy.max_depth) >= taxonomy.depth[leaf][:, None]] = np.nan
    new = random.integers(0, 5, (9, 2)).astype(float)
    found = measure_score("s", known, new, leaf, parent, taxonomy)
    assert found.auroc == pytest.approx(twin.area(known[:, 0].tolist(), new[:, 0].tolist()))
    for depth, value in found.by_depth.items():
        at = new[taxonomy.depth[parent] == int(depth), 0]
        if at.size:
            assert value == pytest.approx(twin.area(known[:, 0].tolist(), at.tolist()))
        else:
            assert np.isnan(value)
    sums, images = 0.0, 0
    for node in set(parent.tolist()):
        below = [k for k, v in enumerate(leaf.tolist()) if node <= v < taxonomy.end[node]]
        at = new[parent == node, 1]
        if below:
            sums += at.size * twin.area(known[below, taxonomy.depth[node]].tolist(), at.tolist())
            images += at.size
    if images:
        assert found.at_parent == pytest.approx(sums / images)
    else:
        assert np.isnan(found.at_parent)
