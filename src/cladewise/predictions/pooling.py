"""Predictions of several images of one thing, pooled into one."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.pools import Pool, Pooling
from cladewise.predictions.prediction import Prediction
from cladewise.predictions.softmax import LeafSoftmax


def pooled(prediction: Prediction, group: Int[Tensor, " image"], num_groups: int, pool: Pool) -> Prediction:
    r"""One prediction per group of images that show the same thing.

    With the probabilities :math:`p_i` of the images of a group, of whatever is normalised together,

    - ``mean``: :math:`\frac{1}{n} \sum_i p_i`;
    - ``product``: :math:`\propto \prod_i p_i^{1/n}`, the mean of the logits. The exponent is there because images of
      one thing are no independent evidence: without it, confidences would grow with their number;
    - ``max``: :math:`\propto \max_i p_i`.

    A softmax over leaves or nodes is pooled as it is, a softmax per level at each level, a sigmoid as the probabilities
    of the two outcomes, and lists of the best nodes as the lower bounds that they are, by ``mean`` alone. Any other
    kind is reduced to its leaves.

    Args:
        prediction: One row per image.
        group: Group of each image, from 0.
        num_groups: Number of groups, none of them empty.
        pool: The way.

    Raises:
        InputError: There is no such way, or the images of a group have no possible leaf in common (``product``).

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> views = LeafSoftmax(t, torch.tensor([[0.6, 0.3, 0.1], [0.2, 0.3, 0.5]]).log())
        >>> pooled(views, torch.tensor([0, 0]), 1, "mean").log_prob.exp()
        tensor([[1.0000, 0.7000, 0.4000, 0.3000, 0.3000]])
    """
    settled = prediction.settled()
    reduce = Pooling(group, num_groups, pool)
    found = settled.pooled_by(reduce)
    if found is None:
        found = LeafSoftmax(settled.taxonomy, reduce(ops.at_least_float(settled.leaf_scores()).log_softmax(-1)))
    if bool((found.logits == -torch.inf).all(-1).any()) and settled.taxonomy.num_nodes > 1:
        raise InputError(
            "images of a group with a possible label in common",
            "a group whose images rule out each other's labels",
            advice='Give pool="mean", which keeps what one image allows.',
        )
    return found
