"""Recall of labels with many, medium and few training images, as the report shows it."""

from __future__ import annotations

import json

import pytest

from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.sections.by_frequency import frequency_sections

BOUNDS = {"few_below": 20, "many_above": 100}


def sections_of(folders):
    return list(frequency_sections(Comparison.read(folders)))


def with_recalls(folder, values, *, bounds=BOUNDS):
    """Write recalls by level and frequency into the evaluation of a run: the value and the number of labels."""
    (path,) = (folder / "evaluations").glob("*.json")
    content = json.loads(path.read_text())
    content["frequencies"] = bounds
    for level in ("kingdom", "family", "species"):
        for frequency in ("many", "medium", "few"):
            value, count = values.get((level, frequency), (None, 0))
            entry = {"value": value, "low": None, "high": None, "count": count}
            content["metrics"][f"{frequency}_recall/{level}"] = entry
    path.write_text(json.dumps(content))
    return folder


def test_every_level_shows_the_frequencies_that_it_has(maker):
    recalls = {("kingdom", "many"): (0.9, 2), ("species", "many"): (0.8, 3), ("species", "few"): (0.2, 1)}
    others = {**recalls, ("species", "few"): (0.4, 1)}
    folders = [
        with_recalls(maker.write("a", seed=0), recalls),
        with_recalls(maker.write("b", seed=1), others),
        with_recalls(maker.write("h", method="hace"), others),
    ]
    (section,) = sections_of(folders)
    assert [(each.level, each.frequencies) for each in section.levels] == [
        ("kingdom", ("many",)),
        ("species", ("many", "few")),
    ]
    flat, hace = section.charts[1].figure.data
    assert list(flat.x) == ["many (3 labels)", "few (1 label)"]
    assert list(flat.y) == pytest.approx([80.0, 30.0])  # the mean of two seeds
    assert list(hace.y) == pytest.approx([80.0, 40.0])
    ((_, frame),) = section.frames()
    assert frame.filter(level="species", frequency="few")["recall"].to_list() == pytest.approx([0.3, 0.4])
    assert frame["few_below"].unique().to_list() == [20]
    html = section_html(section)
    assert "more than 100" in html
    assert "fewer than 20" in html


def test_there_is_no_section_without_a_tail_or_with_different_bounds(maker):
    alike = {(level, "medium"): (0.5, 4) for level in ("kingdom", "family", "species")}
    tail = {**alike, ("species", "few"): (0.2, 1)}
    assert sections_of([maker.write("early")]) == []
    assert sections_of([with_recalls(maker.write("alike"), alike)]) == []
    first = with_recalls(maker.write("one"), tail)
    other = with_recalls(maker.write("two", method="hace"), tail, bounds={"few_below": 5, "many_above": 9})
    assert len(sections_of([first])) == 1
    assert sections_of([first, other]) == []
