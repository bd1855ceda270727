"""What turns features into a prediction."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.predictions import LeafSoftmax, Prediction
from cladewise.taxonomy import Taxonomy


class Head(nn.Module, ABC):
    """Features to a prediction over nodes.

    A head that learns more than images teach it says so with :meth:`begin`, :meth:`own_loss` and :meth:`own_step`,
    which do nothing unless it has them.
    """

    @abstractmethod
    def forward(self, features: Float[Tensor, "batch *tower feature"]) -> Prediction:
        """Predict for a batch of feature vectors, or of one a tower where the method has several encoders."""

    def represent(self, features: Float[Tensor, "batch *tower feature"]) -> Float[Tensor, "batch dim"]:
        """What the head sees in the features before it turns to its classes: what new classes can be learnt from.

        The features themselves, unless there is a trained layer between; those of several towers side by side.
        """
        return features.flatten(1)

    def node_vectors(self) -> Float[Tensor, "node dim"] | None:
        """Vectors of the nodes by what is said of them, in the space of :meth:`represent`, if anything is said."""
        return None

    def foresee(self, target: Int[Tensor, " batch"]) -> None:
        """Told the labels of the next batch in training: a head that makes something for each node may make less.

        What the loss of these labels does not look at need then have no gradient, and may be as it was a step before.
        """
        return

    def encoders(self) -> Sequence[nn.Module]:
        """Pretrained parts of the head, which learn at the rate of the backbone."""
        return ()

    def __call__(self, features: Float[Tensor, "batch *tower feature"]) -> Prediction:
        return super().__call__(features)

    def begin(self, seed: int) -> None:
        """Get ready for training. Called once before the first step, and not when a trained head is loaded."""

    def own_loss(self) -> Float[Tensor, ""] | None:
        """What every step adds to the mean loss of its images, and depends on none of them; nothing by default."""
        return None

    def state(self) -> dict[str, float]:
        """Numbers that the head learns or keeps which are worth a line in the log, by name; none by default.

        Asked after each epoch. Of several numbers of one kind each name ends in a number of its own: ``bonus_0``.
        """
        return {}

    def own_step(self, lr: float) -> None:
        """Move what the optimiser is not to move, and take its gradient away. Called before each of its steps."""


class LinearHead(Head):
    """One linear layer, and what its outputs mean.

    Args:
        num_features: Width of the features.
        num_scores: Number of scores.
        predict: Makes a prediction of the scores, ``[batch, num_scores]``.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> head = LinearHead(8, t.num_leaves, lambda scores: LeafSoftmax(t, scores))
        >>> head(torch.zeros(5, 8)).log_prob.shape
        torch.Size([5, 4])
    """

    def __init__(self, num_features: int, num_scores: int, predict: Callable[[Tensor], Prediction]) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_scores)
        self.predict = predict

    def forward(self, features: Float[Tensor, "batch feature"]) -> Prediction:
        return self.predict(self.linear(features))


def leaf_softmax_head(taxonomy: Taxonomy, num_features: int) -> LinearHead:
    """A linear layer to the leaves and a softmax over them: the head of every method that scores leaves alone."""
    return LinearHead(num_features, taxonomy.num_leaves, lambda scores: LeafSoftmax(taxonomy, scores))


def node_logit_head(
    kind: Callable[[Taxonomy, Tensor], Prediction], taxonomy: Taxonomy, num_features: int
) -> LinearHead:
    """A linear layer to every node but the root, whose scores a kind of prediction reads.

    Example:
        >>> import torch
        >>> from cladewise.predictions import SiblingSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> node_logit_head(SiblingSoftmax, t, 8)(torch.zeros(5, 8)).logits.shape
        torch.Size([5, 3])
    """
    return LinearHead(num_features, taxonomy.num_nodes - 1, lambda scores: kind(taxonomy, scores))
