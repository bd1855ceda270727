"""Runs on long-tailed data, and their labels with many, medium and few training images."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import cladewise as cw
from cladewise import InputError
from cladewise.datasets import Dataset, with_long_tail
from cladewise.engine import Run, evaluate, evaluate_all
from cladewise.metrics import images_per_label
from cladewise.records import counts, read_evaluation
from shared_runs import copy_of

SETTINGS = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "workers": 0, "progress": False}


def test_a_run_on_a_long_tail_is_repeated_with_the_same_images(colours: Dataset, tmp_path: Path) -> None:
    tailed = with_long_tail(colours, 4, seed=1)
    assert 0 < len(tailed.splits["train"]) < len(colours.splits["train"])
    run = cw.train(tailed, method="flat-softmax", out=tmp_path / "run", epochs=0, **SETTINGS)
    assert Run.open(run.path).dataset.splits["train"].tolist() == tailed.splits["train"].tolist()
    found = counts.read_counts(run.folder.counts, colours.taxonomy.num_nodes)
    labels = colours.nodes[tailed.splits["train"]]
    assert found["train"].tolist() == np.bincount(labels, minlength=colours.taxonomy.num_nodes).tolist()
    again = cw.rerun(run.folder.config, tmp_path / "again", progress=False)
    assert again.config.data == run.config.data


def test_an_evaluation_groups_labels_by_their_training_images(trained: Callable[..., Run], tmp_path: Path) -> None:
    run = copy_of(trained(method="flat-softmax", freeze=True), tmp_path / "run")
    taxonomy, nodes = run.taxonomy, run.dataset.nodes[run.dataset.indices("train")]
    frequency = images_per_label(np.bincount(nodes, minlength=taxonomy.num_nodes), taxonomy)
    low, high = int(np.quantile(frequency, 0.3)), int(np.quantile(frequency, 0.7))
    score = evaluate(run, decision="leaf", few_below=low, many_above=high, progress=False)
    kept = read_evaluation(score.path)
    assert kept.frequencies == {"few_below": low, "many_above": high}
    groups = [kept[f"{name}_recall"] for name in ("many", "medium", "few")]
    values = np.array([0.0 if math.isnan(group.value) else group.value for group in groups])
    sizes = np.array([group.count for group in groups])
    # every label has evaluated images, so that the groups together are all labels
    assert sizes.sum() == len(frequency)
    assert (values @ sizes) / sizes.sum() == pytest.approx(kept["macro_recall"].value)
    assert sizes.tolist() == [
        (frequency > high).sum(),
        len(frequency) - (frequency > high).sum() - (frequency < low).sum(),
        (frequency < low).sum(),
    ]


def test_the_groups_follow_labels_into_the_tree_of_an_ablation(trained: Callable[..., Run], tmp_path: Path) -> None:
    run = copy_of(trained(method="flat-softmax", freeze=True, drop_levels="1"), tmp_path / "run")
    (score,) = evaluate_all(run, decisions=["leaf"], tree="own", many_above=0, few_below=0, progress=False)
    levels = run.answer_tree("own").taxonomy.level_names
    assert [name for name in score.metrics if name.startswith("many_recall/")] == [f"many_recall/{k}" for k in levels]
    assert score["many_recall"].value == pytest.approx(score["macro_recall"].value)


def test_bounds_the_wrong_way_round_are_refused(trained: Callable[..., Run]) -> None:
    with pytest.raises(InputError, match="0 <= few_below <= many_above"):
        evaluate(trained(method="flat-softmax", freeze=True), few_below=9, many_above=3, progress=False)
