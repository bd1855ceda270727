"""Section *Accuracy by class*: what each group gains and loses against the baseline, class by class."""

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
from cladewise.drawing.palette import NEUTRAL, color
from cladewise.drawing.tables import file_name
from cladewise.records.metric_names import LEVEL_PREFIX
from cladewise.report.charts import Chart, blank_figure, chart_text, thin
from cladewise.report.comparison import Comparison
from cladewise.report.metric_style import MINUS
from cladewise.report.runs.groups import Group, shared_levels
from cladewise.report.runs.run import FloatArray, ReportedRun
from cladewise.report.runs.status import IntArray
from cladewise.report.sections.section import Section
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from matplotlib.figure import Figure


MOST_BARS = 1000
"""Most bars of a chart; with more classes, a bar is for several neighbours."""
REACHES = (1, 2, 5, 10, 20, 50, 100)
"""Candidate limits of the axes of differences, in percentage points to either side."""

MOST_NAMES = 26
"""Most names below the bars; if there are more, they are only shown on hover."""
LONGEST_NAME = 20
"""Longest name below the bars, in characters."""
ROOM_FROM = 260
"""Number of bars from which a chart scrolls on a narrow screen instead of shrinking."""
BASELINE_HEIGHT, CHANGE_HEIGHT, IMAGES_HEIGHT, GAP, FOOT = 92, 104, 64, 30, 34
"""Heights of the panels, of the gap above each, and of the space below all, in CSS pixels."""


@dataclasses.dataclass(frozen=True)
class ClassAccuracy:
    """The classes of a level that have images, from the hardest for the baseline to the easiest.

    Args:
        level: Name of the level.
        baseline: The group that the others are compared with.
        nodes: The classes ``[class]``.
        num_images: Number of images of each class with a label at or below the level ``[class]``.
        accuracy: By group index, the share of each class's images that are right at the level, averaged over the
            seeds ``[class]``.
    """

    level: str
    baseline: Group
    nodes: IntArray
    num_images: IntArray
    accuracy: dict[int, FloatArray]

    def change(self, group: Group) -> FloatArray:
        """Accuracy of a group minus that of the baseline ``[class]``."""
        return self.accuracy[group.index] - self.accuracy[self.baseline.index]


@dataclasses.dataclass(frozen=True, eq=False)
class ClassSection(Section):
    """The classes of every level."""

    template: ClassVar[str] = "classes.html"
    baseline: Group
    groups: tuple[Group, ...]
    by_level: Sequence[ClassAccuracy]

    @property
    def levels(self) -> list[str]:
        """Names of the levels, coarse to fine."""
        return [found.level for found in self.by_level]

    @property
    def charts(self) -> Sequence[Chart]:
        return self._charts

    @cached_property
    def _charts(self) -> Sequence[Chart]:
        return class_charts(self.by_level, self.groups)

    def drawings(self) -> Iterator[tuple[str, Figure]]:
        for found in self.by_level:
            yield f"classes-{file_name(found.level)}", class_drawing(found, self.groups)

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "classes", _class_rows(self.by_level, self.groups, self.baseline.runs[0].taxonomy)


def class_sections(comparison: Comparison) -> Iterator[ClassSection]:
    """The section, if there are groups to compare that were evaluated by level."""
    baseline, placing = comparison.baseline, comparison.placing
    if baseline in placing and (by_level := class_accuracies(placing, baseline)):
        yield ClassSection(baseline, placing, by_level)


def class_accuracies(groups: Sequence[Group], baseline: Group) -> list[ClassAccuracy]:
    """Levels with per-image values, coarse to fine; empty if there is only one group."""
    if len(groups) < 2:
        return []
    columns = [set(run.outcomes.columns) for group in groups for run in group.runs]
    levels = [name for name in shared_levels(groups) if all(LEVEL_PREFIX + name in there for there in columns)]
    found = [_accuracy(groups, baseline, name) for name in levels]
    return [each for each in found if each.nodes.size]


def _accuracy(groups: Sequence[Group], baseline: Group, level: str) -> ClassAccuracy:
    taxonomy = baseline.runs[0].taxonomy
    representative = taxonomy.at_level(1 + taxonomy.level_names.index(level))
    found = {group.index: np.array([share_right(run, level, representative) for run in group.runs]) for group in groups}
    accuracy = {index: shares[:, 0].mean(axis=0) for index, shares in found.items()}
    num_images = found[baseline.index][0, 1].astype(np.int64)
    nodes = np.flatnonzero(num_images)
    order = nodes[np.argsort(accuracy[baseline.index][nodes], kind="stable")]
    return ClassAccuracy(
        level, baseline, order, num_images[order], {index: share[order] for index, share in accuracy.items()}
    )


def share_right(run: ReportedRun, level: str, representative: IntArray) -> FloatArray:
    """For every node, the share of a run's images that are right at a level, and their number ``[2, node]``."""
    right = run.outcomes[LEVEL_PREFIX + level].to_numpy().astype(np.float64)
    counts = ~np.isnan(right)
    nodes, size = representative[run.target[counts]], representative.size
    total = np.bincount(nodes, minlength=size).astype(np.float64)
    hits = np.bincount(nodes, weights=right[counts], minlength=size)
    return np.stack([np.divide(hits, total, out=np.full(size, np.nan), where=total > 0), total])


@dataclasses.dataclass(frozen=True)
class Bars:
    """A level as it is drawn ``[bar]``: accuracy in percent, changes by group index in percentage points."""

    names: list[str]
    per_bar: int
    accuracy: FloatArray
    change: dict[int, FloatArray]
    num_images: IntArray

    @property
    def reach(self) -> float:
        """Limit of all axes of changes, in percentage points to either side."""
        largest = max((float(np.nanmax(np.abs(each), initial=0)) for each in self.change.values()), default=0)
        return next((reach for reach in REACHES if reach >= largest), REACHES[-1])


def bars_of(found: ClassAccuracy, groups: Sequence[Group], taxonomy: Taxonomy, most: int = MOST_BARS) -> Bars:
    """Bars of a level; a bar for several classes has the mean of their values and the sum of their images."""
    per_bar = math.ceil(found.nodes.size / most)
    starts = np.arange(0, found.nodes.size, per_bar)
    sizes = np.diff(np.append(starts, found.nodes.size))

    def mean(values: FloatArray) -> FloatArray:
        return 100 * np.add.reduceat(values, starts) / sizes

    return Bars(
        names=block_names(axis_names(found.nodes, taxonomy), per_bar),
        per_bar=per_bar,
        accuracy=mean(found.accuracy[found.baseline.index]),
        change={group.index: mean(found.change(group)) for group in others(groups, found.baseline)},
        num_images=np.add.reduceat(found.num_images, starts),
    )


def others(groups: Sequence[Group], baseline: Group) -> list[Group]:
    """All groups except the baseline."""
    return [group for group in groups if group is not baseline]


@dataclasses.dataclass(frozen=True)
class Panel:
    """One row of bars.

    Args:
        title: Heading.
        values: Values ``[bar]``.
        color: Colour of the bars.
        hover: Template of the text shown on hover.
        height: Height in CSS pixels.
        range: Limits of the axis, if fixed.
        texts: Texts for the hover template, if the bare number is not enough.
        has_zero: Whether to draw a line at zero.
    """

    title: str
    values: FloatArray
    color: str
    hover: str
    height: int
    range: tuple[float, float] | None
    texts: list[str] | None = None
    has_zero: bool = False


def class_charts(found: Sequence[ClassAccuracy], groups: Sequence[Group]) -> list[Chart]:
    """One chart per level: the baseline's accuracy, the differences of each other group, and the number of images."""
    taxonomy = groups[0].runs[0].taxonomy
    return [_chart(index, each, groups, bars_of(each, groups, taxonomy)) for index, each in enumerate(found)]


def _panels(found: ClassAccuracy, groups: Sequence[Group], bars: Bars) -> list[Panel]:
    baseline = chart_text(found.baseline.label)
    is_cut = len(bars.names) <= MOST_NAMES and any(shortened(name, LONGEST_NAME) != name for name in bars.names)
    return [
        Panel(
            f"{baseline}: accuracy, %",
            bars.accuracy,
            color(found.baseline.index),
            f"{'%{customdata}: ' if is_cut else ''}%{{y:.1f}}% {baseline}",
            BASELINE_HEIGHT,
            (0, 101),
            [chart_text(name) for name in bars.names] if is_cut else None,
        ),
        *(
            Panel(
                f"{chart_text(group.label)} − {baseline}, percentage points",
                bars.change[group.index],
                color(group.index),
                f"%{{customdata}} {chart_text(group.label)}",
                CHANGE_HEIGHT,
                (-bars.reach, bars.reach),
                [_signed(value) for value in bars.change[group.index].tolist()],
                has_zero=True,
            )
            for group in others(groups, found.baseline)
        ),
        Panel("images", bars.num_images.astype(float), NEUTRAL, "%{y:,.0f} images", IMAGES_HEIGHT, None),
    ]


def _chart(index: int, found: ClassAccuracy, groups: Sequence[Group], bars: Bars) -> Chart:
    panels, names = _panels(found, groups, bars), [chart_text(name) for name in bars.names]
    named = len(names) <= MOST_NAMES
    inside = sum(GAP + panel.height for panel in panels)
    figure = blank_figure(hovermode="x unified", hoversubplots="axis", bargap=0.15 if named else 0)
    figure.update_layout(margin={"t": 0, "b": FOOT, "l": 46, "r": 8})
    top = inside
    for row, panel in enumerate(panels, start=1):
        top -= GAP
        _add_panel(figure, row, panel, names, max(0, top - panel.height) / inside, top / inside)
        top -= panel.height
    figure.update_xaxes(
        type="category",
        anchor=f"y{len(panels)}",
        showticklabels=named,
        ticks="",
        tickvals=names if named else None,
        ticktext=[chart_text(shortened(name, LONGEST_NAME)) for name in bars.names] if named else None,
        autotickangles=[0, 90],
        tickfont={"size": 11},
        showgrid=False,
        title={"text": "" if named else _axis_title(found, bars)},
    )
    foot = FOOT + (6 * max(len(shortened(name, LONGEST_NAME)) for name in bars.names) if named else 0)
    summary = f"Accuracy of {found.nodes.size} classes at {found.level} against that of {found.baseline.label}."
    room = len(names) if len(names) >= ROOM_FROM else 0
    return Chart(f"classes-{index}", figure, inside + foot, summary, min_width=room)


def _add_panel(figure: go.Figure, row: int, panel: Panel, names: list[str], bottom: float, top: float) -> None:
    """Add bars with their own axis between two heights of the figure, and their title."""
    axis = "" if row == 1 else str(row)
    figure.add_trace(
        go.Bar(
            x=names,
            y=thin(panel.values),
            yaxis=f"y{axis}",
            customdata=panel.texts,
            marker={"color": panel.color, "line": {"width": 0}},
            hovertemplate=f"{panel.hover}<extra></extra>",
        )
    )
    settings = {
        "domain": [bottom, top],
        "nticks": 4 if panel.has_zero else 3,
        "range": panel.range,
        "rangemode": "tozero",
        "zeroline": panel.has_zero,
        "zerolinecolor": NEUTRAL,
        "tickformat": ",",
        "fixedrange": True,
        "automargin": False,
        "tickfont": {"size": 11},
    }
    figure.update_layout({f"yaxis{axis}": settings})
    figure.add_annotation(
        text=panel.title,
        x=0,
        y=top,
        xref="paper",
        yref="paper",
        xanchor="left",
        yanchor="bottom",
        showarrow=False,
        font={"size": 12.5},
    )


def _signed(value: float) -> str:
    """A difference with its sign.

    Example:
        >>> _signed(0.26), _signed(-3.04), _signed(-0.01)
        ('+0.3', '−3.0', '0.0')
    """
    if math.isnan(value):
        return "–"
    return f"{value:+.1f}".replace("-", MINUS) if abs(value) >= 0.05 else "0.0"


def _axis_title(found: ClassAccuracy, bars: Bars) -> str:
    several = f", {bars.per_bar} to a bar" if bars.per_bar > 1 else ""
    return f"{chart_text(found.level)} ({found.nodes.size:,}{several}), hardest first"


def class_drawing(found: ClassAccuracy, groups: Sequence[Group]) -> Figure:
    """The baseline's accuracy by class, the differences of each other group, and the number of images."""
    from cladewise.drawing.paper import paper

    taxonomy, compared = groups[0].runs[0].taxonomy, others(groups, found.baseline)
    bars = bars_of(found, groups, taxonomy)
    place = np.arange(len(bars.names))
    with paper(7.2, 1.9 + 1.05 * len(compared)) as figure:
        panels = figure.subplots(
            2 + len(compared), 1, sharex=True, squeeze=False, height_ratios=[0.9, *[1.05] * len(compared), 0.6]
        )[:, 0]
        panels[0].bar(place, bars.accuracy, width=1, color=color(found.baseline.index))
        panels[0].set(ylim=(0, 101), title=f"{found.baseline.label}: accuracy, %")
        for axes, group in zip(panels[1:], compared, strict=False):
            axes.bar(place, bars.change[group.index], width=1, color=color(group.index))
            axes.axhline(0, color=NEUTRAL, linewidth=0.6)
            axes.set(ylim=(-bars.reach, bars.reach))
            axes.set_title(f"{group.label} − {found.baseline.label}, percentage points")
        panels[-1].bar(place, bars.num_images, width=1, color=NEUTRAL)
        several = f", {bars.per_bar} to a bar" if bars.per_bar > 1 else ""
        panels[-1].set(title="images", xlim=(-0.6, len(bars.names) - 0.4))
        panels[-1].set_xlabel(f"{found.level} ({found.nodes.size:,}{several}), hardest for the baseline first")
        for axes in panels:
            axes.set_title(axes.get_title(), loc="left", fontsize=8)
            axes.set_title("")
            axes.grid(axis="x", visible=False)
            axes.set_xticks([])
    return figure


def _class_rows(classes: Sequence[ClassAccuracy], groups: Sequence[Group], taxonomy: Taxonomy) -> pl.DataFrame:
    """One row per level, group and class, in the order of the page."""
    return pl.concat(
        pl.DataFrame(
            {
                "level": found.level,
                "group": group.label,
                "reference": found.baseline.label,
                "class": [taxonomy.path_name(node) for node in found.nodes.tolist()],
                "num_images": found.num_images,
                "accuracy": found.accuracy[group.index],
                "difference": found.change(group),
            }
        )
        for found in classes
        for group in (found.baseline, *others(groups, found.baseline))
    )
