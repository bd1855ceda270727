"""Laws of every loss: right gradients, and no more lost at extreme logits than by single precision."""

from __future__ import annotations

import torch

from cladewise.losses import Loss


def check_gradients(loss: Loss) -> None:
    """The gradient is that of differences, for a label at every node."""
    target = torch.arange(loss.taxonomy.num_nodes)
    logits = torch.randn(len(target), loss.num_outputs, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda z: loss(z, target), logits, fast_mode=True)


def check_extremes(loss: Loss) -> None:
    """At logits of ±1e4 the loss is that in double precision, and the gradient finite, for a label at every node."""
    target = torch.arange(loss.taxonomy.num_nodes)
    for seed in range(3):
        generator = torch.Generator().manual_seed(seed)
        logits = 1e4 * torch.randn(len(target), loss.num_outputs, generator=generator).sign()
        logits.requires_grad_()
        single, double = loss(logits, target), loss(logits.detach().double(), target)
        torch.testing.assert_close(single.double(), double, rtol=1e-5, atol=5e-3)
        single.sum().backward()
        assert logits.grad is not None
        assert logits.grad.isfinite().all()
