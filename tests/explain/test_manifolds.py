"""Overlap of classes as numbers, and pictures of where images and texts lie."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cladewise import Taxonomy, datasets, engine
from cladewise.errors import InputError
from cladewise.explain import manifolds, neighbour_purity, overlap, overlap_by_level

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
    svg = (run.path / "manifolds" / "train.svg").read_text()
    assert svg.count("<svg") == 1
    assert (run.path / "manifolds" / "train.png").stat().st_size > 1000
    content = json.loads((run.path / "manifolds" / "train.json").read_text())
    assert [level["level"] for level in content["levels"]] == list(colours.taxonomy.level_names)
    for wrong, message in (
        ({"levels": "1-3"}, "levels among 1 to 2"),
        ({"images": 3}, "at least 4 images, 1 neighbour and a perplexity above 0, but got 3, 10, 30.0."),
        ({"split": "none"}, "a split of"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            manifolds(run, **{"split": "train", "progress": False, **wrong})
