"""Clearing a run removes what belongs to it, all of it and nothing else."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from cladewise.errors import InputError
from cladewise.records import RunFolder
from cladewise.records.clearing import OF_A_RUN, check_clearable, clear

ARGUMENTS = {"split": "test", "rule": "leaf", "inference": "none", "decision": "leaf", "kind": "space", "tree": "true"}


def files_of_a_run(folder: RunFolder) -> list[Path]:
    """Every file that a run folder has a name for."""
    found: list[Path] = []
    for name, member in inspect.getmembers(RunFolder):
        if name.startswith(("_", "lock")) or name in ("path", "plates_of", "check_trained", "check_network"):
            continue
        if isinstance(member, property):
            found.append(getattr(folder, name))
        else:
            wanted = [word for word in inspect.signature(member).parameters if word != "self"]
            found.append(member(folder, *(ARGUMENTS[word] for word in wanted)))
    return found


def test_all_that_a_run_writes_goes_and_the_rest_stays(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    files = files_of_a_run(folder)
    assert {file.relative_to(folder.path).parts[0] for file in files} <= {*OF_A_RUN}
    assert len(files) > 15
    for file in files:
        file = file / "a" if not file.suffix else file
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    (folder.path / "mine").mkdir()
    (folder.path / "mine/report.html").write_text("x")
    (folder.path / "scores.txt").write_text("x")
    clear(folder)
    assert sorted(file.name for file in folder.path.iterdir()) == ["mine", "scores.txt"]


def test_decisions_on_audits_stay(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for name in ("train/corrections.csv", "train/page.html", "test/page.html", "folds/1/model.safetensors"):
        file = folder.path / "audit" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("x")
    clear(folder)
    left = [file.relative_to(folder.path).as_posix() for file in sorted(folder.path.rglob("*"))]
    assert left == ["audit", "audit/train", "audit/train/corrections.csv"]


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/last.ckpt").write_text("x")
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    folder.checkpoints.symlink_to(tmp_path / "elsewhere")
    clear(folder)
    assert not folder.checkpoints.is_symlink()
    assert (tmp_path / "elsewhere/last.ckpt").read_text() == "x"


def test_only_runs_and_free_folders_are_clearable(tmp_path: Path) -> None:
    check_clearable(RunFolder(tmp_path / "none"))
    check_clearable(RunFolder(tmp_path))
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(InputError, match="the folder of a run to overwrite"):
        check_clearable(RunFolder(tmp_path))
    (tmp_path / "config.toml").write_text("")
    check_clearable(RunFolder(tmp_path))
