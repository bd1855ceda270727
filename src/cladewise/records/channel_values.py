"""Numbers per colour channel, as a setting writes them."""

from __future__ import annotations

import math

from cladewise.errors import InputError


def channel_values(text: str, name: str = "mean") -> tuple[float, float, float] | None:
    """Three numbers of a setting such as ``0.485,0.456,0.406``; ``None`` for an empty text.

    Args:
        text: Mean or standard deviation of red, green and blue, of values in [0, 1].
        name: ``mean``, from 0 to 1, or ``std``, above 0.

    Raises:
        InputError: It is neither empty nor three numbers, or one of them is out of its range.

    Example:
        >>> channel_values("0.5, 0.5, 0.5"), channel_values("")
        ((0.5, 0.5, 0.5), None)
    """
    if not text.strip():
        return None
    wanted = f"{name} to be three numbers with commas, for red, green and blue of values from 0 to 1"
    try:
        values = tuple(float(part) for part in text.split(","))
    except ValueError:
        raise InputError(wanted, repr(text)) from None
    if len(values) != 3:
        raise InputError(wanted, f"{len(values)} numbers: {text!r}")
    good = (0 <= v <= 1 if name == "mean" else 0 < v <= LARGEST_STD for v in values)
    if not all(good) or not all(map(math.isfinite, values)):
        advice = "Divide values for pixels from 0 to 255 by 255." if max(values) > 1 else ""
        raise InputError(wanted, repr(text), advice=advice)
    red, green, blue = values
    return red, green, blue


LARGEST_STD = 1.0
"""Largest standard deviation to divide by; 1 leaves the values as they are."""
