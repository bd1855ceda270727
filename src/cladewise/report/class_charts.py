"""Class by class as charts: panels one under another, a bar a class in each."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import plotly.graph_objects as go

from cladewise.drawing.node_names import shortened
from cladewise.drawing.palette import NEUTRAL, color
from cladewise.report.charts import Chart, blank_figure, plain, thin
from cladewise.report.class_accuracy import Bars, ClassAccuracy, bars_of, others
from cladewise.report.groups import Group
from cladewise.report.metric_style import MINUS
from cladewise.report.run import FloatArray

MOST_NAMES = 26
"""That stand under the bars; where there are more they show under the pointer alone."""

LONGEST_NAME = 20
"""Characters of a name under the bars."""

ROOM_FROM = 260
"""From so many bars on a chart is not squeezed into a narrow screen, which scrolls instead."""

REFERENCE_HEIGHT, CHANGE_HEIGHT, IMAGES_HEIGHT, GAP, FOOT = 92, 104, 64, 30, 34
"""Of the panels, of what is above each, and of what is under all, in CSS pixels."""


@dataclasses.dataclass(frozen=True)
class Panel:
    """One row of bars: its title, values, colour, what the pointer tells, its height, and its axis.

    ``texts`` stand for the values under the pointer where the number as it is would not do.
    """

    title: str
    values: FloatArray
    color: str
    told: str
    height: int
    range: tuple[float, float] | None
    texts: list[str] | None = None
    has_zero: bool = False


def class_charts(found: Sequence[ClassAccuracy], groups: Sequence[Group]) -> list[Chart]:
    """A chart a level: the reference's accuracy, a panel of differences for each other group, and the images."""
    taxonomy = groups[0].runs[0].taxonomy
    return [_chart(index, each, groups, bars_of(each, groups, taxonomy)) for index, each in enumerate(found)]


def _panels(found: ClassAccuracy, groups: Sequence[Group], bars: Bars) -> list[Panel]:
    reference = plain(found.reference.label)
    is_cut = len(bars.names) <= MOST_NAMES and any(shortened(name, LONGEST_NAME) != name for name in bars.names)
    return [
        Panel(
            f"{reference}: accuracy, %",
            bars.reference,
            color(found.reference.index),
            f"{'%{customdata}: ' if is_cut else ''}%{{y:.1f}}% {reference}",
            REFERENCE_HEIGHT,
            (0, 101),
            [plain(name) for name in bars.names] if is_cut else None,
        ),
        *(
            Panel(
                f"{plain(group.label)} − {reference}, percentage points",
                bars.change[group.index],
                color(group.index),
                f"%{{customdata}} {plain(group.label)}",
                CHANGE_HEIGHT,
                (-bars.reach, bars.reach),
                [_signed(value) for value in bars.change[group.index].tolist()],
                has_zero=True,
            )
            for group in others(groups, found.reference)
        ),
        Panel("images", bars.num_images.astype(float), NEUTRAL, "%{y:,.0f} images", IMAGES_HEIGHT, None),
    ]


def _chart(index: int, found: ClassAccuracy, groups: Sequence[Group], bars: Bars) -> Chart:
    panels, names = _panels(found, groups, bars), [plain(name) for name in bars.names]
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
        ticktext=[plain(shortened(name, LONGEST_NAME)) for name in bars.names] if named else None,
        autotickangles=[0, 90],
        tickfont={"size": 11},
        showgrid=False,
        title={"text": "" if named else _axis_title(found, bars)},
    )
    foot = FOOT + (6 * max(len(shortened(name, LONGEST_NAME)) for name in bars.names) if named else 0)
    summary = f"Accuracy of {found.nodes.size} classes at {found.level} against that of {found.reference.label}."
    room = len(names) if len(names) >= ROOM_FROM else 0
    return Chart(f"classes-{index}", figure, inside + foot, summary, min_width=room)


def _add_panel(figure: go.Figure, row: int, panel: Panel, names: list[str], bottom: float, top: float) -> None:
    """Bars with an axis of their own between two heights of the figure, and the title over them."""
    axis = "" if row == 1 else str(row)
    figure.add_trace(
        go.Bar(
            x=names,
            y=thin(panel.values),
            yaxis=f"y{axis}",
            customdata=panel.texts,
            marker={"color": panel.color, "line": {"width": 0}},
            hovertemplate=f"{panel.told}<extra></extra>",
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
    return f"{plain(found.level)} ({found.nodes.size:,}{several}), the hardest first"
