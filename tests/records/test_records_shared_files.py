"""Files of a run folder that can be shared."""

from __future__ import annotations

from fnmatch import fnmatchcase
from pathlib import Path

from cladewise.records import RunFolder, shared_as
from cladewise.records.shared_files import PATTERNS, SHARED


def test_files_of_the_layout_are_of_one_kind_or_none() -> None:
    folder = RunFolder(Path("run"))
    wanted = {
        folder.config: "run",
        folder.model: "run",
        folder.tree("own"): "run",
        folder.new_taxonomy: "run",
        folder.carried_answers: "run",
        folder.counts: "run",
        folder.fitted("val", "none-hedging"): "run",
        folder.fitted("val", "none-hedging", "own"): "run",
        folder.evaluation("test", "none", "leaf"): "run",
        folder.evaluation("test", "none", "leaf", "own"): "run",
        folder.unknown("test"): "run",
        folder.scores("test"): "scores",
        folder.predictions("test"): "images",
        folder.outcomes("test", "none", "leaf"): "images",
        folder.last_checkpoint: None,
        folder.lock: None,
        folder.columns: None,
        folder.migration_report: None,
        folder.explanations("test"): None,
    }
    for file, kind in wanted.items():
        assert shared_as(file.relative_to("run").as_posix()) == kind, file


def test_the_patterns_of_the_client_fetch_all_that_is_shared() -> None:
    for kind in SHARED:
        for pattern in PATTERNS[kind]:
            name = pattern.replace("*", "x")
            assert shared_as(name) == kind, pattern
            assert fnmatchcase(name, pattern)
    for name in ("../config.toml", "a/config.toml", "evaluations/../../x.json", "evaluations\\x.json", "/config.toml"):
        assert shared_as(name) is None, name
