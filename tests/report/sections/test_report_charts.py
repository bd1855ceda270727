"""The charts' numbers: by level, by height, over epochs."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from cladewise.drawing.palette import COLORS, color, dash
from cladewise.report.comparison import Comparison
from cladewise.report.sections.by_level import level_chart
from cladewise.report.sections.severity import height_chart, mistakes_by_height
from cladewise.report.sections.training import curve_charts, quantities


@pytest.fixture
def groups(maker):
    folders = [maker.write("f0"), maker.write("f1", seed=1), maker.write("h", method="hace", skill=0.8)]
    return Comparison.read(folders).groups


def test_accuracy_by_level_against_counting(groups, taxonomy):
    chart = level_chart(groups)
    trace = chart.figure.data[1]
    assert list(trace.x) == ["kingdom", "family", "species"]
    run = groups[1].runs[0]
    for level, shown in enumerate(trace.y, start=1):
        counted = []
        for target, predicted in zip(run.target.tolist(), run.predicted.tolist(), strict=True):
            if taxonomy.is_leaf[target] or taxonomy.level[target] >= level:
                true_part = [v for v in taxonomy.path(target) if taxonomy.level[v] <= level][-1]
                counted.append(true_part == [v for v in taxonomy.path(predicted) if taxonomy.level[v] <= level][-1])
        assert shown == pytest.approx(100 * np.mean(counted))


def test_intervals_surround_the_points(groups):
    for trace in level_chart(groups).figure.data:
        assert (np.array(trace.error_y.array) >= 0).all()
        assert (np.array(trace.error_y.arrayminus) >= 0).all()


def test_heights_of_mistakes_by_hand(maker, taxonomy, images):
    apple, pear, lynx = taxonomy.find("apple"), taxonomy.find("pear"), taxonomy.find("lynx 🐈")
    predicted = images.target.copy()
    apples = np.flatnonzero(images.target == apple)
    predicted[apples[:2]] = pear  # meet at fruit, height 1
    predicted[apples[2]] = lynx  # meet at the root, height 3
    predicted[apples[3]] = taxonomy.find("fruit")  # stopped above its label: height 1
    groups = Comparison.read([maker.write("f", predicted=predicted)]).groups
    assert mistakes_by_height(groups[0]).tolist() == [0, 3, 0, 1]
    bar = height_chart(groups).figure.data[0]
    assert list(bar.x) == [1, 2, 3]
    assert list(bar.y) == pytest.approx([300 / 66, 0, 100 / 66])


def test_the_bars_of_a_group_add_up_to_its_error(groups):
    for group, bar in zip(groups, height_chart(groups).figure.data, strict=True):
        assert sum(bar.y) == pytest.approx(100 * (1 - np.nanmean(group.values("top1"))))


def test_a_curve_a_run_and_a_chart_a_quantity(groups):
    assert quantities(groups) == ["train_loss", "val_loss", "val_top1"]
    charts = curve_charts(groups)
    assert [len(chart.figure.data) for chart in charts] == [3, 3, 3]
    assert charts[0].figure.data[1].y[0] == pytest.approx(3.02)
    assert charts[0].figure.data[0].line.color == charts[0].figure.data[1].line.color
    assert charts[0].figure.data[0].line.color != charts[0].figure.data[2].line.color


def test_an_axis_is_logarithmic_where_values_are_far_apart(groups):
    assert curve_charts(groups)[0].figure.layout.yaxis.type is None
    run = groups[0].runs[0]
    wild = dataclasses.replace(run.log, epochs=[{**run.log.epochs[0], "train_loss": 5000.0}, *run.log.epochs[1:]])
    group = dataclasses.replace(groups[0], runs=(dataclasses.replace(run, log=wild), *groups[0].runs[1:]))
    types = [chart.figure.layout.yaxis.type for chart in curve_charts([group, *groups[1:]])]
    assert types == ["log", None, None]


def test_no_curves_without_epochs(maker):
    assert curve_charts(Comparison.read([maker.write("f", epochs=0)]).groups) == []


def test_groups_beyond_the_colours_differ_in_their_lines():
    number = len(COLORS)
    assert color(0) == color(number)
    assert dash(0) != dash(number)
