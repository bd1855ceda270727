"""Every loss with the compiled kernels against the same in plain torch, on a tree too large for the slow twins."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch

from cladewise import losses
from cladewise.losses import Loss
from cladewise.losses.hace_soft import dilute
from cladewise.losses.multilabel import focal_sum
from cladewise.ops.kernels import has_kernels, without_kernels
from cladewise.taxonomy import Taxonomy

pytestmark = pytest.mark.skipif(not has_kernels(torch.zeros(1)), reason="numba is not installed")

BATCH = 21  # two whole tiles and a part of one


def _tree() -> Taxonomy:
    generator = np.random.default_rng(5)
    parents = [-1] + [int(generator.integers(max(0, v - 60), v)) for v in range(1, 700)]
    return Taxonomy.from_parents(parents, [str(v) for v in range(700)])


TREE = _tree()
TARGET = torch.from_numpy(np.random.default_rng(6).integers(0, TREE.num_nodes, BATCH))
TARGET[0] = 0
MAKERS: dict[str, Callable[[], Loss]] = {
    "flat": lambda: losses.FlatSoftmaxLoss(TREE, label_smoothing=0.1),
    "hace-smooth": lambda: losses.HACELoss(TREE, smoothing=0.1),
    "hace-smooth-nodes": lambda: losses.HACELoss(TREE, smoothing=0.1, smoothing_over="nodes", with_root=False),
    "hace-smooth-leaves": lambda: losses.HACELoss(TREE, smoothing=0.1, domain="leaves"),
    "hace-soft": lambda: losses.HACESoftLoss(TREE, with_root=False),
    "conditional": lambda: losses.ConditionalSoftmaxLoss(TREE, label_smoothing=0.1),
    "ps": lambda: losses.PSSoftmaxLoss(TREE),
    "deep-rtc": lambda: losses.DeepRTCLoss(TREE, rho=0.1),
    "descendant": lambda: losses.DescendantSoftmaxLoss(TREE),
    "descendant-all": lambda: losses.DescendantSoftmaxLoss(TREE, form="all"),
    "margin": lambda: losses.SoftMaxMarginLoss(TREE),
    "levels": lambda: losses.LevelSoftmaxLoss(TREE),
    "levels-tied": lambda: losses.LevelSoftmaxLoss(TREE, tied=True),
    "marginal": lambda: losses.MarginalSoftmaxLoss(TREE),
    "soft-margin": lambda: losses.MultilabelSoftMarginLoss(TREE),
    "focal": lambda: losses.MultilabelFocalLoss(TREE, gamma=2.0),
    "hier-cos": lambda: losses.HierCOSLoss(TREE, alpha=0.1),
    "focal-ignored": lambda: losses.MultilabelFocalLoss(TREE, below="ignored"),
}


def _both(loss: Loss, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(0)
    out = loss(x, TARGET)
    (gradient,) = torch.autograd.grad(out, x, torch.linspace(0.5, 1, BATCH, dtype=x.dtype))
    return out, gradient


@pytest.mark.parametrize("scale", [1.0, 40.0, 1e4])
@pytest.mark.parametrize("name", MAKERS)
def test_losses_are_the_same_with_and_without_kernels(name: str, scale: float) -> None:
    loss = MAKERS[name]()
    x = (scale * torch.randn(BATCH, loss.num_outputs)).double().requires_grad_()
    with without_kernels():
        wanted, wanted_gradient = _both(loss, x)
    for dtype, tolerance in ((torch.float64, 1e-10), (torch.float32, 2e-5)):
        out, gradient = _both(loss, x.detach().to(dtype).requires_grad_())
        atol = tolerance * max(1.0, scale)
        torch.testing.assert_close(out.double(), wanted, rtol=tolerance, atol=atol)
        torch.testing.assert_close(gradient.double(), wanted_gradient, rtol=tolerance, atol=atol)


@pytest.mark.parametrize("gamma", [0.0, 1.0, 2.5])
@pytest.mark.parametrize("compiled", [True, False])
def test_gradient_of_the_focal_loss(gamma: float, compiled: bool) -> None:
    scores = (4 * torch.randn(3, 9, dtype=torch.float64)).requires_grad_()
    ranges = torch.tensor([[0, 5, 9]] * 3), torch.tensor([[2, 5, 9]] * 3)
    if compiled:
        assert torch.autograd.gradcheck(lambda x: focal_sum(x, gamma, *ranges), scores, fast_mode=True)
    else:
        with without_kernels():
            assert torch.autograd.gradcheck(lambda x: focal_sum(x, gamma, *ranges), scores, fast_mode=True)


def test_scores_that_are_certain_cost_nothing_or_do_not_end() -> None:
    for gamma in (0.0, 1.0, 2.0):
        scores = torch.tensor([[-torch.inf], [torch.inf], [torch.nan]])
        nothing = torch.ones(3, 0, dtype=torch.int64)
        cost = focal_sum(scores, gamma, nothing, nothing)
        assert cost[0] == 0
        assert not cost[1:].isfinite().any()


@pytest.mark.parametrize("with_root", [True, False])
@pytest.mark.parametrize("dilution", [0.2, 1.0])
def test_dilution_in_a_tile_is_that_by_levels(with_root: bool, dilution: float) -> None:
    mass = torch.rand(BATCH, TREE.num_leaves, dtype=torch.float64)
    with without_kernels():
        wanted = dilute(mass, TREE, dilution=dilution, with_root=with_root)
    torch.testing.assert_close(dilute(mass, TREE, dilution=dilution, with_root=with_root), wanted)
    torch.testing.assert_close(wanted.sum(1), mass.sum(1))
