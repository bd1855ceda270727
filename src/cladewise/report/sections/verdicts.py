"""Verdicts: one sentence that sums up each group, and one on whether the images tell it from the baseline."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence

from cladewise.records.verdict import verdict
from cladewise.report.groups import Group
from cladewise.report.metric_style import MINUS
from cladewise.report.table import intervals_of
from cladewise.statistics import Interval, mean_and_sd, paired_difference

CORRECT, LEAF_ANSWERS = "correct", "leaf_answers"


@dataclasses.dataclass(frozen=True)
class Verdict:
    """A group in a sentence, and its difference from the baseline in another; that is empty for the baseline."""

    group: Group
    sentence: str
    comparison: str


def verdicts_of(groups: Sequence[Group], baseline: Group) -> tuple[Verdict, ...]:
    """A verdict for each group whose evaluations say how often they are right, in the order of the groups."""
    measured = [group for group in groups if CORRECT in group.metrics or group.answers_with_sets]
    return tuple(Verdict(group, _sentence(group), _comparison(group, baseline)) for group in measured)


def _sentence(group: Group) -> str:
    """A single run as it was evaluated; of several, the mean over the seeds."""
    promises = {run.evaluation.promise for run in group.runs}
    promise = promises.pop() if len(promises) == 1 else None
    metrics = {**_leaf_answers(group), **group.runs[0].evaluation.metrics}
    if len(group.runs) == 1:
        return verdict(metrics, promise=promise)
    means = {name: _mean([run.evaluation.value(name) for run in group.runs]) for name in metrics}
    if CORRECT in group.metrics:
        means[CORRECT] = intervals_of([group], [CORRECT])[0][CORRECT]
    return f"{verdict({**means, **_leaf_answers(group)}, promise=promise)} (mean of {len(group.runs)} seeds)"


def _mean(values: Sequence[float]) -> Interval:
    return Interval(mean_and_sd(values).mean, math.nan, math.nan, 0)


def _leaf_answers(group: Group) -> Mapping[str, Interval]:
    """Share of answers that are leaves, counted from the images: older evaluations do not state it."""
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
    """How often two groups are right on the same images, in words.

    Args:
        name: The group that is spoken of.
        other: The group it is compared with.
        difference: Share of right answers of the first minus that of the second, with its paired interval.

    Example:
        >>> compared("hace", "flat", Interval(0.012, 0.003, 0.021, 900))
        'hace is 1.2 points [0.3, 2.1] more often right than flat'
        >>> compared("hace", "flat", Interval(-0.012, -0.021, -0.003, 900))
        'hace is 1.2 points [0.3, 2.1] less often right than flat'
        >>> compared("hace", "flat", Interval(0.001, -0.01, 0.012, 900))
        'These 900 images do not tell whether hace or flat is more often right (+0.1 points [−1.0, +1.2])'
    """
    value, low, high = (100 * part for part in (difference.value, difference.low, difference.high))
    if difference.excludes(0.0) and value < 0:
        return f"{name} is {-value:.1f} points [{-high:.1f}, {-low:.1f}] less often right than {other}"
    if difference.excludes(0.0):
        return f"{name} is {value:.1f} points [{low:.1f}, {high:.1f}] more often right than {other}"
    images = "This one image does" if difference.count == 1 else f"These {difference.count:,} images do"
    points = f" ({_signed(value)} points [{_signed(low)}, {_signed(high)}])" if low < high else ""
    return f"{images} not tell whether {name} or {other} is more often right{points}"


def _signed(value: float) -> str:
    return f"{value:+.1f}".replace("-", MINUS)
