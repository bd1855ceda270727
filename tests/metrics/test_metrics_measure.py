"""All metrics in one call: those of the streaming classes, for predictions, nodes and answers of every kind."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from cladewise import metrics
from cladewise.decisions import LabelSets, Leaf, Levels, Majority, pareto_sequence
from cladewise.errors import InputError
from cladewise.metrics import measure, streaming
from cladewise.records.metric_names import METRIC_TEXTS
from cladewise.taxonomy import Taxonomy
from reference.given_predictions import random_prediction
from reference.small_trees import t9, t9_nodes

TARGET = torch.tensor([t9_nodes(4, 7, 3, 5, 8, 1, 0, 6)] * 4).flatten()


def test_it_is_what_the_streams_compute() -> None:
    for kind, rule in (("LeafSoftmax", Majority()), ("NodeSigmoid", Leaf()), ("LevelSoftmax", Levels())):
        prediction = random_prediction(kind, t9(), len(TARGET), seed=3)
        values = measure(prediction, TARGET, decision=rule)
        streams = (
            metrics.HierarchicalMetrics(t9(), decision=rule),
            metrics.LabelCounts(t9(), decision=rule),
            metrics.HitAtK(t9(), ks=(1, 3, 5)),
        )
        for stream in streams:
            stream.update(prediction, TARGET)
            expected = {name: value.item() for name, value in stream.compute().items()}
            shared = expected.keys() & values.keys()
            assert {n: values[n] for n in shared} == pytest.approx({n: expected[n] for n in shared}, nan_ok=True), kind
        curve = metrics.operating_curve(pareto_sequence(prediction), TARGET, t9())
        assert (values["ap"], values["r@95"]) == (curve.average_precision, curve.recall_at(0.95))
        reliability = metrics.Reliability(t9())
        reliability.update(prediction, TARGET)
        assert {f"ece/{name}": x.ece for name, x in reliability.compute().items()}.items() <= values.items()


def test_a_prediction_has_every_documented_metric_but_those_of_sets_and_of_a_run() -> None:
    found = measure(random_prediction("LeafSoftmax", t9(), len(TARGET)), TARGET)
    names = {name.split("/")[0] for name in found}
    sets = {name for name in METRIC_TEXTS if name.startswith(("labels_", "set_"))}
    assert set(METRIC_TEXTS) - sets - names == set(metrics.FREQUENCY_RECALLS)  # which need the training images
    chosen = torch.rand(len(TARGET), 9) < 0.5
    of_sets = measure(LabelSets(chosen, torch.zeros(chosen.shape)), TARGET, t9())
    assert set(of_sets) == {*metrics.SIZES, *metrics.AVERAGES, *metrics.set_columns(t9())}


def test_nodes_are_the_answers_of_a_decision_without_a_ranking() -> None:
    prediction = random_prediction("LeafSoftmax", t9(), len(TARGET))
    answer, decided = Leaf()(prediction), measure(prediction, TARGET)
    for given in (answer, answer.node, answer.node.tolist(), answer.node.numpy()):
        found = measure(given, TARGET.tolist(), t9())
        assert "top5" not in found
        assert found == pytest.approx({name: decided[name] for name in found})
    assert measure(prediction, TARGET, decision="threshold:threshold=0.95")["leaf_answers"] < 1


def test_mistakes_are_named() -> None:
    with pytest.raises(InputError, match="a taxonomy with nodes or answers, but got none"):
        measure([1], [1])
    with pytest.raises(InputError, match="a decision: "):
        measure(random_prediction("LeafSoftmax", t9(), 1), [1], decision="leef")
    with pytest.raises(InputError, match="an answer and a target"):
        measure([1, 2], [1], t9())


def test_a_root_alone_is_refused() -> None:
    with pytest.raises(InputError, match="a node for each of 0 levels"):
        measure([0], [0], Taxonomy([-1], ["thing"]))


def test_torchmetrics_is_imported_for_streams_alone() -> None:
    code = "import sys, cladewise.metrics as m; print('torchmetrics' in sys.modules, m.SetSizes.__module__)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.split() == ["False", "cladewise.metrics.streaming.set_sizes"]


def test_every_stream_is_a_name_of_the_metrics() -> None:
    """They are listed there once more, since their package loads torchmetrics."""
    modules = {name: getattr(getattr(metrics, name), "__module__", "") for name in metrics.__all__}
    assert {name for name, of in modules.items() if of.startswith(streaming.__name__)} == {*streaming.__all__}
