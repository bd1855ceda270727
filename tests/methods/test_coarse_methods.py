"""Methods that learn fine classes from coarse labels: what their heads, queues, clusters and margins do."""

from __future__ import annotations

import dataclasses
import itertools
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy, methods
from cladewise.geometry import exp_origin, unidirectional_logits
from cladewise.heads import LevelClasses, PoincareClasses, ProjectionHead
from cladewise.losses import flat_softmax_loss
from cladewise.methods.coarse import HCMMethod
from cladewise.objectives import (
    CosineMarginObjective,
    MomentumContrastObjective,
    Objective,
    Queue,
    TrainingBatch,
    TrainingVectors,
)
from cladewise.objectives.margins import GAP, first_margins
from cladewise.objectives.pseudo_fine_classes import pseudo_fine
from cladewise.predictions import LeafSoftmax

TREE = Taxonomy.from_paths(
    [
        ("bird", "warbler", "reed"),
        ("bird", "warbler", "wood"),
        ("bird", "wren"),
        ("moth", "hawk moth", "privet"),
        ("fern",),
    ]
)
COARSE = TREE.level_nodes(1)
IMAGES = 24
NODES = np.concatenate([np.repeat(COARSE, 7), [0, -1, -1]]).astype(np.int64)  # one without a class, two not trained on
SMALL: dict[str, Any] = {"level": "1", "embedding": 6, "projection": 4}


# ---------------------------------------------------------------- classes of a level


@pytest.mark.parametrize("level", ["", "1", "2", 3])
def test_leaves_of_a_class_share_its_probability(level: str | int) -> None:
    classes = LevelClasses(TREE, level)
    nodes = TREE.level_nodes(TREE.num_levels if level == "" else int(level))
    scores = torch.randn(5, len(nodes))
    p = LeafSoftmax(TREE, classes(scores)).log_prob
    torch.testing.assert_close(p[:, torch.from_numpy(nodes.copy())], scores.log_softmax(-1))
    target = torch.from_numpy(nodes[[0, 1, 2, 0, 1]])
    expected = torch.nn.functional.cross_entropy(scores, torch.tensor([0, 1, 2, 0, 1]), reduction="none")
    torch.testing.assert_close(flat_softmax_loss(classes(scores), target, TREE), expected)


def test_the_class_of_every_label() -> None:
    classes = LevelClasses(TREE, "1")
    by_name = {TREE.path_name(node): int(classes.class_of_node[node]) for node in TREE}
    assert by_name["bird"] == by_name["bird/warbler/reed"] == by_name["bird/wren"] == 0
    assert (by_name["moth/hawk moth"], by_name["fern"], by_name[TREE.path_name(0)]) == (1, 2, -1)
    with pytest.raises(InputError, match="levels among 1 to 3"):
        LevelClasses(TREE, "genus")


def test_classes_of_the_ball_score_clipped_vectors() -> None:
    scorer = PoincareClasses(4, 3, curvature=0.5, radius=1.5)
    vectors = torch.randn(6, 4) * torch.tensor([0.0, 1e-20, 0.1, 1.0, 10.0, 1e4])[:, None]
    scores = scorer(vectors)
    length = vectors.norm(dim=1, keepdim=True)
    point = exp_origin(torch.where(length > 1.5, 1.5 * vectors / length.clamp_min(1e-30), vectors), curvature=0.5)
    expected = unidirectional_logits(point, scorer.directions, scorer.offsets, curvature=0.5)
    torch.testing.assert_close(scores, expected)
    scores.sum().backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in scorer.parameters())
    with pytest.raises(InputError, match="a radius above 0, but got 0"):
        PoincareClasses(4, 3, radius=0)


# ---------------------------------------------------------------- queues


@settings(max_examples=10)
@given(st.lists(st.integers(0, 6), max_size=30), st.lists(st.lists(st.integers(-1, 2), max_size=9), max_size=6))
def test_a_queue_keeps_the_newest_of_each_group(sizes: list[int], batches: list[list[int]]) -> None:
    sizes = [*sizes, 0, 3, 2][:3]
    queue, kept, number = Queue(np.array(sizes), 1), {group: list[int]() for group in range(3)}, itertools.count()
    for groups in batches:
        index = [next(number) for _ in groups]
        queue.add(torch.tensor(index).float()[:, None], torch.tensor(groups, dtype=torch.int64), torch.tensor(index))
        for group, image in zip(groups, index, strict=True):
            if group >= 0:
                kept[group] = [*kept[group], image][-sizes[group] :] if sizes[group] else []
    found = {group: list[int]() for group in range(3)}
    for group, image, key in zip(queue.group_of_entry().tolist(), queue.index.tolist(), queue.keys[:, 0], strict=True):
        if group >= 0:
            found[group].append(image)
            assert image == int(key)
    assert {group: sorted(images) for group, images in found.items()} == kept


# ---------------------------------------------------------------- clusters


def blobs(centres: int, each: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    directions = np.eye(8)[:centres]
    return np.repeat(directions, each, 0) + random.normal(0, 0.05, (centres * each, 8))


def test_clusters_stay_inside_their_class() -> None:
    vectors = blobs(4, 10)
    classes = np.repeat([0, 1], 20)
    found = pseudo_fine(vectors, classes, np.array([1, 1]), "2x", seed=0)
    assert [set(found[i : i + 10].tolist()).__len__() for i in range(0, 40, 10)] == [1, 1, 1, 1]
    assert set(found.tolist()) == {0, 1, 2, 3}
    np.testing.assert_array_equal(found, pseudo_fine(vectors, classes, np.array([1, 1]), "2x", seed=0))
    scaled = pseudo_fine(vectors * np.arange(1, 41)[:, None], classes, np.array([1, 1]), "2x", seed=0)
    assert (found[:, None] == found).tolist() == (scaled[:, None] == scaled).tolist()  # lengths do not matter
    order = np.random.default_rng(1).permutation(40)
    moved = pseudo_fine(vectors[order], classes[order], np.array([1, 1]), "2x", seed=0)
    assert ((found[order][:, None] == found[order]) == (moved[:, None] == moved)).all()


@pytest.mark.parametrize("centres", [2, 3, 4])
def test_the_number_of_clusters_comes_from_the_data(centres: int) -> None:
    found = pseudo_fine(blobs(centres, 8), np.zeros(centres * 8, dtype=np.int64), np.array([9]), "auto", seed=0)
    assert len(set(found.tolist())) == centres


@pytest.mark.parametrize(
    ("clusters", "expected"), [("2x", 6), ("0.5x", 2), ("1x", 3), (5, 5), ("4", 4), (1000, 12), (0, 1)]
)
def test_the_number_of_clusters(clusters: str | int, expected: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(12, 5))
    found = pseudo_fine(vectors, np.zeros(12, dtype=np.int64), np.array([3]), clusters, seed=0)
    assert len(set(found.tolist())) == expected
    assert (found < 0).all() == (clusters == 0)


def test_classes_of_one_image_or_of_equal_ones() -> None:
    vectors = np.ones((5, 3))
    for clusters in ("2x", 3, "auto"):
        assert pseudo_fine(vectors, np.array([0, 1, 2, 2, 2]), np.ones(3), clusters, seed=0).tolist() == [0, 1, 2, 2, 2]
    for wrong in ("x", "-1", "0x", "", "two"):
        with pytest.raises(InputError, match="clusters as a factor like 2x, a number like 8"):
            pseudo_fine(vectors, np.zeros(5, dtype=np.int64), np.ones(1), wrong, seed=0)


# ---------------------------------------------------------------- objectives


def a_batch(method: methods.Method, *, seed: int = 0) -> tuple[ProjectionHead, Objective, TrainingBatch]:
    """A head, its objective, and a batch of all images that have labels, with their views."""
    torch.manual_seed(seed)
    head = method.head(TREE, 5)
    assert isinstance(head, ProjectionHead)
    objective = method.objective(TREE, NODES)
    assert objective is not None
    index = torch.arange(IMAGES - 2).repeat_interleave(method.views())
    target = torch.from_numpy(NODES)[index]
    features = torch.randn(IMAGES - 2, 5)[index] + 0.3 * torch.randn(len(index), 5)
    with torch.no_grad():
        followed = head(features.flip(1)) if method.momentum() else None
    return head, objective, TrainingBatch(head(features), target, index, method.views(), head, followed)


QUEUED = ("moco", "coarse-moco", "ancor")


@pytest.mark.parametrize("name", QUEUED)
def test_a_queue_fills_and_then_tells_apart(name: str) -> None:
    _, objective, seen = a_batch(methods.make(name, **SMALL))
    assert isinstance(objective, MomentumContrastObjective)
    first, second = objective(seen).detach(), objective(seen).detach()
    labels = objective.loss(seen.prediction.logits, seen.target).detach()
    torch.testing.assert_close(first, labels)  # nothing to be told apart from
    contrast = second - labels
    assert (contrast[:-2] > 0).all()
    assert contrast[-1] == (0 if name == "ancor" else contrast[-2])  # labelled above the classes
    entries = {"moco": 22, "coarse-moco": 22, "ancor": 21}[name]
    assert int((objective.queue.index >= 0).sum()) == len(objective.queue.index) == entries
    objective.eval()
    before = objective.queue.keys.clone()
    objective(seen)
    assert objective.queue.keys.equal(before)


@pytest.mark.parametrize("name", QUEUED)
def test_who_is_taught_by_the_labels(name: str) -> None:
    head, objective, seen = a_batch(methods.make(name, **SMALL))
    objective(seen).sum().backward()  # no contrast yet
    taught = [bool(p.grad.any()) for p in head.projector.parameters() if p.grad is not None]
    assert any(taught) == (name != "moco")
    assert all(p.grad is not None and p.grad.any() for p in head.scorer.parameters())


def test_only_its_own_class_pushes_an_image() -> None:
    _, objective, seen = a_batch(methods.make("ancor", **SMALL))
    assert isinstance(objective, MomentumContrastObjective)
    objective(seen)
    before = objective(seen).detach()
    other = objective.queue.group != 0
    objective.queue.keys[other] = -objective.queue.keys[other]
    of_first = seen.target == COARSE[0]
    torch.testing.assert_close(objective(seen).detach()[of_first], before[of_first])


def hcm(**options: Any) -> HCMMethod:
    return HCMMethod(**{**SMALL, "warmup": 1, **options})


def begin(objective: Objective, epoch: int, seen: TrainingBatch) -> list[int]:
    """Begin an epoch; how often the objective wanted to know what is seen."""
    asked: list[int] = []

    def represent() -> TrainingVectors:
        asked.append(epoch)
        once = slice(0, None, seen.views)
        vectors = torch.randn(len(seen.index[once]), 6, generator=torch.Generator().manual_seed(0))
        return TrainingVectors(vectors, seen.target[once], seen.index[once])

    objective.begin_epoch(epoch, 0, represent)
    return asked


def test_margins_wait_and_clusters_come_on_time() -> None:
    _, objective, seen = a_batch(hcm(warmup=2, refresh=3))
    assert isinstance(objective, CosineMarginObjective)
    assert [len(begin(objective, epoch, seen)) for epoch in range(9)] == [0, 0, 1, 0, 0, 1, 0, 0, 1]
    objective.epoch = 1
    labels = objective.loss(seen.prediction.logits, seen.target)
    torch.testing.assert_close(objective(seen), labels)
    objective.epoch = 2
    assert (objective(seen) > labels - 1e-6).all()
    assert not objective(seen).allclose(labels)
    assert objective.cluster[-2:].tolist() == [-1, -1]
    assert (objective.cluster[:-2] >= 0).all()
    _, without, seen = a_batch(hcm(clusters=0))
    assert begin(without, 1, seen) == []
    assert without(seen).isfinite().all()


def test_margins_follow_the_distances_and_keep_their_order() -> None:
    _, objective, seen = a_batch(hcm(margin_momentum=0.5))
    assert isinstance(objective, CosineMarginObjective)
    begin(objective, 1, seen)
    start = objective.current.clone()
    torch.testing.assert_close(start, torch.tensor([[0.0, 0.2, 0.5, 1.0]]))
    for _ in range(20):
        objective(seen)
    state = objective.state()
    assert list(state) == ["margin_0", "margin_1", "margin_2", "margin_3"]
    assert (state["margin_0"], state["margin_3"]) == (0.0, 1.0)
    assert (objective.current.diff() >= GAP - 1e-6).all()
    assert not objective.current.equal(start)
    for kept in ({"margins": "fixed"}, {"margin_momentum": 1.0}):
        _, still, seen = a_batch(hcm(**kept))
        assert isinstance(still, CosineMarginObjective)
        begin(still, 1, seen)
        still(seen)
        torch.testing.assert_close(still.current, start)


def test_golden_the_margin_is_the_mean_distance_where_nothing_is_kept() -> None:
    _, objective, seen = a_batch(hcm(margin_momentum=0.0, clusters=0, targets="0,0.001,0.5,2"))
    assert isinstance(objective, CosineMarginObjective)
    begin(objective, 1, seen)
    unit = torch.nn.functional.normalize(seen.prediction.projection.detach(), dim=1)
    same = (seen.target[:, None] == seen.target) & (seen.index[:, None] != seen.index)
    objective(seen)
    assert float(objective.current[0, 2]) == pytest.approx(float((1 - unit @ unit.T)[same].mean()), abs=1e-5)


def test_a_class_may_have_margins_of_its_own() -> None:
    _, objective, seen = a_batch(hcm(margins="by-class", margin_momentum=0.0))
    assert isinstance(objective, CosineMarginObjective)
    begin(objective, 1, seen)
    assert objective.current.shape == (4, 4)
    objective(seen)
    assert len({round(float(x), 5) for x in objective.current[:3, 2]}) == 3
    assert (objective.current.diff() >= GAP - 1e-6).all()


def test_every_coarse_level_may_have_a_margin() -> None:
    method = hcm(level="", coarse_levels="all")
    _, objective, seen = a_batch(method)
    assert isinstance(objective, CosineMarginObjective)
    assert objective.current.shape == (1, 6)
    target = torch.from_numpy(TREE.leaf_nodes.copy())[seen.index % TREE.num_leaves]
    begin(objective, 1, dataclasses.replace(seen, target=target))
    nats = objective(dataclasses.replace(seen, target=target))
    assert nats.isfinite().all()
    assert (objective.current.diff() >= GAP - 1e-6).all()


def test_without_a_weight_the_classes_of_the_ball_are_left() -> None:
    method = hcm(weight=0.0)
    assert method.objective(TREE, NODES) is None
    assert method.views() == 1
    flat, ball = (hcm(geometry=g).head(TREE, 5) for g in ("euclidean", "poincare"))
    assert isinstance(ball, ProjectionHead)
    assert isinstance(flat, ProjectionHead)
    assert isinstance(ball.scorer, PoincareClasses)
    assert isinstance(flat.scorer, torch.nn.Linear)


@pytest.mark.parametrize("text", ["0,1", "0,0.5,0.2,1", "0,0.2,0.5,3", "-1,0,0.5,1", "a,b,c,d", "0,0.5,0.5,1"])
def test_margins_that_are_none(text: str) -> None:
    with pytest.raises(InputError, match=r"4 margins, ascending in \[0, 2\]"):
        first_margins(text, 1)
    with pytest.raises(InputError, match="levels with margins down to the classes"):
        hcm(coarse_levels="2").objective(TREE, NODES)
