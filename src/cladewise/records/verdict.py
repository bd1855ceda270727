"""One sentence per evaluation: how often it is right, how often it names a leaf, and whether a promise held."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

CHANCE = 0.05
"""Answers that are all right confirm a promise only if fewer than these odds would make so many right by luck."""

Metrics = Mapping[str, Mapping[str, Any]]


def verdict(metrics: Metrics, *, promise: float | None = None) -> str:
    """The sentence that sums up an evaluation; every figure in it is one of the evaluation's metrics.

    Args:
        metrics: The metrics as an evaluation's JSON has them: ``value``, ``low``, ``high`` and ``count`` by name.
        promise: The share of right answers that the decision promised, in [0, 1); ``None`` where it promised nothing.

    Returns:
        A sentence without a full stop. A promise held if the whole interval lies at or above it, and did not hold if
        the whole interval lies below it; otherwise there are too few images to tell.

    Example:
        >>> correct = {"value": 0.973, "low": 0.956, "high": 0.986, "count": 600}
        >>> verdict({"correct": correct, "leaf_answers": {"value": 0.61}}, promise=0.95)
        '97.3% correct [95.6, 98.6], 61% of answers are leaves, the promise of 95% held'
        >>> verdict({"correct": correct}, promise=0.97)
        '97.3% correct [95.6, 98.6], 600 images are too few to tell whether the promise of 97% holds'
        >>> verdict({"micro_precision": {"value": 0.5}, "micro_recall": {"value": 0.75}})
        '50.0% of the labels said are true, 75.0% of the true labels are said'
    """
    correct = metrics.get("correct")
    if correct is None:
        return _of_label_sets(metrics)
    if math.isnan(_number(correct, "value")):
        return "no image to judge by"
    parts = [f"{_percent(_number(correct, 'value'), 1)} correct{_interval(correct)}"]
    leaves = _number(metrics.get("leaf_answers", {}), "value")
    if not math.isnan(leaves):
        parts.append(_of_leaves(leaves))
    if promise is not None:
        parts.append(_of_promise(correct, promise))
    return ", ".join(parts)


def _of_label_sets(metrics: Metrics) -> str:
    """The sentence for answers that are sets of labels, where no single node can be right."""
    said, true = (_number(metrics.get(name, {}), "value") for name in ("micro_precision", "micro_recall"))
    if math.isnan(said) or math.isnan(true):
        return "no image to judge by"
    return f"{_percent(said, 1)} of the labels said are true, {_percent(true, 1)} of the true labels are said"


def _of_leaves(share: float) -> str:
    if share in (0, 1):
        return "every answer is a leaf" if share else "no answer is a leaf"
    return f"{_percent(share, 0)} of answers are leaves"


def _of_promise(correct: Mapping[str, Any], promise: float) -> str:
    """Whether the interval confirms the promise. That of answers all right has no width, so their number decides."""
    value, low, high, count = (_number(correct, name) for name in ("value", "low", "high", "count"))
    all_right_by_chance = value == 1 and promise**count > CHANCE
    if low >= promise and not all_right_by_chance:
        return f"the promise of {100 * promise:g}% held"
    if high < promise:
        return f"the promise of {100 * promise:g}% did not hold"
    images = "these images are" if math.isnan(count) else f"{count:,.0f} image{'s are' if count != 1 else ' is'}"
    return f"{images} too few to tell whether the promise of {100 * promise:g}% holds"


def _interval(metric: Mapping[str, Any]) -> str:
    low, high = _number(metric, "low"), _number(metric, "high")
    return "" if math.isnan(low) or math.isnan(high) else f" [{100 * low:.1f}, {100 * high:.1f}]"


def _percent(share: float, digits: int) -> str:
    """A share in percent that reads as 0 or 100 only where it is."""
    least = 10.0**-digits
    if share > 0 and 100 * share < least / 2:
        return f"less than {least:g}%"
    if share < 1 and 100 * share >= 100 - least / 2:
        return f"more than {100 - least:g}%"
    return f"{100 * share:.{digits}f}%"


def _number(metric: Mapping[str, Any], name: str) -> float:
    value = metric.get(name)
    return math.nan if value is None else float(value)
