"""Every head's node probabilities: golden values, a slow twin, and what holds whatever the logits are."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.errors import InputError
from cladewise.predictions import (
    ConditionalSigmoid,
    LeafSoftmax,
    LevelSoftmax,
    NodeSigmoid,
    NodeSoftmax,
    PathSumSigmoid,
    PathSumSoftmax,
    Prediction,
    SiblingSoftmax,
    best_nodes,
    level_layout,
    level_width,
)
from reference import predictions_twin
from reference.small_trees import T9_THETA, t9, t9_order
from strategies import taxonomies

BY_NODE = {
    SiblingSoftmax: predictions_twin.sibling_softmax,
    ConditionalSigmoid: predictions_twin.conditional_sigmoid,
    NodeSigmoid: predictions_twin.node_sigmoid,
    PathSumSoftmax: predictions_twin.path_sum_softmax,
    PathSumSigmoid: predictions_twin.path_sum_sigmoid,
}

# node probabilities on the golden tree, breadth-first
GOLDEN = {
    SiblingSoftmax: [1, 0.422319, 0.422319, 0.155362, 0.083541, 0.338777, 0.422319, 0.351377, 0.070942],
    NodeSigmoid: [1, 0.549834, 0.549834, 0.310026, 0.354344, 0.689974, 0.268941, 0.645656, 0.268941],
    ConditionalSigmoid: [1, 0.549834, 0.549834, 0.310026, 0.19483, 0.379371, 0.147873, 0.095475, 0.039769],
    PathSumSoftmax: [1, 0.702744, 0.204073, 0.093184, 0.139014, 0.56373, 0.204073, 0.169792, 0.03428],
    PathSumSigmoid: [1, 0.505, 0.505, 0.480011, 0.490001, 0.524979, 0.480011, 0.495, 0.455121],
    NodeSoftmax: [1, 0.460675, 0.435718, 0.051804, 0.063273, 0.256585, 0.294901, 0.210074, 0.042413],
    LeafSoftmax: [1, 0.512471, 0.40453, 0.082999, 0.101375, 0.411096, 0.40453, 0.336577, 0.067954],
}


def theta() -> torch.Tensor:
    return torch.tensor(T9_THETA, dtype=torch.float64)[t9_order()]


@pytest.mark.parametrize("kind", GOLDEN)
def test_golden_probabilities(kind: type[Prediction]) -> None:
    taxonomy, scores = t9(), theta()
    logits = {LeafSoftmax: scores[taxonomy.leaf_nodes.copy()], NodeSoftmax: scores}.get(kind, scores[1:])
    expected = torch.tensor(GOLDEN[kind], dtype=torch.float64)[t9_order()]
    torch.testing.assert_close(kind(taxonomy, logits[None]).log_prob.exp()[0], expected, atol=1e-6, rtol=0)


@given(taxonomy=taxonomies(), seed=st.integers(0, 10**6))
@settings(max_examples=30)
def test_agrees_with_one_node_at_a_time(taxonomy: Taxonomy, seed: int) -> None:
    scores = 2 * torch.randn(2, taxonomy.num_nodes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    for kind, twin in BY_NODE.items():
        p = kind(taxonomy, scores[:, 1:]).log_prob.exp()
        expected = torch.tensor([twin(taxonomy, row) for row in scores.tolist()], dtype=torch.float64)
        torch.testing.assert_close(p, expected, atol=1e-12, rtol=1e-9, msg=lambda text, k=kind: f"{k.__name__}: {text}")


@given(taxonomy=taxonomies(min_nodes=2), data=st.data())
@settings(max_examples=30)
def test_levels_agree_with_one_node_at_a_time(taxonomy: Taxonomy, data: st.DataObject) -> None:
    count = taxonomy.num_levels
    coarser = data.draw(st.sets(st.integers(1, max(1, count - 1)))) if count > 1 else set()
    levels, tied = tuple(sorted({*coarser, count})), data.draw(st.booleans())
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 10**6)))
    logits = 2 * torch.randn(1, level_width(taxonomy, levels, tied=tied), generator=generator, dtype=torch.float64)
    prediction = LevelSoftmax(taxonomy, logits, levels, tied)
    row, layout = iter(logits[0].tolist()), level_layout(taxonomy, levels)
    if tied:
        score = {v: next(row) for v in sorted({int(v) for nodes in layout for v in nodes})}
        by_level = {k: {int(v): score[int(v)] for v in nodes} for k, nodes in zip(levels, layout, strict=True)}
    else:
        by_level = {k: {int(v): next(row) for v in nodes} for k, nodes in zip(levels, layout, strict=True)}
    expected = torch.tensor(predictions_twin.level_softmax(taxonomy, by_level), dtype=torch.float64)
    torch.testing.assert_close(prediction.log_prob[0].exp(), expected, atol=1e-12, rtol=1e-9)
    shallowest = {v: x for k in sorted(by_level, reverse=True) for v, x in by_level[k].items()}
    for v in range(taxonomy.num_nodes):
        assert bool(prediction.has_score[v]) == (v in shallowest)
        assert prediction.scores[0, v].item() == shallowest.get(v, float("-inf"))


def test_closed_forms_of_a_star_and_of_no_information() -> None:
    star, logits = Taxonomy.from_paths([(c,) for c in "abcd"]), torch.randn(3, 4)
    flat = LeafSoftmax(star, logits).log_prob
    for kind in (SiblingSoftmax, PathSumSoftmax, LevelSoftmax):
        torch.testing.assert_close(kind(star, logits).log_prob, flat)
    with_root = torch.cat([torch.full((3, 1), -torch.inf), logits], 1)
    torch.testing.assert_close(NodeSoftmax(star, with_root).log_prob, flat)
    even = LeafSoftmax(t9(), torch.zeros(1, 5)).log_prob.exp()[0]
    torch.testing.assert_close(even, torch.tensor(t9().num_leaves_under / 5).float())
    nothing = SiblingSoftmax(t9(), torch.zeros(1, 8)).log_prob.exp()[0]
    assert nothing[t9().leaf_nodes.copy()].sort().values.tolist() == pytest.approx([1 / 6] * 4 + [1 / 3])


@given(taxonomy=taxonomies(), seed=st.integers(0, 10**6))
@settings(max_examples=15)
def test_mass_below_a_node_is_its_energy_over_that_of_the_root(taxonomy: Taxonomy, seed: int) -> None:
    """Soft-max-margin's sums of an all-node softmax and descendant softmax's energies are one map."""
    theta = 3 * torch.randn(taxonomy.num_nodes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    energy = theta.clone()
    for node in range(taxonomy.num_nodes - 1, 0, -1):  # children come after their parents
        parent = int(taxonomy.parents[node])
        energy[parent] = torch.logaddexp(energy[parent], energy[node])
    torch.testing.assert_close(NodeSoftmax(taxonomy, theta).log_prob, energy - energy[0])


@pytest.mark.parametrize("kind", [*BY_NODE, LeafSoftmax, NodeSoftmax, LevelSoftmax])
def test_extreme_logits_have_finite_probabilities_and_gradients(kind: type[Prediction]) -> None:
    taxonomy = t9()
    width = {LeafSoftmax: 5, NodeSoftmax: 9, LevelSoftmax: level_width(taxonomy, (1, 2, 3), tied=False)}.get(kind, 8)
    logits = (1e4 * torch.randn(6, width).sign()).requires_grad_()
    log_prob = kind(taxonomy, logits).log_prob
    assert log_prob.isfinite().all()
    log_prob.sum().backward()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 4), st.integers(0, 10**6))
@settings(max_examples=50)
def test_the_first_of_equals_is_the_best(width: int, k: int, values: int, seed: int) -> None:
    scores = torch.randint(values, (3, 2, width), generator=torch.Generator().manual_seed(seed)).float().log()
    nodes = torch.arange(0, 3 * width, 3)
    best = best_nodes(scores, nodes, k)
    for i, j in [(i, j) for i in range(3) for j in range(2)]:
        order = sorted(range(width), key=lambda column: (-scores[i, j, column].item(), column))
        assert best[i, j].tolist() == nodes[order[:k]].tolist()


def test_scores_that_are_no_numbers_can_be_ranked() -> None:
    scores = torch.full((2, 6), torch.nan)
    scores[1, 2:] = 1.0
    best = best_nodes(scores, torch.arange(6), 4)
    assert len(set(best[0].tolist())) == 4
    assert best[1].tolist() == [0, 1, 2, 3]


def test_levels_must_be_there() -> None:
    with pytest.raises(InputError, match="ascending levels among 1 to 3, the finest among them, but got 1, 2"):
        LevelSoftmax(t9(), torch.zeros(1, 7), (1, 2))
    with pytest.raises(InputError, match="one per node below the root"):
        SiblingSoftmax(t9(), torch.zeros(1, 9))
