"""Contrast of two views of every image, where images of one group count as views of each other."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from cladewise.objectives.supervised_contrast import check_temperature
from cladewise.ops.batch_pairs import PAIRS_AT_ONCE, group_of


def graph_contrast_loss(
    queries: Float[Tensor, "image dim"],
    keys: Float[Tensor, "image dim"],
    groups: Int[Tensor, " image"],
    *,
    temperature: float = 0.1,
) -> Float[Tensor, " image"]:
    r"""Cross-entropy of the keys of an image's group among all keys, in nats.

    .. math:: \ell_i = \operatorname{LSE}_j \frac{q_i \cdot k_j}{\tau}
        - \frac{1}{|G_i|} \sum_{j \in G_i} \frac{q_i \cdot k_j}{\tau}

    where :math:`G_i` are the images of the group of image i, itself among them. An image alone in its group leaves
    InfoNCE. The similarities of all images are computed in chunks, and again in the backward pass; the second term
    comes from sums over groups.

    Args:
        queries: Unit vectors of one view of each image.
        keys: Unit vectors of another view of each.
        groups: Group of each image.
        temperature: The temperature, > 0.

    Raises:
        InputError: The temperature is not above zero.

    Example:
        >>> z = torch.eye(2)[[0, 0, 1]]
        >>> graph_contrast_loss(z, z, torch.tensor([0, 0, 1]), temperature=1.0)  # log(2e + 1) - 1, log(e + 2) - 1
        tensor([0.8620, 0.8620, 0.5514])

    References: Li et al., CoMatch, ICCV 2021, arXiv:2011.11183; Wu et al., CHMatch, CVPR 2023 (two
        levels); Park et al., Free-grained hierarchical visual recognition, CVPR 2026, arXiv:2510.14737 (all levels).
    """
    check_temperature(temperature)
    group, size = group_of(groups)
    sums = keys.new_zeros(len(size), keys.shape[1]).index_add(0, group, keys)
    near = (queries * sums[group]).sum(1) / size[group]

    def of_rows(rows: Tensor) -> Tensor:
        return (rows @ keys.T / temperature).logsumexp(1)

    parts = queries.split(max(1, PAIRS_AT_ONCE // max(1, len(keys))))
    if len(parts) == 1:
        return of_rows(queries) - near / temperature
    return torch.cat([checkpoint(of_rows, part, use_reentrant=False) for part in parts]) - near / temperature
