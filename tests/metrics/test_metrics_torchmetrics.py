"""The streaming metrics as torchmetrics uses them: collections, groups, forward, clones, states, processes."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torchmetrics import MetricCollection, MetricTracker

from cladewise import Taxonomy, losses, metrics
from cladewise.decisions import LabelSets, Leaf, Majority, pareto_sequence
from cladewise.errors import InputError
from cladewise.records.metric_names import METRIC_TEXTS, metric_text
from metrics.torchmetrics_worker import NAMES, collection_over, logits_and_target
from reference.given_predictions import random_prediction
from reference.small_trees import t9
from strategies import taxonomies

mpl.use("Agg")

OF_SETS = tuple(name for name in METRIC_TEXTS if name.startswith(("labels_", "set_")))


def names_of(taxonomy: Taxonomy) -> list[str]:
    """Every metric of decisions on single nodes that needs no training images, also by level."""
    whole = [name for name in METRIC_TEXTS if name not in (*OF_SETS, *metrics.FREQUENCY_RECALLS)]
    levels = ("level_accuracy", "ece", "mce", "micro_f1", "macro_recall", "hit@3")
    return [*whole, "r@99.5", *(f"{name}/{level}" for level in taxonomy.level_names for name in levels)]


def expected(names: list[str], values: dict[str, float]) -> dict[str, float]:
    return {name.replace(".", "_"): values[name] for name in names if name in values}


@settings(max_examples=20, deadline=None)
@given(taxonomies(min_nodes=2), st.integers(0, 99), st.sampled_from(["LeafSoftmax", "NodeSigmoid", "LevelSoftmax"]))
def test_a_collection_of_everything_is_what_measure_returns(taxonomy: Taxonomy, seed: int, kind: str) -> None:
    prediction = random_prediction(kind, taxonomy, 11, seed=seed)
    target = torch.randint(taxonomy.num_nodes, (11,), generator=torch.Generator().manual_seed(seed))
    values = metrics.measure(prediction, target, decision="majority")
    names = names_of(taxonomy)
    for groups in (True, False):
        collection = metrics.collection(names, taxonomy, decision="majority", compute_groups=groups)
        for rows in (slice(0, 4), slice(4, 5), slice(5, 11)):
            collection.update(prediction[rows], target[rows])
        found = {name: value.item() for name, value in collection.compute().items()}
        assert len(found) == len(names)
        for name, value in expected(names, values).items():
            assert found[name] == pytest.approx(value, abs=1e-6, nan_ok=True), (name, groups)


def test_metrics_of_one_class_and_settings_are_updated_once() -> None:
    logits, target = logits_and_target()
    collection = collection_over(slice(None), batch=5)
    groups = {tuple(sorted(group)) for group in collection.compute_groups.values()}
    assert ("hd@1", "level_accuracy/level_2", "severity", "top1") in groups
    assert ("ap", "r@99") in groups
    apart = collection_over(slice(None), batch=5, compute_groups=False)
    torch.testing.assert_close(collection.compute(), apart.compute(), rtol=0, atol=0)
    whole = metrics.measure(losses.HACELoss(t9()).prediction(logits), target, decision="majority")
    assert collection.compute()["severity"].item() == pytest.approx(whole["severity"])


def test_decisions_that_agree_on_the_first_batch_stay_apart() -> None:
    """Groups are formed by the states after the first batch, where the two rules give the same answers."""
    collection = MetricCollection(
        {
            "leaf": metrics.scalar_metric("top1", t9(), decision="leaf"),
            "majority": metrics.scalar_metric("top1", t9(), decision="majority"),
        }
    )
    logits = torch.zeros(2, 5)
    logits[0, 0] = 50
    certain, open_ = (losses.FlatSoftmaxLoss(t9()).prediction(row[None]) for row in logits)
    leaf = Leaf()(certain).node
    assert torch.equal(leaf, Majority()(certain).node)
    collection.update(certain, leaf)
    collection.update(open_, Leaf()(open_).node)
    assert {name: value.item() for name, value in collection.compute().items()} == {"leaf": 1.0, "majority": 0.5}


def test_forward_returns_the_batch_and_keeps_the_sum() -> None:
    logits, target = logits_and_target()
    collection = collection_over(slice(0, 0), batch=5)
    for rows in torch.arange(len(target)).split(7):
        found = collection(logits[rows], target[rows])
        alone = collection_over(slice(int(rows[0]), int(rows[-1]) + 1), batch=7).compute()
        torch.testing.assert_close(found, alone, rtol=0, atol=0, equal_nan=True)
    whole = collection_over(slice(None), batch=50).compute()
    torch.testing.assert_close(collection.compute(), whole, rtol=0, atol=0, equal_nan=True)


def test_clones_and_resets_are_independent() -> None:
    collection = collection_over(slice(None), batch=5)
    before = collection.compute()
    cloned = collection.clone(prefix="val_")
    cloned.reset()
    logits, target = logits_and_target()
    cloned.update(logits[:3], target[:3])
    torch.testing.assert_close(collection.compute(), before, rtol=0, atol=0)
    part = collection_over(slice(0, 3), batch=3).compute()
    torch.testing.assert_close(cloned.compute(), {f"val_{k}": v for k, v in part.items()}, rtol=0, atol=0)


def test_states_are_tensors_that_can_be_stored() -> None:
    stored = collection_over(slice(None), batch=5)
    assert not stored.state_dict()
    stored.persistent(True)
    state = stored.state_dict()
    for metric in stored.values(copy_state=False):
        for value in metric.metric_state.values():
            assert all(isinstance(x, Tensor) for x in (value if isinstance(value, list) else [value]))
    scalars = metrics.scalar_metric("severity", t9()), metrics.scalar_metric("severity", t9())
    scalars[0].update(torch.tensor([4, 5]), torch.tensor([5, 5]))
    scalars[0].persistent(True)
    scalars[1].persistent(True)
    scalars[1].load_state_dict(scalars[0].state_dict())
    scalars[1]._update_count = 1
    assert scalars[1].compute() == scalars[0].compute()
    assert any(name.endswith("total") for name in state)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_logits_and_modules(dtype: torch.dtype) -> None:
    logits, target = logits_and_target()
    low = logits.to(dtype)
    model = torch.nn.ModuleDict({"metrics": collection_over(slice(0, 0), batch=5)}).to(dtype)
    found: MetricCollection = model["metrics"]  # type: ignore[assignment]
    found.update(low, target)
    exact = collection_over(slice(0, 0), batch=5)
    exact.update(low.float(), target)
    torch.testing.assert_close(found.compute(), exact.compute(), rtol=0, atol=0)
    assert all(value.dtype == torch.float64 for value in found.compute().values())


def test_extreme_logits_are_finite() -> None:
    collection = collection_over(slice(0, 0), batch=5)
    logits = torch.where(torch.rand(20, 9, generator=torch.Generator().manual_seed(0)) < 0.5, -1e4, 1e4)
    collection.update(logits, torch.arange(20) % 9)
    assert all(math.isfinite(value) for value in collection.compute().values())


def test_class_indices_become_nodes() -> None:
    loss = losses.FlatSoftmaxLoss(t9())
    classes = t9().leaf_nodes[::-1]
    index = torch.tensor([0, 1, 4, 2])
    given = metrics.collection(["top1", "severity"], t9(), predict=loss.prediction, classes=classes)
    logits = torch.randn(4, 5, generator=torch.Generator().manual_seed(1))
    given.update(logits, index)
    nodes = torch.from_numpy(classes.copy())[index]
    values = metrics.measure(loss.prediction(logits), nodes)
    assert {k: v.item() for k, v in given.compute().items()} == pytest.approx(
        {k: values[k] for k in ("top1", "severity")}
    )
    given.reset()
    given.update(index, index)  # predicted classes are numbered as targets are
    assert given.compute()["top1"] == 1
    with pytest.raises(InputError, match="class indices, 0 to 4, but got 5"):
        given.update(logits, torch.tensor([5, 0, 0, 0]))


def test_sets_of_labels() -> None:
    chosen = torch.rand(6, 9, generator=torch.Generator().manual_seed(2)) < 0.4
    answer, target = LabelSets(chosen, torch.zeros(6, 9)), torch.arange(6)
    values = metrics.measure(answer, target, t9())
    collection = metrics.collection([*OF_SETS, "macro_f1"], t9())
    collection.update(answer, target)
    assert {k: v.item() for k, v in collection.compute().items()} == pytest.approx(
        {name: values[name] for name in (*OF_SETS, "macro_f1")}, abs=1e-6
    )


def test_answers_have_no_ranking_to_count() -> None:
    logits, target = logits_and_target()
    prediction = losses.HACELoss(t9()).prediction(logits)
    full, bare = metrics.HierarchicalMetrics(t9()), metrics.HierarchicalMetrics(t9())
    full.update(prediction, target)
    bare.update(Leaf()(prediction), target)
    for name, value in bare.compute().items():
        if name in ("top5", "hd@5", "hd@20"):
            assert value.isnan()
        else:
            torch.testing.assert_close(value, full.compute()[name], rtol=0, atol=0, equal_nan=True)


def test_a_tracker_knows_the_best_epoch_and_a_plot_is_drawn() -> None:
    near, far = ("bird", "robin"), ("moth", "hawk")
    tree = Taxonomy.from_paths([("bird", "wren"), near, far])
    wren = tree.find("wren")
    for name, best in (("severity", 1), ("top1", 0)):
        tracker = MetricTracker(metrics.scalar_metric(name, tree))
        for predicted in ([wren, wren, tree.find(far)], [wren, tree.find(near), tree.find(near)]):
            tracker.increment()
            tracker.update(torch.tensor(predicted), torch.tensor([wren] * 3))
        value, step = tracker.best_metric(return_step=True)
        assert (step, value) == (best, tracker.compute_all()[best].item()), name
    figure, axes = metrics.scalar_metric("top1", t9()).plot([torch.tensor(0.5), torch.tensor(0.75)])
    assert axes.lines[0].get_ydata().tolist() == [0.5, 0.75]
    assert figure is axes.figure
    curves = metrics.OperatingCurves(t9())
    curves.update(losses.HACELoss(t9()).prediction(logits_and_target()[0]), logits_and_target()[1])
    with pytest.raises(InputError, match="a metric with numbers to draw"):
        curves.plot()


@pytest.mark.parametrize("name", ["severity", "top1", "ece/level_1", "labels_mean", "haurc", "set_leaves"])
def test_directions_are_those_of_the_documentation(name: str) -> None:
    assert metrics.scalar_metric(name, t9()).higher_is_better is metric_text(name).higher_is_better


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: metrics.scalar_metric("serverity", t9()), "Expected a metric: top1"),
        (
            lambda: metrics.scalar_metric("ece/genus", t9()),
            "a metric of Reliability: ece/level_1, .*, but got 'ece/genus'",
        ),
        (lambda: metrics.scalar_metric("hit@2.5", t9()), "hit@<k> with a whole number"),
        (lambda: metrics.collection(["top1", "top1"], t9()), "each metric once, but got top1"),
        (lambda: metrics.scalar_metric("top1", t9(), decision="leef"), "a decision: .*Did you mean leaf"),
        (
            lambda: metrics.scalar_metric("top1", t9()).update(torch.zeros(1, 8), torch.tensor([1])),
            "from logits to a pred",
        ),
        (
            lambda: metrics.scalar_metric("ap", t9()).update(torch.tensor([1]), torch.tensor([1])),
            "got one index per image",
        ),
        (
            lambda: metrics.scalar_metric("set_nodes", t9()).update(torch.tensor([1]), torch.tensor([1])),
            "sets of labels",
        ),
        (
            lambda: metrics.scalar_metric("top1", t9()).update(
                LabelSets(torch.ones(1, 9, dtype=torch.bool), torch.zeros(1, 9)), torch.tensor([1])
            ),
            "Use SetMetrics",
        ),
    ],
)
def test_mistakes_in_streams_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()


@pytest.mark.slow
@pytest.mark.parametrize("shards", [[(0, 9), (9, 29)], [(0, 29), (29, 29)]])
def test_two_processes_give_the_collection_of_one(tmp_path: Path, shards: list[tuple[int, int]]) -> None:
    command = [sys.executable, "-m", "metrics.torchmetrics_worker", "--folder", tmp_path]
    workers = [
        subprocess.Popen([*command, "--rank", str(rank), "--shard", *map(str, shard)], cwd=Path(__file__).parents[1])
        for rank, shard in enumerate(shards)
    ]
    assert [worker.wait(timeout=120) for worker in workers] == [0, 0]
    alone = {name: value.item() for name, value in collection_over(slice(None), 50).compute().items()}
    assert set(alone) == set(NAMES)
    for rank in range(2):
        assert json.loads((tmp_path / f"{rank}.json").read_text()) == pytest.approx(alone, rel=0, abs=0)


def test_what_is_added_beside_update_is_not_hidden_by_an_earlier_value() -> None:
    logits, target = logits_and_target()
    prediction = losses.HACELoss(t9()).prediction(logits)
    sums, curves = metrics.HierarchicalMetrics(t9()), metrics.OperatingCurves(t9())
    for rows in (slice(0, 10), slice(10, 29)):
        answer = Leaf()(prediction[rows])
        sums.add(answer, Leaf().ranking(prediction[rows], metrics.RANKING_LENGTH, answer), target[rows])
        curves.add(pareto_sequence(prediction[rows]), target[rows])
        values = metrics.measure(prediction[: rows.stop], target[: rows.stop])
        assert sums.compute()["top5"].item() == pytest.approx(values["top5"])
        assert curves.compute().average_precision == values["ap"]
