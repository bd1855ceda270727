"""The base class of heads, and linear heads."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from cladewise.predictions import LeafSoftmax, Prediction
from cladewise.taxonomy import Taxonomy


class Head(nn.Module, ABC):
    """A module from features to a prediction over nodes.

    A head with parameters that are trained by more than the images overrides :meth:`begin`, :meth:`own_loss` and
    :meth:`own_step`, which do nothing by default.
    """

    @abstractmethod
    def forward(self, features: Float[Tensor, "batch *tower feature"]) -> Prediction:
        """Predict for a batch of feature vectors; one vector per tower if the method has several encoders."""

    def represent(self, features: Float[Tensor, "batch *tower feature"]) -> Float[Tensor, "batch dim"]:
        """The representation that the classifiers see, from which new classes can be learnt.

        The output of the trained layer before the classifiers, or the features themselves if there is none; features of
        several towers are concatenated.
        """
        return features.flatten(1)

    def node_vectors(self) -> Float[Tensor, "node dim"] | None:
        """Vectors of the nodes' texts in the space of :meth:`represent`; ``None`` for a head without texts."""
        return None

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        """For tensors of the state with one row per node or class: the node or nodes of each row, -1 for none.

        By the names of the tensors in :meth:`state_dict`. Rows of equal nodes are in the order of their levels. A
        tensor that is not listed must not depend on the nodes; by default none is. A trained head can be moved to an
        edited tree by these rows (:func:`cladewise.migration.migrate`).
        """
        return {}

    def foresee(self, target: Int[Tensor, " batch"]) -> None:
        """Called with the next batch's labels, so that a head that computes something per node can skip unused nodes.

        What the loss of these labels does not use then needs no gradient and may date from an earlier step.
        """
        return

    def encoders(self) -> Sequence[nn.Module]:
        """Pretrained parts of the head, which are trained at the learning rate of the backbone."""
        return ()

    def __call__(self, features: Float[Tensor, "batch *tower feature"]) -> Prediction:
        return super().__call__(features)

    def begin(self, seed: int) -> None:
        """Prepare for training. Called once before the first step, but not when a trained head is loaded."""

    def own_loss(self) -> Float[Tensor, ""] | None:
        """A loss independent of the images, added to the mean loss at every step; ``None`` by default."""
        return None

    def state(self) -> dict[str, float]:
        """Numbers by name to log after each epoch; none by default.

        Several numbers of one kind have names that end in an index: ``bonus_0``, ``bonus_1``.
        """
        return {}

    def own_step(self, lr: float) -> None:
        """Called before each optimiser step, to update parameters by other means and clear their gradients."""


class LinearHead(Head):
    """A linear layer whose outputs are read as a prediction.

    Args:
        num_features: Width of the features.
        num_scores: Number of scores.
        predict: Makes the prediction from the scores, ``[batch, num_scores]``.
        nodes: Node of each score, if they are not the logits of the prediction.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> head = LinearHead(8, t.num_leaves, lambda scores: LeafSoftmax(t, scores))
        >>> head(torch.zeros(5, 8)).log_prob.shape
        torch.Size([5, 4])
        >>> head.rows()["linear.bias"]
        tensor([[2],
                [3]])
    """

    def __init__(
        self,
        num_features: int,
        num_scores: int,
        predict: Callable[[Tensor], Prediction],
        *,
        nodes: Int[Tensor, " score"] | None = None,
    ) -> None:
        super().__init__()
        self.linear = nn.Linear(num_features, num_scores)
        self.predict, self.nodes = predict, nodes

    def rows(self) -> dict[str, Int[Tensor, "row role"]]:
        if self.nodes is not None:
            return {"linear.weight": self.nodes[:, None], "linear.bias": self.nodes[:, None]}
        scores = torch.zeros(1, self.linear.out_features, device=self.linear.weight.device)
        nodes = self.predict(scores).logit_nodes.cpu()
        return {"linear.weight": nodes, "linear.bias": nodes}

    def forward(self, features: Float[Tensor, "batch feature"]) -> Prediction:
        return self.predict(self.linear(features))


def leaf_softmax_head(taxonomy: Taxonomy, num_features: int) -> LinearHead:
    """A linear layer to the leaves and a softmax over them: the head of methods that score only leaves."""
    return LinearHead(num_features, taxonomy.num_leaves, lambda scores: LeafSoftmax(taxonomy, scores))


def node_logit_head(
    kind: Callable[[Taxonomy, Tensor], Prediction], taxonomy: Taxonomy, num_features: int
) -> LinearHead:
    """A linear layer to every node but the root, read as the given kind of prediction.

    Example:
        >>> import torch
        >>> from cladewise.predictions import SiblingSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> node_logit_head(SiblingSoftmax, t, 8)(torch.zeros(5, 8)).logits.shape
        torch.Size([5, 3])
    """
    return LinearHead(num_features, taxonomy.num_nodes - 1, lambda scores: kind(taxonomy, scores))
