"""Figures for print: one matplotlib style, no display, and equal bytes for equal data."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Generator
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from cladewise.atomic import replacing
from cladewise.drawing.palette import DASH_ARRAYS, MUTED, OUTLINE

STYLE: dict[Any, Any] = {
    "font.family": "sans-serif",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": OUTLINE,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#eceae4",
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "text.parse_math": False,  # a name may contain a dollar sign
    "svg.hashsalt": "cladewise",  # equal runs give equal files
    "svg.fonttype": "none",
}
"""matplotlib settings of every figure."""

PERCENT_TICKS = range(0, 101, 20)
DOTS_PER_INCH = 200
LEGEND_COLUMNS = 4


@contextlib.contextmanager
def paper(width: float, height: float, **settings: Any) -> Generator[Figure]:
    """A new figure in the house style; draw on it inside the ``with`` block, where the style's settings hold.

    Args:
        width: Width in inches.
        height: Height in inches.
        settings: matplotlib settings that differ from :data:`STYLE`, with ``_`` for the dot in their names.

    Example:
        >>> with paper(4, 3, axes_grid=False) as figure:
        ...     axes = figure.add_subplot()
        >>> figure.get_size_inches().tolist()
        [4.0, 3.0]
    """
    chosen: dict[Any, Any] = {name.replace("_", ".", 1): value for name, value in settings.items()}
    with mpl.rc_context({**STYLE, **chosen}):
        yield Figure(figsize=(width, height), layout="constrained")


def save_figure(figure: Figure, stem: Path) -> list[Path]:
    """Write a figure as ``<stem>.png`` and ``<stem>.svg``, each whole or not at all.

    Returns:
        The two paths.
    """
    written = [stem.with_name(f"{stem.name}{ending}") for ending in _ABOUT]
    for file in written:
        save_picture(figure, file)
    return written


_ABOUT: dict[str, dict[Any, Any]] = {".png": {"Software": None}, ".svg": {"Date": None, "Creator": None}}
"""Metadata that would differ from one version or day to the next, by the ending of the file."""


def save_picture(figure: Figure, file: Path) -> None:
    """Write a figure as a PNG or SVG file, by its ending, whole or not at all."""
    with mpl.rc_context(STYLE), replacing(file) as temporary, warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # a name in a script that the font lacks
        figure.savefig(temporary, dpi=DOTS_PER_INCH, metadata=_ABOUT[file.suffix])


def stroke(color: str, dash: str) -> dict[str, Any]:
    """matplotlib arguments for a line of a colour and a line style of :data:`~cladewise.drawing.palette.DASHES`.

    Example:
        >>> stroke("#3b6fd4", "dash")
        {'color': '#3b6fd4', 'linestyle': (0, (3.5, 2.0))}
    """
    lengths = DASH_ARRAYS[dash]
    style = "-" if lengths == "none" else (0, tuple(float(length) / 2 for length in lengths.split()))
    return {"color": color, "linestyle": style}


def add_legend(figure: Figure, axes: Axes) -> None:
    """Put a legend of the axes' lines below the figure, if there is more than one line."""
    handles, labels = axes.get_legend_handles_labels()
    if len(labels) > 1:
        letters = 90 * min(1.0, figure.get_figwidth() / 6.4)
        columns = min(LEGEND_COLUMNS, max(1, int(letters // (8 + max(map(len, labels))))))
        figure.legend(handles, labels, loc="outside lower center", ncols=columns, frameon=False, handlelength=2.6)
