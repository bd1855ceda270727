"""Mean and standard deviation over repeated runs."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import ArrayLike


@dataclasses.dataclass(frozen=True)
class Spread:
    """Mean, sample standard deviation and number of the runs that have a value."""

    mean: float
    sd: float
    count: int


def mean_and_sd(values: ArrayLike) -> Spread:
    """Mean and sample standard deviation (divisor n - 1) over runs, one value per run; NaN runs are left out.

    With one run the deviation is NaN; without runs the mean is, too.

    Example:
        >>> mean_and_sd([1.0, 2.0, 3.0])
        Spread(mean=2.0, sd=1.0, count=3)
    """
    array = np.asarray(values, dtype=np.float64).ravel()
    array = array[~np.isnan(array)]
    return Spread(
        mean=float(array.mean()) if array.size else np.nan,
        sd=float(array.std(ddof=1)) if array.size > 1 else np.nan,
        count=array.size,
    )
