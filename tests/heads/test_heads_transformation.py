"""The transformation module before a frame of fixed vectors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cladewise import InputError, Taxonomy, methods
from cladewise.heads import Transformation

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])


def test_layers_written_out() -> None:
    torch.manual_seed(0)
    module = Transformation(3, 2)
    state = {name: value.double().numpy() for name, value in module.state_dict().items()}
    features = torch.randn(7, 3, generator=torch.Generator().manual_seed(1))

    def normal(x: np.ndarray) -> np.ndarray:
        return (x - x.mean(0)) / np.sqrt(x.var(0) + 1e-5)

    def slope(x: np.ndarray, at: str) -> np.ndarray:
        return np.where(x > 0, x, state[at] * x)

    x = normal(features.double().numpy())
    for place in (0, 1):
        name = f"layers.{place}"
        y = slope(normal(x @ state[f"{name}.inside.0.weight"].T), f"{name}.inside.2.weight")
        y = slope(normal(y @ state[f"{name}.inside.3.weight"].T), f"{name}.inside.5.weight")
        x = y + (x @ state[f"{name}.beside.weight"].T if place == 0 else x)
    np.testing.assert_allclose(module(features).detach(), x, atol=1e-5)


def test_one_image_is_enough_for_training() -> None:
    assert Transformation(3, 2).train()(torch.ones(1, 3)).isfinite().all()


def test_widths_of_the_head() -> None:
    wide = methods.make("hier-cos").head(TREE, 5)
    assert wide.represent(torch.zeros(2, 5)).shape == (2, 4)  # there are four nodes below the root
    assert methods.make("hier-cos", width=3).head(TREE, 5).represent(torch.zeros(2, 5)).shape == (2, 3)
    assert methods.make("hier-cos", width=0).head(TREE, 5).represent(torch.zeros(2, 5)).shape == (2, 5)
    with pytest.raises(InputError, match="a transformation of at least 1 number"):
        methods.make("hier-cos", width=-1).head(TREE, 5)
