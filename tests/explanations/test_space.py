"""The space of a run as pictures, and energies of images along their paths."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import cladewise as cw
from cladewise import Taxonomy, embeddings
from cladewise.datasets import Dataset
from cladewise.embeddings import LabelSpace
from cladewise.engine import Run
from cladewise.engine.answering.representing import represent
from cladewise.engine.answering.spaces import RunSpace
from cladewise.errors import InputError
from cladewise.explanations import descents, space
from cladewise.explanations.descent_drawing import Descending, descent_drawing
from cladewise.records import read_plates
from explanations.conftest import TINY

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("f",)])
NAMES = ("order", "euclidean", "hyperbolic")


def random_space(name: str, dim: int) -> LabelSpace:
    made = embeddings.make(name)
    return LabelSpace(TREE, made.start(TREE.num_nodes - 1, dim, torch.Generator().manual_seed(0)), made)


@pytest.mark.parametrize("name", NAMES)
def test_energies_along_paths_are_those_between_vectors(name: str) -> None:
    labels = random_space(name, 3)
    points = labels.geometry.placed(torch.randn(6, 3, generator=torch.Generator().manual_seed(1)))
    nodes = torch.tensor([2, 3, 5, 6, 1, 0])
    for found, point, node in zip(descents(labels, points, nodes, steps=5), points, nodes.tolist(), strict=True):
        assert found.path.tolist() == list(TREE.path(node)[1:])
        assert found.levels == tuple(TREE.level[found.path].tolist())
        for place, label in enumerate(found.path.tolist()):
            expected = float(labels.geometry.energy(labels.vectors[label - 1], point))
            assert found.own[place] == pytest.approx(expected, abs=1e-5)
            assert found.way[place, -1] == pytest.approx(expected, abs=1e-5), "the way ends at the image"
            others = [int(other) for other in TREE.level_nodes(int(TREE.level[label])) if other != label]
            energies = [float(labels.geometry.energy(labels.vectors[other - 1], point)) for other in others]
            assert found.rivals[place] == pytest.approx(min(energies), abs=1e-5)
            assert found.rival[place] in others


def test_a_level_of_one_label_has_no_other() -> None:
    tree = Taxonomy.from_paths([("a", "b")])
    labels = LabelSpace(tree, torch.tensor([[0.0, 0.5], [0.0, 0.9]]), embeddings.make("euclidean"))
    (found,) = descents(labels, torch.tensor([[0.0, 2.0]]), torch.tensor([2]))
    assert np.isnan(found.rivals).all()
    assert found.lost(0.1) is None
    (outside,) = descents(labels, torch.tensor([[2.0, 0.0]]), torch.tensor([2]))
    assert outside.lost(0.1) == 0


def test_a_cone_holds_the_way_from_its_apex_on() -> None:
    """Straight out through the apices of a and b: under a once it is past a, under b once it is past b."""
    tree = Taxonomy.from_paths([("a", "b"), ("c",)])
    labels = LabelSpace(tree, torch.tensor([[0.0, 1.0], [0.0, 2.0], [3.0, 0.0]]), embeddings.make("euclidean"))
    (found,) = descents(labels, torch.tensor([[0.0, 4.0]]), torch.tensor([2]), steps=9)
    assert [np.flatnonzero(line < 1e-6)[0] for line in found.way[:, 1:]] in ([1, 3], [2, 4])


def test_energies_of_an_image_at_the_root_can_be_drawn() -> None:
    found = descents(random_space("order", 2), torch.zeros(2, 2), torch.tensor([0, 2]))
    shown = [Descending(way, "x.jpg", np.zeros((4, 4, 3), dtype=np.uint8)) for way in found]
    descent_drawing(shown, TREE, 0.1).draw_without_rendering()


@pytest.fixture(scope="module")
def cones(shapes: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "cones"
    few = {"method": "euclidean-cones", "freeze": True, "out": out, "options": {"dim": 2, "label_epochs": 2}}
    return cw.train(shapes, **{**TINY, **few})


def test_a_run_has_its_pictures_and_energies(cones: Run, shapes: Dataset) -> None:
    index = space(cones, images=20, photographs=6, descending=3, progress=False)
    kept = read_plates(index)
    assert [plate.name for plate in kept.plates] == ["space", "energies"]
    assert "20 images as grey dots" in kept.plates[0].caption
    assert kept.files == {file.name for file in index.parent.iterdir()} - {"index.json"}
    frame = pl.read_csv(index.parent / "energies.csv")
    assert frame["path"].n_unique() == 3
    assert set(frame["level"]) <= set(shapes.taxonomy.level_names)
    svg = (index.parent / "space.svg").read_text()
    assert svg.count("<image") >= 1
    first = {name: (index.parent / name).read_bytes() for name in kept.files}
    space(cones, images=20, photographs=6, descending=3, progress=False)
    assert first == {name: (index.parent / name).read_bytes() for name in kept.files}, "equal runs give equal files"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"descending": 0}, "at least 1 image, 0 photographs and 1 image with energies, but got 2000, 32, 0."),
        ({"split": "nowhere"}, "a split of"),
    ],
)
def test_what_is_refused(cones: Run, wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        space(cones, **{"progress": False, **wrong})


def test_what_is_compared_elsewhere_are_the_same_vectors(cones: Run, shapes: Dataset) -> None:
    placed = RunSpace.of(cones, threshold=0.0).place("test", progress=False)
    seen = represent(cones, shapes, shapes.indices("test"), progress=False)
    assert [shapes.paths[i] for i in seen.index.tolist()] == list(placed.paths)
    torch.testing.assert_close(seen.vectors[:, 0], placed.vectors)


def test_a_run_without_such_a_space_is_refused(frozen: Run) -> None:
    with pytest.raises(InputError, match="a run whose labels and images are vectors, but got a run of hace"):
        space(frozen, progress=False)
