"""Parts of a training step that do not depend on the loop around it: losses, momentum copy, optimiser, schedule."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.engine.classifier import Classifier
from cladewise.engine.feeding.images import Batch
from cladewise.losses import Loss
from cladewise.objectives import Objective, TrainingBatch, TrainingVectors
from cladewise.predictions import Prediction
from cladewise.records import TrainingConfig

OPTIMIZERS: dict[str, Any] = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "sgd": torch.optim.SGD}


def batch_losses(
    classifier: Classifier,
    loss: Loss,
    batch: Batch,
    *,
    views: int = 1,
    objective: Objective | None = None,
    slow: Classifier | None = None,
    momentum: float = 0.0,
) -> Float[Tensor, " row"]:
    """Loss of every row of a batch, in nats, with its gradient.

    Args:
        classifier: The network.
        loss: Nats per image.
        batch: The batch, with one row per view.
        views: Views per image.
        objective: What is minimised instead of the loss, if the method has one.
        slow: The momentum copy of the network, which is updated.
        momentum: Its momentum.
    """
    prediction = classifier(batch.images)
    if objective is None:
        return loss(prediction.logits, batch.nodes)
    followed = None if slow is None else _follow(slow, classifier, momentum, batch.images)
    return objective(TrainingBatch(prediction, batch.nodes, batch.index, views, classifier.head, followed))


@torch.no_grad()
def _follow(slow: Classifier, classifier: Classifier, momentum: float, images: Tensor) -> Prediction:
    """Update the momentum copy of a network, and return its prediction."""
    for own, new in zip(slow.parameters(), classifier.parameters(), strict=True):
        own.lerp_(new, 1 - momentum)
    return slow(images)


@torch.no_grad()
def training_vectors(classifier: Classifier, batches: Iterable[Batch], device: torch.device) -> TrainingVectors:
    """Vectors of all training images, for objectives that use them before an epoch.

    Args:
        classifier: The network, which is left in the mode that it is in.
        batches: All training images without augmentation.
        device: The device of the network.
    """
    training = classifier.training
    classifier.eval()
    parts: list[tuple[Tensor, Tensor, Tensor]] = []
    for batch in batches:
        if len(batch.nodes):
            vectors = classifier.head.represent(classifier.encode(batch.images.to(device)))
            nodes, index = (tensor.to(device, copy=True) for tensor in (batch.nodes, batch.index))
            parts.append((vectors, nodes, index))
    classifier.train(training)
    vectors, nodes, index = (torch.cat(part) for part in zip(*parts, strict=True))
    return TrainingVectors(vectors, nodes, index)


def optimiser_of(
    classifier: Classifier, settings: TrainingConfig, steps: int
) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LambdaLR]:
    r"""The optimiser of a network, and the schedule of its learning rates.

    Without a warm-up the cosine schedule takes a rate :math:`\eta` in step :math:`s` of :math:`S` to

    .. math:: \eta_s = \eta_{\min} + \tfrac12 (\eta - \eta_{\min})\left(1 + \cos\frac{\pi s}{S}\right)

    with ``lr_floor`` as :math:`\eta_{\min}`, as :class:`torch.optim.lr_scheduler.CosineAnnealingLR` does if it is
    stepped after every update. With several ``cycles`` of equal length it starts again at the full rate in each. Rates
    that are below the floor from the start stay constant.

    References: Loshchilov and Hutter, SGDR: Stochastic gradient descent with warm restarts, ICLR 2017, arXiv:1608.03983
    (without their growing periods).

    Args:
        classifier: The network.
        settings: The training settings.
        steps: Total number of optimiser updates.
    """
    groups = classifier.parameter_groups(
        settings.lr, settings.backbone_lr, settings.weight_decay, decay_all=settings.decay == "all"
    )
    options = {"momentum": settings.momentum} if settings.optimizer == "sgd" else {}
    # one pass over the weights instead of three or more; Lightning cannot clip scaled gradients then
    fused = settings.precision != "16-mixed"
    optimizer = OPTIMIZERS[settings.optimizer](groups, lr=settings.lr, fused=fused, **options)
    warmup = settings.warmup_epochs / max(settings.epochs, 1) * steps

    def factor(step: int, floor: float) -> float:
        if step < warmup:
            return (step + 1) / (warmup + 1)
        if settings.schedule == "constant":
            return 1.0
        done = min(1.0, (step - warmup) / max(1.0, steps - warmup)) * settings.cycles
        within = done % 1 if done < settings.cycles else 1.0
        return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * within))

    floors = [min(1.0, settings.lr_floor / group["lr"]) if group["lr"] else 1.0 for group in groups]
    factors = [functools.partial(factor, floor=floor) for floor in floors]
    return optimizer, torch.optim.lr_scheduler.LambdaLR(optimizer, factors)


def seed_epoch(seed: int, epoch: int, rank: int = 0) -> None:
    """Seed dropout and random losses of an epoch, before its first batch, so that a resumed run repeats them."""
    torch.manual_seed((seed * 1_000_003 + epoch) * 1_000 + rank)
