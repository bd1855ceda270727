"""The classifier: image encoders, or a scaling of frozen features, followed by a head."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.backbones import Backbone, Towers
from cladewise.engine.forgetting import forgetful
from cladewise.heads import Head
from cladewise.predictions import Prediction


class FeatureScaling(nn.Module):
    r"""Scaling of frozen features before the head.

    ``"l2"`` normalises the vector of each image to length :math:`\sqrt{F}`, so that a feature is about 1 whatever the
    number of features; ``"standardise"`` gives each feature mean 0 and variance 1 over the training images; ``"none"``
    leaves them as they are.

    Example:
        >>> scaling = FeatureScaling("standardise", 2)
        >>> scaling.fit([torch.tensor([[0.0, 1.0]]), torch.tensor([[2.0, 1.0]])])
        >>> scaling(torch.tensor([[2.0, 1.0]]))
        tensor([[1., 0.]])
    """

    mean: Tensor
    scale: Tensor

    def __init__(self, kind: str, num_features: int) -> None:
        super().__init__()
        self.kind = kind
        self.register_buffer("mean", torch.zeros(num_features))
        self.register_buffer("scale", torch.ones(num_features))

    def fit(
        self,
        parts: Iterable[Float[Tensor, "image feature"]],
        weights: Iterable[Float[Tensor, " image"]] | None = None,
    ) -> None:
        """Set mean and standard deviation from the training features; a constant feature becomes 0.

        Args:
            parts: The features in parts of any size, so that they need not all be in memory.
            weights: The weights of the images of each part, above 0; all 1 by default.

        References: Chan, Golub and LeVeque, Algorithms for computing the sample variance, 1983 (joining of parts).
        """
        if self.kind != "standardise":
            return
        count, mean, squares = 0.0, torch.zeros_like(self.mean).double(), torch.zeros_like(self.mean).double()
        for part, weight in zip(parts, itertools.repeat(None) if weights is None else weights):  # noqa: B905
            variance, centre = _moments(part.double(), weight)
            size = len(part) if weight is None else float(weight.double().sum())
            total, apart = count + size, centre - mean
            mean = centre if count == 0 else mean + apart * (size / total)
            squares += variance * size + apart**2 * (count * size / total)
            count = total
        deviation = (squares / count).sqrt()
        varies = deviation > 1e-6
        self.mean.copy_(mean)
        self.scale.copy_(torch.where(varies, 1 / deviation.clamp(min=1e-6), 0.0))

    def forward(self, features: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch feature"]:
        if self.kind == "l2":
            return nn.functional.normalize(features, dim=-1) * features.shape[-1] ** 0.5
        return (features - self.mean) * self.scale


def _moments(part: Tensor, weight: Tensor | None) -> tuple[Tensor, Tensor]:
    """Variance and mean of each feature over the images of a part."""
    if weight is None:
        return torch.var_mean(part, dim=0, correction=0)
    share = (weight.double() / weight.double().sum())[:, None]
    mean = (part * share).sum(0)
    return ((part - mean) ** 2 * share).sum(0), mean


class Classifier(nn.Module):
    """Maps images (end to end) or frozen features to a prediction.

    Args:
        head: Maps features to a prediction; with several towers its input is ``[batch, tower, feature]``.
        towers: Image encoders that are trained end to end; most methods have one.
        scaling: Scaling of frozen features, without towers.
        chunk: Images that pass through the encoders at a time in training; 0: the whole batch.
    """

    def __init__(
        self,
        head: Head,
        *,
        towers: Sequence[Backbone] = (),
        scaling: FeatureScaling | None = None,
        chunk: int = 0,
    ) -> None:
        super().__init__()
        self.chunk = chunk
        self.encoder: nn.Module = _encoder(towers, scaling)
        self.head = head
        self.end_to_end = bool(towers)
        if self.end_to_end:  # in this layout a training step of a depthwise network takes about 0.6 of the time
            self.encoder.to(memory_format=torch.channels_last)  # type: ignore[call-overload]

    def forward(self, inputs: Tensor) -> Prediction:
        return self.head(self.encode(inputs))

    def encode(self, inputs: Tensor) -> Tensor:
        """The features that the head is given."""
        if self.end_to_end:
            inputs = inputs.contiguous(memory_format=torch.channels_last)
            if self.training and 0 < self.chunk < len(inputs):
                return forgetful(self.encoder, inputs, self.chunk)
        return self.encoder(inputs)

    def __call__(self, inputs: Tensor) -> Prediction:
        return super().__call__(inputs)

    def parameter_groups(
        self, lr: float, backbone_lr: float, weight_decay: float, *, decay_all: bool = False
    ) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser, with a learning rate each for backbone and head.

        Pretrained parts of the head learn at the rate of the backbone.

        Args:
            lr: Learning rate of the head.
            backbone_lr: Learning rate of the backbone.
            weight_decay: Weight decay.
            decay_all: Whether it also applies to parameters with fewer than two dimensions: biases, normalisation.
        """
        groups: list[dict[str, Any]] = []
        inner = [p for part in self.head.encoders() for p in part.parameters()]
        known = {id(p) for p in inner}
        own = [p for p in self.head.parameters() if id(p) not in known]
        for parameters, rate in (([*self.encoder.parameters(), *inner], backbone_lr), (own, lr)):
            learnt = [p for p in parameters if p.requires_grad]
            for matrices in (True, False):
                chosen = [p for p in learnt if (p.ndim > 1) is matrices]
                if chosen:
                    groups.append(
                        {"params": chosen, "lr": rate, "weight_decay": weight_decay if matrices or decay_all else 0.0}
                    )
        return groups


def _encoder(towers: Sequence[Backbone], scaling: FeatureScaling | None) -> nn.Module:
    if not towers:
        return scaling or nn.Identity()
    return towers[0] if len(towers) == 1 else Towers(towers)
