"""Curves, diagrams and tables as files of their own."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree

import numpy as np
import polars as pl
import pytest
from PIL import Image

from cladewise.report import write_page
from cladewise.report.export import write_figures
from cladewise.report.groups import group_runs
from cladewise.report.lines import lines_of
from cladewise.report.operating import mean_curves
from cladewise.report.run import read_run

SVG = "{http://www.w3.org/2000/svg}"
DRAWN = ("correct-recall", "precision-recall", "reliability")
CLASSES = ("classes-kingdom", "classes-family", "classes-species")
TABLES = ("operating-table", "decisions", "calibration", "results", "more-metrics")


@pytest.fixture
def folders(maker):
    return [*(maker.write(f"f{seed}", seed=seed) for seed in range(2)), maker.write("h", method="hace", skill=0.8)]


@pytest.fixture
def groups(folders):
    return group_runs([read_run(folder, "test") for folder in folders])


def test_every_file_and_no_other(groups, tmp_path):
    written = write_figures(groups, tmp_path / "new" / "figures")
    expected = {f"{name}.{ending}" for name in DRAWN + CLASSES for ending in ("png", "svg")}
    expected |= {f"{name}.{ending}" for name in TABLES for ending in ("csv", "md")}
    expected |= {"operating-curves.csv", "operating-points.csv", "reliability.csv", "classes.csv", "confusion.csv"}
    assert {file.name for file in written} == expected
    assert {file.name for file in (tmp_path / "new" / "figures").iterdir()} == expected


def test_pictures_are_pictures_with_the_names_in_them(groups, tmp_path):
    write_figures(groups, tmp_path)
    for name in DRAWN:
        with Image.open(tmp_path / f"{name}.png") as picture:
            assert min(picture.size) > 500
            assert len(picture.convert("RGB").resize((60, 40)).getcolors(maxcolors=2400)) > 5
        texts = [element.text for element in ElementTree.parse(tmp_path / f"{name}.svg").iter(f"{SVG}text")]
        assert {"flat-softmax", "hace"} <= set(texts)


def test_colours_are_those_of_the_page(groups, tmp_path):
    write_figures(groups, tmp_path)
    drawn = (tmp_path / "correct-recall.svg").read_text()
    for line in lines_of(groups):
        assert line.color in drawn


def test_equal_runs_give_equal_files(groups, tmp_path):
    for name in ("a", "b"):
        write_figures(groups, tmp_path / name)
    for file in (tmp_path / "a").iterdir():
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes(), file.name


def test_numbers_are_those_of_the_curves(groups, tmp_path):
    write_figures(groups, tmp_path)
    frame = pl.read_csv(tmp_path / "operating-curves.csv")
    flat, hace = mean_curves(lines_of(groups))
    there = frame.filter(pl.col("group") == "flat-softmax")
    assert there["correct_mean"].to_numpy() == pytest.approx(flat.mean["correct"])
    assert there["correct_sd"].to_numpy() == pytest.approx(flat.sd["correct"])
    assert there["num_seeds"].unique().to_list() == [2]
    assert frame.filter(pl.col("group") == "hace")["precision_sd"].null_count() == hace.recall.size
    points = pl.read_csv(tmp_path / "operating-points.csv").filter(
        (pl.col("group") == "flat-softmax") & (pl.col("seed") == 1)
    )
    assert points["recall"].to_numpy() == pytest.approx(flat.curves[1].recall)


def test_tables_have_means_and_deviations(groups, tmp_path):
    write_figures(groups, tmp_path)
    frame = pl.read_csv(tmp_path / "operating-table.csv")
    assert frame["group"].to_list() == ["flat-softmax", "hace"]
    values = [run.evaluation.value("ap") for run in groups[0].runs]
    assert frame["ap_mean"][0] == pytest.approx(np.mean(values))
    assert frame["ap_sd"][0] == pytest.approx(np.std(values, ddof=1))
    assert frame["ap_sd"][1] is None
    assert set(pl.read_csv(tmp_path / "results.csv").columns) >= {"top1_mean", "top1_sd", "top1_low", "top1_high"}


def test_markdown_is_a_table_that_names_cannot_break(maker, tmp_path):
    odd = [maker.write("a", options={"beta": "1|2"}), maker.write("b", options={"beta": "<b>"}, skill=0.9)]
    write_page(odd, tmp_path / "page.html", figures=tmp_path / "figures")
    head, rule, *rows = (tmp_path / "figures" / "operating-table.md").read_text().splitlines()
    assert head.startswith("| group | AP % ↑ | AC % ↑ |")
    assert rule == "| --- |" + " --: |" * 7
    assert rows[0].startswith("| flat-softmax beta=1\\|2 |")
    assert rows[1].startswith("| flat-softmax beta=&lt;b> | **")


def test_several_inferences_have_a_picture_each(folders, maker, tmp_path):
    maker.write_inference(folders[2], "bottom-up", skill=0.9)
    write_figures(group_runs([read_run(folder, "test") for folder in folders]), tmp_path)
    assert {f"correct-recall{ending}.svg" for ending in ("", "-none", "-bottom-up")} <= {
        file.name for file in tmp_path.iterdir()
    }
    assert (
        "hace + bottom-up"
        in pl.read_csv(tmp_path / "operating-curves.csv")
        .select(pl.concat_str("group", "inference", separator=" + "))
        .to_series()
        .to_list()
    )


def test_folders_of_before_operating_curves_have_their_results(maker, tmp_path):
    page = write_page([maker.write("f", with_operating=False)], tmp_path / "page.html", figures=tmp_path / "figures")
    assert page.is_file()
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"results.csv", "results.md", "confusion.csv"}
