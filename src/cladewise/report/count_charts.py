"""Images of every label as charts: the long tail, on an axis of logarithms."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.drawing.node_names import axis_names
from cladewise.report.charts import Chart, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.label_counts import LevelCounts, TrainingData, level_counts, training_data
from cladewise.report.run import Run

TRAINING, EVALUATED = "#2a9d86", "#e0803a"
"""Colours: no group's own, and apart from each other for any eye."""

NONE = 0.5
"""Where an axis of logarithms has its 0."""

BARS_UP_TO = 60
"""Labels; more of them are a line."""


@dataclasses.dataclass(frozen=True)
class CountsSection:
    """The charts of one set of training images; ``names`` are its groups', empty where all were trained on it."""

    data: TrainingData
    names: tuple[str, ...]
    charts: tuple[Chart, ...]
    notes: tuple[str, ...]


def counts_sections(groups: Sequence[Group]) -> list[CountsSection]:
    """A section for each set of training images; empty where no run folder tells of any."""
    found = training_data(groups)
    sections: list[CountsSection] = []
    for place, data in enumerate(found):
        levels = level_counts(data)
        charts = tuple(
            _chart(f"counts-{place}-{index}", each, data, groups[0].runs[0]) for index, each in enumerate(levels)
        )
        names = tuple(group.label for group in data.groups) if len(data.groups) < len(groups) else ()
        sections.append(CountsSection(data, names, charts, tuple(filter(None, map(_left_out, levels)))))
    return sections


def _left_out(found: LevelCounts) -> str:
    if not any(found.above):
        return ""
    training, evaluated = found.above
    return (
        f"At {found.level}, {training:,} and {evaluated:,} images are left out, which are labelled coarser than that."
    )


def imbalance(found: LevelCounts) -> str:
    """How uneven the training images of a level are, in words.

    Example:
        >>> node = np.arange(3)
        >>> imbalance(LevelCounts("genus", node, np.array([40, 10, 0]), node, (0, 0)))
        '3 labels, 0 to 40 training images'
    """
    number, least, most = found.nodes.size, int(found.training.min()), int(found.training.max())
    span = f"{least:,}" if least == most else f"{least:,} to {most:,}"
    return f"{number:,} label{'s' if number != 1 else ''}, {span} training image{'s' if most != 1 else ''}"


def ticks(largest: int) -> tuple[list[float], list[str]]:
    """Ticks of an axis of counts by logarithm: 0, and about two for each power of ten.

    Example:
        >>> ticks(120)
        ([0.5, 1, 3, 10, 30, 100], ['0', '1', '3', '10', '30', '100'])
    """
    values = [first * 10**power for power in range(12) for first in (1, 3) if first * 10**power <= max(1, largest)]
    return [NONE, *values], ["0", *(f"{value:,}" for value in values)]


def _chart(key: str, found: LevelCounts, data: TrainingData, run: Run) -> Chart:
    names = [plain(name) for name in axis_names(found.nodes, run.taxonomy)]
    split = plain(run.evaluation.split)
    figure = blank_figure(
        hovermode="x unified",
        title={"text": f"{plain(found.level)}: {imbalance(found)}", "x": 0.02, "font": {"size": 14}},
        margin={"l": 8, "r": 8, "t": 40, "b": 8},
    )
    shown, texts = np.maximum(found.training, NONE), found.training
    hover = f"%{{customdata:,}} in {plain(data.split)}<extra></extra>"
    if found.nodes.size <= BARS_UP_TO:  # bars of logarithms begin where the axis does
        figure.add_trace(
            go.Bar(
                x=names,
                y=shown - 0.9 * NONE,
                base=0.9 * NONE,
                customdata=texts,
                hovertemplate=hover,
                marker={"color": TRAINING, "line": {"width": 0}},
            )
        )
    else:
        figure.add_trace(
            go.Scatter(
                x=names,
                y=shown,
                customdata=texts,
                mode="lines",
                line={"color": TRAINING, "width": 2.4, "shape": "hvh"},
                hovertemplate=hover,
            )
        )
    figure.add_trace(
        go.Scatter(
            x=names,
            y=np.maximum(found.evaluated, NONE),
            customdata=found.evaluated,
            mode="markers",
            marker={"color": EVALUATED, "size": 8 if found.nodes.size <= BARS_UP_TO else 4},
            hovertemplate=f"%{{customdata:,}} in {split}<extra></extra>",
        )
    )
    largest = int(max(found.training.max(), found.evaluated.max()))
    values, words = ticks(largest)
    figure.update_layout(bargap=0.2)
    figure.update_xaxes(
        type="category",
        showticklabels=False,
        showgrid=False,
        ticks="",
        title={"text": "labels, the most frequent first"},
    )
    figure.update_yaxes(
        type="log",
        range=[math.log10(0.9 * NONE), math.log10(1.3 * max(1, largest))],
        tickvals=values,
        ticktext=words,
        title={"text": "images"},
    )
    return Chart(key, figure, 300, f"Images of each label at {found.level}: {imbalance(found)}.")
