"""Labels at internal nodes: a prediction below the label counts as the label itself."""

from __future__ import annotations

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.ops import covers
from cladewise.taxonomy import Taxonomy


def truncate(
    predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Int[Tensor, "*batch"]:
    r"""The predicted node, or the label if the prediction lies below it.

    .. math:: \tilde{v} = t \ \text{if}\ v \in De(t) \ \text{else}\ v

    A label at an internal node does not say which of its descendants is right, so none of them is a mistake. Labels
    at leaves change nothing. Descendants through any parents count.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> truncate(torch.tensor([3, 3, 1]), torch.tensor([1, 2, 2]), t)
        tensor([1, 3, 1])

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    return torch.where(covers(target, predicted, taxonomy), target, predicted)
