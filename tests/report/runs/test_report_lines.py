"""Groups under their inferences, and the tables of means and deviations over seeds."""

from __future__ import annotations

import json
import math

import pytest

from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.sections.decisions import decision_table
from cladewise.report.sections.operating import operating_table
from cladewise.report.sections.reliability import calibration_table


def edit(folder, inference="none", decision="leaf", **values):
    file = RunFolder(folder).evaluation("test", inference, decision)
    content = json.loads(file.read_text())
    for name, value in values.items():
        content["metrics"][name]["value"] = value
    file.write_text(json.dumps(content))


@pytest.fixture
def folders(maker):
    """flat: two seeds by none and bottom-up, the second by majority too; hace: one seed by none."""
    flat = [maker.write(f"flat-{seed}", seed=seed) for seed in range(2)]
    for seed, folder in enumerate(flat):
        maker.write_inference(folder, "bottom-up", skill=0.7, seed=seed)
    maker.write_inference(flat[1], "bottom-up", skill=0.7, seed=1, decision="majority")
    return [*flat, maker.write("hace", method="hace", skill=0.85)]


def read_lines(*folders):
    return Comparison.read(folders).lines


def test_a_line_a_group_and_inference(folders):
    lines = read_lines(*folders)
    assert [line.label for line in lines] == ["flat-softmax", "flat-softmax + bottom-up", "hace"]
    assert [line.decisions for line in lines] == [("leaf",), ("leaf", "majority"), ("leaf",)]
    assert [len(line.evaluations) for line in lines] == [2, 2, 1]
    assert [line.is_shown_first for line in lines] == [True, False, True]


def test_colours_are_the_groups_and_dashes_the_inferences(folders):
    none, up, hace = read_lines(*folders)
    assert none.color == up.color != hace.color
    assert none.dash == hace.dash != up.dash


def test_an_inference_that_the_groups_name_tells_is_told_once(maker):
    folders = [maker.write("a", config={"inference": "bottom-up"}), maker.write("b", seed=1)]
    maker.write_inference(folders[0], "bottom-up", skill=0.7)
    labels = [line.label for line in read_lines(*folders)]
    assert "flat-softmax inference=bottom-up" in labels
    assert not any("inference=bottom-up + bottom-up" in label for label in labels)


def test_what_does_not_depend_on_the_decision_counts_once_a_seed(folders):
    edit(folders[0], "bottom-up", ap=0.5)
    edit(folders[1], "bottom-up", ap=0.7)
    edit(folders[1], "bottom-up", "majority", ap=0.7)
    spread = read_lines(*folders)[1].spread("ap")
    assert (spread.mean, spread.count) == (pytest.approx(0.6), 2)
    assert spread.sd == pytest.approx(0.1 * math.sqrt(2))


def test_the_seven_columns_and_their_best(folders):
    for folder, value in zip(folders, (0.5, 0.7, 0.65), strict=True):
        edit(folder, ap=value, **{"r@90": None})
    table = operating_table(read_lines(*folders))
    assert [style.text.title for style in table.metrics] == ["AP", "AC", "R@90", "R@95", "M-F1", "L-F1", "L-Top1"]
    assert [row.cells[0].style.number(row.cells[0].spread.mean) for row in table.rows][::2] == ["60.0", "65.0"]
    assert sum(row.cells[0].is_best for row in table.rows) == 1
    assert [math.isnan(row.cells[2].spread.mean) for row in table.rows] == [True, False, True]
    assert [row.num_seeds for row in table.rows] == [2, 2, 1]
    assert table.has_inferences
    assert not table.has_decisions


def test_a_row_a_decision_over_the_seeds_that_have_it(folders):
    edit(folders[0], "bottom-up", severity=1.0)
    edit(folders[1], "bottom-up", severity=2.0)
    edit(folders[1], "bottom-up", "majority", severity=9.0)
    table = decision_table(read_lines(*folders))
    rows = {(row.line.label, row.decision): row for row in table.rows}
    assert list(rows)[1:3] == [("flat-softmax + bottom-up", "leaf"), ("flat-softmax + bottom-up", "majority")]
    severity = [style.name for style in table.metrics].index("severity")
    spreads = [row.cells[severity].spread for row in list(rows.values())[1:3]]
    assert [(spread.mean, spread.count) for spread in spreads] == [(1.5, 2), (9.0, 1)]
    assert [style.name for style in table.metrics][:4] == ["correct", "info_recall", "info_precision", "info_f1"]


def test_calibration_is_best_where_it_is_lowest(folders):
    edit(folders[2], **{"ece/family": 0.001})
    table = calibration_table(read_lines(*folders))
    assert [style.text.title for style in table.metrics] == ["kingdom", "family", "species"]
    assert [row.cells[1].is_best for row in table.rows] == [False, False, True]


def test_nothing_of_folders_without_them(maker):
    lines = read_lines(maker.write("old", with_operating=False))
    assert [make(lines) for make in (operating_table, decision_table, calibration_table)] == [None] * 3
