"""The page on which method to take: its figures from run folders, its signs from tests, and that nobody typed in it."""

from __future__ import annotations

import dataclasses
import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from scipy import stats

from cladewise import suites
from cladewise.suites import read_suite
from suites.small_suites import ENCODER, TRAINING, go_to, write_photographs

ROOT = Path(__file__).parents[2]
SUITE = (
    """
title = "Colours"
seeds = 2
baseline = "flat-softmax"
methods = ["flat-softmax", "hace", "hab:fits_on=5-fold"]
inferences = ["none", "bottom-up", "top-down"]
decisions = ["leaf", "majority"]
[[data]]
name = "photos"
"""
    + ENCODER
    + TRAINING
    + """lr = 0.1
[[table]]
name = "own"
title = "Own"
columns = ["leaf_top1", "hd@1", "ac", "r@90", "info_f1", "correct", "cpu_seconds"]
[[table]]
name = "decisions"
title = "Decisions"
decisions = "all"
columns = ["correct", "info_recall", "info_f1", "severity"]
[[table]]
name = "inferences"
title = "Inferences"
inferences = "all"
decisions = ["leaf"]
columns = ["ac", "leaf_top1"]
"""
)


@pytest.fixture(scope="module")
def tools() -> Any:
    """The modules of the folder ``results``, which import each other by their plain names."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(ROOT / "results"))
        import collecting
        import make_page
        import page

        yield type("Tools", (), {"collecting": collecting, "page": page, "make_page": make_page})
        for name in ("collecting", "dot_plot", "page", "make_page"):
            sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def measured(tools: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    folder = tmp_path_factory.mktemp("which")
    write_photographs(folder, each=30, noise=110)
    (folder / "which.toml").write_text(SUITE)
    with pytest.MonkeyPatch.context() as patch:
        go_to(folder, patch)
        suites.benchmark("which.toml", out="out", progress=False)
        (data,) = tools.collecting.collect(read_suite("which.toml"), Path("out"))
    return folder / "out" / "photos", data


def test_figures_are_those_of_the_run_folders(measured: tuple[Path, Any]) -> None:
    folder, data = measured
    (line,) = [line for line in data.tables["own"] if line.method == "hace"]
    paths = [folder / f"runs/hace-{seed}/evaluations/test-none-leaf.json" for seed in (0, 1)]
    for metric in ("leaf_top1", "ac", "info_f1"):
        values = [json.loads(path.read_text())["metrics"][metric]["value"] for path in paths]
        assert line.figures[metric].mean == pytest.approx(np.mean(values))
        assert line.figures[metric].sd == pytest.approx(np.std(values, ddof=1))
    assert data.num_images == json.loads(paths[0].read_text())["num_images"]


def test_differences_are_tested_on_the_same_images(measured: tuple[Path, Any]) -> None:
    folder, data = measured
    (line,) = [line for line in data.tables["decisions"] if (line.method, line.decision) == ("hace", "majority")]
    means = [
        np.mean(
            [
                pl.read_parquet(folder / f"runs/{method}-{seed}/evaluations/test-none-majority.parquet")["info_f1"]
                for seed in (0, 1)
            ],
            axis=0,
        )
        for method in ("hace", "flat-softmax")
    ]
    figure = line.figures["info_f1"]
    assert figure.difference == pytest.approx(means[0].mean() - means[1].mean())
    p_values = [
        other.figures["info_f1"].p for other in data.tables["decisions"] if np.isfinite(other.figures["info_f1"].p)
    ]
    alone = 1.0 if np.array_equal(*means) else stats.ttest_rel(*means).pvalue
    assert alone - 1e-12 <= figure.p <= min(1.0, len(p_values) * alone) + 1e-12


def test_the_baseline_by_another_rule_is_compared_with_its_first(measured: tuple[Path, Any]) -> None:
    _, data = measured
    first, second = (line for line in data.tables["decisions"] if line.method == "flat-softmax")
    assert np.isnan(first.figures["correct"].difference)
    difference = second.figures["correct"].mean - first.figures["correct"].mean
    assert second.figures["correct"].difference == pytest.approx(difference)


def test_signs_follow_the_better_direction(tools: Any) -> None:
    better = tools.collecting.Figure(0.4, 0.01, 5, difference=-0.2, p=0.01)
    assert tools.page._sign("hd@1", better) == "+"
    assert tools.page._sign("leaf_top1", better) == tools.page.MINUS
    assert tools.page._sign("ac", tools.collecting.Figure(0.4, 0.01, 5, difference=0.2, p=0.06)) == "·"


def test_a_page_has_every_method_and_rule(tools: Any, measured: tuple[Path, Any]) -> None:
    text = tools.page.page([measured[1]], [measured[1]], [measured[1]])
    for name in ("`hace`", "`hab:fits_on=5-fold`", "`majority`", "`top-down`"):
        assert name in text
    assert text.count("\n## ") == 8
    assert "nan" not in text


def test_the_picture_has_a_mark_per_method_and_set(tools: Any, measured: tuple[Path, Any], tmp_path: Path) -> None:
    twice = dataclasses.replace(measured[1], name="again")
    tools.make_page.draw([measured[1], twice], tmp_path / "picture.svg")
    drawn = (tmp_path / "picture.svg").read_text(encoding="utf-8")
    assert {"photos", "again", "hace", "hab:fits_on=5-fold"} <= set(re.findall(r">([^<>]+)</text>", drawn))
    assert ">flat-softmax</text>" not in drawn
    kept = (ROOT / "docs" / "pictures" / "which-method.svg").read_text(encoding="utf-8")
    probes = tools.make_page.recorded()[0]
    assert {data.name for data in probes} | {"hxe", "lht"} <= set(re.findall(r">([^<>]+)</text>", kept))


def test_the_page_is_made_from_the_record(tools: Any) -> None:
    assert (ROOT / "docs" / "which-method.md").read_text(encoding="utf-8") == tools.make_page.from_record()
