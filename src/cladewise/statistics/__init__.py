"""Intervals of means over images, paired differences, and spread over runs; NumPy only."""

from cladewise.statistics.bootstrap import Interval, mean_interval, mean_intervals, paired_difference
from cladewise.statistics.spread import Spread, mean_and_sd

__all__ = ["Interval", "Spread", "mean_and_sd", "mean_interval", "mean_intervals", "paired_difference"]
