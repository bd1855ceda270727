"""Class by class: what each group gains and loses against the reference, at every level."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import numpy as np
import plotly.graph_objects as go

from cladewise.records.metric_names import LEVEL_PREFIX
from cladewise.report.figure import NEUTRAL, Chart, blank_figure, color, plain, thin
from cladewise.report.groups import Group
from cladewise.report.levels import level_names
from cladewise.report.node_names import axis_names, block_names
from cladewise.report.run import FloatArray, IntArray, Run
from cladewise.taxonomy import Taxonomy

MOST_BARS = 1000
"""Of a chart; where there are more classes a bar stands for several neighbours."""

MOST_NAMES = 26
"""That stand under the bars; where there are more they show under the pointer alone."""

ROOM_FROM = 260
"""From so many bars on a chart is not squeezed into a narrow screen, which scrolls instead."""


@dataclasses.dataclass(frozen=True)
class ClassAccuracy:
    """The classes of a level that have images, from the hardest for the reference to the easiest.

    Args:
        level: Name of the level.
        reference: What the others are compared with.
        nodes: The classes ``[class]``.
        num_images: Images of each ``[class]`` whose labels say something of the level.
        accuracy: By group's index, the share of each class's images that are right at the level, mean over the
            seeds ``[class]``.
    """

    level: str
    reference: Group
    nodes: IntArray
    num_images: IntArray
    accuracy: dict[int, FloatArray]

    def change(self, group: Group) -> FloatArray:
        """Accuracy of a group minus the reference's ``[class]``."""
        return self.accuracy[group.index] - self.accuracy[self.reference.index]


def class_accuracies(groups: Sequence[Group], reference: Group) -> list[ClassAccuracy]:
    """Every level that was evaluated image by image, coarse to fine; empty where there is nothing to compare."""
    if len(groups) < 2:
        return []
    columns = [set(run.outcomes.columns) for group in groups for run in group.runs]
    levels = [name for name in level_names(groups) if all(LEVEL_PREFIX + name in there for there in columns)]
    return [_accuracy(groups, reference, name) for name in levels]


def _accuracy(groups: Sequence[Group], reference: Group, level: str) -> ClassAccuracy:
    taxonomy = reference.runs[0].taxonomy
    representative = taxonomy.at_level(1 + taxonomy.level_names.index(level))
    found = {group.index: np.array([share_right(run, level, representative) for run in group.runs]) for group in groups}
    accuracy = {index: shares[:, 0].mean(axis=0) for index, shares in found.items()}
    num_images = found[reference.index][0, 1].astype(np.int64)
    nodes = np.flatnonzero(num_images)
    order = nodes[np.argsort(accuracy[reference.index][nodes], kind="stable")]
    return ClassAccuracy(
        level, reference, order, num_images[order], {index: share[order] for index, share in accuracy.items()}
    )


def share_right(run: Run, level: str, representative: IntArray) -> FloatArray:
    """Of every node, the share of a run's images of it that are right at a level, and their number ``[2, node]``."""
    right = run.outcomes[LEVEL_PREFIX + level].to_numpy().astype(np.float64)
    counts = ~np.isnan(right)
    nodes, size = representative[run.target[counts]], representative.size
    total = np.bincount(nodes, minlength=size).astype(np.float64)
    hits = np.bincount(nodes, weights=right[counts], minlength=size)
    return np.stack([np.divide(hits, total, out=np.full(size, np.nan), where=total > 0), total])


# ---------------------------------------------------------------- the picture


@dataclasses.dataclass(frozen=True)
class Bars:
    """A level as it is drawn ``[bar]``; in percent, and percentage points of ``change`` by group's index."""

    names: list[str]
    per_bar: int
    reference: FloatArray
    change: dict[int, FloatArray]
    num_images: IntArray

    @property
    def reach(self) -> float:
        """How far the axes of the changes go up and down: they are all alike."""
        largest = max((float(np.nanmax(np.abs(each), initial=0)) for each in self.change.values()), default=0)
        return max(10, 10 * math.ceil(1.05 * largest / 10))


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
        reference=mean(found.accuracy[found.reference.index]),
        change={group.index: mean(found.change(group)) for group in others(groups, found.reference)},
        num_images=np.add.reduceat(found.num_images, starts),
    )


def others(groups: Sequence[Group], reference: Group) -> list[Group]:
    """All groups but the reference."""
    return [group for group in groups if group is not reference]


def class_charts(found: Sequence[ClassAccuracy], groups: Sequence[Group]) -> list[Chart]:
    """A chart a level: the reference's accuracy, a panel of differences for each other group, and the images."""
    taxonomy = groups[0].runs[0].taxonomy
    return [_chart(index, each, groups, bars_of(each, groups, taxonomy)) for index, each in enumerate(found)]


REFERENCE_HEIGHT, CHANGE_HEIGHT, IMAGES_HEIGHT, GAP = 92, 104, 64, 30
"""Of the panels and what is above each, in CSS pixels."""


def _chart(index: int, found: ClassAccuracy, groups: Sequence[Group], bars: Bars) -> Chart:
    compared = others(groups, found.reference)
    heights = [REFERENCE_HEIGHT, *[CHANGE_HEIGHT] * len(compared), IMAGES_HEIGHT]
    named = len(bars.names) <= MOST_NAMES
    foot = 110 if named else 34
    total = sum(heights) + GAP * len(heights)
    figure = blank_figure(hovermode="x unified", hoversubplots="axis", bargap=0.15 if named else 0)
    figure.update_layout(margin={"t": 0, "b": foot, "l": 46, "r": 8})
    names = [plain(name) for name in bars.names]
    titles = [
        f"{plain(found.reference.label)}: accuracy, %",
        *(f"{plain(group.label)} − {plain(found.reference.label)}, percentage points" for group in compared),
        "images",
    ]
    series = [bars.reference, *(bars.change[group.index] for group in compared), bars.num_images.astype(np.float64)]
    colors = [color(found.reference.index), *(color(group.index) for group in compared), NEUTRAL]
    words = [
        f"%{{y:.1f}}% {plain(found.reference.label)}",
        *(f"%{{y:+.1f}} {plain(group.label)}" for group in compared),
        "%{y:,.0f} images",
    ]
    top = total
    for row, (height, title, values, shade, text) in enumerate(
        zip(heights, titles, series, colors, words, strict=True), start=1
    ):
        top -= GAP
        axis = "" if row == 1 else str(row)
        figure.add_trace(
            go.Bar(
                x=names,
                y=thin(values),
                yaxis=f"y{axis}",
                marker={"color": shade, "line": {"width": 0}},
                hovertemplate=text + "<extra></extra>",
            )
        )
        is_change = 1 < row < len(heights)
        figure.update_layout(
            {
                f"yaxis{axis}": {
                    "domain": [max(0, (top - height) / total), top / total],
                    "nticks": 4 if is_change else 3,
                    "range": [-bars.reach, bars.reach] if is_change else None if row > 1 else [0, 101],
                    "rangemode": "tozero",
                    "zeroline": is_change,
                    "zerolinecolor": NEUTRAL,
                    "fixedrange": True,
                    "tickfont": {"size": 11},
                }
            }
        )
        figure.add_annotation(
            text=title,
            x=0,
            y=top / total,
            xref="paper",
            yref="paper",
            xanchor="left",
            yanchor="bottom",
            showarrow=False,
            align="left",
            font={"size": 12.5},
        )
        top -= height
    figure.update_xaxes(
        type="category",
        anchor=f"y{len(heights)}",
        showticklabels=named,
        ticks="",
        tickangle=-50,
        tickfont={"size": 11},
        showgrid=False,
        automargin=False,
        title={"text": "" if named else _axis_title(found, bars)},
    )
    summary = f"Accuracy of {found.nodes.size} classes at {found.level} against that of {found.reference.label}."
    room = len(bars.names) if len(bars.names) >= ROOM_FROM else 0
    return Chart(f"classes-{index}", figure, total + foot, summary, min_width=room)


def _axis_title(found: ClassAccuracy, bars: Bars) -> str:
    several = f", {bars.per_bar} to a bar" if bars.per_bar > 1 else ""
    return f"{plain(found.level)} ({found.nodes.size:,}{several}), the hardest first"
