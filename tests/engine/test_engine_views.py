"""Methods that compare views of images: where the views come from, the slow copy, and objectives with a state."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch
import torch

import cladewise as cw
from cladewise import methods
from cladewise.backbones import load
from cladewise.datasets import Dataset
from cladewise.engine import Run, rerun
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.feeding.rows import DecodedRows, FeatureRows
from cladewise.errors import InputError, InputWarning
from cladewise.records import log

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "optimizer": "adamw",
    "lr": 0.01,
    "backbone_lr": 1e-3,
    "coarse_labels": 1.0,
    "coarse_level": "1",
}
COMPARING: dict[str, dict[str, Any]] = {
    "moco": {},
    "coarse-moco": {},
    "ancor": {},
    "hcm": {"warmup": 1, "clusters": 2},
    "supcon": {"levels": "1"},
    "himulcone": {"levels": "1"},
}
SIZES = {"embedding": 12, "projection": 8}
every_comparing = pytest.mark.parametrize("name", COMPARING)


def trained(colours: Dataset, out: Path, name: str, **settings: Any) -> Run:
    level = {} if "levels" in COMPARING[name] else {"level": "1"}
    options = {**SIZES, **level, **COMPARING[name]}
    return cw.train(colours, method=name, options=options, out=out, seed=1, **{**TINY, **settings})


def epochs(run: Run) -> list[dict[str, Any]]:
    return [event for event in log.read(run.folder.log) if event["event"] == "epoch"]


# ---------------------------------------------------------------- rows


def test_views_of_frozen_features_are_different_cached_ones(colours: Dataset) -> None:
    backbone = load("test_resnet", pretrained=False, image_size=24)
    indices = colours.indices("train")
    features = cached_features(colours, indices, backbone, views=3, augment=True, workers=0, progress=False)
    rows = FeatureRows(colours, indices, features, seed=1, views=2)
    batch = rows.__getitems__([0, 5])
    assert batch.images.shape == (2, 2, backbone.num_features)
    cached = torch.from_numpy(features.rows(batch.index.numpy()))
    found = [[int((view == row).all(1).nonzero()[0, 0]) for view in pair] for pair, row in zip(batch.images, cached)]  # noqa: B905
    assert all(len(set(pair)) == 2 for pair in found)
    assert rows.__getitems__([5]).images.equal(batch.images[1:])
    seen = set()
    for epoch in range(12):
        rows.set_epoch(epoch)
        seen |= {tuple(view.tolist()) for view in rows.__getitems__([0]).images[0]}
    assert len(seen) == 3
    flat = batch.rows(2)
    assert flat.images.equal(batch.images.flatten(0, 1))
    assert flat.index.tolist() == np.repeat(batch.index.numpy(), 2).tolist()
    assert flat.nodes.tolist() == np.repeat(batch.nodes.numpy(), 2).tolist()
    assert batch.rows(1) is batch


def test_decoded_views_are_augmented_each_for_itself(colours: Dataset) -> None:
    backbone = load("test_resnet", pretrained=False, image_size=24)
    rows = DecodedRows(colours, colours.indices("train"), backbone.transform(train=True), seed=1, views=2)
    (batch,) = rows.loader([3, 4], batch_size=2, workers=0)
    assert batch.images.shape[:2] == (2, 2)
    assert not batch.images[:, 0].equal(batch.images[:, 1])


# ---------------------------------------------------------------- runs


@every_comparing
@pytest.mark.parametrize("freeze", [True, False])
def test_it_trains_and_is_scored_like_any_other(colours: Dataset, tmp_path: Path, name: str, freeze: bool) -> None:
    run = trained(colours, tmp_path / "run", name, freeze=freeze, views=3 if freeze else 1, epochs=2)
    losses = [epoch["train_loss"] for epoch in epochs(run)]
    assert np.isfinite(losses).all()
    scores = cw.evaluate(run, progress=False)
    assert 0 <= scores["level_accuracy/level_1"].value <= 1
    if freeze:
        result = cw.episodes.few_shot(run, ways=2, episodes=4, split="train", support_views=0, progress=False)
        assert 0 <= result.accuracy <= 1
    assert not any("slow" in key or "queue" in key for key in safetensors.torch.load_file(run.folder.model))


@every_comparing
def test_a_run_goes_on_where_it_stopped(
    colours: Dataset, tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To the same bits, which also shows that two trainings with one seed are equal."""
    settings = {"freeze": True, "views": 2, "epochs": 3, "checkpoint_seconds": 0.0}
    whole = trained(colours, tmp_path / "whole", name, **settings)
    from cladewise.engine.training.module import Fitting

    start = Fitting.on_train_epoch_start

    def stopping(self: Fitting) -> None:
        if self.current_epoch == 2:
            raise KeyboardInterrupt
        start(self)

    with monkeypatch.context() as patch:
        patch.setattr(Fitting, "on_train_epoch_start", stopping)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            trained(colours, tmp_path / "cut", name, **settings)
    assert not (tmp_path / "cut" / "model.safetensors").exists()
    resumed = trained(colours, tmp_path / "cut", name, **settings)
    a, b = (safetensors.torch.load_file(run.folder.model) for run in (whole, resumed))
    assert all(a[key].equal(b[key]) for key in a)


def test_margins_are_logged(colours: Dataset, tmp_path: Path) -> None:
    run = trained(colours, tmp_path / "run", "hcm", freeze=True, views=3, epochs=4)
    margins = [[epoch[f"margin_{k}"] for k in range(4)] for epoch in epochs(run)]
    assert margins[0] == pytest.approx([0, 0.2, 0.5, 1])
    assert margins[-1][1:3] != pytest.approx([0.2, 0.5])
    assert all((np.diff(at) > 0).all() for at in margins)


@pytest.mark.parametrize("name", ["ancor", "supcon"])
def test_few_views_are_told(colours: Dataset, tmp_path: Path, name: str) -> None:
    text = (
        f"{name} compares 2 views of an image, and 1 of frozen features is cached, so that different images alone are "
        "compared. Cache more: views=8."
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        few, enough = (trained(colours, tmp_path / str(v), name, freeze=True, views=v, epochs=1) for v in (1, 2))
    told = [[e["text"] for e in log.read(run.folder.log) if e["event"] == "warning"] for run in (few, enough)]
    assert told == [[text], []]
    assert [str(w.message) for w in caught if issubclass(w.category, InputWarning)].count(text) == 1


def test_two_cached_views_teach_what_one_cannot(colours: Dataset, tmp_path: Path) -> None:
    """Where no two images of a batch share a class, only views of one image are drawn together."""
    settings: dict[str, Any] = {"freeze": True, "epochs": 1, "batch_size": 1, "weight_decay": 0.0}
    moved = {}
    for views in (1, 2):
        weights = [
            safetensors.torch.load_file(
                trained(colours, tmp_path / f"{views}-{lr}", "supcon", views=views, **settings, lr=lr).folder.model
            )["head.projection.0.weight"]
            for lr in (0.0, 0.01)
        ]
        moved[views] = not weights[0].equal(weights[1])
    assert moved == {1: False, 2: True}


def test_a_run_from_before_views_were_compared_keeps_its_meaning(colours: Dataset, tmp_path: Path) -> None:
    options = {**SIZES, "levels": "1", "compared_views": 1}
    settings: dict[str, Any] = {**TINY, "freeze": True, "views": 3, "epochs": 2, "seed": 1}
    before = cw.train(colours, method="supcon", options=options, out=tmp_path / "before", **settings)
    config = before.folder.config
    lines = config.read_text().splitlines(keepends=True)
    config.write_text("".join(line for line in lines if not line.startswith("compared_views")))
    assert "compared_views" not in config.read_text()
    assert Run(before.folder.path).method.views() == 1
    reused: dict[str, Any] = {"method": "supcon", "out": before.path, "reuse": True, **settings}
    assert cw.train(colours, options=options, **reused).method.views() == 1
    with pytest.raises(InputError, match=r"differs in method\.compared_views \(1 there, 2 here\)"):
        cw.train(colours, options={**options, "compared_views": 2}, **reused)
    again = rerun(config, tmp_path / "again", progress=False)
    a, b = (safetensors.torch.load_file(run.folder.model) for run in (before, again))
    assert all(a[key].equal(b[key]) for key in a)


def test_a_method_asks_for_nothing_by_default() -> None:
    for name, kind in methods.available().items():
        method = kind()
        assert method.views() >= 1, name
        assert 0 <= method.momentum() < 1, name
