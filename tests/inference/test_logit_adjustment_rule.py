"""Logit adjustment as an inference: golden values, the prior that it equals, and refusals."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from cladewise import InputError, Taxonomy
from cladewise.inference import LogitAdjustment, Prior
from cladewise.predictions import LeafSoftmax, NodeSigmoid
from cladewise.records.counts import write_counts

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])


def test_golden_shares_with_a_label_at_an_inner_node() -> None:
    # two images of a itself count one for b and one for c: 4, 1 and 2 images; equal scores become 1/4 : 1 : 1/2
    target = torch.tensor([1, 1, 2, 2, 2, 4, 4])
    rule = LogitAdjustment().fit(LeafSoftmax(TREE, torch.zeros(7, 3)), target)
    found = rule(LeafSoftmax(TREE, torch.zeros(1, 3))).log_prob.exp()
    assert found[0].tolist() == pytest.approx([1, 5 / 7, 1 / 7, 4 / 7, 2 / 7])


def test_half_the_strength_is_the_square_root() -> None:
    rule = LogitAdjustment(strength=0.5).fit(LeafSoftmax(TREE, torch.zeros(6, 3)), torch.tensor([2, 2, 2, 2, 3, 4]))
    found = rule(LeafSoftmax(TREE, torch.zeros(1, 3))).log_prob.exp()
    assert found[0, 2:].tolist() == pytest.approx([1 / 5, 2 / 5, 2 / 5])


def test_it_is_the_prior_of_an_even_table_and_the_counts_of_the_run(tmp_path: Path) -> None:
    target = torch.tensor([2, 2, 2, 3, 4, 4, 1, 1])
    write_counts(tmp_path / "counts.csv", {"train": target.numpy()})
    (tmp_path / "even.csv").write_text("label,weight\na,1\nd,1\n")
    even = Prior(tmp_path / "even.csv", training=tmp_path / "counts.csv")
    generator = torch.Generator().manual_seed(0)
    for prediction in (
        LeafSoftmax(TREE, torch.randn(4, 3, generator=generator)),
        NodeSigmoid(TREE, torch.randn(4, 4, generator=generator)),
    ):
        rule = LogitAdjustment().fit(LeafSoftmax(TREE, torch.zeros(8, 3)), target)
        assert torch.allclose(rule(prediction).log_prob, even(prediction).log_prob, atol=1e-6)


def test_what_is_refused() -> None:
    with pytest.raises(InputError, match="a strength above 0"):
        LogitAdjustment(strength=0.0)
    with pytest.raises(InputError, match="a fitted logit-adjustment"):
        LogitAdjustment()(LeafSoftmax(TREE, torch.zeros(1, 3)))
