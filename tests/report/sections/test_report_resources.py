"""Training's time and memory on the page, and pages of evaluations in the tree that a network knows."""

from __future__ import annotations

import re

import pytest

from cladewise import InputError
from cladewise.records import Resources
from cladewise.records.layout import RunFolder
from cladewise.report import compare
from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.runs.run import read_run
from cladewise.report.sections.provenance import provenance_sections
from cladewise.taxonomy.surgery import random_hierarchy


def took(folder, **numbers):
    Resources(**{"sessions": 1, "parameters": 1234, "images_seen": 50_000, **numbers}).write(
        RunFolder(folder).resources
    )


def test_the_numbers_of_a_group_are_those_of_its_runs(maker):
    folders = [*(maker.write(f"flat-{seed}", seed=seed) for seed in range(2)), maker.write("hace", method="hace")]
    took(folders[0], seconds=10.0, cpu_seconds=19.0, peak_memory=512.4)
    took(folders[1], seconds=14.0, cpu_seconds=21.0, peak_memory=512.4)
    (section,) = provenance_sections(Comparison.read(folders))
    table = section.resources
    assert [text.title for text in table.texts] == ["Seconds", "CPU seconds", "Peak MB", "Parameters", "Images seen"]
    assert table.rows[0].cells == ("12.0 ± 2.8", "20.0 ± 1.4", "512", "1,234", "50,000")
    assert table.rows[1].cells == ("–",) * 5  # it was trained before this was measured
    shown = re.sub(r"<[^>]+>|\s+", " ", section_html(section))
    assert "12.0 ± 2.8" in shown
    assert "Peak CUDA" not in shown


def test_runs_that_say_nothing_have_no_table(maker):
    folder = maker.write("old")
    (section,) = provenance_sections(Comparison.read([folder]))
    assert section.resources is None
    assert "table-resources" not in section_html(section)


def test_a_file_that_is_none_is_told(maker):
    folder = maker.write("a")
    for content in ("{", '{"secnods": 1}', "[1]"):
        RunFolder(folder).resources.write_text(content)
        with pytest.raises(InputError, match=r"what training took.*, but got .*resources\.json\. Remove the file"):
            read_run(folder, "test")


def test_a_page_is_of_one_tree(maker, taxonomy, tmp_path):
    folders = [maker.write("flat"), maker.write("hace", method="hace")]
    for folder in folders:
        files = RunFolder(folder)
        random_hierarchy(taxonomy, seed=1).write(files.taxonomy, files.true_taxonomy)
    assert read_run(folders[0], "test").taxonomy == taxonomy
    with pytest.raises(InputError, match=r"an evaluation of the split 'test' .* Run: .*--split test --tree own"):
        read_run(folders[0], "test", tree="own")
    page = compare(folders, tmp_path / "page.html").read_text()
    assert "<dt>tree</dt>" not in page


def test_another_tree_where_there_is_but_one_is_that_one(maker):
    folder = maker.write("flat")
    assert read_run(folder, "test", tree="own").evaluation.tree == "true"
