"""Metrics of a Hugging Face Trainer, for an evaluation at once and batch by batch."""

from __future__ import annotations

import pytest
import torch

from cladewise import losses
from cladewise.errors import InputError
from cladewise.loops import Criterion, trainer_metrics
from reference.small_trees import t9

transformers = pytest.importorskip("transformers")
NAMES = ("top1", "severity", "ap", "level_accuracy/level_1")


def test_batches_and_the_whole_have_the_same_values(monkeypatch: pytest.MonkeyPatch) -> None:
    criterion = Criterion(losses.HACELoss(t9()), [t9().path_name(node) for node in t9().leaf_nodes])
    logits = torch.randn(23, criterion.num_outputs, generator=torch.Generator().manual_seed(0))
    target = torch.arange(23) % 5
    expected = {name: float(value) for name, value in criterion.metrics(NAMES)(logits, target).items()}
    monkeypatch.setattr(trainer_metrics, "CELLS_AT_ONCE", 40)
    compute = criterion.compute_metrics(NAMES)
    for outputs in (logits.numpy(), (logits.numpy(), logits.numpy()[:, :1])):
        whole = transformers.EvalPrediction(predictions=outputs, label_ids=target.numpy())
        assert compute(whole) == expected
    for _ in range(2):  # evaluations do not add up
        for rows in torch.arange(23).split(8):
            part = transformers.EvalPrediction(predictions=logits[rows], label_ids=target[rows])
            found = compute(part, compute_result=bool(rows[-1] == 22))
            assert found == (expected if rows[-1] == 22 else {})


def test_images_without_labels_are_refused() -> None:
    compute = Criterion(losses.HACELoss(t9())).compute_metrics()
    with pytest.raises(InputError, match="images with labels, but got none"):
        compute(transformers.EvalPrediction(predictions=torch.zeros(1, 9).numpy(), label_ids=None))
