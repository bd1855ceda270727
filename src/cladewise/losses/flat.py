"""Cross-entropy of a softmax over the leaves."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.loss import Loss, check_between
from cladewise.ops import at_least_float, nested_logsumexp, tree_index
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy


def flat_softmax_loss(
    logits: Float[Tensor, "*batch leaf"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Negative log-likelihood of the target under a softmax over the leaves.

    .. math:: \ell = \operatorname{LSE}_l z_l - \operatorname{LSE}_{l \in B(t)} z_l

    where :math:`B(t)` are the leaves at or under the target: the cross-entropy for a leaf, 0 for the root.

    Args:
        logits: Score of every leaf, by leaf position.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        label_smoothing: Share of a leaf target's mass that is spread uniformly over all leaves. Internal targets are
            not smoothed.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> flat_softmax_loss(torch.zeros(3, 3), torch.tensor([2, 1, 0]), t).exp()
        tensor([3.0000, 1.5000, 1.0000])
    """
    index = tree_index(taxonomy, logits.device)
    scores, node = at_least_float(logits).reshape(-1, logits.shape[-1]), target.reshape(-1)
    start, end = index.leaf_start[node], index.leaf_end[node]
    everything = torch.zeros_like(start), torch.full_like(end, taxonomy.num_leaves)
    nested = nested_logsumexp(
        scores, torch.stack([everything[0], start], dim=-1), torch.stack([everything[1], end], dim=-1)
    )
    loss = nested[:, 0] - nested[:, 1]
    if label_smoothing:
        even = nested[:, 0] - scores.mean(-1)
        loss = torch.where(index.height[node] == 0, torch.lerp(loss, even, label_smoothing), loss)
    return loss.reshape(target.shape)


class FlatSoftmaxLoss(Loss):
    """Cross-entropy of a softmax over the leaves; see :func:`flat_softmax_loss`.

    Raises:
        InputError: ``label_smoothing`` is not in [0, 1].

    Example:
        >>> loss = FlatSoftmaxLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]))
        >>> loss(torch.zeros(1, 2), torch.tensor([1]))
        tensor([0.])
    """

    def __init__(self, taxonomy: Taxonomy, label_smoothing: float = 0.0) -> None:
        super().__init__(taxonomy)
        check_between(label_smoothing, 0.0, 1.0, "a label smoothing")
        self.label_smoothing = label_smoothing

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_leaves

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LeafSoftmax:
        return LeafSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return flat_softmax_loss(logits, target, self.taxonomy, label_smoothing=self.label_smoothing)
