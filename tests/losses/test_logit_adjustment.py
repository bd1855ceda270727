"""Logit adjustment: what it adds, and to what."""

from __future__ import annotations

import re

import pytest
import torch

from cladewise import InputError, Taxonomy
from cladewise.losses import ImageTextContrastLoss, LevelSoftmaxLoss, LogitAdjustedLoss

TREE = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("f",)])
#                             root a  b  c  d  e  f
IMAGES = torch.tensor([5, 2, 6, 0, 0, 1, 3])
LOG_PRIOR = torch.tensor([8, 1, 3, 6, 1, 1, 3], dtype=torch.float64)  # a d f at level 1, then b c e f
LOG_PRIOR = torch.cat([(part / part.sum()).log() for part in LOG_PRIOR.split([3, 4])])


@pytest.mark.parametrize("strength", [0.0, 0.5, 1.0])
def test_golden_adjustment_of_a_softmax_a_level(strength: float) -> None:
    loss = LogitAdjustedLoss(LevelSoftmaxLoss(TREE), strength).for_labels(IMAGES)
    logits, target = torch.randn(7, 7, dtype=torch.float64), torch.arange(7)
    expected = LevelSoftmaxLoss(TREE)(logits + strength * LOG_PRIOR, target)
    torch.testing.assert_close(loss(logits, target), expected, atol=1e-6, rtol=1e-6)


def test_until_it_knows_it_is_the_plain_loss() -> None:
    logits, target = torch.randn(7, 7), torch.arange(7)
    torch.testing.assert_close(
        LogitAdjustedLoss(LevelSoftmaxLoss(TREE))(logits, target), LevelSoftmaxLoss(TREE)(logits, target)
    )


def test_the_side_of_the_texts_is_left_as_it_is() -> None:
    logits, target = torch.randn(6, 7, dtype=torch.float64), torch.tensor([2, 2, 3, 5, 6, 2])
    plain, adjusted = ImageTextContrastLoss(TREE), LogitAdjustedLoss(ImageTextContrastLoss(TREE)).for_labels(IMAGES)
    moved = plain(logits + LOG_PRIOR, target)
    torch.testing.assert_close(adjusted(logits, target), moved, atol=1e-6, rtol=1e-6)
    constant = plain(logits + 3.0, target)  # the same for every text: nothing changes on either side
    torch.testing.assert_close(constant, plain(logits, target))


def test_the_best_scores_of_a_skewed_split_do_not_lean_to_the_frequent() -> None:
    star = Taxonomy.from_paths([("a",), ("b",)])
    counts, target = torch.tensor([0, 9, 1]), torch.tensor([1] * 9 + [2])
    for strength, expected in ((0.0, 9.0), (1.0, 1.0)):
        loss = LogitAdjustedLoss(LevelSoftmaxLoss(star), strength).for_labels(counts)
        bias = torch.zeros(2, requires_grad=True)
        optimizer = torch.optim.LBFGS([bias], max_iter=50)

        def closure(loss: LogitAdjustedLoss = loss, bias: torch.Tensor = bias) -> torch.Tensor:  # type: ignore[assignment]
            bias.grad = None
            total = loss(bias.expand(10, 2), target).mean()
            total.backward()
            return total

        optimizer.step(closure)  # type: ignore[arg-type]
        assert float(torch.exp(bias[0] - bias[1])) == pytest.approx(expected, rel=1e-2)


@pytest.mark.parametrize(
    ("strength", "tied", "message"),
    [
        (-1.0, False, "a strength of logit adjustment in [0, 10], but got -1.0."),
        (1.0, True, "scores of each level's own, but got tied ones."),
    ],
)
def test_settings_out_of_range(strength: float, tied: bool, message: str) -> None:
    with pytest.raises(InputError, match=re.escape(message)):
        LogitAdjustedLoss(LevelSoftmaxLoss(TREE, tied=tied), strength)
