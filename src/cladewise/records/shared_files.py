"""The files of a run folder that can be shared with others, grouped by what they reveal."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Literal, get_args

Shared = Literal["run", "scores", "images"]
"""Kinds of files: ``run``, needed to use a run or to describe it; ``scores``, values per image without names, on which
rules can be fitted; ``images``, tables with the path of each image."""
SHARED: tuple[Shared, ...] = get_args(Shared)

PATTERNS: dict[Shared, tuple[str, ...]] = {
    "run": (
        "config.toml",
        "taxonomy.csv",
        "true_taxonomy.csv",
        "whole_taxonomy.csv",
        "counts.csv",
        "model.safetensors",
        "encoder.safetensors",
        "log.jsonl",
        "resources.json",
        "migration/*.csv",
        "fitted/*.safetensors",
        "fitted/own-tree/*.safetensors",
        "evaluations/*.json",
        "evaluations/own-tree/*.json",
        "transitions/*.safetensors",
        "few_shot/*.json",
        "unknown/*.json",
    ),
    "scores": ("scores/*.safetensors",),
    "images": ("evaluations/*.parquet", "evaluations/own-tree/*.parquet", "predictions/*.parquet"),
}
"""Patterns of the files of each kind, relative to the run folder; ``*`` stays within one folder."""


def shared_as(name: str) -> Shared | None:
    """The kind of a file that can be shared; ``None`` for any other, such as checkpoints and pictures.

    Args:
        name: Its path relative to the run folder, with forward slashes.

    Example:
        >>> shared_as("model.safetensors"), shared_as("scores/val.safetensors"), shared_as("evaluations/t.parquet")
        ('run', 'scores', 'images')
        >>> shared_as("checkpoints/last.ckpt"), shared_as("evaluations/../x.json"), shared_as("fitted/.x.safetensors")
        (None, None, None)
    """
    parts = name.split("/")
    if any(part.startswith(".") or "\\" in part for part in parts):
        return None
    return next((kind for kind in SHARED if any(_fits(parts, pattern) for pattern in PATTERNS[kind])), None)


def _fits(parts: list[str], pattern: str) -> bool:
    wanted = pattern.split("/")
    return len(wanted) == len(parts) and all(map(fnmatchcase, parts, wanted))
