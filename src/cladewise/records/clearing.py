"""Removal of a run from its folder, leaving other files."""

from __future__ import annotations

from pathlib import Path

from cladewise.errors import InputError
from cladewise.records.layout import RunFolder

OF_A_RUN = (
    "checkpoints",
    "model.safetensors",
    "scores",
    "predictions",
    "answers",
    "transitions",
    "fitted",
    "folds",
    "evaluations",
    "few_shot",
    "unknown",
    "discovered",
    "explanations",
    "plates",
    "migration",
    "loggers",
    "audit",
    "log.jsonl",
    "resources.json",
    "counts.csv",
    "columns.parquet",
    "whole_taxonomy.csv",
    "true_taxonomy.csv",
    "taxonomy.csv",
    "config.toml",
)
"""Files and folders of a run. The configuration is removed last, since it marks the folder as that of a run."""
DECISIONS = "corrections.csv"
"""Tables in the folder of audits that people made, which stay."""


def check_clearable(folder: RunFolder) -> None:
    """Check that a folder is empty or that of a run.

    Raises:
        InputError: It holds other files.
    """
    path = folder.path
    if path.is_dir() and not folder.config.is_file() and any(not file.name.startswith(".") for file in path.iterdir()):
        raise InputError(
            "the folder of a run to overwrite, or a free one",
            "a folder with other files and no config.toml",
            at=str(path),
            advice="Choose another folder with out=.",
        )


def clear(folder: RunFolder) -> None:
    """Remove everything that belongs to a run; other files in its folder stay, and so do decisions made on audits.

    Example:
        >>> folder = RunFolder(getfixture("tmp_path"))
        >>> for name in ("config.toml", "notes.txt"):
        ...     _ = (folder.path / name).write_text("")
        >>> clear(folder)
        >>> [file.name for file in folder.path.iterdir()]
        ['notes.txt']
    """
    for name in OF_A_RUN:
        _remove(folder.path / name, kept=DECISIONS if name == "audit" else "")


def _remove(path: Path, kept: str = "") -> None:
    """Remove a file, a link, or a folder but for the files of one name and the folders that hold them."""
    if path.is_dir() and not path.is_symlink():
        for file in path.iterdir():
            if file.name != kept:
                _remove(file, kept)
        if not any(path.iterdir()):
            path.rmdir()
    else:
        path.unlink(missing_ok=True)
