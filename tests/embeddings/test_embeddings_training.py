"""Optimisers, training that can be interrupted, and the starts."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import json
from pathlib import Path
from typing import Any

import geoopt
import pytest
import torch

from cladewise import embeddings, geometry
from cladewise.embeddings import LabelSpace, RiemannianSGD, closure_edges, embed, split_edges
from cladewise.embeddings.vector_training import VectorTraining
from cladewise.errors import InputError
from cladewise.records import EmbeddingConfig, EmbeddingFolder
from cladewise.records.log import read as read_log
from cladewise.taxonomy import Taxonomy
from reference.hard_points import points

TREE = Taxonomy.from_paths([*itertools.product("ab", "cd", "efg"), ("h", "i"), ("j",)])
GEOMETRIES = pytest.mark.parametrize("name", ["order", "euclidean", "hyperbolic"])


def test_a_step_is_that_of_geoopt() -> None:
    # geoopt's PoincareBall takes a straight step and projects; PoincareBallExact goes along the geodesic, as here
    start, target = points(6, 3, 0, reach=3.0), points(6, 3, 1, reach=3.0)
    mine, other = (
        torch.nn.Parameter(start.clone()),
        geoopt.ManifoldParameter(start.clone(), manifold=geoopt.PoincareBallExact()),
    )
    steps = (RiemannianSGD([mine], lr=0.02), geoopt.optim.RiemannianSGD([other], lr=0.02))
    for _ in range(5):
        for place, optimizer in zip((mine, other), steps, strict=True):
            optimizer.zero_grad()
            geometry.distance(place, target).square().sum().backward()
            optimizer.step()
    torch.testing.assert_close(mine.detach(), other.detach(), rtol=1e-6, atol=1e-6)
    assert not mine.detach().allclose(start)


@pytest.mark.parametrize("curvature", [1.0, 4.0])
@pytest.mark.parametrize("share", [0.1, 0.9, 0.999])
def test_a_step_has_the_square_of_the_conformal_factor(curvature: float, share: float) -> None:
    """Down a slope of one per unit of length a step is as long as the rate, wherever it is."""
    origin = torch.zeros(2, dtype=torch.float64)
    x = torch.nn.Parameter(torch.tensor([[share / curvature**0.5, 0.0]], dtype=torch.float64))
    before = geometry.distance(x, origin, curvature=curvature)
    before.sum().backward()
    RiemannianSGD([x], lr=0.05, curvature=curvature).step()
    after = geometry.distance(x, origin, curvature=curvature)
    assert float((before - after).detach()) == pytest.approx(0.05, rel=1e-6)


def test_points_without_a_gradient_stay_and_no_step_is_longer_than_allowed() -> None:
    x = torch.nn.Parameter(points(4, 3, 2))
    start = x.detach().clone()
    x.grad = torch.zeros_like(x)
    x.grad[1], x.grad[2] = 1e9, 1e-3
    RiemannianSGD([x], lr=0.1, longest=0.2).step()
    far = geometry.distance(x.detach(), start)
    assert x.detach()[[0, 3]].equal(start[[0, 3]])
    assert float(far[1]) == pytest.approx(0.2)
    assert 0 < float(far[2]) < 0.2


@GEOMETRIES
def test_vectors_begin_and_stay_in_their_domain(name: str) -> None:
    made = embeddings.make(name)
    for dim in (1, 2, 20):
        start = made.start(50, dim, torch.Generator().manual_seed(0))
        assert start.shape == (50, dim)
        settled = made.settled(torch.cat([start, 1e-9 * start, 1e3 * start, torch.zeros(1, dim)]))
        torch.testing.assert_close(settled[:50], start)
        torch.testing.assert_close(made.settled(settled), settled)
        assert made.pairwise_energy(settled, settled).isfinite().all()
        if name != "order":
            assert (settled.norm(dim=1) >= geometry.inner_radius(curvature=made.curvature)).all()


@GEOMETRIES
def test_a_small_tree_is_learnt(name: str) -> None:
    space = embed(TREE, geometry=name, dim=8, epochs=60, margin=0.3, closure=1.0, lr=0.02, progress=False)
    scores = embeddings.reconstruction(TREE, space.geometry, space.vectors)
    assert scores.f1 > 0.9
    assert scores.threshold == space.threshold
    edges = closure_edges(TREE)
    found = [space.entails(u, v) for u, v in zip(edges.general.tolist(), edges.special.tolist(), strict=True)]
    assert sum(found) == scores.true_positives


def test_a_poincare_start_puts_descendants_near() -> None:
    splits, generator = split_edges(TREE, closure=1.0), torch.Generator().manual_seed(0)
    vectors = embeddings.poincare_vectors(TREE, splits.train, 5, generator, epochs=60, progress=False)
    edges = closure_edges(TREE)
    everything = geometry.pairwise_distance(vectors, vectors)
    assert everything[edges.general - 1, edges.special - 1].mean() < 0.7 * everything.mean()
    assert vectors.norm(dim=1).max() < 0.7
    space = embed(TREE, dim=5, initial="poincare", epochs=0, progress=False)
    assert (space.vectors.norm(dim=1) >= geometry.inner_radius(curvature=1.0)).all()
    with pytest.raises(InputError, match="Expected initial vectors that the geometry has, but got poincare"):
        embed(TREE, geometry="order", initial="poincare", progress=False)


@GEOMETRIES
def test_an_interrupted_training_comes_to_the_same(name: str) -> None:
    config = EmbeddingConfig(geometry=name, dim=3, epochs=8, evaluate_every=3)

    def trained(epochs: int, state: dict[str, torch.Tensor] | None = None) -> VectorTraining:
        training = VectorTraining(TREE, embeddings.make(name), split_edges(TREE), config, progress=False)
        if state is not None:
            training.restore(state)
        for _ in range(epochs):
            training.run_epoch()
        return training

    whole, again = trained(8), trained(3, trained(5).state())
    assert again.epoch == 8
    for key, value in whole.state().items():
        assert again.state()[key].equal(value), key


def test_a_folder_goes_on_and_is_then_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cladewise.embeddings.embedding_run.CHECKPOINT_SECONDS", 0.0)
    settings: dict[str, Any] = {"geometry": "euclidean", "dim": 3, "epochs": 9, "evaluate_every": 2, "progress": False}
    whole = embed(TREE, out=tmp_path / "whole", **settings)
    run_epoch = VectorTraining.run_epoch

    def interrupted(self: VectorTraining) -> dict[str, float]:
        if self.epoch == 6:
            raise KeyboardInterrupt
        return run_epoch(self)

    with monkeypatch.context() as patch:
        patch.setattr(VectorTraining, "run_epoch", interrupted)
        with pytest.raises(KeyboardInterrupt):
            embed(TREE, out=tmp_path / "broken", **settings)
    files = EmbeddingFolder(tmp_path / "broken")
    assert files.checkpoint.is_file()
    assert not files.vectors.exists()
    again = embed(TREE, out=files.path, **settings)
    assert again.vectors.equal(whole.vectors)
    assert not files.checkpoint.exists()
    assert [event["epoch"] for event in read_log(files.log)] == list(range(9))
    results = json.loads(files.results.read_text())
    assert results["hypernyms"]["test"]["num_others"] == 10 * results["num_test"]
    assert embed(TREE, out=files.path, **settings).vectors.equal(whole.vectors)
    other: dict[str, Any] = {**settings, "dim": 4}
    with pytest.raises(InputError, match=r"this very embedding, but got one that differs in dim \(3 there, 4 here\)"):
        embed(TREE, out=files.path, **other)
    with pytest.raises(InputError, match="one that differs in the taxonomy"):
        embed(TREE.with_leaf("k")[0], out=files.path, **settings)


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"geometry": "spherical"}, "Expected a geometry: euclidean, hyperbolic, order, but got 'spherical'"),
        ({"geometry": "order:aperture=2"}, "Expected an option of the geometry order: none"),
        ({"geometry": "euclidean:aperture=-1"}, "Expected an aperture above 0, but got -1"),
        ({"dim": 0}, "Expected dim of at least 1, but got 0"),
        ({"negatives": "hard"}, "Expected negatives to be one of pick-per-level, uniform"),
        ({"closure": 2.0}, "Expected a share of the closure from 0 to 1, but got 2"),
    ],
)
def test_settings_that_are_wrong(wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as raised:
        embed(TREE, progress=False, **wrong)
    assert str(raised.value).startswith(text)


def test_the_labels_of_a_file(tmp_path: Path) -> None:
    TREE.write(tmp_path / "tree.csv")
    assert embed(tmp_path / "tree.csv", dim=2, epochs=0, progress=False).taxonomy == TREE


def test_without_epochs_it_is_the_start() -> None:
    space = embed(TREE, geometry="hyperbolic", dim=4, epochs=0, seed=3, progress=False)
    assert isinstance(space, LabelSpace)
    torch.testing.assert_close(
        space.vectors, space.geometry.start(TREE.num_nodes - 1, 4, torch.Generator().manual_seed(3))
    )


@pytest.mark.slow
@pytest.mark.parametrize(("levels", "branching"), [(4, 3), (3, 7)])
@pytest.mark.parametrize(("name", "least"), [("order", 0.2), ("euclidean", 0.35)])
def test_toy_trees_in_the_plane(name: str, least: float, levels: int, branching: int) -> None:
    """Figure 13 of Dhall et al.: 1000 epochs of Adam at rate 0.01 in two dimensions. No F1 of the whole is printed."""
    taxonomy = Taxonomy.from_paths(itertools.product(*(["abcdefg"[:branching]] * levels)))
    space = embed(taxonomy, geometry=name, dim=2, epochs=1000, lr=0.01, margin=0.05, progress=False)
    scores = embeddings.reconstruction(taxonomy, space.geometry, space.vectors)
    print(f"{name}, {levels} levels, branching {branching}: F1 {scores.f1:.3f}")
    assert scores.f1 > least


def test_arguments_are_the_settings_and_their_defaults() -> None:
    arguments = inspect.signature(embed).parameters
    for field in dataclasses.fields(EmbeddingConfig):
        assert arguments[field.name].default == field.default, field.name


def test_the_margin_of_the_best_f1_on_val_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen: dict[str, Any] = {"geometry": "euclidean", "dim": 4, "epochs": 6, "evaluate_every": 2, "progress": False}
    margins = (1.0, 0.05, 0.3)
    apart = [embed(TREE, margin=margin, out=tmp_path / f"{margin:g}", **chosen) for margin in margins]
    scores = [json.loads((tmp_path / f"{margin:g}" / "results.json").read_text()) for margin in margins]
    f1 = [found["hypernyms"]["val"]["f1"] for found in scores]
    best = f1.index(max(f1))
    space = embed(TREE, margins="1,0.05,0.3", out=tmp_path / "all", **chosen)
    assert space.vectors.equal(apart[best].vectors)
    assert LabelSpace.load(tmp_path / "all").vectors.equal(space.vectors)
    results = json.loads((tmp_path / "all" / "results.json").read_text())
    assert results["margin"] == margins[best]
    assert results["val_f1_by_margin"] == dict(zip(("1", "0.05", "0.3"), f1, strict=True))
    assert {k: v for k, v in results.items() if k != "val_f1_by_margin"} == scores[best]
    assert embed(TREE, margins="1,0.05,0.3", **chosen).vectors.equal(space.vectors)
    (tmp_path / "all" / "results.json").unlink()  # interrupted at the end: no margin is trained again
    monkeypatch.setattr(VectorTraining, "run_epoch", None)
    assert embed(TREE, margins="1,0.05,0.3", out=tmp_path / "all", **chosen).vectors.equal(space.vectors)


@pytest.mark.parametrize(
    ("taxonomy", "margins", "text"),
    [
        (TREE, "1,x", "Expected margins as numbers with commas, such as 0.01,0.1,1, but got '1,x' at margins"),
        (TREE, "1,-1", "Expected margins of at least 0, but got '1,-1' at margins"),
        (Taxonomy.from_paths([("a", "b")]), "1,2", "Expected edges to choose a margin on, but got no transitive edges"),
    ],
)
def test_margins_that_cannot_be_chosen_from(taxonomy: Taxonomy, margins: str, text: str) -> None:
    with pytest.raises(InputError, match=text):
        embed(taxonomy, margins=margins, epochs=1, progress=False)
