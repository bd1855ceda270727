"""Parameter-sharing softmax: a leaf softmax whose scores are sums along paths."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.flat import flat_softmax_loss
from cladewise.losses.loss import Loss, check_between
from cladewise.ops import at_least_float, leaf_path_sum
from cladewise.predictions import PathSumSoftmax
from cladewise.taxonomy import Taxonomy


def ps_softmax_loss(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    label_smoothing: float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Parameter-sharing softmax: every leaf's score is the sum of the scores on its path.

    .. math:: z_l = \sum_{a \in A(l) \setminus \{root\}} \theta_a, \qquad
        \ell = \operatorname{LSE}_l z_l - \operatorname{LSE}_{l \in B(t)} z_l

    Leaves share the scores of their common ancestors: a node's score shifts all leaves under it.

    Args:
        logits: Score :math:`\theta` of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        label_smoothing: Share of a leaf target's mass that is spread uniformly over all leaves, in [0, 1]. Internal
            targets are not smoothed.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> ps_softmax_loss(torch.zeros(2, 4), torch.tensor([2, 1]), t).exp()
        tensor([3.0000, 1.5000])

    References: Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    leaf_scores = leaf_path_sum(at_least_float(logits), taxonomy)
    return flat_softmax_loss(leaf_scores, target, taxonomy, label_smoothing=label_smoothing)


class PSSoftmaxLoss(Loss):
    """Cross-entropy of the parameter-sharing softmax; see :func:`ps_softmax_loss`.

    Raises:
        InputError: ``label_smoothing`` is not in [0, 1].

    Example:
        >>> import torch
        >>> loss = PSSoftmaxLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]))
        >>> loss(torch.zeros(1, 4), torch.tensor([4])).exp()
        tensor([3.])
    """

    def __init__(self, taxonomy: Taxonomy, label_smoothing: float = 0.0) -> None:
        super().__init__(taxonomy)
        check_between(label_smoothing, 0.0, 1.0, "a label smoothing")
        self.label_smoothing = label_smoothing

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> PathSumSoftmax:
        return PathSumSoftmax(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return ps_softmax_loss(logits, target, self.taxonomy, label_smoothing=self.label_smoothing)
