"""The operating curve of a run as a picture for its model card."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from cladewise.drawing.palette import INK, color
from cladewise.records import Evaluation

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_RULES = 6
"""Largest number of decision rules marked on the curve."""


def operating_picture(evaluation: Evaluation, rules: Sequence[Evaluation] = ()) -> Figure | None:
    """Share of right answers and information precision against information recall, with a point for each rule.

    Args:
        evaluation: The evaluation with the curve.
        rules: Evaluations of the same split and inference, marked where their answers are.

    Returns:
        The figure; ``None`` if the evaluation has no curve.
    """
    from cladewise.drawing.paper import add_legend, paper

    points = evaluation.curves.operating
    if points is None:
        return None
    with paper(6.4, 4.0) as figure:
        axes = figure.add_subplot()
        recall = [100 * value for value in points.recall]
        for place, (label, values) in enumerate(
            (("right answers", points.correct), ("information precision", points.precision))
        ):
            axes.plot(recall, [100 * value for value in values], label=label, color=color(place), linewidth=1.8)
        lowest = [100 * min(*points.correct, *points.precision)]
        for rule in rules[:MOST_RULES]:
            place = 100 * rule.value("info_recall"), 100 * rule.value("correct")
            if not any(map(math.isnan, place)):
                axes.plot(*place, marker="o", color=INK, markersize=5, linestyle="none")
                axes.annotate(rule.decision, place, xytext=(-6, -4), textcoords="offset points", ha="right", va="top")
                lowest.append(place[1])
        axes.set(
            xlim=(0, 101),
            ylim=(max(0, 10 * math.floor(min(lowest) / 10 - 0.2)), 101),
            xlabel="information recall, %",
            ylabel="%",
        )
        add_legend(figure, axes)
    return figure
