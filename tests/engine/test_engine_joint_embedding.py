"""A head's own loss beside images enters training, and its resumption."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

import cladewise as cw
from cladewise.datasets import Dataset
from cladewise.embeddings import reconstruction
from cladewise.engine import Run, RunSpace, predict
from cladewise.engine.answering.evaluation import evaluate_metric
from cladewise.engine.training import module as fitting
from cladewise.errors import InputError
from cladewise.heads.energy import EnergyHead

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "freeze": True,
    "checkpoint_seconds": 0,
}
OPTIONS: dict[str, Any] = {"dim": 8, "label_epochs": 5}


def label_vectors(run: Run) -> torch.Tensor:
    head = run.classifier.head
    assert isinstance(head, EnergyHead)
    return head.label_vectors().detach()


def test_the_papers_optimiser_is_the_default(colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method="euclidean-cones", options=OPTIONS, out=tmp_path / "a", epochs=0, **TINY)
    assert (run.config.training.optimizer, run.config.training.weight_decay) == ("adam", 0.0)
    other = cw.train(
        colours, method="euclidean-cones", options=OPTIONS, out=tmp_path / "b", epochs=0, optimizer="sgd", **TINY
    )
    assert other.config.training.optimizer == "sgd"


@pytest.mark.parametrize("rsgd", [False, True])
def test_an_interrupted_run_ends_as_a_whole_one(
    rsgd: bool, colours: Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {**TINY, "method": "hyperbolic-cones", "options": {**OPTIONS, "rsgd": rsgd}, "epochs": 3}
    whole = cw.train(colours, out=tmp_path / "whole", **settings)
    log_epoch = fitting.log.append

    def interrupt(path: Path, event: str, **content: Any) -> None:
        log_epoch(path, event, **content)
        if content.get("epoch") == 2:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(fitting.log, "append", interrupt)
        with pytest.raises((KeyboardInterrupt, SystemExit)):
            cw.train(colours, out=tmp_path / "again", **settings)
    again = cw.train(colours, out=tmp_path / "again", **settings)
    assert label_vectors(again).equal(label_vectors(whole))


def test_it_is_evaluated_by_level(colours: Dataset, tmp_path: Path) -> None:
    options = {**OPTIONS, "labels": "random"}
    settings: dict[str, Any] = {**TINY, "scaling": "standardise", "epochs": 12}
    run = cw.train(colours, method="euclidean-cones", options=options, out=tmp_path / "run", **settings)
    scores = cw.evaluate(run, split="train", progress=False)
    assert scores.metrics["hit@1"].value > 0.5
    space = RunSpace.of(run, threshold=0.0, progress=False)
    direct = reconstruction(space.labels.taxonomy, space.labels.geometry, space.labels.vectors, edges="direct")
    for prefix, wanted in (("reconstruction", space.reconstruction), ("direct", direct)):
        found = [scores.metrics[f"{prefix}_{name}"].value for name in ("tpr", "tnr", "f1")]
        assert found == [wanted.recall, wanted.tnr, wanted.f1]
    assert evaluate_metric(run, "reconstruction_f1", split="train") == scores.reconstruction_f1
    assert predict(run, [tmp_path / "none.png"], progress=False).skipped


def test_only_the_tree_of_the_labels_is_reconstructed(colours: Dataset, tmp_path: Path) -> None:
    settings: dict[str, Any] = {**TINY, "epochs": 1, "wrong_parents": 0.5}
    run = cw.train(colours, method="order-embedding", options={"dim": 3}, out=tmp_path / "run", **settings)
    true, own = (cw.evaluate(run, split="train", tree=tree, progress=False) for tree in ("true", "own"))
    assert "reconstruction_f1" not in true.metrics
    assert 0 < own.metrics["reconstruction_f1"].value <= 1
    with pytest.raises(InputError, match="Expected a metric: "):
        evaluate_metric(run, "reconstruction_f1", split="train")
