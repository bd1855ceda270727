"""The few-shot protocol on runs: deterministic, from the cache, by what the head sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import cladewise as cw
from cladewise import InputError
from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.engine.answering.representing import represent
from cladewise.records import read_few_shot

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "lr": 0.01,
}
EPISODES: dict[str, Any] = {"split": "train", "episodes": 20, "progress": False}


@pytest.fixture(scope="module")
def probe(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("few-shot") / "vanilla"
    options = {"embedding": 24}
    return cw.train(colours, method="vanilla", options=options, out=out, epochs=5, freeze=True, **TINY)


def test_it_is_the_same_again_and_kept(probe: Run) -> None:
    first = cw.episodes.few_shot(probe, ways=3, **EPISODES)
    assert cw.episodes.few_shot(probe.path, ways="3", **EPISODES) == first
    assert read_few_shot(probe.folder.few_shot, "train") == {"3-way-1-shot": first}
    assert first.accuracy > 0.6  # colours are easy
    assert (first.num_classes, first.episodes, first.mean_ways) == (6, 20, 3.0)
    assert first.fewest_queries < 15
    assert "some classes have" in first.notes[0]


def test_all_ways_and_inside_a_coarse_class(probe: Run) -> None:
    assert cw.episodes.few_shot(probe, ways="all", **EPISODES).mean_ways == 6
    intra = cw.episodes.few_shot(probe, ways="intra", **EPISODES)
    assert intra.mean_ways == 2
    assert intra.num_families == 2  # warm, and blue below cold: grey and green have no sibling at a leaf
    coarser = cw.episodes.few_shot(probe, ways="intra", coarse_level="1", **EPISODES)
    assert (coarser.num_families, coarser.kind) == (2, "intra-class-1-shot-in-1")
    assert coarser.mean_ways > 2  # three below cold


def test_several_kinds_are_what_each_is_alone(probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    ways = (3, "all", "intra")
    alone = [cw.episodes.few_shot(probe, ways=each, **EPISODES) for each in ways]
    assert cw.episodes.few_shot_all(probe, ways=ways, **EPISODES) == alone
    monkeypatch.setattr("cladewise.episodes.protocol.represent", None)  # what is kept needs no images
    assert cw.episodes.few_shot_all(probe, ways=ways, reuse=True, **EPISODES) == alone


def test_the_space_is_the_heads_own_or_the_encoders(probe: Run, colours: Dataset) -> None:
    rows = colours.indices("train")
    own, encoder = (represent(probe, colours, rows, space=s, progress=False) for s in ("own", "encoder"))
    assert own.vectors.shape == (len(own.index), 1, 24)
    assert encoder.vectors.shape[2] == probe.backbone.num_features
    assert own.vectors[:, 0].allclose(probe.classifier.head.represent(encoder.vectors[:, 0]), atol=1e-5)
    assert len(own.skipped) == len(rows) - len(own.index)
    copies = represent(probe, colours, rows, views=3, progress=False)
    assert copies.vectors.shape[1] == 3
    assert not copies.vectors[:, 0].allclose(copies.vectors[:, 1])
    np.testing.assert_array_equal(copies.index, own.index)


def test_end_to_end_it_sees_the_same_images(colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method="flat-softmax", out=tmp_path / "run", epochs=1, **TINY)
    rows = colours.indices("train")
    found = represent(run, colours, rows, views=2, progress=False)
    again = represent(run, colours, rows, views=2, progress=False)
    torch.testing.assert_close(found.vectors, again.vectors)
    assert found.vectors.shape == (len(found.index), 2, run.backbone.num_features)
    assert [skipped.path for skipped in found.skipped] == [
        colours.paths[i] for i in sorted(set(rows.tolist()) - set(found.index.tolist()))
    ]
    few: dict[str, Any] = {**EPISODES, "episodes": 3}
    result = cw.episodes.few_shot(run, ways=3, **few)
    assert 0 <= result.accuracy <= 1


def test_apart_needs_several_folders(probe: Run) -> None:
    with pytest.raises(InputError, match="Expected 3 fine classes with enough images"):
        cw.episodes.few_shot(probe, ways=3, apart=True, **EPISODES)  # every class is in a folder of its own


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        ({"ways": 1}, "ways as a number from 2, all or intra, but got '1'"),
        ({"shots": 0}, "shots of at least 1, but got 0"),
        ({"episodes": 1}, "episodes of at least 2, but got 1"),
        ({"support_views": -1}, "support_views of at least 0, but got -1"),
        ({"space": "mine"}, "a space: own or encoder, but got 'mine'"),
        ({"ways": 7}, "7 fine classes with enough images of each, but got 6"),
        ({"coarse_level": "9"}, "levels among 1 to 3"),
        ({"split": "nowhere"}, "a split of"),
    ],
)
def test_mistakes(probe: Run, wrong: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError, match=text):
        cw.episodes.few_shot(probe, **{**EPISODES, **wrong})
