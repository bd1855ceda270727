"""Risk–coverage curves: the numbers behind the lines."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.sections.risk import GRID, risk_curves, risk_sections


def write_risk(folder, **by_rule):
    file = RunFolder(folder).evaluation("test", "none", "leaf")
    content = json.loads(file.read_text())
    content["curves"]["risk"] = by_rule
    for name in ("haurc", "haurc_threshold"):
        content["metrics"][name] = {"value": 0.1, "low": 0.05, "high": 0.2, "count": 10}
    file.write_text(json.dumps(content))


def points(coverage, risk):
    return {"threshold": [None, *np.linspace(0.9, 0.1, len(risk) - 1)], "coverage": coverage, "risk": risk}


def test_seeds_are_averaged_at_equal_coverage(maker):
    folders = [maker.write(f"f{seed}", seed=seed) for seed in range(2)]
    write_risk(folders[0], climbing=points([0, 0.5, 1.0], [0, 0.1, 0.5]))
    write_risk(folders[1], climbing=points([0.4, 1.0], [0.2, 0.8]))
    comparison = Comparison.read(folders)
    (curve,) = risk_curves(comparison.lines, "climbing")
    assert (curve.coverage[0], curve.coverage[-1], curve.coverage.size) == (0, 1, GRID)
    first = np.interp(curve.coverage, [0, 0.5, 1], [0, 0.1, 0.5])
    second = np.interp(curve.coverage, [0, 0.4, 1], [0, 0.2, 0.8])  # joined to the root
    assert curve.mean == pytest.approx((first + second) / 2)
    assert curve.sd == pytest.approx(abs(first - second) / np.sqrt(2))
    (section,) = risk_sections(comparison)
    assert section.has_bands
    assert [chart.key for chart in section.charts] == ["risk-climbing"]
    band, line = section.charts[0].figure.data
    assert (len(band.x), len(line.x)) == (2 * GRID, GRID)
    assert line.y[-1] == pytest.approx(65)


def test_the_files_have_every_point_of_every_seed(maker):
    folder = maker.write("f")
    write_risk(folder, climbing=points([0, 1], [0, 0.5]), threshold=points([0, 0.5, 1], [0, 0, 0.4]))
    (section,) = risk_sections(Comparison.read([folder]))
    assert not section.has_bands
    ((name, frame),) = section.frames()
    assert name == "risk-coverage"
    assert frame.columns == ["rule", "group", "inference", "seed", "threshold", "coverage", "risk"]
    assert frame["rule"].to_list() == ["climbing"] * 2 + ["threshold"] * 3
    assert frame["threshold"].to_list()[:2] == [1.0, 0.9]
    assert [name for name, _ in section.drawings()] == ["risk-climbing", "risk-threshold"]
    ((key, table),) = section.tables()
    assert key == "risk-table"
    assert "hAURC" in table.cells()[0][1]


def test_evaluations_without_such_curves_have_no_section(maker):
    assert list(risk_sections(Comparison.read([maker.write("f")]))) == []
