"""Transition matrices as heat maps, small on the page however large they are."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.drawing.node_names import axis_names, block_names, shortened
from cladewise.report.charts import Chart, blank_figure, plain
from cladewise.report.groups import Group
from cladewise.report.run import FloatArray
from cladewise.report.transitions import UP, Transition
from cladewise.taxonomy import Taxonomy

MOST_ROWS, MOST_COLUMNS = 120, 320
"""Cells of a picture, so that one is a pixel on a telephone; where there are more, each stands for several."""

MOST_NAMES = 90
"""Beside the rows and under the columns; where there are more they show under the pointer alone."""

LONGEST_NAME = 24
"""Characters of a name beside a matrix; the pointer tells the whole."""

SIDE_BY_SIDE = 24
"""Columns up to which two matrices stand side by side."""

ROW, COLUMN, LETTER = 14, 11, 6.3
"""Pixels of a row and of a column that has a name, and of a letter of one."""

LISTED = 5
"""Pairs that are no parent and child, listed under each learnt matrix."""

COLOR_STOPS = (
    (0.0, "rgba(52, 112, 214, 0)"),
    (0.01, "rgba(52, 112, 214, 0.12)"),
    (0.05, "rgba(52, 112, 214, 0.3)"),
    (0.2, "rgba(52, 112, 214, 0.56)"),
    (0.5, "rgba(52, 112, 214, 0.8)"),
    (1.0, "rgba(52, 112, 214, 1)"),
)
"""Small probabilities are told apart too; what is 0 is the paper. One hue, so that no eye mixes two of them up."""


def scale_ticks() -> list[tuple[str, float]]:
    """Percent of each colour, and its place on the page's scale, whose steps grow with the root of the probability."""
    return [(f"{100 * value:g}", round(100 * math.sqrt(value), 2)) for value, _ in COLOR_STOPS]


def gradient() -> str:
    """The page's scale, as CSS draws it."""
    stops = ", ".join(f"{shade} {100 * math.sqrt(value):.2f}%" for value, shade in COLOR_STOPS)
    return f"linear-gradient(to right, {stops})"


@dataclasses.dataclass(frozen=True)
class HeatMap:
    """One matrix on the page. ``group`` is ``None`` for the naive one.

    ``outside`` is the mean probability outside the blocks of the tree, and ``strongest`` names the pairs with the most.
    """

    group: Group | None
    chart: Chart
    outside: float
    strongest: tuple[StrongPair, ...] = ()


@dataclasses.dataclass(frozen=True)
class StrongPair:
    """A pair of nodes that are no parent and child, and the probability of going from the one to the other."""

    start: str
    end: str
    probability: float


@dataclasses.dataclass(frozen=True)
class TransitionRow:
    """The matrices from one level to the next: what they are of, how they are drawn, and the pictures."""

    title: str
    reading: str
    maps: tuple[HeatMap, ...]
    is_wide: bool = False


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
            _strongest(found, found.learnt[group.index], taxonomy),
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
    return TransitionRow(title, reading, tuple(maps), is_wide=found.columns.size > SIDE_BY_SIDE)


def _strongest(found: Transition, matrix: FloatArray, taxonomy: Taxonomy) -> tuple[StrongPair, ...]:
    """The pairs with the most probability of those that are no parent and child in the tree."""
    outside = np.where(found.naive == 0, matrix, 0.0).ravel()
    most = np.argpartition(-outside, min(LISTED, outside.size) - 1)[:LISTED]
    most = most[np.argsort(-outside[most], kind="stable")]
    rows, columns = np.unravel_index(most[outside[most] > 0], matrix.shape)
    coarse, fine = (axis_names(nodes, taxonomy) for nodes in (found.rows, found.columns))
    pairs = ((coarse[row], fine[column], float(matrix[row, column])) for row, column in zip(rows, columns, strict=True))
    if found.kind[0] == UP:
        return tuple(StrongPair(below, above, probability) for above, below, probability in pairs)
    return tuple(StrongPair(above, below, probability) for above, below, probability in pairs)


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
    row_names = block_names(axis_names(found.rows, taxonomy), height)
    column_names = block_names(axis_names(found.columns, taxonomy), width)
    rows, columns = [plain(text) for text in row_names], [plain(text) for text in column_names]
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
    shown = {
        "x": [shortened(text, LONGEST_NAME) for text in column_names],
        "y": [shortened(text, LONGEST_NAME) for text in row_names],
    }
    named = {"x": len(columns) <= MOST_NAMES, "y": len(rows) <= MOST_NAMES}
    room = {axis: LETTER * max(map(len, texts)) if named[axis] else 0 for axis, texts in shown.items()}
    for axis, categories, title, settings in (
        ("x", columns, f"{fine_name} ({found.columns.size:,})", {"tickangle": -90}),
        ("y", rows, f"{coarse_name} ({found.rows.size:,})", {"autorange": "reversed"}),
    ):
        texts = {"tickvals": categories, "ticktext": [plain(text) for text in shown[axis]]} if named[axis] else {}
        looks = {
            "type": "category",
            "showgrid": False,
            "showline": True,
            "mirror": True,
            "ticks": "",
            "automargin": False,
            "tickfont": {"size": 10.5},
            "showticklabels": named[axis],
            "title": {"text": title, "standoff": 6},
        }
        figure.update_layout({f"{axis}axis": looks | texts | settings})
    figure.update_layout(margin={"l": 30 + room["y"], "r": 8, "t": 8, "b": 34 + room["x"]})
    inside = max(110, ROW * len(rows)) if named["y"] else min(480, 4 * len(rows))
    width = int(60 + room["y"] + COLUMN * len(columns)) if named["x"] and len(columns) > SIDE_BY_SIDE else 0
    summary = f"Transition probabilities between {coarse_name} and {fine_name}: {label}."
    return Chart(f"transitions-{key}", figure, int(inside + 42 + room["x"]), summary, min_width=width)
