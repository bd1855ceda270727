"""The least energy of each level, one node at a time."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.decisions import Levels
from cladewise.predictions import LevelEnergies
from reference.small_trees import ragged_taxonomies


@given(ragged_taxonomies(), st.sampled_from([0.1, 1.0]), st.integers(0, 10**6))
def test_levels_agree_with_one_node_at_a_time(taxonomy: Taxonomy, temperature: float, seed: int) -> None:
    energy = np.random.default_rng(seed).uniform(0, 3, taxonomy.num_nodes - 1)
    prediction = LevelEnergies(taxonomy, -torch.from_numpy(energy)[None], temperature)
    level, parents = taxonomy.level.tolist(), taxonomy.parents.tolist()
    best: list[int] = []
    for k in range(1, taxonomy.num_levels + 1):
        wanted: list[float] = []
        for node in taxonomy.level_nodes(k).tolist():
            passed = [c for c in range(1, taxonomy.num_nodes) if parents[c] == node and level[node] < k < level[c]]
            wanted.append(float(min(energy[c - 1] for c in passed) if passed else energy[node - 1]))
        nodes, log_prob = prediction.level_log_prob(k)
        scaled = -np.array(wanted) / temperature
        np.testing.assert_allclose(log_prob[0], scaled - np.logaddexp.reduce(scaled), atol=1e-9)
        assert nodes.tolist() == taxonomy.level_nodes(k).tolist()
        best.append(int(nodes[int(np.argmin(wanted))]))
    if best:
        assert Levels()(prediction).node[0].tolist() == best


def test_temperature_changes_no_answer_of_a_level() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    energy = torch.rand(20, 4, generator=torch.Generator().manual_seed(0))
    cold, warm = (Levels()(LevelEnergies(taxonomy, -energy, t)).node for t in (0.05, 5.0))
    assert cold.equal(warm)


def test_what_it_refuses() -> None:
    taxonomy = Taxonomy.from_paths([("a",), ("b",)])
    with pytest.raises(InputError, match=r"Expected logits \[\*batch, 2\], one per node but the root"):
        LevelEnergies(taxonomy, torch.zeros(1, 3))
    with pytest.raises(InputError, match=r"Expected a temperature above 0, but got 0\.0"):
        LevelEnergies(taxonomy, torch.zeros(1, 2), 0.0)
