"""The max-margin loss of energies, against its slow twin, by hand, and what must hold for it."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.losses import MaxMarginEnergyLoss
from cladewise.losses.energy import Strategy
from reference import losses_energies as reference
from reference.small_trees import ragged_taxonomies

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])


@settings(max_examples=12)
@given(ragged_taxonomies(), st.sampled_from(["pick-per-level", "uniform"]), st.integers(0, 10**6))
def test_agrees_with_one_label_at_a_time(taxonomy: Taxonomy, negatives: Strategy, seed: int) -> None:
    random = np.random.default_rng(seed)
    energy = random.uniform(0, 2, (taxonomy.num_nodes, taxonomy.num_nodes - 1))
    loss = MaxMarginEnergyLoss(taxonomy, margin=1.2, num_negatives=3, negatives=negatives)
    target = torch.arange(taxonomy.num_nodes)
    wanted = [
        reference.max_margin(
            taxonomy, energy[t], t, margin=1.2, num_negatives=3, by_level=negatives == "pick-per-level"
        )
        for t in range(taxonomy.num_nodes)
    ]
    np.testing.assert_allclose(loss(-torch.from_numpy(energy), target), wanted, rtol=1e-9)


def test_by_hand() -> None:
    energy = torch.tensor([[0.0, 0.25, 0.5, 0.75, 1.5]])  # a, b, c, d, e
    found = {
        name: MaxMarginEnergyLoss(TREE, margin=1.0, num_negatives=4, negatives=name)(-energy, torch.tensor([2])).item()
        for name in ("pick-per-level", "uniform")
    }
    # path a, b: 0.25; level of genera: d lacks 0.25; of species: c lacks 0.5, e nothing
    assert found["pick-per-level"] == pytest.approx(0.25 + 4 * 2 * (0.25 + 0.25) / 2)
    assert found["uniform"] == pytest.approx(0.25 + 4 * 2 * 0.75 / 3)


def test_what_is_inside_the_path_and_outside_all_else_costs_nothing() -> None:
    energy = torch.tensor([[0.0, 0.0, 1.0, 1.0, 2.0]])
    loss = MaxMarginEnergyLoss(TREE, margin=1.0)
    assert loss(-energy, torch.tensor([2])).item() == 0.0
    assert loss(-energy, torch.tensor([0])).item() == 0.0  # the root says nothing
    internal = torch.tensor([[0.0, 0.0, 0.0, 1.0, 1.0]])
    assert loss(-internal, torch.tensor([1])).item() == 0.0  # a label says nothing of what is under it


def test_an_only_child_has_no_rival_in_its_level() -> None:
    chain = Taxonomy.from_paths([("a", "b", "c")])
    assert MaxMarginEnergyLoss(chain)(-torch.ones(1, 3), torch.tensor([3])).item() == 3.0


def test_what_it_refuses() -> None:
    with pytest.raises(InputError, match="Expected a margin of at least 0, but got -1"):
        MaxMarginEnergyLoss(TREE, margin=-1.0)
    with pytest.raises(InputError, match="Expected negatives among pick-per-level, uniform, but got 'hard'"):
        MaxMarginEnergyLoss(TREE, negatives="hard")  # pyright: ignore[reportArgumentType]
