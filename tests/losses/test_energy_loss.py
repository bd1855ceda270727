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


@settings(max_examples=12)
@given(
    ragged_taxonomies(),
    st.sampled_from(["pick-per-level", "uniform"]),
    st.sampled_from([(0.5, 0.0, 0.0), (30.0, 0.5, 0.0), (0.0, 0.3, 1.0), (5.0, 1.0, 0.5)]),
    st.integers(0, 10**6),
)
def test_pushes_by_the_size_of_the_tree_agree_with_one_label_at_a_time(
    taxonomy: Taxonomy, negatives: Strategy, powers: tuple[float, float, float], seed: int
) -> None:
    energy = np.random.default_rng(seed).uniform(0, 2, (taxonomy.num_nodes, taxonomy.num_nodes - 1))
    named = dict(zip(("hardness", "margin_power", "push_power"), powers, strict=True))
    loss = MaxMarginEnergyLoss(taxonomy, margin=1.2, num_negatives=3, negatives=negatives, **named)
    wanted = [
        reference.max_margin(
            taxonomy, energy[t], t, margin=1.2, num_negatives=3, by_level=negatives == "pick-per-level", **named
        )
        for t in range(taxonomy.num_nodes)
    ]
    found = loss(-torch.from_numpy(energy), torch.arange(taxonomy.num_nodes))
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_hard_negatives_push_the_nearest_labels_however_many_there_are() -> None:
    for num_labels in (10, 10_000):
        star = Taxonomy.from_paths([(str(label),) for label in range(num_labels)])
        energy = torch.full((1, num_labels), 2.0)
        energy[0, :2] = torch.tensor([0.0, 0.5])  # the image's label, and one that is within the margin
        energy.requires_grad_()
        MaxMarginEnergyLoss(star, num_negatives=1, hardness=20.0)(-energy, torch.tensor([1])).backward()
        assert energy.grad is not None
        assert energy.grad[0, :2].tolist() == pytest.approx([1.0, -1.0], abs=1e-6)
        assert not energy.grad[0, 2:].any()


def test_hard_negatives_stay_finite() -> None:
    for size in (1e4, -1e4):
        logits = (size * torch.tensor([[1.0, -1.0, 1.0, -1.0, 1.0]])).requires_grad_()
        value = MaxMarginEnergyLoss(TREE, hardness=50.0, margin_power=1.0, push_power=1.0)(logits, torch.tensor([2]))
        assert value.isfinite().all()
        value.sum().backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()


def test_margins_by_hand() -> None:
    energy = torch.tensor([[0.0, 0.0, 0.5, 0.75, 1.5]])  # a, b, c, d, e; two genera, three species
    loss = MaxMarginEnergyLoss(TREE, margin=1.0, num_negatives=1, margin_power=1.0, push_power=2.0)
    # genera: d lacks 1 - 0.75; species: the margin is 2 / 3, c lacks 1 / 6, e nothing, and the push is (3 / 2)^2
    wanted = 2 * (0.25 + 2.25 * (1 / 6) / 2) / 2
    assert loss(-energy, torch.tensor([2])).item() == pytest.approx(wanted)


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
    with pytest.raises(InputError, match=r"Expected a hardness of at least 0, but got -0\.5"):
        MaxMarginEnergyLoss(TREE, hardness=-0.5)
    with pytest.raises(InputError, match=r"Expected a push_power of at least 0, but got -0\.5"):
        MaxMarginEnergyLoss(TREE, push_power=-0.5)
    with pytest.raises(InputError, match="Expected negatives among pick-per-level, uniform, but got 'hard'"):
        MaxMarginEnergyLoss(TREE, negatives="hard")  # pyright: ignore[reportArgumentType]
