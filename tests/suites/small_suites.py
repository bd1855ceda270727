"""Settings that small suites share: noisy squares, a tiny frozen encoder, and heads that are trained in two epochs."""

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise.suites import jobs
from shared_runs import write_squares

DATA = """
[data]
name = "photos"
search = 0.3
"""
ENCODER = """
[backbone]
name = "test_resnet"
pretrained = false
image_size = 24
freeze = true
"""
TRAINING = """
[training]
epochs = 2
batch_size = 16
workers = 0
"""
SETTINGS = DATA + ENCODER + TRAINING

THREE_COLOURS = {"warm/red": (200, 30, 30), "warm/orange": (220, 130, 20), "cold": (20, 20, 160)}


def write_photographs(folder: Path, *, each: int = 10, noise: float = 40) -> Path:
    """The photographs of :data:`DATA`: squares of three colours, two of them siblings."""
    return write_squares(folder / "photos", THREE_COLOURS, each, noise=noise)


def go_to(folder: Path, patch: pytest.MonkeyPatch) -> None:
    """Work in a folder, with a cache of its own."""
    patch.chdir(folder)
    patch.setenv("CLADEWISE_CACHE", str(folder / "cache"))
    jobs._open_data.cache_clear()  # pyright: ignore[reportPrivateUsage]
