"""``cladewise audit`` as a user runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def test_audit_tells_what_it_found_and_writes_the_page(here: Any, run: str) -> None:
    code, out, err = here("audit", run, "--folds", "2")
    assert code == 0, err
    folder = Path(run) / "audit" / "train"
    assert "labels are not where the evidence ends; see suspects.csv" in out
    assert Path(out.splitlines()[-1]) == folder / "page.html"
    assert (folder / "suspects.csv").is_file()


def test_labels_that_no_head_could_learn_are_told_and_not_listed(here: Any, run: str) -> None:
    code, out, err = here("audit", run, "--folds", "2", "--group-by", "folder")  # folders are classes
    assert code == 0, err
    assert "labels cannot be judged" in out
    assert "are groups by folder whole classes?" in out
    assert out.startswith("0 of "), out


def test_audit_refuses_what_it_cannot_do(here: Any, run: str, tmp_path: Path) -> None:
    code, _, err = here("audit", str(tmp_path))
    assert (code, "a run folder" in err) == (2, True), err
    code, _, err = here("audit", run, "--split", "tset")
    assert (code, "Did you mean test?" in err) == (2, True), err
    before = sorted(Path(run).rglob("*"))
    code, _, err = here("audit", run, "--expected-errors", "1", "--seed", "7")
    assert (code, "--expected-errors" in err) == (2, True), err
    assert sorted(Path(run).rglob("*")) == before  # nothing is fitted first
