"""A run whose head has transitions: small scores, mean matrices beside them, and the same answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from safetensors import safe_open

import cladewise as cw
from cladewise import methods
from cladewise.datasets import Dataset
from cladewise.engine import Run, mean_transitions, predict
from cladewise.engine.answering import scoring
from cladewise.engine.answering.transitions import TransitionMeans
from cladewise.predictions import LeafSoftmax, LevelSoftmax, LevelTransition, storage, transition_layout
from cladewise.records import log, naive_transition, read_transitions

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "optimizer": "adamw",
    "lr": 0.01,
    "epochs": 8,
    "freeze": True,
}


@pytest.fixture(scope="module", params=["full", "low-rank"])
def probe(request: pytest.FixtureRequest, colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "lht"
    return cw.train(colours, method="lht", options={"transition": request.param}, out=out, seed=1, **TINY)


def test_it_learns_colours(probe: Run) -> None:
    scores = cw.evaluate(probe, split="test", progress=False)
    assert scores.top1 > 0.5
    assert scores.level_accuracy > 0.6
    assert scores.path.name == "test-none-levels.json"


def test_what_is_kept_is_settled_and_gives_the_same(probe: Run, colours: Dataset) -> None:
    cw.evaluate(probe, split="test", progress=False)
    kept, _, _ = storage.load_prediction(probe.folder.scores("test"), probe.taxonomy)
    assert isinstance(kept, LevelSoftmax)
    width = sum(probe.taxonomy.level_nodes(level).size for level in range(1, probe.taxonomy.num_levels + 1))
    assert kept.logits.shape[1] == width
    rows = pl.read_parquet(probe.folder.predictions("test"))
    predicted = predict(probe, [colours.root / path for path in rows["path"]], progress=False)
    torch.testing.assert_close(predicted.log_prob, kept.log_prob, atol=1e-4, rtol=1e-4)
    assert predicted.to_frame().columns[:2] == ["path", "level_1"]


def test_the_mean_matrices_are_those_of_the_images(probe: Run) -> None:
    cw.evaluate(probe, split="test", progress=False)
    found = read_transitions(probe.folder.transitions("test"))
    taxonomy = probe.taxonomy
    assert (found.order, found.levels) == ("f2c", (1, 2, 3))
    assert found.num_images == len(pl.read_parquet(probe.folder.predictions("test")))
    assert found.about == {"model": probe.model_hash, "taxonomy": taxonomy.fingerprint}
    for level in (1, 2):
        mean = found.means[level]
        assert mean.shape == naive_transition(taxonomy, level, level + 1).shape
        np.testing.assert_allclose(mean.sum(0), 1, rtol=1e-5)
    before = probe.folder.transitions("test").stat().st_mtime_ns
    cw.evaluate(probe, split="test", decision="leaf", progress=False)
    assert probe.folder.transitions("test").stat().st_mtime_ns == before
    with safe_open(str(probe.folder.scores("test")), framework="numpy") as file:  # type: ignore[no-untyped-call]
        assert file.metadata()["model"] == found.about["model"]


def test_heads_without_transitions_write_none(colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method="flat-softmax", out=tmp_path / "flat", seed=1, **{**TINY, "epochs": 1})
    cw.evaluate(run, split="test", progress=False)
    assert not run.folder.transitions("test").parent.exists()


def test_what_is_too_large_is_left_out_and_the_log_says_so(
    colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = cw.train(colours, method="lht", out=tmp_path / "lht", seed=1, **{**TINY, "epochs": 1})
    monkeypatch.setattr(scoring, "TransitionMeans", lambda: TransitionMeans(largest=15))
    cells = {level: naive_transition(run.taxonomy, level, level + 1).size for level in (1, 2)}
    assert cells[1] <= 15 < cells[2]
    for _ in range(2):
        run.folder.scores("test").unlink(missing_ok=True)
        cw.evaluate(run, split="test", progress=False)
    assert list(read_transitions(run.folder.transitions("test")).means) == [1]
    said = [event["text"] for event in log.read(run.folder.log) if event["event"] == "warning"]
    assert said == [f"no mean transition matrix of level 2 for test: {cells[2]} cells, more than 15"]


@pytest.mark.parametrize("order", ["f2c", "c2f"])
@pytest.mark.parametrize("rank", [None, 2])
def test_means_in_any_parts_are_the_same(order: str, rank: int | None) -> None:
    taxonomy = cw.Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "", "e"), ("f", "g")])
    logits = torch.randn(9, transition_layout(taxonomy, order=order, rank=rank).width)
    prediction = LevelTransition(taxonomy, logits, order=order, rank=rank)  # type: ignore[arg-type]
    whole, parts = mean_transitions([prediction]), mean_transitions([prediction[:2], prediction[2:]])
    assert whole is not None
    assert parts is not None
    assert whole.num_images == parts.num_images == 9
    for level in (1, 2):
        np.testing.assert_allclose(whole.means[level], parts.means[level], rtol=1e-5)
        expected = sum(np.asarray(prediction[i : i + 1].transition_sum(level)) for i in range(9)) / 9
        np.testing.assert_allclose(whole.means[level], expected, rtol=1e-5)
    shape = whole.means[1].sum(0 if order == "f2c" else 1)
    np.testing.assert_allclose(shape, 1, rtol=1e-5)


def test_nothing_to_average_is_nothing() -> None:
    taxonomy = cw.Taxonomy.from_paths([("a",), ("b",)])
    assert mean_transitions([]) is None
    assert mean_transitions([LeafSoftmax(taxonomy, torch.zeros(3, 2))]) is None
    assert mean_transitions([LevelTransition(taxonomy, torch.zeros(3, 2))]) is None
    deeper = cw.Taxonomy.from_paths([("a", "b")])
    assert mean_transitions([methods.make("lht").head(deeper, 4)(torch.zeros(3, 4)).settled()]) is None
    assert mean_transitions([LevelTransition(deeper, torch.zeros(0, 2))]) is None
