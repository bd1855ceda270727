from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise.decisions import LabelSets
from cladewise.metrics import SetSizes
from cladewise.metrics.set_sizes import SIZES
from reference.small_trees import t9


def sizes_of(*parts: torch.Tensor) -> list[float]:
    metric = SetSizes(t9())
    for chosen in parts:
        metric.update(LabelSets(chosen, torch.zeros(chosen.shape)), torch.zeros(len(chosen), dtype=torch.int64))
    return [metric.compute()[name].item() for name in SIZES]


@given(st.integers(1, 30), st.integers(1, 12), st.integers(0, 10**6))
def test_they_are_numpys_of_the_whole_however_it_comes(images: int, nodes: int, seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    chosen = torch.rand(images, nodes, generator=generator) < torch.rand(1, generator=generator)
    count = chosen[:, 1:].sum(1).numpy()
    whole = sizes_of(chosen)
    assert whole == pytest.approx([count.min(), count.max(), count.mean(), count.std()])
    assert sizes_of(*chosen.split(4), chosen[:0]) == whole
    assert sizes_of(chosen.flip(0)[None]) == whole


def test_large_numbers_neither_overflow_nor_cancel() -> None:
    metric = SetSizes(t9())
    metric.update(LabelSets(torch.ones(2, 3, dtype=torch.bool), torch.zeros(2, 3)), torch.tensor([1, 1]))
    many, size = 10**8, 10**5
    metric.images, metric.total, metric.squares = (torch.tensor(x) for x in (many, many * size, many * size**2 + many))
    assert metric.compute()["labels_sd"].item() == pytest.approx(1.0)


def test_no_image_has_no_number() -> None:
    assert np.isnan(sizes_of(torch.zeros(0, 4, dtype=torch.bool))).all()
    metric = SetSizes(t9())
    metric.update(LabelSets(torch.ones(1, 4, dtype=torch.bool), torch.zeros(1, 4)), torch.tensor([1]))
    metric.reset()
    assert metric.compute()["labels_max"].isnan()
