"""HACE as the authors' code computes it: its options in loss, head, prediction and stored scores alike."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from cladewise import InputError, Taxonomy, methods
from cladewise.decisions import NodeArgmax
from cladewise.losses import HACELoss
from cladewise.predictions import NodeSoftmax, storage
from reference import losses_margin, trees
from reference.laws import case
from strategies import taxonomies

NAMES = ("hace", "hace-smooth", "hace-soft")
CIFAR = Taxonomy.from_paths([(f"coarse {k % 4}", f"fine {k}") for k in range(12)])
ROOTED = Taxonomy.from_parents([-1, 0, 1, 1, 0, 4, 4, 6, 6], ["birds", "a", "b", "c", "d", "e", "f", "g", "h"])


def published(
    taxonomy: Taxonomy, logits: NDArray[np.float64], leaf_mass: NDArray[np.float64], dilution: float, with_root: bool
) -> float:
    """The authors' loss in dense matrices: softmax, R, log(q + 1e-6), T."""
    nodes = range(0 if with_root else 1, taxonomy.num_nodes)
    paths = {v: [a for a in trees.path(taxonomy, v) if a in nodes] for v in nodes}
    reach = np.array([[float(u in paths[v]) for v in nodes] for u in nodes])
    diluted = np.zeros((taxonomy.num_nodes, taxonomy.num_nodes))
    for node in nodes:
        mass = 1.0
        for above in reversed(paths[node]):
            kept = mass if above == paths[node][0] else dilution * mass
            diluted[above, node] += kept
            mass -= kept
    probabilities = np.exp(logits - logits.max())
    probabilities /= probabilities.sum()
    wanted = (diluted @ leaf_mass)[list(nodes)]
    return -float(wanted @ np.log(reach @ probabilities + 1e-6))


def smoothed(taxonomy: Taxonomy, leaf: int, share: float, over: str, with_root: bool) -> NDArray[np.float64]:
    receivers = taxonomy.leaf_nodes if over == "leaves" else np.arange(0 if with_root else 1, taxonomy.num_nodes)
    mass = np.zeros(taxonomy.num_nodes)
    if receivers.size > 1:
        mass[receivers] = share / (receivers.size - 1)
    mass[leaf] = 1 - share if receivers.size > 1 else 1.0
    return mass


@settings(max_examples=20)
@given(taxonomies(max_nodes=12, min_nodes=2), st.sampled_from([0.2, 0.5, 0.7]), st.booleans(), st.integers(0, 99))
def test_the_methods_minimise_what_the_authors_code_does(
    taxonomy: Taxonomy, dilution: float, with_root: bool, seed: int
) -> None:
    generator = np.random.default_rng(seed)
    leaves = taxonomy.leaf_nodes
    logits = 3 * generator.standard_normal((leaves.size, taxonomy.num_nodes - (not with_root)))
    chosen: dict[str, Any] = {"dilution": dilution, "with_root": with_root, "eps": 1e-6}
    soft = losses_margin.leaf_distances(taxonomy, "hace")
    soft = np.exp(-10 * soft / (soft.max() or 1))
    soft /= soft.sum(1, keepdims=True)
    spread = np.zeros((leaves.size, taxonomy.num_nodes))
    spread[:, leaves] = soft
    targets = {
        ("hace", ""): [smoothed(taxonomy, v, 0.0, "leaves", with_root) for v in leaves],
        ("hace-smooth", "leaves"): [smoothed(taxonomy, v, 0.1, "leaves", with_root) for v in leaves],
        ("hace-smooth", "nodes"): [smoothed(taxonomy, v, 0.1, "nodes", with_root) for v in leaves],
        ("hace-soft", ""): list(spread),
    }
    for (name, over), wanted in targets.items():
        with case(f"{name} {over}"):
            options = {**chosen, "smoothing_over": over} if over else chosen
            loss = methods.make(name, **options).loss(taxonomy)
            expected = [
                published(taxonomy, row, mass, dilution, with_root) for row, mass in zip(logits, wanted, strict=True)
            ]
            np.testing.assert_allclose(loss(torch.tensor(logits), torch.tensor(leaves)), expected, rtol=1e-9)
            assert min(expected) >= loss.lower_bound - 1e-12


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("with_root", ["auto", True, False])
@pytest.mark.parametrize("tree", [CIFAR, ROOTED], ids=["synthetic root", "root that is a label"])
def test_the_root_takes_part_everywhere_or_nowhere(
    name: str, with_root: bool | str, tree: Taxonomy, tmp_path: Path
) -> None:
    method = methods.make(name, with_root=with_root)
    expected = (tree is ROOTED) if with_root == "auto" else with_root
    loss, head = method.loss(tree), method.head(tree, 5)
    with torch.no_grad():
        head.get_parameter("linear.bias")[0] += 3  # the first node that has a score often wins
    prediction = head(torch.randn(300, 5, generator=torch.Generator().manual_seed(0)))
    assert isinstance(loss, HACELoss)
    assert isinstance(prediction, NodeSoftmax)
    assert loss.num_outputs == prediction.logits.shape[-1] == tree.num_nodes - (not expected)
    assert loss.prediction(prediction.logits).settings() == prediction.settings()
    assert head.rows()["linear.weight"][0].item() == (0 if expected else 1)

    path = tmp_path / "scores.safetensors"
    path.write_bytes(storage.to_bytes(prediction.settled(), extra={}, about={}))
    again, *_ = storage.load_prediction(path, tree)
    assert again.settings()["with_root"] is expected
    answered = NodeArgmax()(again).node
    assert answered.equal(NodeArgmax()(prediction).node)
    assert (answered == 0).any().item() is expected


def test_an_eps_bounds_the_loss_of_a_mass_of_0() -> None:
    logits = torch.full((1, 16), -1e4, dtype=torch.float64)
    logits[0, 1] = 1e4
    loss = methods.make("hace", eps=1e-6, dilution=1.0).loss(CIFAR)
    assert loss(logits, torch.tensor([5])).item() == pytest.approx(-math.log(1e-6))
    assert loss(logits, torch.tensor([1])).item() == pytest.approx(loss.lower_bound)


def test_a_root_that_is_neither_is_refused() -> None:
    method = methods.make("hace-smooth", with_root="sometimes")
    for build in (method.loss, lambda tree: method.head(tree, 5)):
        with pytest.raises(
            InputError, match="with_root true, false or auto, but got 'sometimes' at the method hace-sm"
        ):
            build(CIFAR)
