"""Overlap of classes as numbers, and pictures of where images and texts lie."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cladewise import Taxonomy, datasets, engine
from cladewise.errors import InputError, MissingExtraError
from cladewise.explanations import (
    in_the_plane,
    manifold_grid,
    manifolds,
    neighbour_purity,
    overlap,
    overlap_by_level,
)
from cladewise.explanations.scatter import node_colors
from cladewise.records import read_plates

sklearn_neighbors = pytest.importorskip("sklearn.neighbors", reason="needs the extra explain")
TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("f",)])


@pytest.mark.parametrize("chunk", [1 << 20, 40])
def test_purity_is_that_of_the_outside_reference(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overlap, "CHUNK", chunk)
    random = np.random.default_rng(0)
    vectors, labels = random.standard_normal((30, 4)), random.integers(0, 3, 30)
    finder = sklearn_neighbors.NearestNeighbors(n_neighbors=6, metric="cosine").fit(vectors)
    nearest = finder.kneighbors(vectors, return_distance=False)[:, 1:]
    expected = float((labels[nearest] == labels[:, None]).mean())
    found = neighbour_purity(torch.from_numpy(vectors), torch.from_numpy(labels), 5)
    assert float(found) == pytest.approx(expected)


def test_separated_classes_do_not_overlap_and_mixed_ones_do() -> None:
    generator = torch.Generator().manual_seed(0)
    nodes = torch.tensor([2, 3, 5, 6]).repeat_interleave(20)
    centres = torch.eye(8)[nodes]
    noise = torch.randn(80, 8, generator=generator)
    near, far = (overlap_by_level(centres + spread * noise, nodes, TREE) for spread in (0.05, 50.0))
    for clear, mixed in zip(near, far, strict=True):
        assert clear.purity == 1.0
        assert clear.silhouette is not None
        assert mixed.silhouette is not None
        assert clear.silhouette > 0.3 > mixed.silhouette
        assert mixed.chance is not None
        assert mixed.purity == pytest.approx(mixed.chance, abs=0.12)
    assert [level.classes for level in near] == [3, 4]


def test_labels_that_say_nothing_of_a_level_are_left_out() -> None:
    coarse, fine = overlap_by_level(torch.eye(3), torch.tensor([1, 1, 2]), TREE)
    assert (coarse.images, coarse.classes, coarse.silhouette) == (3, 1, None)
    assert (fine.images, fine.purity, fine.silhouette) == (1, None, None)


def test_where_every_image_is_alone_in_its_class_there_is_nothing_to_tell() -> None:
    coarse, fine = overlap_by_level(torch.eye(4), torch.tensor([2, 3, 5, 6]), TREE)
    assert (fine.images, fine.classes, fine.purity, fine.chance, fine.silhouette) == (4, 4, None, None, None)
    assert coarse.purity is not None


@pytest.fixture(scope="module")
def colours(tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder, random = tmp_path_factory.mktemp("colours"), np.random.default_rng(0)
    for name, colour in {"warm/red": 200, "warm/rose": 170, "cold/blue": 60, "cold/ice": 90}.items():
        (folder / name).mkdir(parents=True)
        for number in range(8):
            pixels = (colour + random.normal(0, 9, (24, 24, 3))).clip(0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / name / f"{number}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield datasets.from_folder(folder, seed=3)


@pytest.mark.parametrize(("method", "freeze"), [("hmcf", True), ("flat-softmax", False)])
def test_a_run_has_its_picture_and_its_numbers(colours: Any, tmp_path: Path, method: str, freeze: bool) -> None:
    encoder = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "freeze": freeze}
    fast = {"epochs": 1, "workers": 0, "progress": False}
    run = engine.train(colours, method=method, out=tmp_path / "run", **encoder, **fast)
    made = manifolds(run, split="train", progress=False)
    assert made.images.shape == (len(made.nodes), 2)
    assert (made.texts is None) == (method == "flat-softmax")
    if made.texts is not None:
        assert made.texts.shape == (colours.taxonomy.num_nodes - 1, 2)
    index = run.folder.plates("manifolds", "train")
    kept = read_plates(index)
    assert [plate.name for plate in kept.plates] == ["images", "texts"][: 2 if made.texts is not None else 1]
    assert kept.files == {file.name for file in index.parent.iterdir()} - {"index.json"}
    assert (kept.model, kept.fingerprint) == (run.model_hash, colours.taxonomy.fingerprint)
    (table,) = kept.tables
    assert table.rows == colours.taxonomy.level_names
    assert [row[0] for row in table.values] == [level.purity for level in made.overlap]
    first = {name: (index.parent / name).read_bytes() for name in kept.files}
    manifolds(run, split="train", progress=False)
    assert first == {name: (index.parent / name).read_bytes() for name in kept.files}, "equal runs give equal files"
    for wrong, message in (
        ({"levels": "1-3"}, "levels among 1 to 2"),
        ({"images": 3}, "at least 4 images, 1 neighbour and a perplexity above 0, but got 3, 10, 30.0."),
        ({"split": "none"}, "a split of"),
        ({"by": "pca"}, "a projection to the plane: tsne or umap, but got 'pca'."),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            manifolds(run, **{"split": "train", "progress": False, **wrong})


def test_chosen_classes_are_drawn_alone(colours: Any, tmp_path: Path) -> None:
    encoder = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "freeze": True}
    run = engine.train(colours, method="text-classifier", out=tmp_path / "run", epochs=1, progress=False, **encoder)
    tree, fast = colours.taxonomy, {"split": "train", "progress": False}
    warm = manifolds(run, classes=["warm"], **fast)
    assert {tree.path_name(int(node)) for node in warm.nodes} == {"warm/red", "warm/rose"}
    assert warm.texts is None  # three texts are too few for a plane
    one = manifolds(run, most=[2, 1], **fast)
    assert one.text_nodes is not None
    assert len(set(one.nodes.tolist())) == 2
    parents = {int(tree.parents[node]) for node in one.nodes.tolist()}
    assert len(parents) == 2
    assert set(one.text_nodes.tolist()) == parents | set(one.nodes.tolist())
    index = read_plates(run.folder.plates("manifolds", "train"))
    assert "of chosen classes" in index.tables[0].basis
    for wrong, message in (
        ({"classes": ["pink"]}, "'pink'"),
        ({"most": [1, 1, 1]}, "numbers of classes of 1 or more, for at most 2 levels, but got 1, 1, 1"),
        ({"most": [0]}, "numbers of classes of 1 or more, for at most 2 levels, but got 0"),
        ({"classes": ["red"], "most": [1], "split": "val"}, "at least 4 images, but got"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            manifolds(run, **{**fast, **wrong})


def test_runs_are_drawn_side_by_side(colours: Any, tmp_path: Path) -> None:
    encoder = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "freeze": True}
    runs = {
        method: engine.train(colours, method=method, out=tmp_path / method, epochs=1, progress=False, **encoder)
        for method in ("hmcf", "flat-softmax")
    }
    made = manifold_grid(runs, split="train", levels="1-2", images=20, progress=False)
    assert len(made.figure.axes) == 2 * 3  # a row of texts, and one per level
    assert [axes.get_title() for axes in made.figure.axes[:2]] == ["hmcf", "flat-softmax"]
    assert made.figure.axes[0].collections
    assert not made.figure.axes[1].collections  # a method without texts
    points = made.points
    assert points.columns == ["run", "of", "node", "x", "y"]
    counts = dict(points.group_by("run", "of").len().rows_by_key(("run", "of"), unique=True))
    assert counts == {("hmcf", "text"): (6,), ("hmcf", "image"): (20,), ("flat-softmax", "image"): (20,)}
    labels = [points.filter(run=head, of="image")["node"].to_list() for head in runs]
    assert labels[0] == labels[1], "the same images"
    alone = manifold_grid({"hmcf": runs["hmcf"]}, split="train", levels="1-2", images=20, texts=False, progress=False)
    assert len(alone.figure.axes) == 2
    assert alone.points.equals(points.filter(run="hmcf", of="image"))
    with pytest.raises(InputError, match="one run or more, but got none"):
        manifold_grid({})


@pytest.mark.slow
def test_umap_keeps_clusters_together_and_draws_them_alike_again() -> None:
    pytest.importorskip("umap", reason="needs umap-learn of the extra explain")
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(3).repeat_interleave(20)
    vectors = 5 * torch.eye(6)[group] + 0.1 * torch.randn(60, 6, generator=generator)
    points = torch.from_numpy(in_the_plane(vectors, by="umap"))
    assert neighbour_purity(points - points.mean(0), group, 5) > 0.9
    assert np.array_equal(points, in_the_plane(vectors, by="umap"))
    assert in_the_plane(torch.eye(4), by="umap").shape == (4, 2)


def test_umap_is_asked_for_by_the_name_of_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)
    with pytest.raises(MissingExtraError, match=re.escape("umap-learn, but it is not installed. Run: pip install")):
        in_the_plane(torch.eye(5), by="umap")


@pytest.mark.parametrize("leaves", [3, 15, 50])
def test_classes_of_a_level_have_colours_of_their_own(leaves: int) -> None:
    tree = Taxonomy.from_paths([(f"g{i % 2}", f"s{i}") for i in range(leaves)] + [("alone",)])
    for level, classes in ((1, 3), (2, leaves + 1)):
        shades = node_colors(tree, level)
        assert len(np.unique(shades[tree.level_nodes(level)].round(6), axis=0)) == classes
        assert np.array_equal(shades[tree.leaf_nodes], shades[tree.at_level(level)[tree.leaf_nodes]])


def test_colours_of_chosen_classes_are_those_of_few() -> None:
    tree = Taxonomy.from_paths([(f"g{i % 40}", f"s{i}") for i in range(80)])
    some = tree.leaf_nodes[[0, 5, 40]]
    shades = node_colors(tree, 1, some)
    coloured = np.unique(tree.at_level(1)[some])
    assert len(np.unique(shades[coloured].round(6), axis=0)) == len(coloured)
    others = np.setdiff1d(tree.level_nodes(1), coloured)
    assert len(np.unique(shades[others].round(6), axis=0)) == 1
