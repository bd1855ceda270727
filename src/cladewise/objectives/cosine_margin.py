"""Hierarchical cosine margins: how far apart images should be, by how near they are related."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from cladewise.errors import InputError
from cladewise.ops.batch_pairs import GroupedPairs, logsumexp_of_others, pairs_by_group


class CosineMargins(NamedTuple):
    """The loss of each row, and what its distances are.

    Args:
        nats: Loss of each row; 0 where there is no other row.
        counts: How many others are related to a row in each way, ``[row, relation]``.
        distances: Sum of the cosine distances to them, without a gradient.
    """

    nats: Float[Tensor, " row"]
    counts: Float[Tensor, "row relation"]
    distances: Float[Tensor, "row relation"]


def hierarchical_cosine_margin_loss(
    vectors: Float[Tensor, "row dim"],
    groups: Int[Tensor, "kind row"],
    margins: Float[Tensor, "*row relation"],
    *,
    temperature: float = 0.2,
) -> CosineMargins:
    r"""The distances of each row to all others, against those that their relations ask for.

    .. math:: \ell_i = \operatorname{KL}\bigl(\operatorname{softmax}_{j \ne i}(-\Delta_{ij} / \tau) \,\big\|\,
        \operatorname{softmax}_{j \ne i}(-D_{ij} / \tau)\bigr), \qquad D_{ij} = 1 - \cos(v_i, v_j)

    where :math:`\Delta_{ij}` is the margin of the nearest relation of i and j. It is 0 where all distances are the
    margins up to a constant a row. Since margins are few, everything but the log-sum-exp of a row comes from sums over
    groups; that costs one product of the vectors with themselves, a chunk of it in memory.

    Args:
        vectors: Vectors of the images; their lengths do not matter, and the exponential map at the origin, which only
            changes those, would change nothing.
        groups: The group of each row, finest kind first: the image that it is a view of, its cluster, its class, and
            so on; each kind's groups lie within those of the next.
        margins: Distance that is asked for, in [0, 2]: one for each kind of group, and one for strangers. The same for
            all rows, or a row of them each.
        temperature: The temperature, > 0.

    Raises:
        InputError: The shapes do not fit, or the temperature is not above zero.

    Example:
        >>> v = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> groups = torch.tensor([[0, 0, 1]])
        >>> hierarchical_cosine_margin_loss(v, groups, torch.tensor([0.0, 1.0])).nats.abs() < 1e-6
        tensor([True, True, True])

    References: Xu et al., Hyperbolic space with hierarchical margin boosts fine-grained learning from coarse labels,
        NeurIPS 2023, arXiv:2311.11019: margins of four relations, held by a KL divergence. Its equations could not be
        consulted; the row-wise form, and the temperature, are our reading of its summary.
    """
    kinds = groups.shape[0] + 1
    if groups.ndim != 2 or groups.shape[1:] != vectors.shape[:1] or margins.shape[-1] != kinds:
        raise InputError(
            "vectors [row, dim], groups [kind, row] and a margin for each kind and for strangers",
            f"shapes {list(vectors.shape)}, {list(groups.shape)} and {list(margins.shape)}",
        )
    if not temperature > 0:
        raise InputError("a temperature above 0", temperature)
    unit = functional.normalize(vectors, dim=-1)
    found = pairs_by_group(unit, groups)
    distances = found.counts - found.similarity
    log_wanted = _log_wanted(found, margins, temperature)
    wanted = log_wanted.exp()
    entropy = -(found.counts * wanted * log_wanted).sum(1)
    cross = (wanted * distances).sum(1) / temperature + logsumexp_of_others(unit, temperature) - 1 / temperature
    nats = (cross - entropy).where(found.counts.sum(1) > 0, (unit * 0).sum(1))
    return CosineMargins(nats, found.counts, distances.detach())


def _log_wanted(found: GroupedPairs, margins: Tensor, temperature: float) -> Tensor:
    """Log-probability that the margins give each other row of a relation; 0 for a row that is alone."""
    scores = (-margins / temperature).expand_as(found.counts)
    weighted = torch.where(found.counts > 0, scores + found.counts.clamp_min(1).log(), -torch.inf)
    total = weighted.logsumexp(1, keepdim=True)
    return scores - torch.where(total.isfinite(), total, scores[:, :1])
