"""Suites whose runs are evaluated by few-shot episodes."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from cladewise import InputError, suites
from cladewise.records import read_few_shot
from cladewise.suites import read_suite, running
from shared_runs import write_squares
from suites.small_suites import SETTINGS, go_to

SUITE = (
    """
title = "Colours"
seeds = 2
methods = []
"""
    + SETTINGS
    + """
[search]
metric = "level_accuracy/level_1"
lr = [0.01]
refine = []

[[few_shot]]
ways = ["2", "intra"]
episodes = 5
support_views = 0

[[variant]]
name = "coarse"
method = "coarse-cross-entropy:level=1,embedding=8"
ablation = { coarse_labels = 1.0, coarse_level = "1" }

[[variant]]
name = "upper bound"
method = "coarse-cross-entropy:embedding=8"

[[table]]
name = "levels"
title = "Levels"
columns = ["level_accuracy/level_1"]
"""
)
COLOURS = {
    "warm/red": (200, 30, 30),
    "warm/pink": (220, 120, 160),
    "cold/blue": (20, 20, 160),
    "cold/sky": (90, 160, 240),
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    go_to(tmp_path, monkeypatch)
    write_squares(tmp_path / "photos", COLOURS, 15)
    (tmp_path / "suite.toml").write_text(SUITE)
    return tmp_path


def test_every_run_has_its_episodes_and_the_table_their_means(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    suite = read_suite(folder / "suite.toml")
    assert suite.few_shot[0].ways == ("2", "intra")
    written = suites.benchmark(suite, out=folder / "out", progress=False)
    names = {path.name for path in written}
    assert {"few-shot.md", "few-shot.csv", "levels.md"} <= names
    out = folder / "out" / "photos"
    with (out / "few-shot.csv").open() as lines:
        rows = {row["method"]: row for row in csv.DictReader(lines)}
    for name in ("coarse", "upper bound"):
        results = [
            read_few_shot(out / "runs" / f"{name.replace(' ', '-')}-{seed}" / "few_shot", "test") for seed in (0, 1)
        ]
        kinds = {"2-way-1-shot-0-views", "intra-class-1-shot-0-views-in-1"} if name == "coarse" else None
        assert kinds is None or set(results[0]) == kinds
        accuracy = [result["2-way-1-shot-0-views"].accuracy for result in results]
        assert float(rows[name]["2-way-1-shot-0-views"]) == pytest.approx(np.mean(accuracy))
        assert rows[name]["2-way-1-shot-0-views_seeds"] == "2"
    text = (out / "few-shot.md").read_text()
    assert "| method | 2-way, 1-shot, 0 views | intra-class in 1, 1-shot, 0 views |" in text
    assert "Mean ± standard deviation of 2 seeds, in percent." in text
    assert "Episodes: 5, 5" in text
    assert 'id="few-shot"' in (out / "report.html").read_text()
    files = sorted(out.rglob("few_shot/*.json"))
    before = [file.stat().st_mtime_ns for file in files]
    monkeypatch.setattr(running, "compare", lambda _, page, **__: page)  # the page is looked at above
    suites.benchmark(suite, out=folder / "out", progress=False)
    assert [file.stat().st_mtime_ns for file in files] == before  # what is there is kept


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (('ways = ["2", "intra"]', 'ways = ["two"]'), "ways as a number from 2, all or intra, but got 'two'"),
        (("support_views = 0", 'space = "mine"'), "a space: own or encoder, but got 'mine'"),
        (("support_views = 0", "suport_views = 0"), "Did you mean"),
    ],
)
def test_mistakes_are_found_before_anything_runs(tmp_path: Path, change: tuple[str, str], text: str) -> None:
    (tmp_path / "suite.toml").write_text(SUITE.replace(*change))
    with pytest.raises(InputError, match=text):
        read_suite(tmp_path / "suite.toml")
