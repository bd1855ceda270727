"""Verdicts: one sentence that summarises each group, and one that compares it with the baseline."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from cladewise.records.verdict import verdict
from cladewise.report.metric_style import MINUS
from cladewise.report.runs.groups import Group
from cladewise.report.runs.intervals import metric_intervals
from cladewise.statistics import Interval, mean_and_sd, paired_difference

CORRECT, LEAF_ANSWERS = "correct", "leaf_answers"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A sentence on a group, and one on its difference from the baseline, which is empty for the baseline itself."""

    group: Group
    sentence: str
    comparison: str


def verdicts_of(groups: Sequence[Group], baseline: Group) -> tuple[Verdict, ...]:
    """A verdict on each group whose evaluations record correctness, in the order of the groups."""
    measured = [group for group in groups if CORRECT in group.metrics or group.answers_with_sets]
    return tuple(Verdict(group, _sentence(group), _comparison(group, baseline)) for group in measured)


def _sentence(group: Group) -> str:
    """The evaluation of a single run, or the mean over several seeds."""
    promises = {run.evaluation.promise for run in group.runs}
    promise = promises.pop() if len(promises) == 1 else None
    metrics = {**_leaf_answers(group), **group.runs[0].evaluation.metrics}
    if len(group.runs) == 1:
        return verdict(metrics, promise=promise, promises=group.runs[0].evaluation.promises)
    means = {name: _mean([run.evaluation.value(name) for run in group.runs]) for name in metrics}
    if CORRECT in group.metrics:
        means[CORRECT] = metric_intervals([group], [CORRECT])[0][CORRECT]
    return f"{verdict({**means, **_leaf_answers(group)}, promise=promise)} (mean of {len(group.runs)} seeds)"


def _mean(values: Sequence[float]) -> Interval:
    return Interval(mean_and_sd(values).mean, math.nan, math.nan, 0)


def _leaf_answers(group: Group) -> Mapping[str, Interval]:
    """Share of answers that are leaves, counted from the images because older evaluations do not record it."""
    if group.answers_with_sets:
        return {}
    return {LEAF_ANSWERS: _mean([run.taxonomy.is_leaf[run.predicted].mean() for run in group.runs])}


def _comparison(group: Group, baseline: Group) -> str:
    first, second = group.values(CORRECT), baseline.values(CORRECT)
    if group is baseline or first is None or second is None:
        return ""
    difference = paired_difference(first, second)
    return compared(group.label, baseline.label, difference) if difference.count else ""


def compared(name: str, other: str, difference: Interval) -> str:
    """A sentence that compares how often two groups are right on the same images.

    Args:
        name: The first group.
        other: The group it is compared with.
        difference: Accuracy of the first minus accuracy of the second, with its paired interval.

    Example:
        >>> compared("hace", "flat", Interval(0.012, 0.003, 0.021, 900))
        'hace is right more often than flat by 1.2 points [0.3, 2.1]'
        >>> compared("hace", "flat", Interval(-0.012, -0.021, -0.003, 900))
        'hace is right less often than flat by 1.2 points [0.3, 2.1]'
        >>> compared("hace", "flat", Interval(0.001, -0.01, 0.012, 900))
        'These 900 images cannot tell whether hace or flat is right more often (+0.1 points [−1.0, +1.2])'
    """
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    if difference.excludes(0.0) and value < 0:
        return f"{name} is right less often than {other} by {-value:.1f} points [{-high:.1f}, {-low:.1f}]"
    if difference.excludes(0.0):
        return f"{name} is right more often than {other} by {value:.1f} points [{low:.1f}, {high:.1f}]"
    images = "This one image" if difference.count == 1 else f"These {difference.count:,} images"
    points = f" ({_signed(value)} points [{_signed(low)}, {_signed(high)}])" if low < high else ""
    return f"{images} cannot tell whether {name} or {other} is right more often{points}"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", MINUS)
