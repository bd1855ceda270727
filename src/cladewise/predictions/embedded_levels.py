"""One softmax per level, with an image embedding that only losses use."""

from __future__ import annotations

import dataclasses

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.predictions.level_softmax import LevelSoftmax, level_width
from cladewise.predictions.prediction import check_width
from cladewise.predictions.unsettled import UnsettledLevels


@dataclasses.dataclass(frozen=True, eq=False)
class EmbeddedLevelSoftmax(UnsettledLevels):
    """A :class:`LevelSoftmax` whose logits are followed by an embedding of the image, for a loss that compares images.

    :meth:`settled` leaves the embedding out.

    Args:
        taxonomy: The label tree.
        embedded_logits: Scores of the nodes of the chosen levels, one level after another, then the embedding.
        width: Length of the embedding.
        levels: The chosen levels, 1 for the coarsest; all of them where none are given. The finest is always one.

    Raises:
        InputError: The shape or a setting does not fit.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> prediction = EmbeddedLevelSoftmax(t, torch.zeros(1, 7), width=2)
        >>> prediction.embedding.shape, prediction.settled().logits.shape
        (torch.Size([1, 2]), torch.Size([1, 5]))
    """

    embedded_logits: Float[Tensor, "*batch out"]
    width: int = 0
    levels: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.width < 0:
            raise InputError("an embedding of 0 or more numbers", self.width)
        levels = tuple(self.levels) or tuple(range(1, self.taxonomy.num_levels + 1))
        object.__setattr__(self, "levels", levels)
        expected = level_width(self.taxonomy, levels, tied=False) + self.width
        check_width(self.embedded_logits, expected, "node of each chosen level and number of the embedding")

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        return self.embedded_logits

    @property
    def embedding(self) -> Float[Tensor, "*batch width"]:
        """The vector by which images are compared."""
        return self.embedded_logits[..., self.embedded_logits.shape[-1] - self.width :]

    @property
    def image_vectors(self) -> Float[Tensor, "*batch width"]:
        return self.embedding

    @property
    def logit_nodes(self) -> Int[Tensor, "out role"]:
        nodes = torch.cat([self.scored_nodes, self.scored_nodes.new_full((self.width,), -1)])
        return nodes[:, None]

    def _settle(self) -> LevelSoftmax:
        scores = self.embedded_logits[..., : self.embedded_logits.shape[-1] - self.width]
        return LevelSoftmax(self.taxonomy, scores, self.levels)
