"""Cross-validation of a run: every training image scored by a network that did not see it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import cladewise as cw
from cladewise.datasets import Dataset
from cladewise.decisions import Boundary
from cladewise.engine import Run
from cladewise.engine.answering.folding import out_of_fold
from cladewise.errors import InputError

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "optimizer": "adamw",
    "lr": 0.01,
    "freeze": True,
}
HAB: dict[str, Any] = {"method": "hab", "options": {"embedding": 24, "fits_on": "3-fold"}}


@pytest.fixture(scope="module")
def run(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("folding") / "hab"
    return cw.train(colours, **HAB, out=out, epochs=5, train_split="train+val", **TINY)


def test_every_training_image_is_scored_by_a_copy_that_did_not_see_it(run: Run) -> None:
    seen = out_of_fold(run, 3, progress=False)
    data = run.dataset
    usable = set(data.indices("train+val").tolist()) - {i for i, p in enumerate(data.paths) if "broken" in p}
    assert sorted(seen.index.tolist()) == sorted(usable)
    np.testing.assert_array_equal(seen.target.numpy(), data.nodes[seen.index.numpy()])
    assert [data.paths[i] for i in seen.index.tolist()] == seen.paths
    copies = [Run.open(run.path / "folds" / f"{k}-of-3") for k in (1, 2, 3)]
    hashes = {copy.model_hash for copy in copies}
    assert len(hashes | {run.model_hash}) == 4
    for copy in copies:
        left_out = set(copy.dataset.indices("left-out").tolist())  # opened again from its configuration
        assert left_out
        assert not left_out & set(copy.dataset.indices(copy.config.training.train_split).tolist())
    assert out_of_fold(run, 3, progress=False).scores.log_prob.equal(seen.scores.log_prob)


def test_a_boundary_is_learnt_from_them(run: Run) -> None:
    scores = cw.evaluate(run, progress=False)
    content = json.loads(Path(scores.path).read_text(encoding="utf-8"))
    seen = out_of_fold(run, 3, progress=False)
    expected = Boundary().fit(seen.scores, seen.target).boundary
    assert content["fitted"]["boundary"] == expected
    assert all(
        "was fitted on other scores than these" in one for one in scores.warnings
    )  # of networks with less training data
    assert run.folder.fitted("3-fold", "none-boundary-fits_on=3-fold").is_file()
    asked = cw.evaluate(run, decision=Boundary(), fit_split="2-fold", progress=False)
    assert asked.path.name == "test-none-boundary@2-fold.json"
    assert (run.path / "folds" / "2-of-2" / "model.safetensors").is_file()


def test_folds_that_cannot_be(run: Run, colours: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 2 folds, such as 5-fold, but got '1-fold'"):
        cw.evaluate(run, fit_split="1-fold", progress=False)
    noisy = cw.train(colours, **HAB, out=tmp_path / "noisy", epochs=1, label_noise=0.3, **TINY)
    with pytest.raises(InputError, match="a run that was trained on true labels, for cross-validation"):
        cw.evaluate(noisy, progress=False)
