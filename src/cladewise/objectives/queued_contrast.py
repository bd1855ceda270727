"""Contrastive loss with a queue: an image's own key against keys of earlier images."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from cladewise.errors import InputError

CELLS_AT_ONCE = 1 << 22
"""Number of similarities to the queue held in memory at once."""

NEAREST = 1e-3
"""Distance to the class direction below which the difference is indistinguishable from rounding."""


def queued_contrast_loss(
    queries: Float[Tensor, "image dim"],
    keys: Float[Tensor, "image dim"],
    queue: Float[Tensor, "entry dim"],
    *,
    image_groups: Int[Tensor, " image"],
    queue_groups: Int[Tensor, " entry"],
    image_index: Int[Tensor, " image"],
    queue_index: Int[Tensor, " entry"],
    temperature: float = 0.2,
) -> Float[Tensor, " image"]:
    r"""Cross-entropy of an image's own key among the keys of its group in the queue.

    .. math:: \ell_i = \log\Bigl(e^{q_i k_i / \tau} + \sum_{j \in Q(i)} e^{q_i k_j / \tau}\Bigr) - q_i k_i / \tau

    Args:
        queries: Unit vectors, with gradient.
        keys: Unit vectors of other views of the same images, without gradient.
        queue: Unit vectors of earlier images.
        image_groups: Group of each image.
        queue_groups: Group of each entry of the queue; -1 for an empty one. Entries of other groups are ignored.
        image_index: Index of each image in the dataset.
        queue_index: Index of the image of each entry. An image's own earlier keys are ignored; the published codes do
            not do so, since their queues are short compared with the data.
        temperature: The temperature, > 0.

    Raises:
        InputError: The temperature is not above zero.

    Example:
        >>> one = torch.tensor([[1.0, 0.0]])
        >>> number, other = torch.tensor([0]), torch.tensor([1])
        >>> of = dict(image_groups=number, queue_groups=number, image_index=number, queue_index=other)
        >>> queued_contrast_loss(one, one, one, temperature=1.0, **of)  # as similar to the other image as to itself
        tensor([0.6931])

    References: He et al., Momentum contrast, CVPR 2020, arXiv:1911.05722; within the coarse class: Bukchin et al.,
        CVPR 2021, arXiv:2012.03515.
    """
    if not temperature > 0:
        raise InputError("a temperature above 0", temperature)

    def of_rows(query: Tensor, key: Tensor, group: Tensor, index: Tensor) -> Tensor:
        others = _counting(group, queue_groups, index, queue_index)
        against = (query @ queue.T / temperature).masked_fill(~others, -torch.inf)
        own = (query * key).sum(1, keepdim=True) / temperature
        return torch.cat([own, against], 1).logsumexp(1) - own[:, 0]

    size = max(1, CELLS_AT_ONCE // max(1, len(queue)))
    if len(queries) <= size:
        return of_rows(queries, keys, image_groups, image_index)
    parts = [part.split(size) for part in (queries, keys, image_groups, image_index)]
    return torch.cat([checkpoint(of_rows, *chunk, use_reentrant=False) for chunk in zip(*parts, strict=True)])


def _counting(group: Tensor, queue_groups: Tensor, index: Tensor, queue_index: Tensor) -> Bool[Tensor, "image entry"]:
    return (group[:, None] == queue_groups) & (index[:, None] != queue_index) & (queue_groups >= 0)


def away_from_class(
    vectors: Float[Tensor, "*batch dim"], centres: Float[Tensor, "*batch dim"]
) -> Float[Tensor, "*batch dim"]:
    r"""Angular normalisation: the direction from the class weight to a vector, both normalised.

    .. math:: A(v) = \operatorname{norm}(\operatorname{norm}(v) - \operatorname{norm}(w_y))

    Args:
        vectors: Vectors of images.
        centres: The class weight of each image; detach it if it should get no gradient.

    Returns: Unit vectors; shorter ones close to the class direction, and 0 at it.

    Example:
        >>> away_from_class(torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]]))
        tensor([[ 0.7071, -0.7071]])

    References: Bukchin et al., CVPR 2021, arXiv:2012.03515. The lower bound of the divisor is ours.
    """
    difference = functional.normalize(vectors, dim=-1) - functional.normalize(centres, dim=-1)
    return functional.normalize(difference, dim=-1, eps=NEAREST)
