from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from cladewise.ops.kernels import has_kernels, without_kernels


@pytest.fixture(params=["compiled", "plain"], scope="module")
def arithmetic(request: pytest.FixtureRequest) -> Iterator[None]:
    """With the compiled kernels, and without them."""
    if request.param == "plain":
        with without_kernels():
            yield
        return
    if not has_kernels(torch.zeros(1)):
        pytest.skip("numba is not installed")
    yield
