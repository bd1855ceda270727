from __future__ import annotations

import math
import statistics

import pytest

from cladewise.statistics import mean_and_sd


def test_sample_deviation() -> None:
    values = [0.61, 0.58, 0.66, 0.6]
    found = mean_and_sd([*values, math.nan])
    assert found.mean == pytest.approx(statistics.mean(values))
    assert found.sd == pytest.approx(statistics.stdev(values))
    assert found.count == 4


def test_too_few_runs() -> None:
    assert math.isnan(mean_and_sd([0.5]).sd)
    assert mean_and_sd([0.5]).mean == 0.5
    assert math.isnan(mean_and_sd([]).mean)
