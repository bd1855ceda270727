"""Charts as data: plotly figures in the page's one style, ready to stand inside HTML."""

from __future__ import annotations

import dataclasses
import html
from collections.abc import Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go
from numpy.typing import NDArray


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
