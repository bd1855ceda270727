"""Few-shot results on the page."""

from __future__ import annotations

import dataclasses
import re

import pytest

from cladewise import InputError
from cladewise.records import FewShot, RunFolder, log, read_few_shot, write_few_shot
from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.sections.few_shot import few_shot_sections
from cladewise.report.sections.training import curve_charts, states

RESULT = FewShot(
    split="test",
    ways="5",
    shots=1,
    queries=15,
    episodes=1000,
    seed=0,
    support_views=5,
    space="own",
    apart=False,
    coarse_level="",
    accuracy=0.9,
    half_width=0.004,
    num_classes=11,
    num_families=3,
    left_out=0,
    fewest_queries=15,
    mean_ways=5.0,
    model="",
    fingerprint="",
)


def give(folder, taxonomy, **changes):
    result = dataclasses.replace(RESULT, fingerprint=taxonomy.fingerprint, **changes)
    return write_few_shot(RunFolder(folder).few_shot, result)


def test_a_result_survives_the_disk(tmp_path):
    file = write_few_shot(tmp_path, RESULT)
    assert file.name == "test-5-way-1-shot.json"
    assert read_few_shot(tmp_path, "test") == {"5-way-1-shot": RESULT}
    assert read_few_shot(tmp_path, "val") == {}
    other = dataclasses.replace(
        RESULT, ways="intra", space="encoder", apart=True, support_views=0, coarse_level="genus"
    )
    assert write_few_shot(tmp_path, other).name == "test-intra-class-1-shot-encoder-apart-0-views-in-genus.json"
    assert dataclasses.replace(other, fewest_queries=1).notes[0] == "some classes have 1 image to ask about, not 15"
    assert other.title == "intra-class in genus, 1-shot, encoder, apart, 0 views"
    assert len(read_few_shot(tmp_path, "test")) == 2


@pytest.mark.parametrize("content", ["{", "[1]", '{"schema_version": 1, "split": "test"}', '{"schema_version": 99}'])
def test_a_file_that_is_none_is_told(tmp_path, content):
    (tmp_path / "x.json").write_text(content)
    with pytest.raises(InputError, match=r"[Mm]ake it again: cladewise evaluate RUN --protocol few-shot"):
        read_few_shot(tmp_path, "test")


def test_the_table_is_over_seeds_or_episodes(maker, taxonomy):
    folders = [*(maker.write(f"flat-{seed}", seed=seed) for seed in range(2)), maker.write("hace", method="hace")]
    give(folders[0], taxonomy, accuracy=0.90)
    give(folders[1], taxonomy, accuracy=0.92)
    give(folders[2], taxonomy, accuracy=0.95)
    give(folders[2], taxonomy, ways="intra", fewest_queries=3, left_out=2)
    give(folders[2], taxonomy, ways="all", split="val")
    (section,) = few_shot_sections(Comparison.read(folders))
    table = section.table
    assert table.titles == ("5-way, 1-shot", "intra-class, 1-shot")
    (flat, nothing), (hace, intra) = (row.cells for row in table.rows)
    assert nothing is None
    assert (flat.value, flat.margin, flat.is_best) == ("91.0", "1.4", False)
    assert flat.note == "standard deviation of 2 seeds"
    assert (hace.value, hace.margin, hace.is_best) == ("95.0", "0.4", True)
    assert not intra.is_best
    assert table.notes == (
        "intra-class, 1-shot: some classes have 3 images to ask about, not 15.",
        "intra-class, 1-shot: 2 classes have too few images of test and take no part.",
        "intra-class, 1-shot: 3 coarse classes have several fine ones, and only these take part.",
    )
    shown = re.sub(r"(<[^>]+>|\s)+", " ", section_html(section))
    assert "91.0 ± 1.4" in shown
    assert "–" in shown


def test_without_results_there_is_no_section(maker, taxonomy):
    folder = maker.write("flat")
    give(folder, taxonomy.__class__.from_paths([("other",)]))
    assert list(few_shot_sections(Comparison.read([folder]))) == []


def test_what_a_method_tells_of_itself_is_a_picture(maker):
    folders = [maker.write("flat"), maker.write("hcm", method="hcm")]
    groups = Comparison.read(folders).groups
    assert states(groups) == {}
    log.append(RunFolder(folders[1]).log, "note")  # after a line that has no end
    for epoch in range(3):
        told = {"margin_10": 1.0, "margin_1": 0.1 * epoch, "log_scale": float(epoch), "val_top1": 0.5, "broken": None}
        log.append(RunFolder(folders[1]).log, "epoch", epoch=8 + epoch, train_loss=1.0, lr=0.1, seconds=2.0, **told)
    groups = Comparison.read(folders).groups
    assert states(groups) == {"margin": ["margin_1", "margin_10"], "log_scale": ["log_scale"]}
    margin, scale = curve_charts(groups)[-2:]
    assert (margin.key, scale.key) == ("curve-state-margin", "curve-state-log_scale")
    assert [trace.name for trace in margin.figure.data] == ["hcm, seed 0, margin 1", "hcm, seed 0, margin 10"]
    assert [round(y, 3) for y in margin.figure.data[0].y] == [0.0, 0.1, 0.2]
    assert [trace.text for trace in margin.figure.data] == [("", "", "1"), ("", "", "10")]
    assert [(trace.name, trace.text) for trace in scale.figure.data] == [("hcm, seed 0, log scale", ("", "", ""))]
    assert scale.summary == "Log scale by epoch, one line per number and run."
