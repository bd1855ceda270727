"""Interactive charts: plotly figures in one style, serialised for the page's HTML."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray


@dataclasses.dataclass(frozen=True)
class ChartView:
    """One of several views of a chart: the properties of the first trace that differ in it."""

    label: str
    trace: Any


@dataclasses.dataclass(frozen=True)
class Chart:
    """An interactive figure of the page.

    Args:
        key: Identifies it on the page.
        figure: The plotly figure.
        height: Height in CSS pixels.
        summary: Description for screen readers.
        views: Views to choose from, if there are several.
        min_width: Width in CSS pixels below which it scrolls sideways.
    """

    key: str
    figure: go.Figure
    height: int
    summary: str
    views: Sequence[ChartView] = ()
    min_width: int = 0

    def json(self) -> str:
        """The chart as JSON that is safe inside a script element."""
        views = go.Figure(data=[view.trace for view in self.views])
        return as_script_data(f'{{"figure": {self.figure.to_json()}, "views": {views.to_json()}}}')


def as_script_data(text: str) -> str:
    """JSON escaped so that nothing in it can end the script element it is in.

    Example:
        >>> as_script_data('"</script>"')
        '"\\\\u003c/script\\\\u003e"'
    """
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def thin(values: NDArray[np.float64]) -> NDArray[np.float32]:
    """Numbers in single precision, which halves their length in the page."""
    return values.astype(np.float32)


def chart_text(text: object) -> str:
    """Text escaped for plotly, which would otherwise interpret some HTML tags.

    Example:
        >>> chart_text("<b>R&D</b>")
        '&lt;b&gt;R&amp;D&lt;/b&gt;'
    """
    return html.escape(str(text), quote=False)


def blank_figure(**layout: Any) -> go.Figure:
    """An empty figure in the page's style, without colours that depend on light or dark mode, which the page sets."""
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
