"""Transition matrices as heat maps, small on the page however large they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from cladewise.report.figure import Chart, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.node_names import axis_names, block_names
from cladewise.report.run import FloatArray
from cladewise.report.transitions import UP, Transition
from cladewise.taxonomy import Taxonomy

MOST_ROWS, MOST_COLUMNS = 120, 320
"""Cells of a picture, so that one is a pixel on a telephone; where there are more, each stands for several."""

MOST_NAMES = 24
"""Beside the rows and under the columns; where there are more they show under the pointer alone."""

COLOR_STOPS = (
    (0.0, "rgba(224, 128, 58, 0)"),
    (0.01, "rgba(224, 128, 58, 0.3)"),
    (0.05, "rgba(224, 128, 58, 0.75)"),
    (0.2, "rgba(196, 122, 60, 0.95)"),
    (0.5, "rgba(110, 140, 90, 1)"),
    (1.0, "rgba(29, 154, 123, 1)"),
)
"""Small probabilities are told apart too; what is 0 is the paper."""


def scale_ticks() -> list[tuple[str, float]]:
    """Percent of each colour, and its place on the page's scale, whose steps grow with the root of the probability."""
    return [(f"{100 * value:g}", round(100 * math.sqrt(value), 2)) for value, _ in COLOR_STOPS]


def gradient() -> str:
    """The page's scale, as CSS draws it."""
    stops = ", ".join(f"{shade} {100 * math.sqrt(value):.2f}%" for value, shade in COLOR_STOPS)
    return f"linear-gradient(to right, {stops})"


@dataclasses.dataclass(frozen=True)
class HeatMap:
    """One matrix on the page. ``group`` is ``None`` for the naive one."""

    group: Group | None
    chart: Chart
    outside: float


@dataclasses.dataclass(frozen=True)
class TransitionRow:
    """The matrices from one level to the next: what they are of, how they are drawn, and the pictures."""

    title: str
    reading: str
    maps: tuple[HeatMap, ...]


def transition_rows(found: Sequence[Transition], groups: Sequence[Group]) -> list[TransitionRow]:
    """A row for each order and pair of levels: the naive matrix, then each group's."""
    return [_row(index, each, groups) for index, each in enumerate(found)]


def _row(index: int, found: Transition, groups: Sequence[Group]) -> TransitionRow:
    taxonomy = groups[0].runs[0].taxonomy
    order, coarse, fine = found.kind
    names = [taxonomy.level_names[level - 1] for level in (coarse, fine)]
    learnt = [group for group in groups if group.index in found.learnt]
    maps = [HeatMap(None, _chart(f"{index}-naive", found, found.naive, taxonomy, "the tree alone"), 0.0)]
    maps += [
        HeatMap(
            group,
            _chart(f"{index}-{group.index}", found, found.learnt[group.index], taxonomy, group.label),
            found.outside(group),
        )
        for group in learnt
    ]
    title = f"{names[1]} to {names[0]}" if order == UP else f"{names[0]} to {names[1]}"
    reading = (
        f"A column is a node at {names[1]}; its {found.rows.size:,} cells sum to 100%."
        if order == UP
        else f"A row is a node at {names[0]}; its {found.columns.size:,} cells sum to 100%."
    )
    height, width = block_size(found)
    if (height, width) != (1, 1):
        reading += f" A cell of the picture is the greatest of {height} × {width} neighbours in the order of the tree."
    return TransitionRow(title, reading, tuple(maps))


def block_size(found: Transition) -> tuple[int, int]:
    """How many rows and how many columns of the matrix make a cell of the picture."""
    return math.ceil(found.rows.size / MOST_ROWS), math.ceil(found.columns.size / MOST_COLUMNS)


def shrunk(matrix: FloatArray, height: int, width: int) -> FloatArray:
    """The greatest value of each block of neighbours: a single strong pair is seen however small the picture.

    Example:
        >>> shrunk(np.array([[0.0, 0.25, 0.5], [1.0, 0.0, 0.0]]), 1, 2).tolist()
        [[0.25, 0.5], [1.0, 0.0]]
    """
    rows = np.maximum.reduceat(matrix, np.arange(0, matrix.shape[0], height), axis=0)
    return np.maximum.reduceat(rows, np.arange(0, matrix.shape[1], width), axis=1)


def _chart(key: str, found: Transition, matrix: FloatArray, taxonomy: Taxonomy, label: str) -> Chart:
    height, width = block_size(found)
    cells = 100 * shrunk(matrix, height, width)
    rows = block_names([plain(name) for name in axis_names(found.rows, taxonomy)], height)
    columns = block_names([plain(name) for name in axis_names(found.columns, taxonomy)], width)
    named_rows, named_columns = len(rows) <= MOST_NAMES, len(columns) <= MOST_NAMES
    order, coarse, fine = found.kind
    coarse_name, fine_name = (plain(taxonomy.level_names[level - 1]) for level in (coarse, fine))
    pair = "%{x} → %{y}" if order == UP else "%{y} → %{x}"
    figure = blank_figure(hovermode="closest")
    figure.add_trace(
        go.Heatmap(
            x=columns,
            y=rows,
            z=cells.astype(np.float32),
            zmin=0,
            zmax=100,
            colorscale=[list(stop) for stop in COLOR_STOPS],
            showscale=False,
            hovertemplate=f"{pair}<br>%{{z:.1f}}%<extra></extra>",
        )
    )
    axis: dict[str, Any] = {
        "type": "category",
        "showgrid": False,
        "ticks": "",
        "tickfont": {"size": 11},
        "mirror": True,
    }
    figure.update_xaxes(
        **axis,
        showline=True,
        showticklabels=named_columns,
        tickangle=-50,
        title={"text": f"{fine_name} ({found.columns.size:,})", "standoff": 6},
    )
    figure.update_yaxes(
        **axis,
        showline=True,
        showticklabels=named_rows,
        autorange="reversed",
        title={"text": f"{coarse_name} ({found.rows.size:,})", "standoff": 6},
    )
    inside = min(340, max(110, 15 * len(rows)))
    summary = f"Transition probabilities between {coarse_name} and {fine_name}: {label}."
    return Chart(f"transitions-{key}", figure, inside + (100 if named_columns else 40), summary)
