"""Runs on labels at stated levels: Taxon-SSL with several views, from start to evaluation, and again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.torch

import cladewise as cw
from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.records import log

SETTINGS: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "freeze": True,
    "views": 4,
    "workers": 0,
    "batch_size": 16,
    "epochs": 4,
    "progress": False,
    "lr": 0.05,
    "label_levels": "1=0.3,2=0.3,3=0.4",
}
OPTIONS = {"embedding": 12, "projection": 8, "ramp": 2}


@pytest.fixture(scope="module")
def run(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("free-grained") / "run"
    return cw.train(colours, method="taxon-ssl", options=OPTIONS, out=out, seed=1, **SETTINGS)


def test_pseudo_labels_are_trusted_by_and_by(run: Run) -> None:
    epochs = [event for event in log.read(run.folder.log) if event["event"] == "epoch"]
    assert [event["trusted_share"] for event in epochs] == pytest.approx([0.05, 0.425, 0.8, 0.8])
    assert all(np.isfinite(event["train_loss"]) for event in epochs)
    (ablated,) = [event for event in log.read(run.folder.log) if event["event"] == "ablation"]
    assert ablated["changed_labels"] > 0


def test_it_is_scored_with_the_true_labels_and_by_how_deep_it_answers(run: Run, colours: Dataset) -> None:
    found = cw.evaluate(run, decision="consistent", progress=False).metrics
    shares = [found[name].value for name in ("top1", "under_specific", "correct", "over_specific")]
    assert shares[0] + shares[1] == pytest.approx(shares[2])
    assert shares[2] + shares[3] <= 1 + 1e-9
    levels = cw.evaluate(run, decision="levels", progress=False).metrics
    assert {"full_path", "tice"} <= set(levels)
    readable = len(colours.indices("test")) - 1  # one file is broken
    assert levels["full_path"].count == readable


def test_its_configuration_repeats_it(run: Run, colours: Dataset, tmp_path: Path) -> None:
    again = cw.train(colours, method="taxon-ssl", options=OPTIONS, out=tmp_path / "run", seed=1, **SETTINGS)
    first, second = (safetensors.torch.load_file(each.folder.model) for each in (run, again))
    assert all(first[name].equal(second[name]) for name in first)
    assert Run.open(again.path).config.ablation.label_levels == SETTINGS["label_levels"]
