"""``cladewise migrate`` and ``cladewise predict --as``: runs, tables of labels and of predictions."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cladewise.records.migration import read_migration_report

NEW = "tone,colour\nwarm,crimson\nwarm,orange\ncold,blue\ncold,green\nneutral,grey\n"
HEADER = "old,new,change,certainty,evidence,ask\n"
ROWS = (
    "warm,warm,,,,\nwarm/red,warm/crimson,,,,{ask}\nwarm/orange,warm/orange,,,,\ncold,cold,,,,\n"
    "cold/blue,cold/blue,,,,\ncold/green,cold/green,,,,\n"
)
RED = "photos/warm/red/1.png"


@pytest.fixture
def edited(shell: Any, tmp_path: Path) -> tuple[Path, Path]:
    """The new tree, and correspondences with it."""
    tree, matched = tmp_path / "new.csv", tmp_path / "matched.csv"
    tree.write_text(NEW)
    matched.write_text(HEADER + ROWS.format(ask=""))
    return tree, matched


def test_a_migrated_run_says_what_changed(here: Any, run: str, edited: tuple[Path, Path], tmp_path: Path) -> None:
    tree, matched = edited
    out = tmp_path / "runs" / "new"
    code, text, err = here("migrate", run, matched, "--taxonomy", tree, "--out", out, "--quiet")
    assert (code, err) == (0, "")
    lines = text.splitlines()
    assert lines[0] == "carried over: 5 same, 1 renamed, 2 added"
    assert lines[1].startswith("test, untouched: ")
    assert lines[1].endswith("equal to the last bit")
    assert "1 class needs images: neutral/grey" in lines
    assert lines[-1].endswith(f"Next: cladewise evaluate {out}")
    report = (out / "migration" / "report.md").read_text()
    assert "| renamed | 1 |" in report
    assert "| neutral/grey | added |" in report
    assert read_migration_report(out / "migration" / "report.json").way == "carried"
    code, text, err = here("evaluate", out)
    assert code == 0, err
    code, text, err = here("predict", out, RED)
    assert code == 0, err
    assert pl.read_csv(StringIO(text))["leaf_path"][0] == "warm/crimson"
    code, text, err = here("migrate", run, matched, "--taxonomy", tree, "--out", out)
    assert (code, text) == (2, "")
    assert "Expected a free folder" in err
    code, text, err = here("migrate", run, matched, "--taxonomy", tree, "--out", tmp_path / "refit", "--refit")
    assert code == 0, err
    assert text.startswith("fitted again: ")


def test_a_run_answers_in_another_tree_at_once(here: Any, run: str, edited: tuple[Path, Path], tmp_path: Path) -> None:
    tree, matched = edited
    code, text, err = here("predict", run, RED, "--as", tree, "--matched", matched)
    assert (code, err) == (0, "")
    assert pl.read_csv(StringIO(text))["leaf_path"][0] == "warm/crimson"
    out = tmp_path / "parts"
    code, _, err = here("predict", run, RED, "--as", tree, "--matched", matched, "--out", f"{out}/", "--quiet")
    assert code == 0, err
    assert pl.read_parquet(list(out.rglob("*.parquet")))["leaf_path"].to_list() == ["warm/crimson"]
    code, _, err = here("predict", run, RED, "--out", f"{out}/", "--quiet")  # in its own tree: another job
    assert code == 2
    assert "the label tree" in err
    code, text, err = here("predict", run, RED, "--as", tree)  # red and crimson have nothing in common
    if code:
        assert "cladewise taxonomy match" in err
        assert len(err.splitlines()) == 1


@pytest.mark.parametrize("words", [["--matched", "m.csv"], ["--as", "nowhere.csv"]])
def test_half_of_a_request_is_refused(here: Any, run: str, words: list[str]) -> None:
    code, text, err = here("predict", run, RED, *words)
    assert (code, text) == (2, "")
    assert len(err.splitlines()) == 1


def test_rows_that_are_not_decided_are_refused(here: Any, run: str, edited: tuple[Path, Path], tmp_path: Path) -> None:
    tree, matched = edited
    matched.write_text(HEADER + ROWS.format(ask="yes"))
    for words in (
        ("migrate", run, matched, "--taxonomy", tree, "--out", tmp_path / "x"),
        ("predict", run, RED, "--as", tree, "--matched", matched),
    ):
        code, text, err = here(*words)
        assert (code, text) == (2, "")
        assert "Expected rows that are all decided, but got 1 row with ask=yes" in err
        assert len(err.splitlines()) == 1
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nowhere.csv"], "a table of correspondences"),
        (["--data", "photos"], "--data with --refit"),
        (["--old", "classes.csv"], "a table with --old"),
        (["--taxonomy-separator", ";"], "--taxonomy FILE"),
    ],
)
def test_wrong_options_are_refused_in_one_line(
    here: Any, run: str, edited: tuple[Path, Path], tmp_path: Path, words: list[str], said: str
) -> None:
    matched: list[Any] = [] if words[0] == "nowhere.csv" else [edited[1]]
    code, text, err = here("migrate", run, *matched, *words, "--out", tmp_path / "x")
    assert (code, text) == (2, "")
    assert said in err
    assert len(err.splitlines()) == 1


def test_predictions_and_labels_are_translated(here: Any, run: str, edited: tuple[Path, Path], tmp_path: Path) -> None:
    tree, matched = edited
    old, new = tmp_path / "old.csv", tmp_path / "translated.csv"
    code, _, err = here("predict", run, RED, "photos/cold/blue/1.png", "broken.png", "--out", old, "--quiet")
    assert code == 0, err
    code, _, err = here("migrate", old, matched, "--old", "classes.csv", "--taxonomy", tree, "--out", new)
    assert code == 0, err
    before, after = pl.read_csv(old), pl.read_csv(new)
    assert after.columns == before.columns
    assert after["label_path"].to_list() == ["warm/crimson", "cold/blue", None]
    assert after["leaf"].to_list() == ["crimson", "blue", None]
    assert after["colour"].to_list() == ["crimson", "blue", None]
    assert after["tone"].to_list() == ["warm", "cold", None]
    assert after["error"].to_list() == before["error"].to_list()
    for column in ("probability", "colour_probability", "tone_probability", "leaf_probability"):
        assert after[column].to_list() == before[column].to_list()
    labels = tmp_path / "images.csv"
    labels.write_text("path,label\n-a.png,red\nb.png,cold/blue\n")
    code, _, err = here("migrate", labels, matched, "--taxonomy", tree, "--out", tmp_path / "new-images.csv")
    assert code == 0, err
    assert (tmp_path / "new-images.csv").read_text() == "path,label\n-a.png,warm/crimson\nb.png,cold/blue\n"
    for more, message in (
        (["--out", "x.csv", "--column", "class"], "Name the column of labels: --column NAME.\n"),
        (["--out", "x.csv", "--refit"], "a run with --refit, but got a table"),
        (["--out", labels], "another file to write"),
        (["--out", "x.csv", "--taxonomy", "gone.csv"], "no such file"),
    ):
        code, _, err = here("migrate", labels, matched, *more)
        assert code == 2
        assert message in err
        assert len(err.splitlines()) == 1
    assert "red" in labels.read_text()


def test_lists_of_labels_are_translated_in_every_format(
    here: Any, run: str, edited: tuple[Path, Path], tmp_path: Path
) -> None:
    tree, matched = edited
    found: list[list[list[str]]] = []
    for kind in ("csv", "parquet"):
        old, new = tmp_path / f"old.{kind}", tmp_path / f"new-{kind}.parquet"
        words = ("--top", "2", "--out", old, "--quiet")
        code, _, err = here("predict", run, RED, "broken.png", *words)
        assert code == 0, err
        code, _, err = here("migrate", old, matched, "--old", "classes.csv", "--taxonomy", tree, "--out", new)
        assert code == 0, err
        found.append(pl.read_parquet(new)["top_labels"].to_list())
    assert found[0] == found[1]
    assert found[0][0][0] == "warm/crimson"
    assert found[0][1] == []


def test_two_versions_are_matched_and_a_run_follows(here: Any, run: str, tmp_path: Path) -> None:
    tree, matched, out = tmp_path / "new.csv", tmp_path / "matched.csv", tmp_path / "new"
    tree.write_text(NEW.replace("crimson", "Red"))
    code, _, err = here("taxonomy", "match", "classes.csv", tree, "--out", matched)
    assert code == 0, err
    code, text, err = here("migrate", run, matched, "--taxonomy", tree, "--out", out, "--quiet")
    assert code == 0, err
    assert text.startswith("carried over: 5 same, 1 renamed, 2 added")
    code, migrated, err = here("predict", out, RED)
    assert code == 0, err
    code, text, err = here("predict", run, RED, "--as", tree)
    assert code == 0, err
    assert text == migrated
    assert pl.read_csv(StringIO(text))["leaf_path"][0] == "warm/Red"
    code, text, err = here("compare", out, "--out", tmp_path / "report.html")
    assert code == 2
    assert "cladewise evaluate" in err
    code, text, err = here("train", "--config", out / "config.toml", "--out", tmp_path / "again")
    assert (code, text) == (2, "")
    assert "that of one that was migrated" in err
