"""Operating curves and reliability diagrams: the numbers behind the lines."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.records import CurvePoints
from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.runs.operating_curves import CORRECT, GRID, PRECISION, mean_curves, read_curve
from cladewise.report.sections.operating import lowest, operating_charts, operating_sections
from cladewise.report.sections.reliability import level_bins, reliability_sections


def write_curves(folder, **curves):
    file = RunFolder(folder).evaluation("test", "none", "leaf")
    content = json.loads(file.read_text())
    content["curves"] = curves
    file.write_text(json.dumps(content))


def points(recall, correct):
    threshold = [None, *np.linspace(0.9, 0.1, len(recall) - 1)]
    return {"threshold": threshold, "recall": recall, "precision": [1.0] * len(recall), "correct": correct}


def read_lines(*folders):
    return Comparison.read(folders).lines


def test_seeds_are_averaged_at_equal_recall(maker):
    folders = [maker.write(f"f{seed}", seed=seed) for seed in range(2)]
    write_curves(folders[0], operating=points([0, 0.5, 1.0], [1.0, 0.9, 0.5]))
    write_curves(folders[1], operating=points([0, 0.8], [1.0, 0.6]))
    (curve,) = mean_curves(read_lines(*folders))
    assert curve.recall.size == GRID
    assert (curve.recall[0], curve.recall[-1]) == (0, 0.8), "as far as every seed goes"
    middle = int(np.argmin(abs(curve.recall - 0.5)))
    at = curve.recall[middle]
    first, second = np.interp(at, [0, 0.5, 1.0], [1, 0.9, 0.5]), 1 - 0.5 * at
    assert curve.mean["correct"][middle] == pytest.approx((first + second) / 2)
    assert curve.sd["correct"][middle] == pytest.approx(abs(first - second) / np.sqrt(2))
    assert curve.threshold[0] == 1


def test_one_seed_has_no_band(maker):
    (curve,) = mean_curves(read_lines(maker.write("f")))
    assert np.isnan(curve.sd["correct"]).all()
    band, line, marker = operating_charts([curve])[0].figure.data
    assert (len(band.x), len(line.x), marker.meta["role"]) == (0, GRID, "point")


def test_where_recall_steps_back_the_line_goes_on_from_where_it_returns(maker):
    folder = maker.write("f")
    write_curves(folder, operating=points([0, 0.6, 0.4, 1.0], [1.0, 0.8, 0.1, 0.4]))
    (curve,) = mean_curves(read_lines(folder))
    expected = np.interp(curve.recall, [0, 0.6, 1.0], [1.0, 0.8, 0.4])
    assert curve.mean["correct"] == pytest.approx(expected)


def test_a_curve_that_never_leaves_the_root(maker):
    folder = maker.write("f")
    write_curves(folder, operating=points([0.0, 0.0], [1.0, 1.0]))
    (curve,) = mean_curves(read_lines(folder))
    assert (curve.recall == 0).all()
    assert (curve.mean["correct"] == 1).all()
    assert lowest(CORRECT, [curve]) == 90


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from([0.1, 0.25, 0.5, 0.75, 1.0]), min_size=1, unique=True), st.floats(0, 1))
def test_the_point_at_a_threshold_is_the_last_that_reaches_it(thresholds, wanted):
    thresholds = sorted(thresholds, reverse=True)
    values = list(range(len(thresholds) + 1))
    points = CurvePoints((np.nan, *thresholds), *3 * [tuple(values)])
    found = read_curve(points, seed=0).at_threshold(np.array([wanted]))["recall"].tolist()
    assert found == [sum(threshold >= wanted for threshold in thresholds)]


def test_lines_bands_and_what_is_shown_first(maker):
    folders = [maker.write(f"f{seed}", seed=seed) for seed in range(2)] + [maker.write("h", method="hace", skill=0.8)]
    for seed in range(2):
        maker.write_inference(folders[seed], "bottom-up", skill=0.7, seed=seed)
    correct, precision = operating_charts(mean_curves(read_lines(*folders)))
    assert (correct.key, precision.key) == ("operating-correct", "operating-precision")
    lines = [trace for trace in correct.figure.data if trace.mode == "lines"]
    assert [trace.name for trace in lines] == ["flat-softmax", "flat-softmax + bottom-up", "hace"]
    assert [trace.visible for trace in lines] == [True, False, True]
    assert [trace.meta for trace in lines] == [
        {"group": 0, "inference": 0},
        {"group": 0, "inference": 1},
        {"group": 1, "inference": 0},
    ]
    band = correct.figure.data[0]
    assert len(band.x) == 2 * GRID
    assert max(band.y) <= 100
    assert lines[0].customdata[0][1].startswith(" ± ")
    assert min(min(trace.y) for trace in lines) >= correct.figure.layout.yaxis.range[0]
    assert lowest(PRECISION, mean_curves(read_lines(*folders))) == precision.figure.layout.yaxis.range[0]


def bins(confidence, accuracy, count):
    filler = 15 - len(count)
    return {
        "confidence": confidence + [None] * filler,
        "accuracy": accuracy + [None] * filler,
        "count": count + [0] * filler,
    }


def test_bins_are_pooled_by_the_images_in_them(maker):
    folders = [maker.write(f"f{seed}", seed=seed) for seed in range(2)]
    write_curves(folders[0], reliability={"family": bins([0.1, None, 0.5], [0.0, None, 1.0], [10, 0, 30])})
    write_curves(folders[1], reliability={"family": bins([None, None, 0.7], [None, None, 0.0], [0, 0, 10])})
    (found,) = level_bins(read_lines(*folders), "family")
    assert found.confidence == pytest.approx([0.1, 0.55])
    assert found.accuracy == pytest.approx([0.0, 0.75])
    assert found.count.tolist() == [5, 20]


def test_a_diagram_a_level_with_its_diagonal(maker):
    (section,) = reliability_sections(Comparison.read([maker.write("f"), maker.write("h", method="hace")]))
    charts = section.charts
    assert [chart.figure.layout.title.text for chart in charts] == ["kingdom", "family", "species"]
    diagonal, *traces = charts[0].figure.data
    assert list(diagonal.x) == [0, 100]
    assert [trace.name for trace in traces] == ["flat-softmax", "flat-softmax", "hace", "hace"]
    assert len(traces[0].x) == 12


def test_bars_count_the_images_of_each_bin(maker):
    folder = maker.write("f")
    confidence = [None] * 10 + [0.7, None, None, None, 0.98]
    bins = {"confidence": confidence, "accuracy": confidence, "count": [0] * 10 + [9, 0, 0, 0, 27]}
    write_curves(folder, reliability={"species": bins})
    (section,) = reliability_sections(Comparison.read([folder]))
    (chart,) = section.charts
    bars = chart.figure.data[2]
    assert list(bars.y) == [25, 75]
    assert list(bars.x) == pytest.approx([70, 100 * 29 / 30])
    assert list(bars.customdata) == ["67 to 73% sure: 9 images", "93 to 100% sure: 27 images"]


def test_no_diagrams_and_no_curves_of_folders_without_them(maker):
    comparison = Comparison.read([maker.write("old", with_operating=False)])
    assert list(reliability_sections(comparison)) == list(operating_sections(comparison)) == []
