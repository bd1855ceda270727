"""Pictures of where a model looks, from what a run folder holds."""

from __future__ import annotations

import pytest

from cladewise import InputError
from cladewise.records.explanations import OF_FILES
from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.sections.explanations import explanation_sections


def sections_of(folders):
    return list(explanation_sections(Comparison.read(folders)))


def groups_of(folders):
    return [group for section in sections_of(folders) for group in section.groups]


def html_of(folders) -> str:
    return "".join(section_html(section) for section in sections_of(folders))


def test_a_row_an_image_and_a_column_a_level(maker, taxonomy):
    folder = maker.write("f")
    made = maker.write_explanations(folder)
    (found,) = groups_of([folder])
    assert found.levels == ("kingdom", "family", "species")
    assert [row.path for row in found.rows] == [image.path for image in made.images]
    for row, image in zip(found.rows, made.images, strict=True):
        assert row.true == taxonomy.path_names(image.true)
        assert [each.answer for each in row.maps] == [taxonomy.names[each.predicted] for each in image.maps]
        assert all(each.picture.startswith("data:image/jpeg") for each in row.maps)
    assert [each.probability for each in found.rows[0].maps] == ["90%", "82%", "74%"]


def test_answers_are_right_wrong_or_beyond_the_label(maker, taxonomy):
    folder = maker.write("f")
    row = next(
        i
        for i, node in enumerate(maker.images.target.tolist())
        if taxonomy.level[node] == 2 and not taxonomy.is_leaf[node]
    )
    maker.write_explanations(folder, rows=[row, 0])
    (found,) = groups_of([folder])
    assert [each.verdict for each in found.rows[0].maps] == ["right", "right", ""]
    assert [each.verdict for each in found.rows[1].maps] == ["wrong"] * 3


def test_the_seed_that_was_explained_stands_for_its_group(maker):
    folders = [maker.write(f"f{seed}", seed=seed) for seed in range(3)] + [maker.write("h", method="hace")]
    maker.write_explanations(folders[1])
    (found,) = groups_of(folders)
    assert (found.group.label, found.run.seed) == ("flat-softmax", 1)


def test_files_of_ones_own_come_after_the_split(maker, tmp_path):
    folder = maker.write("f")
    maker.write_explanations(folder)
    maker.write_explanations(folder, split=OF_FILES, rows=[5])
    (found,) = groups_of([folder])
    assert [row.true is None for row in found.rows] == [False, False, False, True]
    assert [each.verdict for each in found.rows[3].maps] == ["", "", ""]
    assert "no label" in html_of([folder])


def test_the_page_shows_a_tab_a_group_or_leaves_the_section_out(maker, tmp_path):
    folders = [maker.write("f"), maker.write("h", method="hace")]
    assert sections_of(folders) == []
    for folder in folders:
        maker.write_explanations(folder)
    section = html_of(folders)
    assert section.count("data-panel=") == 2
    assert section.count("<img") == 2 * 3 * 4
    assert "nothing supports it" in section
    assert "<i>&.jpg" not in section, "paths are text"


def test_a_picture_that_is_gone_leaves_its_path(maker, tmp_path):
    folder = maker.write("f")
    maker.write_explanations(folder)
    for file in RunFolder(folder).explanations("test").parent.glob("*-2.webp"):
        file.unlink()
    section = html_of([folder])
    assert section.count('class="no-picture"') == 3


def test_levels_that_were_left_out_have_no_cell(maker, tmp_path):
    folder = maker.write("f")
    maker.write_explanations(folder)
    index = RunFolder(folder).explanations("test")
    text = index.read_text()
    index.write_text(text.replace('"level": 1,', '"level": 2,', 1))
    (found,) = groups_of([folder])
    assert found.rows[0].maps[0] is None
    assert 'class="no-map"' in html_of([folder])


def test_explanations_over_another_tree_or_of_another_version(maker):
    folder = maker.write("f")
    maker.write_explanations(folder)
    index = RunFolder(folder).explanations("test")
    text = index.read_text()
    index.write_text(text.replace(maker.taxonomy.fingerprint, "0123"))
    with pytest.raises(
        InputError, match=r"explanations over the run's own taxonomy .* but got 0123 at .* Run: cladewise explain"
    ):
        groups_of([folder])
    index.write_text(text.replace('"schema_version": 1', '"schema_version": 9'))
    with pytest.raises(InputError, match="schema_version 1, but got 9"):
        groups_of([folder])
    index.write_text("{")
    with pytest.raises(InputError, match="an index of explanations"):
        groups_of([folder])


def test_the_files_draw_them_and_list_them(maker, drawn):
    folder = maker.write("f")
    made = maker.write_explanations(folder)
    (section,) = sections_of([folder])
    pictures, ((name, frame),) = drawn(section), section.frames()
    assert (name, list(pictures)) == ("explanations", ["explanations-flat-softmax-test"])
    assert pictures["explanations-flat-softmax-test"].count("<image") == 4 * len(made.images)
    assert frame.height == sum(len(image.maps) for image in made.images)
    assert frame["level"].unique().sort().to_list() == ["family", "kingdom", "species"]
    assert frame["probability"].is_between(0, 1).all()
