"""The outcome of training in one line: validation accuracy, epochs and time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from cladewise.records import log
from cladewise.records.config import NO_SPLIT, TrainingConfig
from cladewise.records.layout import RunFolder
from cladewise.records.resources import read_resources

WATCHED = {"val_top1": "top-1", "val_level_accuracy": "level accuracy"}
"""Validation metrics in the log, and their names in messages."""


def outcome(folder: RunFolder, settings: TrainingConfig) -> str:
    """Validation accuracy of the weights that a run kept, with the number of epochs and the time.

    Args:
        folder: A finished run.
        settings: Its training settings; with early stopping the best weights are kept, otherwise the last.

    Example:
        >>> folder = RunFolder(getfixture("tmp_path"))
        >>> log.append(folder.log, "epoch", epoch=0, val_loss=0.9, val_top1=0.75, val_level_accuracy=0.8)
        >>> outcome(folder, TrainingConfig(epochs=1))
        'val: 75.0% top-1, 80.0% level accuracy, after 1 epoch'
    """
    epochs = [event for event in log.read(folder.log) if event["event"] == "epoch"]
    if not epochs:
        return "untrained, 0 epochs"
    kept = epochs[-1]
    if settings.early_stop:
        kept = min(epochs, key=lambda event: _number(event, "val_loss", math.inf))
    values = figures(kept)
    if values:
        accuracy = f"{settings.val_split}: {values}"
    else:
        accuracy = "nothing watched" if settings.val_split == NO_SPLIT else f"no images in {settings.val_split}"
    took = f"after {len(epochs)} epoch{'' if len(epochs) == 1 else 's'}"
    if kept is not epochs[-1]:
        took += f", the best of them number {kept['epoch'] + 1}"
    return f"{accuracy}, {took}{_time(folder)}"


def figures(event: Mapping[str, Any]) -> str:
    """The validation accuracies of an epoch as text; empty without validation.

    Example:
        >>> figures({"val_top1": 0.5, "val_loss": 1.0})
        '50.0% top-1'
    """
    values = {title: _number(event, name, math.nan) for name, title in WATCHED.items()}
    return ", ".join(f"{100 * value:.1f}% {title}" for title, value in values.items() if math.isfinite(value))


def _number(event: Mapping[str, Any], name: str, default: float) -> float:
    value = event.get(name)
    return default if value is None else float(value)


def _time(folder: RunFolder) -> str:
    took = read_resources(folder.resources)
    if took is None:
        return ""
    seconds = took.setup_seconds + took.seconds
    return f" in {seconds:.0f} s" if seconds < 120 else f" in {seconds / 60:.0f} minutes"
