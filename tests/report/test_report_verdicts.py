"""A sentence per group, and whether the images tell it from the baseline."""

from __future__ import annotations

import json
import re

import numpy as np
import polars as pl
import pytest

from cladewise import InputError
from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.header import page_header
from cladewise.report.page import page_html
from cladewise.report.runs.groups import group_runs
from cladewise.report.runs.run import read_run
from cladewise.report.sections import build_sections
from cladewise.report.verdicts import compared, verdicts_of
from cladewise.statistics import Interval, mean_interval, paired_difference


def groups_of(*folders):
    return group_runs([read_run(folder, "test") for folder in folders])


def edit(folder, change):
    file = RunFolder(folder).evaluation("test", "none", "leaf")
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))


def test_a_sentence_has_the_numbers_of_the_evaluation(maker, taxonomy):
    folder = maker.write("f")
    (found,) = verdicts_of(groups := groups_of(folder), groups[0])
    metric = groups[0].runs[0].evaluation.metrics["correct"]
    shown = [f"{100 * getattr(metric, part):.1f}" for part in ("value", "low", "high")]
    leaves = 100 * taxonomy.is_leaf[groups[0].runs[0].predicted].mean()
    assert found.sentence == f"{shown[0]}% correct [{shown[1]}, {shown[2]}], {leaves:.0f}% of answers are leaves"
    assert found.comparison == ""


def test_the_share_of_leaves_is_counted_where_the_evaluation_does_not_state_it(maker, taxonomy):
    answers = maker.images.target.copy()
    answers[: answers.size // 2] = 0
    (found,) = verdicts_of(groups := groups_of(maker.write("f", predicted=answers)), groups[0])
    assert f"{100 * taxonomy.is_leaf[answers].mean():.0f}% of answers are leaves" in found.sentence


def test_several_seeds_are_averaged(maker):
    groups = groups_of(*(maker.write(f"f{seed}", seed=seed) for seed in range(3)))
    (found,) = verdicts_of(groups, groups[0])
    interval = mean_interval(groups[0].values("correct"))
    assert found.sentence.startswith(f"{100 * interval.value:.1f}% correct [{100 * interval.low:.1f}, ")
    assert found.sentence.endswith(" (mean of 3 seeds)")


@pytest.mark.parametrize(
    ("promise", "said"), [(0.3, "the 30% guarantee held"), (0.99, "the 99% guarantee did not hold")]
)
def test_a_promise_is_held_against_the_interval(maker, promise, said):
    folder = maker.write("f")
    edit(folder, lambda content: content.update(promise=promise))
    (found,) = verdicts_of(groups := groups_of(folder), groups[0])
    assert found.sentence.endswith(said)


def test_a_promise_that_is_no_share_is_named(maker):
    folder = maker.write("f")
    for promise in (95, "most"):
        edit(folder, lambda content, promise=promise: content.update(promise=promise))
        with pytest.raises(
            InputError, match=r"an evaluation as .* writes it, but got .*leaf\.json\. Delete it, and run"
        ):
            groups_of(folder)


def test_the_comparison_is_that_of_the_same_images(maker):
    groups = groups_of(maker.write("f", skill=0.3), maker.write("h", method="hace", skill=0.95))
    first, second = verdicts_of(groups, groups[0])
    difference = paired_difference(groups[1].values("correct"), groups[0].values("correct"))
    assert first.comparison == ""
    assert difference.excludes(0)
    assert second.comparison == compared("hace", "flat-softmax", difference)
    assert f"hace is right more often than flat-softmax by {100 * difference.value:.1f} points" in second.comparison


def test_equal_answers_are_not_told_apart(maker):
    groups = groups_of(
        maker.write("f"), maker.write("h", method="hace", predicted=maker._answers("flat-softmax", 0, 0.6))
    )
    said = verdicts_of(groups, groups[0])[1].comparison
    assert said == "These 66 images cannot tell whether hace or flat-softmax is right more often"


def test_one_image_is_one():
    said = compared("a", "b", Interval(0.0, 0.0, 0.0, 1))
    assert said == "This one image cannot tell whether a or b is right more often"


def test_the_page_says_them_and_survives_numbers_that_are_none(maker, drawn):
    folders = [maker.write("f"), maker.write("h", method="hace")]
    header = page_header(Comparison.read(folders), None)
    assert [found.group.label for found in header.verdicts] == ["flat-softmax", "hace"]
    assert all("% correct [" in found.sentence for found in header.verdicts)
    for folder in folders:
        edit(folder, lambda content: [entry.update(value=None, low=None) for entry in content["metrics"].values()])
        file = RunFolder(folder).outcomes("test", "none", "leaf")
        frame = pl.read_parquet(file)
        numbers = [name for name in frame.columns if frame[name].dtype == pl.Float64]
        frame.with_columns(pl.lit(np.nan).alias(name) for name in numbers).write_parquet(file)
    comparison = Comparison.read(folders)
    sections = build_sections(comparison)
    text = page_html(comparison, sections)
    verdicts = re.search(r'<ul class="verdicts">.*?</ul>', text, re.DOTALL)[0]
    assert verdicts.count("<li>") == 2
    assert text.count("no image to judge by") == 2
    assert not re.search(r"\bnan\b", re.sub(r"<script.*?</script>", "", text, flags=re.DOTALL), re.IGNORECASE)
    assert sum(len(drawn(section)) for section in sections) == 3
