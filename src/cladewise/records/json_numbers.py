"""Numbers in JSON records, where null stands for NaN."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, cast


def numbers_of(values: Any, name: str) -> tuple[float, ...]:
    """A list from JSON as a tuple of numbers, with NaN for null."""
    if not isinstance(values, list):
        raise TypeError(f"{name} that is not a list")
    numbers = cast("Sequence[Any]", values)
    if any(value is not None and (isinstance(value, bool) or not isinstance(value, int | float)) for value in numbers):
        raise TypeError(f"{name} with entries that are not numbers")
    return tuple(math.nan if value is None else value for value in numbers)


def or_null(value: float) -> float | None:
    """The number, or ``None`` if it is not finite."""
    return value if math.isfinite(value) else None  # JSON has no NaN
