"""Colours and line styles shared by the interactive charts and the drawings for print."""

from __future__ import annotations

COLORS = (
    "#3b6fd4", "#e0803a", "#2f9e77", "#c2557f", "#8a63d2", "#a3912a", "#3aa5b8", "#96694c", "#6d7f99", "#d0574a",
    "#7cb342", "#c24fc2", "#d9a520", "#7fa8e8", "#e58ca0", "#56702f", "#b08fe0", "#1f6f78",
)  # fmt: skip
"""Colours of categories in order, legible on white and on near-black."""

NEUTRAL = "#8b948f"
"""Grey for reference lines and images; visible on white and on near-black, and no category's colour."""

INK, MUTED, OUTLINE = "#1d2522", "#4d5652", "#b9beba"
"""Text, secondary text, and thin outlines on paper."""

DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
"""Line styles in order, as plotly names them."""

DASH_ARRAYS = {
    "solid": "none",
    "dash": "7 4",
    "dot": "2 3",
    "dashdot": "7 3 2 3",
    "longdash": "11 4",
    "longdashdot": "11 3 2 3",
}
"""Lengths of stroke and gap in pixels for each line style, for SVG and matplotlib."""


def color(index: int) -> str:
    """Colour of a category; the palette repeats.

    Example:
        >>> color(0), color(len(COLORS)) == color(0)
        ('#3b6fd4', True)
    """
    return COLORS[index % len(COLORS)]


def dash(index: int) -> str:
    """Line style of a category: changes each time the palette repeats.

    Example:
        >>> dash(0), dash(len(COLORS))
        ('solid', 'dash')
    """
    return DASHES[index // len(COLORS) % len(DASHES)]


def faded(color: str, opacity: float) -> str:
    """A hexadecimal colour with an opacity, in CSS notation.

    Example:
        >>> faded("#3b6fd4", 0.2)
        'rgba(59, 111, 212, 0.2)'
    """
    red, green, blue = (int(color[start : start + 2], 16) for start in (1, 3, 5))
    return f"rgba({red}, {green}, {blue}, {opacity})"
