from __future__ import annotations

import numpy as np
import pytest
import torch

from cladewise.decisions import Leaf, Nodes, pareto_sequence
from cladewise.engine.answering.outcomes import DecisionOutcomes, PredictionOutcomes, TrainingFrequency
from cladewise.errors import InputError
from cladewise.metrics import (
    PREDICTION_COLUMNS,
    HitAtK,
    LabelCounts,
    SetSizes,
    answer_columns,
    curve_intervals,
    set_columns,
)
from cladewise.metrics.label_counts import AVERAGES
from cladewise.metrics.label_frequency import FREQUENCY_RECALLS
from cladewise.predictions import LeafSoftmax
from cladewise.records.metric_names import METRIC_TEXTS, metric_text
from cladewise.statistics import FrequencyBounds
from reference.small_trees import t9


def in_evaluations() -> set[str]:
    """The names of everything that an evaluation tells."""
    prediction, target = LeafSoftmax(t9(), torch.zeros(1, 5)), torch.tensor([3])
    frequency = TrainingFrequency(np.ones(t9().num_nodes, dtype=np.int64), FrequencyBounds())
    of_prediction, decided = PredictionOutcomes(t9(), recall_at=(0.999,)), DecisionOutcomes(Leaf(), t9(), frequency)
    of_prediction.add(prediction, target)
    decided.add(prediction, target)
    values = of_prediction.values() | decided.values()
    assert values.keys() == (of_prediction.values(intervals=False) | decided.values(intervals=False)).keys()
    return set(values)


def computed() -> set[str]:
    """The names of everything that is computed."""
    prediction, target = LeafSoftmax(t9(), torch.zeros(1, 5)), torch.tensor([3])
    counts, hits = LabelCounts(t9()), HitAtK(t9())
    counts.update(Nodes(target, torch.zeros(1)), target)
    hits.update(prediction, target)
    of_curve = curve_intervals(pareto_sequence(prediction), target, t9(), samples=1)
    by_class = {*answer_columns(t9()), *PREDICTION_COLUMNS, *of_curve, *counts.compute(), *hits.compute()}
    return by_class | {*SetSizes(t9()).compute(), *set_columns(t9())} | in_evaluations()


def test_every_metric_has_a_text_and_every_text_a_metric() -> None:
    assert all(metric_text(name).title for name in computed())
    assert METRIC_TEXTS.keys() <= computed()
    levels = ("level_1", "level_2", "level_3")
    by_level = {
        f"{name}/{level}"
        for name in (*AVERAGES, *FREQUENCY_RECALLS, "ece", "mce", "level_accuracy")
        for level in levels
    }
    assert by_level | {"depth_ap", "depth_ac", "r@90", "r@99.9", "hit@3"} <= in_evaluations()


def test_directions() -> None:
    neither = {name for name, text in METRIC_TEXTS.items() if text.higher_is_better is None}
    assert neither == {
        "leaf_answers",
        "under_specific",
        "set_nodes",
        "labels_min",
        "labels_max",
        "labels_mean",
        "labels_sd",
    }
    lower = {name for name, text in METRIC_TEXTS.items() if text.higher_is_better is False}
    assert lower == {
        "severity",
        "hd@1",
        "hd@5",
        "hd@20",
        "tice",
        "over_specific",
        "set_leaves",
        "haurc",
        "haurc_threshold",
    }
    assert not metric_text("ece/genus").higher_is_better
    assert not metric_text("mce/genus").higher_is_better


@pytest.mark.parametrize(
    ("name", "title", "description"),
    [
        ("level_accuracy/genus", "Accuracy at genus", "at the level genus"),
        ("ece/genus", "ECE at genus", "confidence and accuracy at the level genus,"),
        ("micro_f1/genus", "m-F1 at genus", "labels at the level genus, pooled"),
        ("hit@3/genus", "Hit@3 at genus", "Share of the labels at the level genus that are among the 3 most"),
        ("hit@3", "Hit@3", "Share of the labels at all levels that are among the 3 most"),
        ("r@99.5", "R@99.5", "at least 99.5% correct"),
        ("mce/genus", "MCE at genus", "Largest gap between confidence and accuracy at the level genus,"),
        ("depth_ap", "Depth AP", "with depth in edges instead of information"),
        ("micro_f1/a/b", "m-F1 at a/b", "at the level a/b"),
    ],
)
def test_names_with_a_level_or_a_number(name: str, title: str, description: str) -> None:
    assert metric_text(name).title == title
    assert description in metric_text(name).description


@pytest.mark.parametrize("name", ["top2", "top1/genus", "ece", "ece/", "r@", "r@x", "level_accuracy/", "hit@two"])
def test_unknown_metric(name: str) -> None:
    with pytest.raises(InputError, match=rf"Expected a metric: top1, .*, hit@<k>, but got '{name}'"):
        metric_text(name)
