"""The most informative node above a threshold, shared by several rules."""

from __future__ import annotations

import math

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.candidates import Candidates, above, candidates, says_something
from cladewise.decisions.dense import most_informative_of
from cladewise.ops import tree_index
from cladewise.predictions import Prediction

FEW = math.log(0.1)
"""At most ten nodes per depth are more probable than 0.1: few enough to skip the filter by the best leaf."""


def most_informative_above(prediction: Prediction, bar: Float[Tensor, " image"] | float) -> Int[Tensor, " image"]:
    r"""Among the nodes with :math:`p_v > \tau`, the one with the fewest leaves under it.

    .. math:: \hat{v} = \operatorname{lexmax}_{v:\ p_v > \tau,\ |C(v)| \ne 1} (I(v), p_v), \qquad
        I(v) = \log_2 (L / |B(v)|)

    Ties in information go to the larger probability, then to the lower node. A node with exactly one child is no more
    informative than its child and is skipped. If nothing is above the bar, the answer is the root.

    Args:
        prediction: Of any kind; the images are numbered in the order of its batch.
        bar: Log-probability that the node exceeds; of a probability of one's choice
            :func:`~cladewise.decisions.candidates.log_bar`, so that a few units in the last place above :math:`\tau`,
            the rounding of sums over the tree, do not count as more.

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    eligible = says_something(tree_index(prediction.taxonomy, prediction.device))
    if isinstance(bar, float) and bar < FEW:
        return most_informative(candidates(prediction, eligible, bar))
    return most_informative(above(prediction, eligible, bar))


def dense_above(prediction: Prediction, bar: Float[Tensor, "#image #node"] | float) -> Int[Tensor, " image"]:
    """:func:`most_informative_above` by operations that an exporter can trace; the bar may differ by node."""
    log_prob, taxonomy = prediction.log_prob, prediction.taxonomy
    eligible = says_something(tree_index(taxonomy, prediction.device)) & (log_prob > bar)
    return most_informative_of(eligible, log_prob, taxonomy)


def most_informative(found: Candidates) -> Int[Tensor, " image"]:
    """The candidate of each image with the most information, then probability; the root where there is none."""
    return found.best(-found.leaves_under, found.log_prob)
