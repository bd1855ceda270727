"""Training on the device that ``CLADEWISE_TEST_DEVICE`` names, in every precision."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from cladewise.engine import Run


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("method", ["hace", "lht", "supcon", "hyperbolic-cones"])
def test_training_in_each_precision(
    trained: Callable[..., Run], device: torch.device, method: str, precision: str
) -> None:
    if device.type == "cpu" and precision == "16-mixed":
        precision = "bf16-mixed"  # PyTorch has no loss scaling there
    accelerator = "cpu" if device.type == "cpu" else "gpu"
    run = trained(method=method, epochs=2, lr=0.01, precision=precision, accelerator=accelerator)
    weights = run.classifier.state_dict()
    assert all(value.isfinite().all() for value in weights.values() if value.is_floating_point())
