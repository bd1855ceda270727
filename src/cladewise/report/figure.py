"""Charts as data: plotly figures in the page's one style, ready to stand inside HTML."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray

COLORS = (
    "#3b6fd4", "#e0803a", "#2f9e77", "#c2557f", "#8a63d2", "#a3912a", "#3aa5b8", "#96694c", "#6d7f99", "#d0574a",
    "#7cb342", "#c24fc2", "#d9a520", "#7fa8e8", "#e58ca0", "#56702f", "#b08fe0", "#1f6f78",
)  # fmt: skip
"""Colour of each group, legible on white and on near-black."""

NEUTRAL = "#8b948f"
"""Visible on white and on near-black, and no group's colour."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")

DASH_ARRAYS = {
    "solid": "none",
    "dash": "7 4",
    "dot": "2 3",
    "dashdot": "7 3 2 3",
    "longdash": "11 4",
    "longdashdot": "11 3 2 3",
}
"""The line styles in pixels of stroke and gap, where they are not plotly's to draw."""


@dataclasses.dataclass(frozen=True)
class Variant:
    """One view of a chart that has several: what of the chart's first trace is other in it."""

    label: str
    trace: Any


@dataclasses.dataclass(frozen=True)
class Chart:
    """A figure with its place on the page.

    ``height`` is in CSS pixels, and so is ``min_width``, below which it scrolls; ``summary`` is read where nothing is
    seen.
    """

    key: str
    figure: go.Figure
    height: int
    summary: str
    variants: Sequence[Variant] = ()
    min_width: int = 0

    def json(self) -> str:
        """The chart as JSON that may stand inside a script element."""
        views = go.Figure(data=[variant.trace for variant in self.variants])
        return as_script_data(f'{{"figure": {self.figure.to_json()}, "views": {views.to_json()}}}')


def as_script_data(text: str) -> str:
    """JSON that may stand inside a script element: nothing in it ends the element.

    Example:
        >>> as_script_data('"</script>"')
        '"\\\\u003c/script\\\\u003e"'
    """
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def color(index: int) -> str:
    """Colour of a group."""
    return COLORS[index % len(COLORS)]


def dash(index: int) -> str:
    """Line style of a group: changes when the colours begin again."""
    return DASHES[index // len(COLORS) % len(DASHES)]


def faded(color: str, opacity: float) -> str:
    """A colour that lets through what lies under it.

    Example:
        >>> faded("#3b6fd4", 0.2)
        'rgba(59, 111, 212, 0.2)'
    """
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"


def thin(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers as a chart holds them: in a page, half the characters."""
    return values.astype(np.float32)


def plain(text: object) -> str:
    """Text that plotly shows letter by letter: it reads some HTML tags otherwise.

    Example:
        >>> plain("<b>R&D</b>")
        '&lt;b&gt;R&amp;D&lt;/b&gt;'
    """
    return html.escape(str(text), quote=False)


def blank_figure(**layout: Any) -> go.Figure:
    """An empty figure in the page's style; colours that depend on light or dark are the page's to set."""
    figure = go.Figure()
    figure.update_layout(
        margin={"l": 8, "r": 8, "t": 8, "b": 8},
        template=None,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"size": 13},
        showlegend=False,  # the page has its own, which wraps better on a narrow screen
        uniformtext={"minsize": 9, "mode": "hide"},
        hoverlabel={"align": "left"},
    )
    figure.update_layout(layout)
    figure.update_xaxes(automargin=True, zeroline=False, showspikes=False, title={"font": {"size": 13}})
    figure.update_yaxes(automargin=True, zeroline=False, title={"font": {"size": 13}})
    return figure
