"""Removal of a run from its folder, leaving other files."""

from __future__ import annotations

import shutil
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
    """Remove everything that belongs to a run; other files in its folder stay.

    Example:
        >>> folder = RunFolder(getfixture("tmp_path"))
        >>> for name in ("config.toml", "notes.txt"):
        ...     _ = (folder.path / name).write_text("")
        >>> clear(folder)
        >>> [file.name for file in folder.path.iterdir()]
        ['notes.txt']
    """
    for name in OF_A_RUN:
        _remove(folder.path / name)


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
