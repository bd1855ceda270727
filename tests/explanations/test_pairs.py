"""Pairs that lie nearest across groups and farthest within one: exact whatever the size of a block."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.explanations import extreme_pairs
from cladewise.explanations import pairs as module


def twin(vectors: Tensor, groups: Tensor, number: int, within: bool) -> list[float]:
    """All pairs sorted, and taken where both are free."""
    unit = vectors.double() / vectors.double().norm(dim=1, keepdim=True)
    fitting = [
        (float(1 - unit[i] @ unit[j]), i, j)
        for i, j in itertools.combinations(range(len(unit)), 2)
        if bool(groups[i] == groups[j]) == within
    ]
    taken: set[int] = set()
    found: list[float] = []
    for distance, i, j in sorted(fitting, key=lambda pair: -pair[0] if within else pair[0]):
        if len(found) < number and taken.isdisjoint((i, j)):
            taken.update((i, j))
            found.append(distance)
    return found


@settings(max_examples=40, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 6),
    st.integers(1, 7),
    st.booleans(),
    st.sampled_from([1, 60, 10**6]),
    st.integers(0, 99),
)
def test_they_are_those_of_the_twin(
    images: int, classes: int, number: int, within: bool, block: int, seed: int
) -> None:
    generator = torch.Generator().manual_seed(seed)
    vectors = torch.randn(images, 3, generator=generator)
    groups = torch.randint(classes, (images,), generator=generator)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "BLOCK", block)
        found = extreme_pairs(vectors, groups, number, within=within, progress=False)
    assert found.distance == pytest.approx(twin(vectors, groups, number, within), abs=1e-5)
    used = np.concatenate([found.first, found.second])
    assert len(set(used.tolist())) == used.size, "each image once"
    assert (((groups[found.first] == groups[found.second]) == within).all()) or not len(used)


def test_a_hub_is_in_one_pair_only_and_others_find_the_next() -> None:
    angles = torch.tensor([0.0, 0.01, 0.02, 0.03, 1.0, 1.3])
    vectors, groups = torch.stack([angles.cos(), angles.sin()], 1), torch.tensor([0, 1, 1, 1, 2, 0])
    found = extreme_pairs(vectors, groups, 2, within=False, progress=False)
    assert list(zip(found.first.tolist(), found.second.tolist(), strict=True)) == [(0, 1), (4, 5)]


def test_the_same_image_twice_is_at_distance_zero() -> None:
    vector = torch.randn(1, 50, generator=torch.Generator().manual_seed(0))
    found = extreme_pairs(vector.repeat(2, 1), torch.tensor([0, 1]), 3, within=False, progress=False)
    assert found.distance.tolist() == [0.0]


def test_none_where_there_is_none() -> None:
    for within, groups in ((False, [0, 0, 0]), (True, [0, 1, 2])):
        found = extreme_pairs(torch.eye(3), torch.tensor(groups), 2, within=within, progress=False)
        assert found.first.size == found.distance.size == 0
    assert extreme_pairs(torch.zeros(0, 3), torch.zeros(0, dtype=torch.int64), 2, within=True).first.size == 0
