"""Run folders of early versions keep opening, evaluating and reporting with the same numbers.

``early_run`` is a run of ``hace`` on frozen features, written before evaluations had a type of their own. Its images
are missing, so that its scores are used as they are.
"""

from __future__ import annotations

import math
import shutil
from pathlib import Path

import pytest
import torch

import cladewise as cw
from cladewise.engine import Run
from cladewise.records import Evaluation, read_evaluation, read_resources
from cladewise.records.outcome import outcome
from cladewise.report import compare

KEPT = Path(__file__).parent / "early_run"
RULES = ("leaf", "node-argmax", "hedging")
LOGITS = [-0.198212, -0.521756, 0.264490, 0.568347, 0.592822, 0.044020, 0.890123]
"""Scores of its head, for features that rise from 0 to 1."""


@pytest.fixture
def early(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """A copy, in a folder without its images."""
    monkeypatch.chdir(tmp_path)
    return Run.open(shutil.copytree(KEPT, tmp_path / "run"))


def same(found: Evaluation, kept: Evaluation) -> None:
    """Every number is the same up to rounding, and all else is equal."""
    about = ("split", "inference", "decision", "tree", "rules", "num_images", "num_skipped", "fingerprint", "model")
    for name in (*about, "data", "fitted_on", "warnings", "promise"):
        assert getattr(found, name) == getattr(kept, name), name
    assert found.fitted == pytest.approx(kept.fitted)
    assert [name for name in found.metrics if name in kept.metrics] == list(kept.metrics)
    for name, metric in kept.metrics.items():
        for part in ("value", "low", "high", "count"):
            assert getattr(found[name], part) == pytest.approx(getattr(metric, part), nan_ok=True), (name, part)
    assert found.curves.operating is not None
    assert kept.curves.operating is not None
    for column in ("threshold", "recall", "precision", "correct"):
        wanted = getattr(kept.curves.operating, column)
        assert getattr(found.curves.operating, column) == pytest.approx(wanted, nan_ok=True, rel=1e-5), column
    assert found.curves.reliability.keys() == kept.curves.reliability.keys()
    for level, bins in kept.curves.reliability.items():
        assert found.curves.reliability[level].count == bins.count, level


def test_its_weights_give_the_same_logits(early: Run) -> None:
    features = torch.linspace(0, 1, early.backbone.num_features)[None]
    with torch.no_grad():
        assert early.classifier(features).logits[0].tolist() == pytest.approx(LOGITS, rel=1e-5)


@pytest.mark.filterwarnings("ignore:The images of .* cannot be opened")
def test_it_is_evaluated_as_before(early: Run) -> None:
    kept = {rule: read_evaluation(early.folder.evaluation("test", "none", rule)) for rule in RULES}
    shutil.rmtree(early.folder.evaluations())
    for rule in ("leaf", "node-argmax"):
        same(cw.evaluate(early, decision=rule, progress=False), kept[rule])
    # what it learnt is learnt again from the scores of val, since a guarantee is proven by other tests than it was then
    again = cw.evaluate(early, decision="hedging", progress=False)
    assert (again.promise, again.fitted_on) == (kept["hedging"].promise, kept["hedging"].fitted_on)
    assert "5 labelled images cannot show that a share of 0.9" in again.warnings[0]
    assert again.metrics["leaf_top1"] == kept["hedging"].metrics["leaf_top1"]


def test_it_is_reported_as_it_was_evaluated(early: Run, tmp_path: Path) -> None:
    page = compare([early.path], tmp_path / "page.html").read_text(encoding="utf-8")
    assert read_evaluation(early.folder.evaluation("test", "none", "node-argmax")).verdict in page
    took = read_resources(early.folder.resources)  # which had no version then
    assert took is not None
    assert math.isfinite(took.seconds)
    assert outcome(early.folder, early.config.training).startswith("val: ")
