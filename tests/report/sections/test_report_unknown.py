"""Results on unknown classes on the page."""

from __future__ import annotations

import dataclasses
import math
import re

from cladewise.records import RunFolder, Unknown, UnknownRule, UnknownScore, read_unknown, write_unknown
from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.sections.unknown import unknown_sections

SCORE = UnknownScore(score="entropy", auroc=0.8, missed=0.5, by_depth={"0": math.nan, "1": 0.8}, at_parent=math.nan)
RULE = UnknownRule(
    rule="new-class",
    known_right=0.7,
    known_called_new=0.05,
    new_found=0.4,
    placed=0.3,
    known_balanced=0.6,
    placed_balanced=0.2,
    known_distance=0.5,
    new_distance=1.0,
    known_distance_balanced=0.75,
    new_distance_balanced=1.25,
)
RESULT = Unknown(
    split="test",
    new_split="test-new",
    num_known=100,
    num_new=30,
    left_out=5,
    new_by_depth={"0": 0, "1": 30},
    held_out=("bird/robin",),
    scores=(SCORE,),
    rules=(RULE,),
    model="",
    fingerprint="",
)


def give(folder, taxonomy, **changes):
    result = dataclasses.replace(RESULT, fingerprint=taxonomy.fingerprint, **changes)
    return write_unknown(RunFolder(folder).unknown("test"), result)


def test_a_result_survives_the_disk(tmp_path):
    file = write_unknown(tmp_path / "unknown" / "test.json", RESULT)
    assert "NaN" not in file.read_text()
    assert repr(read_unknown(file)) == repr(RESULT)


def test_the_tables_are_over_seeds(maker, taxonomy):
    folders = [*(maker.write(f"flat-{seed}", seed=seed) for seed in range(2)), maker.write("hace", method="hace")]
    give(folders[0], taxonomy)
    give(folders[1], taxonomy, scores=(dataclasses.replace(SCORE, auroc=0.9),))
    give(folders[2], taxonomy, rules=(dataclasses.replace(RULE, rule="leaf"),))
    (section,) = unknown_sections(Comparison.read(folders))
    flat, hace = section.scores.rows
    assert flat.cells == (("0.850", "0.071"), ("–", ""), ("0.500", "0.000"))
    assert hace.cells[0] == ("0.800", "")
    assert [row.name for row in section.rules.rows] == ["new-class", "leaf"]
    assert section.rules.rows[1].cells[-2:] == (("0.400", ""), ("1.000", ""))
    assert section.notes == (
        "100 images of known classes and 30 of 1 held-out ones; 5 images labelled at inner nodes take no part.",
    )
    shown = re.sub(r"(<[^>]+>|\s)+", " ", section_html(section))
    assert "0.850 ± 0.071" in shown
    frames = dict(section.frames())
    assert frames["unknown-scores"]["new_anywhere_mean"].round(3).to_list() == [0.85, 0.8]
    assert frames["unknown-decisions"]["decision"].to_list() == ["new-class", "leaf"]


def test_without_results_there_is_no_section(maker, taxonomy):
    folder = maker.write("flat")
    give(folder, taxonomy.__class__.from_paths([("other",)]))
    assert list(unknown_sections(Comparison.read([folder]))) == []
