"""Hierarchical cosine margins: target distances between images that depend on how they are related."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from cladewise.errors import InputError
from cladewise.ops.batch_pairs import GroupedPairs, logsumexp_of_others, pairs_by_group


class CosineMargins(NamedTuple):
    """The loss of each row, and its observed distances.

    Args:
        nats: Loss of each row; 0 if there is no other row.
        counts: Number of other rows in each relation to the row, ``[row, relation]``.
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
    r"""Divergence between the distances of each row to all others and the margins of their relations.

    .. math:: \ell_i = \operatorname{KL}\bigl(\operatorname{softmax}_{j \ne i}(-\Delta_{ij} / \tau) \,\big\|\,
        \operatorname{softmax}_{j \ne i}(-D_{ij} / \tau)\bigr), \qquad D_{ij} = 1 - \cos(v_i, v_j)

    where :math:`\Delta_{ij}` is the margin of the closest relation of i and j. The loss is 0 if the distances equal the
    margins up to a constant per row. Since there are few margins, everything except the log-sum-exp of a row is
    computed from sums over groups; the log-sum-exp needs one product of the vectors with themselves, computed in
    chunks.

    Args:
        vectors: Vectors of the images, of any length; the exponential map at the origin, which only changes lengths,
            would have no effect.
        groups: The group of each row, finest kind first: the image that it is a view of, its cluster, its class, and
            so on; the groups of each kind are nested in those of the next.
        margins: Target distances in [0, 2]: one for each kind of group, and one for unrelated rows. Shared by all rows,
            or one set per row.
        temperature: The temperature, > 0.

    Raises:
        InputError: The shapes do not match, or the temperature is not above zero.

    Example:
        >>> v = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
        >>> groups = torch.tensor([[0, 0, 1]])
        >>> hierarchical_cosine_margin_loss(v, groups, torch.tensor([0.0, 1.0])).nats.abs() < 1e-6
        tensor([True, True, True])

    References: Xu et al., Hyperbolic space with hierarchical margin boosts fine-grained learning from coarse labels,
        NeurIPS 2023, arXiv:2311.11019: margins of four relations, enforced by a KL divergence. Its equations could not
        be consulted; the row-wise form and the temperature are our choice.
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
    """Log-probability that the margins assign to each other row of a relation; 0 for a row without others."""
    scores = (-margins / temperature).expand_as(found.counts)
    weighted = torch.where(found.counts > 0, scores + found.counts.clamp_min(1).log(), -torch.inf)
    total = weighted.logsumexp(1, keepdim=True)
    return scores - torch.where(total.isfinite(), total, scores[:, :1])
