"""A head of label hierarchy transition: a classifier at one level, and transition matrices to the other levels."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.errors import InputError
from cladewise.heads.embedding_layer import Embedding, part_widths
from cladewise.heads.head import Head
from cladewise.predictions import LevelTransition, TransitionLayout
from cladewise.taxonomy import Taxonomy

BYTES_IN_TRAINING = 16
"""Bytes per weight in single precision: weight, gradient, and two moments of the optimiser."""


class TransitionHead(Head):
    """An embedding split into one part per level: for the classifier of one level and the transitions to the others.

    With low-rank transitions, the pairs of classes that are connected in the tree get a learnt bonus, one number per
    transition, initially 1.

    Args:
        taxonomy: The label tree.
        layout: Order of the logits.
        num_features: Width of the features.
        embedding: Width of the trained layer before the classifiers; 0 for none.
        memory: Memory in GB that the weights may take in training.

    Raises:
        InputError: The weights would take more memory.

    Example:
        >>> from cladewise.predictions import transition_layout
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> head = TransitionHead(t, transition_layout(t, rank=2), 8, embedding=60)
        >>> head(torch.zeros(5, 8)).logits.shape
        torch.Size([5, 14])
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        layout: TransitionLayout,
        num_features: int,
        *,
        embedding: int = 600,
        memory: float = torch.inf,
    ) -> None:
        super().__init__()
        self.taxonomy, self.layout = taxonomy, layout
        self.embedding = Embedding(num_features, embedding) if embedding else nn.Identity()
        self.widths = part_widths(embedding or num_features, max(1, len(layout.levels)))
        outputs = [layout.first_nodes.size, *map(layout.num_scores, layout.steps)]
        _check_memory(self.widths, outputs, layout, memory)
        self.layers = nn.ModuleList(map(nn.Linear, self.widths, outputs))
        self.bonus = nn.Parameter(torch.ones(len(layout.steps))) if layout.rank and layout.steps else None

    def forward(self, features: Float[Tensor, "batch feature"]) -> LevelTransition:
        parts = self.embedding(features).split(self.widths, dim=-1)
        logits = [layer(part) for layer, part in zip(self.layers, parts, strict=True)]
        if self.bonus is not None:
            each = self.bonus.expand(features.shape[0], -1).split(1, dim=-1)
            logits[1:] = [torch.cat(pair, dim=-1) for pair in zip(logits[1:], each, strict=True)]
        layout = self.layout
        return LevelTransition(self.taxonomy, torch.cat(logits, dim=-1), layout.levels, layout.order, layout.rank)

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        nodes = torch.tensor(self.layout.logit_nodes)
        found = {"0": nodes[: self.layout.first_nodes.size]}
        for place, step in enumerate(self.layout.steps, start=1):
            found[str(place)] = nodes[step.columns][: self.layout.num_scores(step)]
        return {f"layers.{place}.{kind}": of for place, of in found.items() for kind in ("weight", "bias")}

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        return self.embedding(features)

    def state(self) -> dict[str, float]:
        if self.bonus is None:
            return {}
        return {f"bonus_{k}": float(value) for k, value in enumerate(self.bonus.detach())}


def _check_memory(widths: list[int], outputs: list[int], layout: TransitionLayout, memory: float) -> None:
    """Raise before anything is allocated."""
    weights = [(width + 1) * size for width, size in zip(widths, outputs, strict=True)]
    needed = BYTES_IN_TRAINING * sum(weights) / 1e9
    if needed > memory:
        step, most = max(zip(layout.steps, weights[1:], strict=True), key=lambda pair: pair[1])
        raise InputError(
            f"weights that take at most {memory:g} GB in training",
            f"{sum(weights):,}, which take {needed:.1f} GB with gradients and two moments; {most:,} of them are of the "
            f"transition from the {step.source_nodes.size:,} classes of level {step.source_level} to the "
            f"{step.target_nodes.size:,} of level {step.target_level}",
            advice="Set transition=low-rank, leave a level out (levels=), or raise memory= if there is more.",
        )
