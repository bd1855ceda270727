"""Warnings about labels that are taken as the tree and probably mean another one."""

from __future__ import annotations

from collections.abc import Sequence

from cladewise.errors import warn
from cladewise.taxonomy.checks.problems import some

_OTHER_SEPARATORS = (">", "|", ";", "\\", "::")
_NO_LABELS = {"nan", "none", "null", "n/a", "na", "nil", "-", "?", "#n/a", "undefined"}
_FEW = 20


def tell_odd_labels(labels: Sequence[str], num_rows: int, at: str) -> None:
    """Warn about labels that look like paths with another separator, missing values, or unique ids.

    Args:
        labels: The distinct labels.
        num_rows: Number of rows with labels.
        at: The manifest, for messages.
    """
    for mark in _OTHER_SEPARATORS:
        held = [label for label in labels if mark in label]
        if 2 * len(held) > len(labels) and not any("/" in label for label in labels):
            text = f"{len(held)} labels with {mark!r} in them, each read as a single name: {some(held, 3)}"
            warn(text, at=at, advice="If they are paths, separate the steps with /.")
            break
    none = [label for label in labels if label.strip().lower() in _NO_LABELS]
    if none:
        warn(f"labels that may mean a missing value, read as classes: {some(none)}", at=at)
    if len(labels) == num_rows > _FEW:
        warn(f"{num_rows} rows that all have different labels, so no class has two images", at=at)
