"""Learning rates over several periods of the cosine schedule."""

from __future__ import annotations

import math

import pytest
import torch

from cladewise import Taxonomy, methods
from cladewise.engine.classifier import Classifier
from cladewise.engine.training.stepping import optimiser_of
from cladewise.records import TrainingConfig


def rates(steps: int, **settings: float) -> list[float]:
    head = methods.make("flat-softmax").head(Taxonomy.from_paths([("a",), ("b",)]), 3)
    optimizer, schedule = optimiser_of(Classifier(head), TrainingConfig(lr=0.4, **settings), steps)  # type: ignore[arg-type]
    found: list[float] = []
    for _ in range(steps + 1):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("cycles", [1, 2, 5])
def test_each_period_is_torchs_with_restarts(cycles: int) -> None:
    steps, floor = 40, 0.1
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=0.4)
    theirs = torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(optimizer, steps // cycles, eta_min=floor)
    expected: list[float] = []
    for _ in range(steps):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        theirs.step()
    found = rates(steps, cycles=cycles, lr_floor=floor)
    assert found[:-1] == pytest.approx(expected)
    assert found[-1] == pytest.approx(floor)  # the schedule ends low, and does not start again


def test_periods_begin_after_the_warm_up() -> None:
    found = rates(30, cycles=2, warmup_epochs=10, epochs=30)
    assert found[:10] == sorted(found[:10])
    assert found[10] == found[20] == pytest.approx(0.4)
    assert found[19] == pytest.approx(0.2 * (1 + math.cos(math.pi * 0.9)))
