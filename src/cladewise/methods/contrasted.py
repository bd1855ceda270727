"""What methods share that compare images: an embedding for that, and classifiers that do not teach it."""

from __future__ import annotations

import dataclasses
from abc import abstractmethod

from cladewise.decisions import Decision, Levels
from cladewise.heads import ContrastHead, Head
from cladewise.losses import LevelSoftmaxLoss, Loss, ProbedLoss
from cladewise.losses.contrast import ContrastiveLoss
from cladewise.methods.method import Method, option
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels


@dataclasses.dataclass(frozen=True, kw_only=True)
class ContrastedMethod(Method):
    """A method whose encoder learns from pairs of images, and whose classifiers look on."""

    embedding: int = option(600, "width of the trained layer between the features and what is compared; 0: none")
    projection: int = option(128, "length of the vectors that are compared")
    temperature: float = option(0.07, "temperature of the comparison, > 0", grid=(0.05, 0.07, 0.1))

    def head(self, taxonomy: Taxonomy, num_features: int) -> Head:
        return ContrastHead(taxonomy, num_features, embedding=self.embedding, width=self.projection)

    def loss(self, taxonomy: Taxonomy) -> Loss:
        return ProbedLoss(self.contrast(taxonomy), LevelSoftmaxLoss(taxonomy))

    def decision(self) -> Decision:
        return Levels()

    @abstractmethod
    def contrast(self, taxonomy: Taxonomy) -> ContrastiveLoss:
        """The loss of the vectors."""


def levels_of(choice: str, taxonomy: Taxonomy) -> tuple[int, ...]:
    """Levels by number or name; ``"finest"`` is the last one alone.

    Example:
        >>> levels_of("finest", Taxonomy.from_paths([("a", "b")])), levels_of("all", Taxonomy.from_paths([("a", "b")]))
        ((2,), (1, 2))
    """
    if choice == "finest":
        return (taxonomy.num_levels,) if taxonomy.num_levels else ()
    return chosen_levels(choice, taxonomy)
