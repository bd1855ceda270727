"""Splits with more scores than are kept: scored from cached features by every pass, with the same results."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

import cladewise as cw
from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.engine.answering import evaluation, feature_scores, scoring
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.feeding.features import cached_features
from cladewise.errors import InputError, InputWarning
from cladewise.predictions import storage
from shared_runs import copy_of

Trained = Callable[..., Run]
HACE: dict[str, Any] = {"method": "hace", "freeze": True, "epochs": 10, "lr": 0.05}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in parts of a few images."""
    monkeypatch.setattr(feature_scores, "CELLS_AT_ONCE", 40)
    monkeypatch.setattr(scoring, "ROWS_AT_ONCE", 5)
    monkeypatch.setattr(evaluation, "ROWS_AT_ONCE", 5)


def make_large(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make every split count as large."""
    monkeypatch.setattr(scoring, "LARGEST_KEPT", 0)


def evaluated(run: Run, **options: Any) -> tuple[cw.Evaluation, pl.DataFrame, pl.DataFrame]:
    found = cw.evaluate(run, progress=False, **options)
    return found, pl.read_parquet(found.outcomes), pl.read_parquet(run.folder.predictions(found.split))


def check_equal(small: tuple[cw.Evaluation, pl.DataFrame, pl.DataFrame], large: Any) -> None:
    """Up to the last digits, since batches differ."""
    assert small[0].metrics.keys() == large[0].metrics.keys()
    for name, interval in small[0].metrics.items():
        for field in ("value", "low", "high", "count"):
            expected = getattr(interval, field)
            assert getattr(large[0].metrics[name], field) == pytest.approx(expected, abs=1e-5, nan_ok=True), name
    for first, second in zip(small[1:], large[1:], strict=True):
        assert first.schema == second.schema
        exact = [name for name, kind in first.schema.items() if not kind.is_float() and kind != pl.List(pl.Float32)]
        assert first.select(exact).equals(second.select(exact))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("decision", ["leaf", "levels", "boundary", "hedging"])
def test_a_large_split_has_the_results_of_a_small_one(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, decision: str
) -> None:
    small = evaluated(copy_of(trained(**HACE), tmp_path / "small"), decision=decision)
    make_large(monkeypatch)
    run = copy_of(trained(**HACE), tmp_path / "large")
    large = evaluated(run, decision=decision)
    check_equal(small, large)
    tensors, about = storage.load_tensors(run.folder.scores("test"))
    assert sorted(tensors) == ["index", "target"]  # and no scores
    assert about[scoring.STREAMED] == "true"
    assert pl.read_parquet_metadata(large[0].outcomes) is not None
    monkeypatch.setattr(scoring, "stream_scores", None)  # the table of predictions is not made again
    check_equal(large, evaluated(Run.open(run.path), decision=decision))


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("method", ["hace", "vanilla-multi"])
def test_features_of_trained_encoders_are_cached_for_large_splits(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    run = trained(method=method, epochs=1)
    small = evaluated(copy_of(run, tmp_path / "small"), split="val")
    make_large(monkeypatch)
    check_equal(small, evaluated(copy_of(run, tmp_path / "large"), split="val"))


@pytest.mark.usefixtures("small_parts")
def test_transitions_are_those_of_a_small_split(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = trained(method="lht", freeze=True, epochs=1)
    small, large = (copy_of(run, tmp_path / name) for name in ("small", "large"))
    cw.evaluate(small, progress=False)
    make_large(monkeypatch)
    cw.evaluate(large, progress=False)
    first, second = (storage.load_tensors(each.folder.transitions("test"))[0] for each in (small, large))
    assert first.keys() == second.keys()
    assert first
    for name in first:
        torch.testing.assert_close(first[name], second[name])


def test_rules_learn_from_a_sample_and_say_so(
    trained: Trained, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    run = copy_of(trained(**HACE), tmp_path / "run")
    seen = scoring.scored(run, "val", progress=False)
    prediction, chosen = seen.sample(5 * feature_scores.score_bytes(run, 1))
    assert len(chosen) == len(prediction.logits) == 5
    whole, every = seen.sample()
    assert every.tolist() == list(range(len(seen.target)))
    torch.testing.assert_close(prediction.logits, whole.logits[chosen])
    assert seen.sample(5 * feature_scores.score_bytes(run, 1))[1].equal(chosen)  # by a fixed seed
    monkeypatch.setattr(scoring.Scored.sample, "__defaults__", (5 * feature_scores.score_bytes(run, 1),))
    made = ready(run, cw.decisions.make("hedging"), progress=False)
    (said,) = [text for text in made.warnings if "random" in text]
    assert said.startswith(f"hedging learnt from 5 random ones of the {len(seen.target)} images of val")
    again = ready(Run.open(run.path), cw.decisions.make("hedging"), progress=False)
    assert (again.warnings, again.values) == (made.warnings, made.values)


@pytest.fixture
def photos(colour_folder: Path, tmp_path: Path) -> Path:
    for label in ("warm/red", "cold/green", "grey"):
        shutil.copytree(colour_folder / label, tmp_path / "photos" / label)
    return tmp_path / "photos"


def test_images_that_cannot_be_scored_are_left_out(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    settings = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "workers": 0, "progress": False}
    run = cw.train(photos, method="flat-softmax", freeze=True, epochs=1, out=tmp_path / "run", **settings)
    test = [run.dataset.paths[i] for i in run.dataset.indices("test").tolist() if "broken" not in run.dataset.paths[i]]
    path = run.dataset.root / test[0]
    status = path.stat()
    path.write_bytes(path.read_bytes()[:-40])
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    head, dataset = run.classifier.head, run.dataset
    features = cached_features(dataset, np.array([dataset.paths.index(test[1])]), run.backbone, progress=False)
    odd = run.classifier.encode(torch.from_numpy(features.rows(np.flatnonzero(features.valid))))

    def damaged(features: torch.Tensor) -> Any:
        is_odd = torch.isclose(features, odd).all(1, keepdim=True)
        return type(head).forward(head, features).map(lambda z: torch.where(is_odd, torch.nan, z))

    with monkeypatch.context() as patch:
        patch.setattr(head, "forward", damaged)
        with pytest.warns(InputWarning, match=r"not finite numbers for 1 of \d+ images"):
            found = cw.evaluate(run, progress=False)
    assert found.num_skipped == len(run.dataset.indices("test")) - found.num_images
    paths = pl.read_parquet(run.folder.predictions("test"))["path"].to_list()
    assert test[0] not in paths
    assert test[1] not in paths
    assert pl.read_parquet(found.outcomes)["path"].to_list() == paths


def test_without_images_large_splits_cannot_be_scored_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_large(monkeypatch)
    settings = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "workers": 0, "progress": False}
    run = cw.train(photos, method="flat-softmax", freeze=True, epochs=1, out=tmp_path / "run", **settings)
    cw.evaluate(run, progress=False)
    content = run.folder.scores("test").read_bytes()
    run.folder.scores("test").write_bytes(content[:-3])
    with pytest.raises(InputError, match=r"scores in safetensors, .*Delete the file: it is made again"):
        cw.evaluate(run, progress=False)
    run.folder.scores("test").write_bytes(content)
    photos.rename(photos.with_name("gone"))
    with pytest.raises((InputError, OSError), match="photos"):
        cw.evaluate(Run.open(run.path), progress=False)
    photos.mkdir()
    for path in (photos.with_name("gone")).rglob("*.png"):
        target = photos / path.relative_to(photos.with_name("gone"))
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes()[:-60])
    with pytest.raises(InputError, match="images to evaluate on, but got none that can be read"):
        cw.evaluate(Run.open(run.path), progress=False)
    assert not list(run.folder.predictions("test").parent.glob(".*"))


def test_the_bound_is_in_bytes_of_scores(trained: Trained, colours: Dataset) -> None:
    run = trained(**HACE)
    outputs = run.classifier(torch.zeros(1, run.backbone.num_features)).logits.shape[1]
    assert feature_scores.score_bytes(run, len(colours)) == 4 * outputs * len(colours)
