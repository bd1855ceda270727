"""The numbers of the table, against numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import polars as pl
import pytest

from cladewise.records.layout import RunFolder
from cladewise.report.metric_style import style_of
from cladewise.report.metric_table import main_table
from cladewise.report.runs.groups import group_runs
from cladewise.report.runs.intervals import metric_intervals
from cladewise.report.runs.run import read_run
from cladewise.statistics import paired_difference


def rewrite(folder, **columns):
    file = RunFolder(folder).outcomes("test", "none", "leaf")
    pl.read_parquet(file).with_columns(**{name: pl.Series(values) for name, values in columns.items()}).write_parquet(
        file
    )


def edit_metrics(folder, **values):
    import json

    file = RunFolder(folder).evaluation("test", "none", "leaf")
    content = json.loads(file.read_text())
    for name, value in values.items():
        content["metrics"][name]["value"] = value
    file.write_text(json.dumps(content))


def read_groups(*folders):
    return group_runs([read_run(folder, "test") for folder in folders])


@pytest.fixture
def two_groups(maker, images):
    """flat: 60 then 54 of 66 images right; hace: 63 right, and never farther off than 1."""
    number = images.target.size
    assert number == 66
    order = np.argsort(images.paths)

    def right(count):
        values = np.zeros(number)
        values[order[:count]] = 1
        return values

    flat = [maker.write(f"flat-{seed}", seed=seed) for seed in range(2)]
    hace = maker.write("hace", method="hace")
    for folder, count, severity in ((flat[0], 60, 3.0), (flat[1], 54, 2.0), (hace, 63, 1.0)):
        top1 = right(count)
        rewrite(folder, top1=top1, severity=np.where(top1 == 1, np.nan, severity))
        edit_metrics(folder, top1=count / number, severity=severity)
    return read_groups(*flat, hace)


def test_means_and_deviations_over_seeds(two_groups):
    cell = main_table(two_groups, two_groups[0]).column("top1")[0]
    assert cell.interval.value == pytest.approx(57 / 66)
    assert cell.spread.mean == pytest.approx(57 / 66)
    assert cell.spread.sd == pytest.approx(6 / 66 / math.sqrt(2))
    assert cell.interval.low < cell.interval.value < cell.interval.high


def test_severity_is_a_mean_of_means_over_mistakes(two_groups):
    cells = main_table(two_groups, two_groups[0]).column("severity")
    assert [cell.interval.value for cell in cells] == [2.5, 1.0]
    assert cells[0].interval.count == 12


def test_differences_are_paired_and_judged_by_direction(two_groups):
    table = main_table(two_groups, two_groups[0])
    better = table.column("top1")[1]
    assert better.difference == paired_difference(two_groups[1].values("top1"), two_groups[0].values("top1"))
    assert better.difference.value == pytest.approx(6 / 66)
    assert better.verdict == "better"
    assert table.column("severity")[1].verdict == "better"
    assert main_table(two_groups, two_groups[1]).column("severity")[0].verdict == "worse"
    assert table.column("top1")[0].difference is None
    assert table.column("top1")[0].verdict == ""


def test_a_difference_of_nothing_is_even(maker):
    groups = read_groups(
        maker.write("f", predicted=maker.images.target), maker.write("h", method="hace", predicted=maker.images.target)
    )
    table = main_table(groups, groups[0])
    assert table.column("top1")[1].verdict == "even"
    assert all(cell.is_best for cell in table.column("top1"))
    assert math.isnan(table.column("severity")[1].difference.value)
    assert table.column("severity")[1].verdict == "even"
    assert not any(cell.is_best for cell in table.column("severity"))


def test_the_best_is_the_highest_or_the_lowest(two_groups):
    table = main_table(two_groups, two_groups[0])
    assert [cell.is_best for cell in table.column("top1")] == [False, True]
    assert [cell.is_best for cell in table.column("severity")] == [False, True]


def test_the_level_average_has_an_interval_from_its_levels(maker):
    (group,) = read_groups(maker.write("f"))
    names = [f"level_accuracy/{name}" for name in ("kingdom", "family", "species")]
    (found,) = metric_intervals([group], ["level_accuracy", *names])
    interval = found["level_accuracy"]
    assert interval.value == pytest.approx(np.mean([found[name].value for name in names]))
    assert interval.low < interval.value < interval.high


def test_a_metric_without_values_keeps_its_recorded_interval(maker):
    folder = maker.write("f")
    file = RunFolder(folder).evaluation("test", "none", "leaf")
    file.write_text(
        file.read_text().replace(
            '"metrics": {', '"metrics": {"mine": {"value": 0.5, "low": 0.25, "high": 1.0, "count": 9}, '
        )
    )
    (group,) = read_groups(folder)
    cell = main_table((group,), group).column("mine")[0]
    assert (cell.interval.value, cell.interval.low, cell.interval.high, cell.interval.count) == (0.5, 0.25, 1.0, 9)


@pytest.mark.parametrize(
    ("metric", "value", "text"),
    [
        ("top1", 0.12345, "12.3"),
        ("severity", 1.005, "1.00"),
        ("tice", 1.0, "100.0"),
        ("hd@1", math.nan, "–"),
        ("top1", -0.02, "−2.0"),
    ],
)
def test_numbers(metric, value, text):
    assert style_of(metric).number(value) == text
