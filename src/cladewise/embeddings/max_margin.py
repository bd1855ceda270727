"""Max-margin loss of order-preserving embeddings."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def max_margin_loss(
    edges: Float[Tensor, " edge"],
    others: Float[Tensor, " pair"],
    *,
    margin: float = 1.0,
    valid: Bool[Tensor, " pair"] | None = None,
) -> Float[Tensor, ""]:
    r"""Energy of true edges, plus the shortfall of negative ones from a margin; a sum, not a mean.

    .. math:: \ell = \sum_{(u, v) \in P} E(u, v) + \sum_{(u', v') \in N} \max(0, \gamma - E(u', v'))

    Args:
        edges: Energies of ancestor-descendant pairs.
        others: Energies of other pairs.
        margin: :math:`\gamma`, in units of the energy (radians for cones).
        valid: Which of the others count; all by default.

    Example:
        >>> max_margin_loss(torch.tensor([0.5]), torch.tensor([0.25, 2.0]), margin=1.0)
        tensor(1.2500)

    References: Vendrov et al., ICLR 2016. Dhall et al., CVPR Workshops 2020, Eq. 1.
    """
    lacking = torch.relu(margin - others)
    return edges.sum() + (lacking if valid is None else lacking * valid).sum()
