"""What each metric is called, which way is better, and what it says; needs no torch."""

from __future__ import annotations

import dataclasses

from cladewise.errors import InputError

LEVEL_PREFIX = "level_accuracy/"


@dataclasses.dataclass(frozen=True)
class MetricText:
    """A metric for people: title, direction, one sentence, and whether it is a share of the images."""

    title: str
    higher_is_better: bool
    description: str
    is_share: bool = True


METRIC_TEXTS: dict[str, MetricText] = {
    "top1": MetricText("Top-1", True, "The decided node is the label, or lies below an internal label."),
    "top5": MetricText("Top-5", True, "The label is among the five best scored nodes."),
    "level_accuracy": MetricText("Level accuracy", True, "Mean over the levels of the accuracy at each level."),
    "severity": MetricText(
        "Severity", False, "Height of the lowest common ancestor with the label, over mistakes only.", is_share=False
    ),
    "hd@1": MetricText(
        "HD@1", False, "Height of the decided node's lowest common ancestor with the label; 0 if right.", is_share=False
    ),
    "hd@5": MetricText("HD@5", False, "Mean hierarchical distance of the five best scored nodes.", is_share=False),
    "hd@20": MetricText("HD@20", False, "Mean hierarchical distance of the twenty best scored nodes.", is_share=False),
    "full_path": MetricText("Full path", True, "Right at every level that the label speaks of."),
    "tice": MetricText("TICE", False, "The nodes decided at the levels do not lie on one path."),
    "sibling": MetricText("Sibling", True, "The decided node is the label or has the same parent."),
}
"""Metrics in the order of a table; those of single levels follow from :data:`LEVEL_PREFIX`."""


def metric_text(name: str) -> MetricText:
    """Text of a metric, those of single levels included.

    Raises:
        InputError: There is no such metric; the text lists those there are.

    Example:
        >>> metric_text("level_accuracy/genus").title
        'Accuracy at genus'
        >>> metric_text("severity").higher_is_better
        False
    """
    level = name.removeprefix(LEVEL_PREFIX)
    if level != name:
        return MetricText(f"Accuracy at {level}", True, f"The representatives at the level {level} are the same.")
    if name not in METRIC_TEXTS:
        raise InputError(f"a metric: {', '.join(METRIC_TEXTS)}, {LEVEL_PREFIX}<level>", repr(name))
    return METRIC_TEXTS[name]
