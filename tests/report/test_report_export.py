"""Curves, diagrams and tables as files of their own."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree as ElementTree
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cladewise.drawing.paper import save_figure
from cladewise.drawing.tables import write_csv, write_markdown
from cladewise.records.layout import RunFolder
from cladewise.report import compare
from cladewise.report.comparison import Comparison
from cladewise.report.export import export_sections
from cladewise.report.runs.lines import shown_and_by_inference
from cladewise.report.sections import build_sections
from cladewise.report.sections.classes import class_sections
from cladewise.report.sections.operating import operating_sections
from cladewise.report.sections.reliability import reliability_sections

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = ("correct-recall", "precision-recall", "reliability")
CLASSES = ("classes-kingdom", "classes-family", "classes-species")
TABLES = ("operating-table", "decisions", "calibration", "results", "more-metrics")


@pytest.fixture(scope="module")
def comparison(module_maker):
    folders = [*(module_maker.write(f"f{seed}", seed=seed) for seed in range(2))]
    return Comparison.read([*folders, module_maker.write("h", method="hace", skill=0.8)])


@pytest.fixture(scope="module")
def exported(comparison, tmp_path_factory):
    """A folder that did not exist, with everything that the sections export."""
    folder = tmp_path_factory.mktemp("export") / "new" / "figures"
    return folder, export_sections(build_sections(comparison), folder)


def test_every_file_and_no_other(exported):
    folder, written = exported
    expected = {f"{name}.{ending}" for name in DRAWN + CLASSES for ending in ("png", "svg")}
    expected |= {f"{name}.{ending}" for name in TABLES for ending in ("csv", "md")}
    expected |= {"operating-curves.csv", "operating-points.csv", "reliability.csv", "classes.csv", "confusion.csv"}
    assert {file.name for file in written} == expected
    assert {file.name for file in folder.iterdir()} == expected


def test_pictures_are_pictures_with_the_names_in_them(exported):
    folder, _ = exported
    for name in DRAWN:
        with Image.open(folder / f"{name}.png") as picture:
            assert min(picture.size) > 500
            assert len(picture.convert("RGB").resize((60, 40)).getcolors(maxcolors=2400)) > 5
        texts = [element.text for element in ElementTree.parse(folder / f"{name}.svg").iter(f"{SVG}text")]
        assert {"flat-softmax", "hace"} <= set(texts)


def test_colours_are_those_of_the_page(exported, comparison):
    drawn = (exported[0] / "correct-recall.svg").read_text()
    for line in comparison.lines:
        assert line.color in drawn


def test_equal_runs_give_equal_files(exported, comparison, tmp_path):
    """The first drawing of every section, and all numbers."""
    written: list[Path] = []
    for section in build_sections(Comparison(comparison.groups, comparison.baseline)):
        for name, figure in itertools.islice(section.drawings(), 1):
            written += save_figure(figure, tmp_path / name)
        written += [write_csv(frame, tmp_path / f"{name}.csv") for name, frame in section.frames()]
    assert len(written) == 3 * 2 + 5
    for file in written:
        assert file.read_bytes() == (exported[0] / file.name).read_bytes(), file.name


def test_numbers_are_those_of_the_curves(exported, comparison):
    folder, _ = exported
    frame = pl.read_csv(folder / "operating-curves.csv")
    flat, hace = comparison.curves
    there = frame.filter(pl.col("group") == "flat-softmax")
    assert there["correct_mean"].to_numpy() == pytest.approx(flat.mean["correct"])
    assert there["correct_sd"].to_numpy() == pytest.approx(flat.sd["correct"])
    assert there["num_seeds"].unique().to_list() == [2]
    assert frame.filter(pl.col("group") == "hace")["precision_sd"].null_count() == hace.recall.size
    points = pl.read_csv(folder / "operating-points.csv").filter(
        (pl.col("group") == "flat-softmax") & (pl.col("seed") == 1)
    )
    assert points["recall"].to_numpy() == pytest.approx(flat.curves[1].recall)


def test_tables_have_means_and_deviations(exported, comparison):
    folder, _ = exported
    frame = pl.read_csv(folder / "operating-table.csv")
    assert frame["group"].to_list() == ["flat-softmax", "hace"]
    values = [run.evaluation.value("ap") for run in comparison.groups[0].runs]
    assert frame["ap_mean"][0] == pytest.approx(np.mean(values))
    assert frame["ap_sd"][0] == pytest.approx(np.std(values, ddof=1))
    assert frame["ap_sd"][1] is None
    assert set(pl.read_csv(folder / "results.csv").columns) >= {"top1_mean", "top1_sd", "top1_low", "top1_high"}


def test_markdown_is_a_table_that_names_cannot_break(maker, tmp_path):
    odd = [maker.write("a", options={"beta": "1|2"}), maker.write("b", options={"beta": "<b>"}, skill=0.9)]
    (section,) = operating_sections(Comparison.read(odd))
    ((name, table),) = section.tables()
    file = write_markdown(table.cells(), tmp_path / f"{name}.md", num_names=table.num_names)
    head, rule, *rows = file.read_text().splitlines()
    assert head.startswith("| group | AP % ↑ | AC % ↑ |")
    assert rule == "| --- |" + " --: |" * 7
    assert rows[0].startswith("| flat-softmax beta=1\\|2 |")
    assert rows[1].startswith("| flat-softmax beta=&lt;b> | **")


def test_several_inferences_have_a_picture_each(maker):
    folders = [maker.write("f"), maker.write("h", method="hace", skill=0.8)]
    maker.write_inference(folders[1], "bottom-up", skill=0.9)
    comparison = Comparison.read(folders)
    (section,), (reliability,) = operating_sections(comparison), reliability_sections(comparison)
    curves = dict(section.frames())["operating-curves"]
    assert ("hace", "bottom-up") in curves.select("group", "inference").unique().rows()
    lines = {name: [line.label for line in found] for name, found in shown_and_by_inference(comparison.lines).items()}
    assert lines == {
        "": ["flat-softmax", "hace"],
        "-none": ["flat-softmax", "hace"],
        "-bottom-up": ["hace + bottom-up"],
    }
    assert [name for name, _ in reliability.drawings()] == [f"reliability{ending}" for ending in lines]
    drawn = dict(section.drawings())
    assert set(drawn) == {f"{measure}-recall{ending}" for measure in ("correct", "precision") for ending in lines}
    (line,) = drawn["correct-recall-bottom-up"].axes[0].lines
    assert line.get_label() == "hace + bottom-up"


def test_folders_of_before_operating_curves_have_their_results(maker, tmp_path):
    page = compare([maker.write("f", with_operating=False)], tmp_path / "page.html", figures=tmp_path / "figures")
    assert page.is_file()
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"results.csv", "results.md", "confusion.csv"}


def test_classes_of_groups_that_have_a_place_in_the_tree(maker):
    """A group that answers with sets of labels is left out of the export as it is of the page."""
    folders = [maker.write("f"), maker.write("h", method="hace"), maker.write("s", method="sets")]
    file = RunFolder(folders[2]).outcomes("test", "none", "leaf")
    frame = pl.read_parquet(file)
    sets = pl.Series("labels", [[int(node)] for node in frame["target"]], dtype=pl.List(pl.Int64))
    frame.with_columns(sets, predicted=pl.lit(-1), lca=pl.lit(-1)).drop(
        name for name in frame.columns if name.startswith("level_accuracy/")
    ).write_parquet(file)
    comparison = Comparison.read(folders)
    assert [group.label for group in comparison.placing] == ["flat-softmax", "hace"]
    ((_, rows),) = next(iter(class_sections(comparison))).frames()
    assert rows["group"].unique(maintain_order=True).to_list() == ["flat-softmax", "hace"]
