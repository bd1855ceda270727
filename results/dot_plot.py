"""The picture of the page on which method to take: differences from a flat softmax, one mark per dataset."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from collecting import Measured
from matplotlib.axes import Axes
from page import BASELINE, GOALS, Goal, difference_of, methods_of

from cladewise.drawing.palette import MUTED, color
from cladewise.drawing.paper import paper, save_picture
from cladewise.records.resources import column_text

MARKS = ("o", "s", "D", "^", "v")
EDGE = {True: 8.0, False: 0.25}
"""Largest difference on an axis, in points of a share or in levels; marks beyond it are drawn at the edge."""


def draw(probes: Sequence[Measured], file: Path) -> None:
    """Draw the methods from the most to the fewest right leaves on average, with one panel per goal."""
    methods = sorted(
        (method for method in methods_of(probes) if method != BASELINE), key=lambda method: _mean(probes, method)
    )
    with paper(11, 0.23 * len(methods) + 1.3) as figure:
        panels = figure.subplots(1, len(GOALS), sharey=True)
        for goal, axes in zip(GOALS, panels, strict=True):
            _panel(axes, goal, probes, methods)
        panels[0].set_yticks(range(len(methods)), methods)
        panels[0].set_ylim(-0.7, len(methods) - 0.3)
        marks = panels[0].get_legend_handles_labels()
        figure.legend(*marks, loc="outside lower center", ncols=len(probes), frameon=False)
        save_picture(figure, file)


def _panel(axes: Axes, goal: Goal, probes: Sequence[Measured], methods: Sequence[str]) -> None:
    text = column_text(goal.metric)
    edge, unit = EDGE[text.is_share], "points" if text.is_share else "levels"
    better = "lower is better" if text.higher_is_better is False else "higher is better"
    axes.axvline(0, color=MUTED, linewidth=0.9)
    for number, data in enumerate(probes):
        style = {"color": color(number), "marker": MARKS[number % len(MARKS)], "markersize": 4.5, "linestyle": ""}
        axes.plot([], [], label=data.name, **style)
        for row, method in enumerate(methods):
            figure = difference_of(data, method, goal.metric)
            if figure is not None:
                x = figure.difference * (100 if text.is_share else 1)
                face = style["color"] if figure.verdict else "white"
                axes.plot(max(-edge, min(edge, x)), row, **style, markerfacecolor=face, clip_on=False, zorder=3)
    axes.set_xlim(-edge, edge)
    axes.set_title(f"{goal.heading}, {unit}\n({better})", fontsize=9)
    axes.tick_params(length=0)


def _mean(probes: Sequence[Measured], method: str) -> float:
    found = [figure.difference for data in probes if (figure := difference_of(data, method, GOALS[0].metric))]
    return sum(found) / len(found)
