"""Intervals of means over images, paired differences, bounds of probabilities, spread over runs; NumPy only."""

from cladewise.statistics.binomial import binomial_tail, clopper_pearson_lower
from cladewise.statistics.bootstrap import Interval, mean_interval, mean_intervals, paired_difference
from cladewise.statistics.spread import Spread, mean_and_sd

__all__ = [
    "Interval",
    "Spread",
    "binomial_tail",
    "clopper_pearson_lower",
    "mean_and_sd",
    "mean_interval",
    "mean_intervals",
    "paired_difference",
]
