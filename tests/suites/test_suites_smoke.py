"""Every suite of a paper runs from start to end on made-up files; which suites there are is found out."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cladewise import suites
from cladewise.suites import Suite, read_suite
from suites.small_suites import go_to


def is_of_a_paper(suite: Suite) -> bool:
    """Whether the suite repeats tables or figures of a paper on the paper's data."""
    return any(entry.source for entry in (*suite.tables, *suite.figures, *suite.hypernyms))


@pytest.mark.parametrize("name", [name for name in sorted(suites.available()) if is_of_a_paper(read_suite(name))])
def test_a_suite_runs_on_made_up_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    go_to(tmp_path, monkeypatch)
    suite = read_suite(name)
    written = suites.benchmark(suite, smoke=True, progress=False)
    out = Path("runs") / f"{name}-smoke"
    assert all(path.is_file() for path in written)
    for entry in suite.data:
        here = suite.on(entry.name)
        left_out = (out / entry.name / "left_out.txt").read_text().splitlines() if here.methods else []
        impossible = {label for label in here.methods if any(line.startswith(f"{label}: ") for line in left_out)}
        for table in here.tables:
            rows = list(csv.DictReader((out / entry.name / f"{table.name}.csv").open()))
            assert {row["method"] for row in rows} >= set(here.methods_of(table)) - impossible, left_out
        for figure in here.figures:
            assert list((out / entry.name).glob(f"{figure.name}*.csv")), left_out
    for entry in suite.hypernyms:
        assert (out / f"{entry.name}.csv").is_file()
