"""The scaling of frozen features, fitted in parts."""

from __future__ import annotations

import torch

from cladewise.engine.classifier import FeatureScaling


def test_parts_of_any_size_give_the_mean_and_deviation_of_all() -> None:
    features = torch.randn(1000, 6, generator=torch.Generator().manual_seed(0)) * torch.logspace(-3, 3, 6) + 100
    features[:, 2] = 7.0
    for sizes in ([1000], [1] * 1000, [1, 999], [333, 333, 334], [998, 1, 1]):
        scaling = FeatureScaling("standardise", 6).double()
        scaling.fit(features.split(sizes))
        deviation, mean = torch.std_mean(features.double(), dim=0, correction=0)
        expected = torch.where(deviation > 1e-6, 1 / deviation, 0.0)
        torch.testing.assert_close(scaling.mean, mean, rtol=1e-12, atol=1e-12, msg=str(sizes))
        torch.testing.assert_close(scaling.scale, expected, rtol=1e-9, atol=1e-12, msg=str(sizes))
        assert scaling(features.double())[:, 2].abs().max() == 0


def test_other_scalings_learn_nothing() -> None:
    scaling = FeatureScaling("l2", 3)
    scaling.fit(iter([torch.ones(4, 3)]))
    assert scaling.mean.tolist() == [0, 0, 0]
