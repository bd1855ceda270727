"""Levels that follow from each other by matrices: against a twin that forms them, settled, in sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.decisions import Levels
from cladewise.inference import BottomUp, Diffusion, LevelTopDown, Subset
from cladewise.predictions import (
    LeafSoftmax,
    LevelSoftmax,
    LevelTransition,
    level_layout,
    transition_layout,
)
from reference import predictions_twin
from reference import transition_twin as twin
from reference.small_trees import ragged_taxonomies, t9

every_form = pytest.mark.parametrize("rank", [None, 1, 2], ids=["full", "rank-1", "rank-2"])
every_order = pytest.mark.parametrize("order", ["f2c", "c2f"])
SKIPPING = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "", "e"), ("f", "g")])


def some(taxonomy: Taxonomy, order: str, rank: int | None, levels: tuple[int, ...] = ()) -> LevelTransition:
    generator = torch.Generator().manual_seed(4)
    width = transition_layout(taxonomy, levels, order, rank).width
    return LevelTransition(taxonomy, torch.randn(4, width, generator=generator), levels, order, rank)  # type: ignore


@every_form
@every_order
@given(taxonomy=ragged_taxonomies(), seed=st.integers(0, 99), data=st.data())
def test_every_level_is_its_twin(
    rank: int | None, order: str, taxonomy: Taxonomy, seed: int, data: st.DataObject
) -> None:
    finest = taxonomy.num_levels
    coarser = st.lists(st.integers(1, finest - 1), unique=True) if finest > 1 else st.just([])
    levels = (*sorted(data.draw(coarser)), finest)
    width = transition_layout(taxonomy, levels, order, rank).width
    logits = 2 * np.random.default_rng(seed).standard_normal((2, width))
    prediction = LevelTransition(taxonomy, torch.tensor(logits), levels, order, rank)  # type: ignore[arg-type]
    assert prediction.transitions is prediction
    for image, row in enumerate(logits):
        made = twin.chain(taxonomy, row, list(levels), order, rank)
        for level in levels:
            nodes, log_prob = prediction.level_log_prob(level)
            assert nodes.tolist() == twin.members(taxonomy, level)
            np.testing.assert_allclose(log_prob[image].exp(), made.levels[level], rtol=1e-9)
            assert made.levels[level].sum() == pytest.approx(1)
        by_level = {k: dict(zip(twin.members(taxonomy, k), np.log(p), strict=True)) for k, p in made.levels.items()}
        expected = predictions_twin.level_softmax(taxonomy, by_level)
        np.testing.assert_allclose(prediction.log_prob[image].exp(), expected, rtol=1e-9)
    along = levels if order == "c2f" else levels[::-1]
    both = [twin.chain(taxonomy, row, list(levels), order, rank).matrices for row in logits]
    for place, pair in enumerate(itertools.pairwise(along)):
        total = both[0][place] + both[1][place]  # [target, source]
        found = prediction.transition_sum(min(pair))
        np.testing.assert_allclose(found, total if order == "f2c" else total.T, rtol=1e-9)


@every_form
@every_order
def test_a_level_left_out_is_answered_from_the_leaves(rank: int | None, order: str) -> None:
    prediction = some(SKIPPING, order, rank, (1, 3))
    leaves = LeafSoftmax(SKIPPING, prediction.level_log_prob(3).log_prob)
    b = SKIPPING.find("b")
    torch.testing.assert_close(prediction.log_prob[:, b], leaves.log_prob[:, b])
    nodes, log_prob = prediction.level_log_prob(2)
    torch.testing.assert_close(log_prob.logsumexp(-1), torch.zeros(4), atol=1e-5, rtol=0)
    assert nodes.tolist() == SKIPPING.level_nodes(2).tolist()
    assert Levels()(prediction).node.shape == (4, 3)


@every_form
@every_order
def test_settled_keeps_the_levels_alone(rank: int | None, order: str) -> None:
    prediction = some(SKIPPING, order, rank)
    settled = prediction.settled()
    assert type(settled) is LevelSoftmax
    assert settled.levels == prediction.levels
    sizes = [len(nodes) for nodes in level_layout(SKIPPING, prediction.levels)]
    assert settled.logits.shape == (4, sum(sizes))
    scattered = prediction.scores
    shallowest = {int(v): float(x) for k in (3, 2, 1) for v, x in zip(*_level(prediction, k), strict=True)}
    for v in range(1, SKIPPING.num_nodes):
        assert float(scattered[0, v]) == pytest.approx(shallowest[v], abs=1e-5)
    for rule in (BottomUp(), LevelTopDown(), Subset(("c", "e")), Diffusion(readout="level"), Diffusion(levels="2,3")):
        torch.testing.assert_close(rule(prediction).log_prob, rule(settled).log_prob)


def _level(prediction: LevelTransition, level: int) -> tuple[list[int], list[float]]:
    nodes, log_prob = prediction.level_log_prob(level)
    return nodes.tolist(), log_prob[0].tolist()


@every_form
@every_order
def test_one_image_and_a_grid_of_images(rank: int | None, order: str) -> None:
    prediction = some(SKIPPING, order, rank)
    torch.testing.assert_close(prediction[1].log_prob, prediction.log_prob[1])
    grid = prediction.map(lambda x: x.unflatten(0, (2, 2)))
    torch.testing.assert_close(grid.log_prob.flatten(0, 1), prediction.log_prob)
    torch.testing.assert_close(grid.transition_sum(1), prediction.transition_sum(1))
    assert prediction[:0].log_prob.shape == (0, SKIPPING.num_nodes)


def test_where_the_logits_are() -> None:
    layout = transition_layout(SKIPPING, rank=2)
    assert layout is transition_layout(SKIPPING, rank=2)
    assert [(s.source_level, s.target_level) for s in layout.steps] == [(3, 2), (2, 1)]
    assert layout.logit_nodes.shape == (layout.width, 2)
    assert layout.logit_nodes[-1].tolist() == [-1, -1]
    assert layout.logit_nodes.min() == -1  # the one mark of no node
    back = transition_layout(SKIPPING, order="c2f", rank=2)
    assert [(s.source_level, s.target_level) for s in back.steps] == [(1, 2), (2, 3)]
    a = SKIPPING.find("a")
    edges = back.steps[0].edges  # the level below has b, g, and a itself for the child that skips it
    under = [
        int(back.steps[0].target_nodes[t])
        for s, t in zip(edges.source, edges.target, strict=True)
        if back.steps[0].source_nodes[s] == a
    ]
    assert under == [a, SKIPPING.find("b")]


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(InputError, match=r"logits \[\*batch, 37\], one per class of the first level and per score"):
        LevelTransition(t9(), torch.zeros(1, 40))
    with pytest.raises(InputError, match="an order among f2c, c2f, but got 'both'"):
        LevelTransition(t9(), torch.zeros(1, 37), order="both")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="a level with a finer one among 1, 2, 3, but got 3"):
        some(t9(), "f2c", None).transition_sum(3)
