"""Vectors settle in place exactly as they settle as copies."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import embeddings


@pytest.mark.parametrize("name", embeddings.available())
@given(st.integers(0, 999), st.integers(1, 5), st.sampled_from([1e-3, 0.1, 0.5, 1.0, 30.0]))
def test_in_place_is_as_a_copy(name: str, seed: int, dim: int, length: float) -> None:
    made = embeddings.make(name)
    vectors = length * torch.randn(20, dim, generator=torch.Generator().manual_seed(seed))
    vectors[0] = 0.0
    vectors[1] = vectors[1] / vectors[1].norm().clamp_min(1e-6) * 0.099
    wanted = made.settled(vectors)
    made.settle_(vectors)
    assert vectors.equal(wanted)
    made.settle_(vectors)
    assert vectors.equal(made.settled(wanted))
