"""Removing a run from its folder, and nothing else."""

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
    "transitions",
    "fitted",
    "folds",
    "evaluations",
    "few_shot",
    "discovered",
    "explanations",
    "plates",
    "log.jsonl",
    "resources.json",
    "counts.csv",
    "true_taxonomy.csv",
    "taxonomy.csv",
    "config.toml",
)
"""Files and folders of a run. The configuration goes last: as long as it is there, the folder is known for a run's."""


def check_clearable(folder: RunFolder) -> None:
    """Refuse a folder that has something in it and is not a run's.

    Raises:
        InputError: So it is.
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
    """Remove everything that belongs to a run; what else lies in its folder stays.

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
