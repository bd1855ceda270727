"""Accuracy before and after a migration: what is called equal is equal for every image."""

from __future__ import annotations

import numpy as np

from cladewise.migration.accuracy import Answers, compared
from cladewise.migration.report_text import short_lines
from cladewise.records.migration import MigrationReport
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence

TREE = Taxonomy.from_paths([("warm", "red"), ("warm", "orange"), ("cold", "blue")])


def said(before: list[int], after: list[int]) -> str:
    label = np.array([2, 2, 3, 5])
    answers = [Answers(TREE, np.arange(4), np.array(answer), label) for answer in (before, after)]
    found = Correspondence.identity(TREE)
    groups = compared(answers[0], answers[1], CarryOver.of(found), found)
    return short_lines(MigrationReport("refit", "", "a", "old", "new", {}, "", "test", "leaf", groups))[1]


def test_as_many_right_answers_are_not_equal_ones() -> None:
    assert said([2, 3, 3, 3], [3, 2, 3, 3]) == "test, untouched: 50.0% before, 50.0% after, 4 images"
    assert said([2, 3, 3, 3], [2, 3, 3, 2]).endswith("50.0% after, 4 images; equal to the last bit")
