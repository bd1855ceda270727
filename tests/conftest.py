from __future__ import annotations

import pytest
import torch
from hypothesis import HealthCheck, settings

settings.register_profile("cladewise", deadline=None, max_examples=30, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("cladewise")

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> torch.device:
    """Every device of this machine."""
    return torch.device(request.param)
