"""The verdict: one sentence that sums up an evaluation."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from cladewise.records.promises import PromiseKept, in_words, outcomes_in_words
from cladewise.statistics import Interval

CHANCE = 0.05
"""If every answer is right, a guarantee counts as met only if chance alone would do so less often than this."""


def verdict(
    metrics: Mapping[str, Interval],
    *,
    promise: float | None = None,
    promises: Sequence[PromiseKept] = (),
    unit: str = "image",
) -> str:
    """Sum up an evaluation in one sentence; every figure in it is one of the evaluation's metrics.

    Args:
        metrics: The metrics of an evaluation by name.
        promise: Share of right answers that the decision guarantees, in [0, 1); ``None`` if it guarantees nothing.
        promises: All guarantees with the numbers of right answers, if they were counted. There, an answer below an
            internal label is not right, although the metric ``correct`` counts it as the label.
        unit: What was counted: images, or groups of images.

    Returns:
        A sentence without a full stop. A guarantee that was counted is judged by the binomial test
        (:attr:`~cladewise.records.PromiseKept.outcome`). Otherwise it held if the whole interval is at or above it, and
        did not hold if the whole interval is below it; else there are too few images to tell. What it cost is said by
        the specificity of the answers, beside the accuracy of the most probable leaves on the same images.

    Example:
        >>> correct = Interval(0.973, 0.956, 0.986, 600)
        >>> verdict({"correct": correct, "leaf_answers": Interval(0.61, 0.57, 0.65, 600)}, promise=0.95)
        '97.3% correct [95.6, 98.6], 61% of answers are leaves, the 95% guarantee held'
        >>> verdict({"correct": correct}, promise=0.97)
        '97.3% correct [95.6, 98.6], 600 images are too few to tell whether the 97% guarantee holds'
        >>> about = {"specificity": Interval(0.71, 0.7, 0.72, 600), "leaf_top1": Interval(0.84, 0.8, 0.87, 600)}
        >>> kept = [PromiseKept("", 0.95, 584, 600), PromiseKept("family", 0.99, 593, 600)]
        >>> said = verdict({"correct": correct, **about}, promise=0.95, promises=kept).partition("], ")[2]
        >>> print(said.replace(", ", "\\n"))
        the 95% guarantee held (71% as specific as leaves
        of which 84.0% are right)
        the 99% guarantee for family was missed on these 600 images
        within chance
    """
    correct = metrics.get("correct")
    if correct is None:
        return _of_label_sets(metrics, promise, unit)
    if math.isnan(correct.value):
        return f"no {unit} to judge by"
    parts = [f"{_percent(correct.value, 1)} correct{_interval(correct)}"]
    leaves = metrics.get("leaf_answers")
    if leaves is not None and not math.isnan(leaves.value):
        parts.append(_of_leaves(leaves.value))
    overall = [one for one in promises if not one.name]
    if promise is not None:
        said = in_words(overall[0], unit) if overall else _of_promise(correct, promise, unit)
        parts.append(said + _of_cost(metrics))
    if further := outcomes_in_words([one for one in promises if one.name], unit):
        parts.append(further)
    return ", ".join(parts)


def _of_cost(metrics: Mapping[str, Interval]) -> str:
    """Cost of a guarantee in specificity, as far as the metrics have it."""
    specific, leaf = metrics.get("specificity"), metrics.get("leaf_top1")
    if specific is None or math.isnan(specific.value):
        return ""
    cost = f"{_percent(specific.value, 0)} as specific as leaves"
    if leaf is not None and not math.isnan(leaf.value):
        cost += f", of which {_percent(leaf.value, 1)} are right"
    return f" ({cost})"


def _of_label_sets(metrics: Mapping[str, Interval], promise: float | None, unit: str) -> str:
    """The sentence for answers that are sets of labels, for which no single node can be right."""
    covered = metrics.get("set_coverage")
    if promise is not None and covered is not None and not math.isnan(covered.value):
        return f"{_percent(covered.value, 1)} covered{_interval(covered)}, {_of_promise(covered, promise, unit)}"
    said, true = metrics.get("micro_precision"), metrics.get("micro_recall")
    if said is None or true is None or math.isnan(said.value) or math.isnan(true.value):
        return f"no {unit} to judge by"
    precision, recall = _percent(said.value, 1), _percent(true.value, 1)
    return f"{precision} of the predicted labels are true, {recall} of the true labels are predicted"


def _of_leaves(share: float) -> str:
    if share in (0, 1):
        return "every answer is a leaf" if share else "no answer is a leaf"
    return f"{_percent(share, 0)} of answers are leaves"


def _of_promise(correct: Interval, promise: float, unit: str) -> str:
    """Whether the interval confirms the guarantee. If all answers are right, their number decides."""
    count = correct.count
    all_right_by_chance = correct.value == 1 and promise**count > CHANCE
    if correct.low >= promise and not all_right_by_chance:
        return f"the {100 * promise:g}% guarantee held"
    if correct.high < promise:
        return f"the {100 * promise:g}% guarantee did not hold"
    images = f"{count:,} {unit}{'s are' if count != 1 else ' is'}" if count else f"these {unit}s are"
    return f"{images} too few to tell whether the {100 * promise:g}% guarantee holds"


def _interval(metric: Interval) -> str:
    if math.isnan(metric.low) or math.isnan(metric.high):
        return ""
    return f" [{100 * metric.low:.1f}, {100 * metric.high:.1f}]"


def _percent(share: float, digits: int) -> str:
    """A share in percent that reads as 0 or 100 only if it is exactly that."""
    least = 10.0**-digits
    if share > 0 and 100 * share < least / 2:
        return f"less than {least:g}%"
    if share < 1 and 100 * share >= 100 - least / 2:
        return f"more than {100 - least:g}%"
    return f"{100 * share:.{digits}f}%"
