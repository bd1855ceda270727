"""Label hierarchy transition: each level predicted from the one before, by a matrix that every image has of its own."""

from __future__ import annotations

import dataclasses
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from cladewise.decisions import Decision, Levels
from cladewise.errors import InputError
from cladewise.heads import Embedding, Head, part_widths
from cladewise.inference.sources import chosen_levels
from cladewise.losses import LHTLoss, Loss
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.papers import HIERARCHY_TRANSITION
from cladewise.predictions import LevelTransition, TransitionLayout, transition_layout
from cladewise.taxonomy import Taxonomy

BYTES_IN_TRAINING = 16
"""Of a weight in single precision: itself, its gradient, and two moments of the optimiser."""


class TransitionHead(Head):
    """An embedding, a part of it a level: for a classifier at one level, and for the transitions to the others.

    The bonus of the pairs that the tree has is one number a transition, 1 at first.

    Args:
        taxonomy: The label tree.
        layout: What it gives, one logit after another.
        embedding: Features to an embedding.
        memory: Memory, in GB, that the weights may take in training.

    Raises:
        InputError: They would take more.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> head = TransitionHead(t, transition_layout(t, rank=2), Embedding(8, 60))
        >>> head(torch.zeros(5, 8)).logits.shape
        torch.Size([5, 14])
    """

    def __init__(
        self, taxonomy: Taxonomy, layout: TransitionLayout, embedding: Embedding, memory: float = torch.inf
    ) -> None:
        super().__init__()
        self.taxonomy, self.layout, self.embedding = taxonomy, layout, embedding
        self.widths = part_widths(embedding.width, max(1, len(layout.levels)))
        outputs = [layout.first_nodes.size, *map(layout.num_scores, layout.steps)]
        _check_memory(self.widths, outputs, layout, memory)
        self.layers = nn.ModuleList(map(nn.Linear, self.widths, outputs))
        self.bonus = nn.Parameter(torch.ones(len(layout.steps))) if layout.rank and layout.steps else None

    def forward(self, features: Float[Tensor, "batch feature"]) -> LevelTransition:
        parts = self.embedding(features).split(self.widths, dim=-1)
        logits = [layer(part) for layer, part in zip(self.layers, parts, strict=True)]
        if self.bonus is not None:
            each = self.bonus.expand(len(features), -1).split(1, dim=-1)
            logits[1:] = [torch.cat(pair, dim=-1) for pair in zip(logits[1:], each, strict=True)]
        layout = self.layout
        return LevelTransition(self.taxonomy, torch.cat(logits, dim=-1), layout.levels, layout.order, layout.rank)

    def represent(self, features: Float[Tensor, "batch feature"]) -> Float[Tensor, "batch dim"]:
        return self.embedding(features)

    def state(self) -> dict[str, float]:
        if self.bonus is None:
            return {}
        return {f"bonus_{k}": float(value) for k, value in enumerate(self.bonus.detach())}


def _check_memory(widths: list[int], outputs: list[int], layout: TransitionLayout, memory: float) -> None:
    """Refuse before anything is allocated."""
    weights = [(width + 1) * size for width, size in zip(widths, outputs, strict=True)]
    needed = BYTES_IN_TRAINING * sum(weights) / 1e9
    if needed > memory:
        step, most = max(zip(layout.steps, weights[1:], strict=True), key=lambda pair: pair[1])
        raise InputError(
            f"weights that take at most {memory:g} GB in training",
            f"{sum(weights):,}, which take {needed:.1f} GB with gradients and two moments; {most:,} of them are of the "
            f"transition from the {step.source_nodes.size:,} classes of level {step.source_level} to the "
            f"{step.target_nodes.size:,} of level {step.target_level}",
            advice="Set transition=low-rank, leave a level out (levels=), or raise memory= where there is more.",
        )


@dataclasses.dataclass(frozen=True, kw_only=True)
class LHT(Method):
    """The finest level by a softmax, each coarser one from it by the image's own matrix of transition probabilities.

    A confusion loss keeps the matrices uncertain, so that related classes learn from each other. The levels may
    contradict each other. A level that takes no part is answered from the finer ones.
    """

    name: ClassVar[str] = "lht"
    title: ClassVar[str] = "Label hierarchy transition (LHT)"
    citation: ClassVar[Citation] = HIERARCHY_TRANSITION

    order: Literal["f2c", "c2f"] = option("f2c", "from the finest level to coarser ones, or from the coarsest to finer")
    transition: Literal["full", "low-rank"] = option(
        "full", "a score for every pair of classes of two levels (the paper), or their factors (the released code)"
    )
    rank: int = option(2, "rank of low-rank transitions")
    confusion: float = option(
        2.0, "weight of the negative entropy of the transitions, >= 0", grid=(0.0, 0.5, 1.0, 2.0, 5.0, 10.0, 100.0)
    )
    levels: str | int = option(  # one level alone comes as a number
        "all",
        "levels that take part, 1 for the coarsest: all, or a list like 1,6,7 or family,species that has the finest",
    )
    embedding: int = option(600, "width of the layer before the classifiers, of which each level takes its part")
    memory: float = option(4.0, "GB that the weights may take in training; more is refused, not tried")

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        layout = transition_layout(taxonomy, *self._settings(taxonomy))
        return TransitionHead(taxonomy, layout, Embedding(num_features, self.embedding), self.memory)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return LHTLoss(taxonomy, self.confusion, *self._settings(taxonomy))

    def decision(self) -> Decision:
        return Levels()

    def _settings(self, taxonomy: Taxonomy) -> tuple[tuple[int, ...], str, int | None]:
        levels = chosen_levels(str(self.levels), taxonomy)
        return levels, self.order, self.rank if self.transition == "low-rank" else None
