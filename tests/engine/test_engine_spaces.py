"""Questions to a run with a space: images under a label, labels over an image, containment, one more label."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import cladewise as cw
from cladewise import embeddings
from cladewise.datasets import Dataset
from cladewise.embeddings import LabelSpace
from cladewise.engine import PlacedImages, Run, RunSpace, image_scores, predict
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

SETTINGS: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "scaling": "standardise",
    "epochs": 25,
}


@pytest.fixture(scope="module")
def run(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("spaces") / "run"
    options = {"dim": 20, "label_epochs": 20}
    return cw.train(colours, method="euclidean-cones", options=options, out=out, freeze=True, **SETTINGS)


@pytest.fixture(scope="module")
def space(run: Run) -> RunSpace:
    return RunSpace.of(run, progress=False)


@pytest.fixture(scope="module")
def seen(space: RunSpace) -> PlacedImages:
    return space.place("train", progress=False)


def test_energies_are_those_of_the_prediction(run: Run, space: RunSpace, colours: Dataset) -> None:
    files = [Path(colours.root) / path for path in colours.paths[:5]]
    placed = space.place(files, progress=False)
    predicted = predict(run, files, progress=False)
    torch.testing.assert_close(-space.labels.energies(placed.vectors), predicted.prediction.logits, atol=1e-5, rtol=0)
    assert placed.paths == predicted.paths


def test_retrieval(space: RunSpace, seen: PlacedImages) -> None:
    cold = space.labels.node("cold")
    found = space.retrieve("cold", seen)
    energy = space.labels.energies(seen.vectors)[:, cold - 1]
    assert set(found.image.tolist()) == set((energy <= space.threshold).nonzero()[:, 0].tolist())
    assert found.energy.tolist() == sorted(found.energy.tolist())
    assert space.retrieve(cold, seen, limit=3).image.equal(found.image[:3])
    taxonomy = space.labels.taxonomy
    right = [taxonomy.contains(cold, node) for node in seen.nodes[found.image].tolist()]
    assert sum(right) > 0.8 * len(right) > 10
    holding = space.holding(seen)
    assert [cold in nodes.tolist() for nodes in holding] == (energy <= space.threshold).tolist()
    nearest = space.nearest(seen)
    apart = (space.labels.vectors[nearest - 1] - seen.vectors).norm(dim=1)
    assert (apart <= (space.labels.vectors[cold - 1] - seen.vectors).norm(dim=1) + 1e-5).all()


def test_a_label_more_moves_nothing(space: RunSpace, seen: PlacedImages) -> None:
    grey = (seen.nodes == space.labels.node("grey")).nonzero()[:, 0]
    examples = PlacedImages((), seen.vectors[grey[:4]], seen.nodes[grey[:4]])
    grown = space.with_label("ash", examples=examples, steps=200)
    node = grown.labels.node("ash")
    assert grown.labels.vectors[: node - 1].equal(space.labels.vectors[: node - 1])
    assert set(grey[:4].tolist()) <= set(grown.retrieve("ash", seen).image.tolist())
    assert space.labels.taxonomy.num_nodes == grown.labels.taxonomy.num_nodes - 1
    under = space.with_label("teal", "cold", steps=200)
    assert under.labels.entails("cold", "teal")


def test_scores_of_images_count_what_is_known() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    labels = LabelSpace(taxonomy, torch.tensor([[1.0, 0], [2.0, 0], [1.0, 1], [0, 2.0]]), embeddings.make("order"))
    images = PlacedImages(("x", "y"), torch.tensor([[3.0, 0.5], [2.0, 1.5]]), torch.tensor([2, 1]))
    scores = image_scores(labels, images)
    assert (scores.num_edges, scores.num_others) == (3, 3)  # of y nothing is known at b and c
    assert scores.f1 == 1.0


def test_a_run_without_a_space(colours: Dataset, tmp_path: Path) -> None:
    settings: dict[str, Any] = {**SETTINGS, "epochs": 0}
    run = cw.train(colours, method="hace", out=tmp_path / "run", freeze=True, **settings)
    with pytest.raises(InputError, match="Expected a run whose labels and images are vectors, but got a run of hace"):
        RunSpace.of(run)
