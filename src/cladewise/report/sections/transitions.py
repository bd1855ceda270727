"""Section *Transitions between levels*: learnt transition matrices next to the one that the tree alone gives."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import plotly.graph_objects as go
import polars as pl

from cladewise.drawing.node_names import axis_names, block_names, shortened
from cladewise.drawing.tables import file_name
from cladewise.errors import InputError
from cladewise.records.layout import RunFolder
from cladewise.records.transitions import Order, naive_transition, read_transitions
from cladewise.report.charts import Chart, blank_figure, chart_text
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.run import FloatArray, ReportedRun
from cladewise.report.runs.status import IntArray
from cladewise.report.sections.section import Section
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import LinearSegmentedColormap
    from matplotlib.figure import Figure


UP: Order = "f2c"
"""Order of matrices from fine to coarse, whose columns sum to 1; in the other order, rows sum to 1."""


Kind = tuple[Order, int, int]
"""Order, coarser level and finer level."""

MOST_ROWS, MOST_COLUMNS = 120, 320
"""Most cells of a heat map, so that one is at least a pixel on a phone; larger matrices are shrunk."""
MOST_NAMES = 90
"""Most names next to the rows or below the columns; if there are more, they are only shown on hover."""
LONGEST_NAME = 24
"""Longest name next to a matrix, in characters; the full name is shown on hover."""
SIDE_BY_SIDE = 24
"""Most columns of matrices that are shown side by side."""
ROW, COLUMN, LETTER = 14, 11, 6.3
"""Pixels per named row, per named column, and per letter of a name."""
LISTED = 5
"""Number of pairs other than parent and child listed below each learnt matrix."""
COLOR_STOPS = (
    (0.0, "rgba(52, 112, 214, 0)"),
    (0.01, "rgba(52, 112, 214, 0.12)"),
    (0.05, "rgba(52, 112, 214, 0.3)"),
    (0.2, "rgba(52, 112, 214, 0.56)"),
    (0.5, "rgba(52, 112, 214, 0.8)"),
    (1.0, "rgba(52, 112, 214, 1)"),
)
"""Colours by probability, in finer steps for small ones; 0 is transparent. One hue is safe for colour blindness."""

LEAST_PROBABILITY = 0.0005
"""Smallest probability in the exported table, except between parent and child."""


@dataclasses.dataclass(frozen=True)
class Transition:
    """Matrices between two levels ``[coarser node, finer node]``, with nodes in the order of the tree.

    Args:
        kind: Order, coarser and finer level.
        rows: Nodes of the coarser extended level.
        columns: Nodes of the finer one.
        naive: The matrix that the tree alone gives.
        learnt: Learnt matrices by group index, averaged over the seeds.
    """

    kind: Kind
    rows: IntArray
    columns: IntArray
    naive: FloatArray
    learnt: dict[int, FloatArray]

    def outside(self, group: Group) -> float:
        """Mean probability that a group's matrix gives to pairs that are not parent and child in the tree."""
        axis = 0 if self.kind[0] == UP else 1
        return float((self.learnt[group.index] * (self.naive == 0)).sum(axis=axis).mean())


@dataclasses.dataclass(frozen=True)
class StrongPair:
    """Two nodes that are not parent and child, and the probability of a transition from one to the other."""

    start: str
    end: str
    probability: float


@dataclasses.dataclass(frozen=True)
class HeatMap:
    """One matrix on the page; ``group`` is ``None`` for the one that the tree gives.

    ``outside`` is the mean probability outside the blocks of the tree, and ``strongest`` are the pairs with most of it.
    """

    group: Group | None
    chart: Chart
    outside: float
    strongest: tuple[StrongPair, ...] = ()


@dataclasses.dataclass(frozen=True)
class TransitionRow:
    """The matrices between two levels: a title, a caption and the heat maps."""

    title: str
    reading: str
    maps: tuple[HeatMap, ...]
    is_wide: bool = False


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionSection(Section):
    """The matrices of all levels."""

    template: ClassVar[str] = "transitions.html"
    groups: tuple[Group, ...]
    found: Sequence[Transition]

    @cached_property
    def rows(self) -> Sequence[TransitionRow]:
        """The heat maps by order and levels."""
        return transition_rows(self.found, self.groups)

    @property
    def charts(self) -> Sequence[Chart]:
        return [each.chart for row in self.rows for each in row.maps]

    @property
    def scale(self) -> list[tuple[str, float]]:
        """Percentage of each colour, and its position on the page's scale, which is linear in the square root."""
        return [(f"{100 * value:g}", round(100 * math.sqrt(value), 2)) for value, _ in COLOR_STOPS]

    @property
    def gradient(self) -> str:
        """The page's scale as a CSS gradient."""
        stops = ", ".join(f"{shade} {100 * math.sqrt(value):.2f}%" for value, shade in COLOR_STOPS)
        return f"linear-gradient(to right, {stops})"

    def drawings(self) -> Iterator[tuple[str, Figure]]:
        taxonomy = self.groups[0].runs[0].taxonomy
        for found in self.found:
            order, coarse, fine = found.kind
            ends = [file_name(taxonomy.level_names[level - 1]) for level in (fine, coarse)]
            ends = ends if order == UP else ends[::-1]
            yield f"transitions-{'-to-'.join(ends)}", transition_drawing(found, self.groups)

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "transitions", _transition_rows(self.found, self.groups, self.groups[0].runs[0].taxonomy)


def transition_sections(comparison: Comparison) -> Iterator[TransitionSection]:
    """The section, if any run has learnt transitions."""
    if found := transitions_of(comparison.groups):
        yield TransitionSection(comparison.groups, found)


def transitions_of(groups: Sequence[Group]) -> list[Transition]:
    """Learnt transitions of all groups by order and level, coarse to fine; empty if there are none."""
    taxonomy = groups[0].runs[0].taxonomy
    found: dict[Kind, dict[int, list[FloatArray]]] = {}
    for group in groups:
        for run in group.runs:
            for kind, matrix in _matrices(run).items():
                found.setdefault(kind, {}).setdefault(group.index, []).append(matrix)
    return [
        Transition(
            kind,
            taxonomy.level_nodes(kind[1]),
            taxonomy.level_nodes(kind[2]),
            naive_transition(taxonomy, *kind[1:], kind[0]).astype(np.float64),
            {index: np.mean(matrices, axis=0) for index, matrices in by_group.items()},
        )
        for kind, by_group in sorted(found.items(), key=lambda item: (item[0][0] != UP, item[0]))
    ]


def _matrices(run: ReportedRun) -> dict[Kind, FloatArray]:
    """The matrices in a run folder for the shown split; none if the network was trained on another tree.

    Raises:
        InputError: The file is damaged, or does not fit the run's taxonomy.
    """
    file = RunFolder(run.folder).transitions(run.evaluation.split)
    if not file.is_file():
        return {}
    read, own = read_transitions(file), run.taxonomy.fingerprint
    if read.about.get("taxonomy", own) != own:
        return {}
    found: dict[Kind, FloatArray] = {}
    for coarse, matrix in read.means.items():
        fine = read.finer(coarse)
        expected = tuple(run.taxonomy.level_nodes(level).size for level in (coarse, fine))
        if matrix.shape != expected:
            raise InputError(
                f"a matrix level_{coarse} of shape {list(expected)}", f"{list(matrix.shape)}", at=str(file)
            )
        found[read.order, coarse, fine] = matrix.astype(np.float64)
    return found


def transition_rows(found: Sequence[Transition], groups: Sequence[Group]) -> list[TransitionRow]:
    """One row per order and pair of levels: the naive matrix, then the matrix of each group."""
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
        reading += f" Each cell of the map is the maximum of {height} × {width} neighbours in the order of the tree."
    return TransitionRow(title, reading, tuple(maps), is_wide=found.columns.size > SIDE_BY_SIDE)


def _strongest(found: Transition, matrix: FloatArray, taxonomy: Taxonomy) -> tuple[StrongPair, ...]:
    """The most probable pairs that are not parent and child in the tree."""
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
    """Number of rows and columns of the matrix per cell of the heat map."""
    return math.ceil(found.rows.size / MOST_ROWS), math.ceil(found.columns.size / MOST_COLUMNS)


def shrunk(matrix: FloatArray, height: int, width: int) -> FloatArray:
    """The greatest value of each block of neighbours, so that a single strong pair stays visible.

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
    rows, columns = [chart_text(text) for text in row_names], [chart_text(text) for text in column_names]
    order, coarse, fine = found.kind
    coarse_name, fine_name = (chart_text(taxonomy.level_names[level - 1]) for level in (coarse, fine))
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
        texts = {"tickvals": categories, "ticktext": [chart_text(text) for text in shown[axis]]} if named[axis] else {}
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


def transition_drawing(found: Transition, groups: Sequence[Group]) -> Figure:
    """The naive matrix and the matrix of each group, below each other if they are wide."""
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import PowerNorm
    from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

    from cladewise.drawing.paper import paper

    taxonomy = groups[0].runs[0].taxonomy
    learnt = [group for group in groups if group.index in found.learnt]
    matrices = [found.naive, *(found.learnt[group.index] for group in learnt)]
    labels = ["the tree alone", *(group.label for group in learnt)]
    order, coarse, fine = found.kind
    height, width = block_size(found)
    rows, columns = shrunk(matrices[0], height, width).shape
    across = 1 if columns > 2.5 * rows else 2
    down = math.ceil(len(matrices) / across)
    panel = max(1.3, min(3.2, 0.11 * rows + 0.4)) if across == 2 else max(1.2, min(2.6, 6.2 * rows / columns + 0.5))
    with paper(7.2, panel * down + 0.9) as figure:
        panels = figure.subplots(down, across, squeeze=False)
        for place, (axes, matrix, label) in enumerate(zip(panels.flat, matrices, labels, strict=False)):
            _heat(axes, shrunk(matrix, height, width))
            axes.set_title(label, fontsize=9, loc="left")
            _name_rows(axes, found, taxonomy)
            axes.set_ylabel(f"{taxonomy.level_names[coarse - 1]} ({found.rows.size:,})")
            if place >= len(matrices) - across:
                axes.set_xlabel(f"{taxonomy.level_names[fine - 1]} ({found.columns.size:,})")
        for axes in panels.flat[len(matrices) :]:
            axes.set_axis_off()
        scale = ScalarMappable(PowerNorm(0.5, 0, 1), color_map())
        bar = figure.colorbar(scale, ax=panels, orientation="horizontal", shrink=0.5, aspect=40, pad=0.02)
        values = [value for value, _ in COLOR_STOPS]
        bar.ax.xaxis.set_major_locator(FixedLocator(values))
        bar.ax.xaxis.set_major_formatter(FixedFormatter([f"{100 * value:g}" for value in values]))
        bar.ax.xaxis.set_minor_locator(NullLocator())
        given = "column" if order == UP else "row"
        bar.set_label(f"probability, % (a {given} sums to 100)")
    return figure


def _heat(axes: Axes, cells: FloatArray) -> None:
    from matplotlib.colors import PowerNorm

    axes.grid(visible=False)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(True)
    axes.imshow(
        cells, cmap=color_map(), norm=PowerNorm(0.5, 0, 1), aspect="auto", interpolation="nearest", rasterized=True
    )


def _name_rows(axes: Axes, found: Transition, taxonomy: Taxonomy) -> None:
    if found.rows.size <= MOST_NAMES:
        axes.set_yticks(range(found.rows.size), axis_names(found.rows, taxonomy), fontsize=6)


def color_map() -> LinearSegmentedColormap:
    """The page's colours on white, as a function of the square root of the probability."""
    from matplotlib.colors import LinearSegmentedColormap

    stops = [(math.sqrt(value), _on_white(shade)) for value, shade in COLOR_STOPS]
    return LinearSegmentedColormap.from_list("transitions", stops)


def _on_white(shade: str) -> tuple[float, float, float]:
    red, green, blue, opacity = (float(part) for part in shade.removeprefix("rgba(").rstrip(")").split(","))
    first, second, third = ((opacity * part + (1 - opacity) * 255) / 255 for part in (red, green, blue))
    return first, second, third


def _transition_rows(found: Sequence[Transition], groups: Sequence[Group], taxonomy: Taxonomy) -> pl.DataFrame:
    """One row per order, level, group and pair that is parent and child or has some probability."""
    parts: list[pl.DataFrame] = []
    for each in found:
        order, coarse, fine = each.kind
        for group in (group for group in groups if group.index in each.learnt):
            learnt = each.learnt[group.index]
            rows, columns = np.nonzero((each.naive > 0) | (learnt >= LEAST_PROBABILITY))
            parts.append(
                pl.DataFrame(
                    {
                        "order": order,
                        "coarse_level": taxonomy.level_names[coarse - 1],
                        "fine_level": taxonomy.level_names[fine - 1],
                        "group": group.label,
                        "coarse": [taxonomy.path_name(node) for node in each.rows[rows].tolist()],
                        "fine": [taxonomy.path_name(node) for node in each.columns[columns].tolist()],
                        "naive": each.naive[rows, columns],
                        "learnt": learnt[rows, columns],
                    }
                )
            )
    return pl.concat(parts)
