"""Plates of run folders on the page and as files."""

from __future__ import annotations

import json

import polars as pl
import pytest

from cladewise import InputError
from cladewise.records import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.export import export_sections
from cladewise.report.page import section_html
from cladewise.report.sections.explanations import explanation_sections
from cladewise.report.sections.plates import plate_sections


def sections_of(folders):
    return list(plate_sections(Comparison.read(folders)))


@pytest.fixture
def folders(maker):
    """Two seeds of one group, and another group."""
    made = [maker.write(f"f{seed}", seed=seed) for seed in range(2)] + [maker.write("h", method="hace")]
    for folder, shift in zip(made, (0.0, 0.1, 0.2), strict=True):
        maker.write_plates(folder, shift=shift)
    return made


def test_numbers_of_groups_stand_side_by_side_with_the_best_marked(folders):
    (section,) = sections_of(folders)
    (found,) = section.comparisons
    assert [measure.name for measure in found.measures] == ["purity"], "others do not compare"
    (_, flat), (_, hace) = found.rows
    assert [cell.value for cell in flat] == ["0.550", "0.650", "0.750"]
    assert [cell.sd for cell in flat] == ["0.071"] * 3
    assert [cell.value for cell in hace] == ["0.700", "0.800", "0.900"]
    assert [cell.is_best for cell in flat + hace] == [False] * 3 + [True] * 3
    assert [entry.run.seed for entry in section.groups] == [0, 0]


def test_numbers_of_another_basis_do_not_compare(folders):
    index = RunFolder(folders[2]).plates("manifolds", "test")
    index.write_text(index.read_text().replace("60 images", "50 images"))
    (section,) = sections_of(folders)
    assert section.comparisons == ()
    assert [entry.tables[0].cells[0] for entry in section.groups] == [("0.500", "60"), ("0.700", "60")]


def test_the_page_has_a_section_a_kind_and_a_tab_a_group(folders, maker):
    maker.write_plates(folders[0], kind="space")
    section, space = map(section_html, sections_of(folders))
    assert section.count("data-panel=") == 2
    assert section.count('<img src="data:image/webp;base64,') == 2
    assert section.count('alt="Dots in a plane"') == 2
    assert "Dots &lt;1&gt;" in section
    assert "Of &lt;neighbours&gt;." in section
    assert "Dots &amp; names." in section
    assert "data-panel=" not in space, "a single group needs no tabs"
    assert "<script" not in section


def test_without_plates_there_is_no_section(maker):
    assert sections_of([maker.write("f")]) == []


def test_a_picture_that_is_gone_leaves_its_path(folders, tmp_path):
    (RunFolder(folders[0]).plates("manifolds", "test").parent / "dots.png").unlink()
    section = section_html(*sections_of(folders))
    assert section.count('class="no-picture"') == 1
    assert "dots.png" in section


def test_plates_of_other_weights_say_so(maker, tmp_path):
    folder = maker.write("f")
    maker.write_plates(folder, model="1")
    (section,) = sections_of([folder])
    assert section.groups[0].is_stale == bool(section.groups[0].run.evaluation.model)
    file = next(RunFolder(folder).evaluations().glob("*.json"))
    file.write_text(file.read_text().replace("{", '{"model": "2", ', 1))
    assert "different weights" in section_html(*sections_of([folder]))
    index = RunFolder(folder).plates("manifolds", "test")
    index.write_text(index.read_text().replace('"model": "1"', '"model": "2"'))
    assert "different weights" not in section_html(*sections_of([folder]))


def test_plates_and_maps_of_other_labels_say_so(maker, tmp_path):
    folder = maker.write("f")
    maker.write_plates(folder)
    maker.write_explanations(folder)
    file = next(RunFolder(folder).evaluations().glob("*.json"))
    file.write_text(file.read_text().replace("{", '{"data": "corrected", ', 1))
    indices = [RunFolder(folder).plates("manifolds", "test"), RunFolder(folder).explanations("test")]
    for digest, times in (("as before", 2), ("corrected", 0)):
        for index in indices:
            content = json.loads(index.read_text())
            index.write_text(json.dumps({**content, "digest": digest}))
        comparison = Comparison.read([folder])
        found = [*plate_sections(comparison), *explanation_sections(comparison)]
        text = "".join(map(section_html, found))
        assert text.count("Made with different weights, images or labels") == times


def test_plates_over_another_tree_are_left_out(folders, maker, tmp_path):
    indices = [RunFolder(folder).plates("manifolds", "test") for folder in folders]
    for index in indices[:2]:
        index.write_text(index.read_text().replace(maker.taxonomy.fingerprint, "0123"))
    (section,) = sections_of(folders)
    assert [entry.group.label for entry in section.groups] == ["hace"]
    indices[2].write_text(indices[2].read_text().replace(maker.taxonomy.fingerprint, "0123"))
    assert sections_of(folders) == []


def test_an_index_that_is_none_is_named(folders):
    RunFolder(folders[0]).plates("manifolds", "test").write_text("{")
    with pytest.raises(InputError, match="an index of plates"):
        sections_of(folders)


def test_the_files_are_copied_and_the_numbers_joined(folders, tmp_path):
    written = {file.name for file in export_sections(sections_of(folders), tmp_path)}
    each = {f"manifolds-{group}-{file}" for group in ("flat-softmax", "hace") for file in ("dots.png", "dots.svg")}
    assert written == each | {f"manifolds-{group}-pairs.csv" for group in ("flat-softmax", "hace")} | {
        "manifolds-overlap.csv"
    }
    frame = pl.read_csv(tmp_path / "manifolds-overlap.csv")
    assert frame.columns == ["group", "seed", "basis", "level", "purity", "images"]
    assert frame.height == 3 * 3
    assert frame.filter(pl.col("group") == "hace")["purity"].to_list() == pytest.approx([0.7, 0.8, 0.9])
