"""The network of a run: a backbone, or the scaling of features it gave before, and a head."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.backbones import Backbone, Towers
from cladewise.engine.forgetting import forgetful
from cladewise.heads import Head
from cladewise.predictions import Prediction


class FeatureScaling(nn.Module):
    r"""What is done to frozen features before a head sees them.

    ``"l2"`` gives the vector of every image the same length, :math:`\sqrt{F}`, so that a feature is about 1 whatever
    their number is; ``"standardise"`` gives every feature mean 0 and variance 1 over the training images; ``"none"``
    passes them on.

    Example:
        >>> scaling = FeatureScaling("standardise", 2)
        >>> scaling.fit(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
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

    def fit(self, features: Float[Tensor, "image feature"]) -> None:
        """Take the mean and the deviation of the training features; a feature that never varies is left at 0."""
        if self.kind == "standardise":
            deviation, mean = torch.std_mean(features.double(), dim=0, correction=0)
            varies = deviation > 1e-6
            self.mean.copy_(mean)
            self.scale.copy_(torch.where(varies, 1 / deviation.clamp(min=1e-6), 0.0))

    def forward(self, features: Float[Tensor, "*batch feature"]) -> Float[Tensor, "*batch feature"]:
        if self.kind == "l2":
            return nn.functional.normalize(features, dim=-1) * features.shape[-1] ** 0.5
        return (features - self.mean) * self.scale


class Classifier(nn.Module):
    """Images (with backbones) or their features (without) to a prediction.

    Args:
        head: Features to a prediction; of several towers it takes ``[batch, tower, feature]``.
        towers: Image encoders that are trained end to end; most methods have one.
        scaling: What is done to frozen features where there are none.
        chunk: Images that go through the encoders at once in training; 0: the whole batch.
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
        if self.end_to_end:  # pixel by pixel, a training step of a depthwise network takes about 0.6 of the time
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

    def parameter_groups(self, lr: float, backbone_lr: float, weight_decay: float) -> list[dict[str, Any]]:
        """Groups for an optimiser: backbone and head have their own rates, vectors (biases, norms) do not decay.

        Pretrained parts of the head learn at the rate of the backbone.
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
                    groups.append({"params": chosen, "lr": rate, "weight_decay": weight_decay if matrices else 0.0})
        return groups


def _encoder(towers: Sequence[Backbone], scaling: FeatureScaling | None) -> nn.Module:
    if not towers:
        return scaling or nn.Identity()
    return towers[0] if len(towers) == 1 else Towers(towers)
