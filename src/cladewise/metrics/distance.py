"""Severity of mistakes: heights of lowest common ancestors."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import ArrayLike
from torch import Tensor

from cladewise.errors import InputError
from cladewise.ops import full_height, meet, tree_index
from cladewise.taxonomy import Taxonomy


def hierarchical_distance(
    predicted: Int[Tensor, "*batch"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    distances: ArrayLike | None = None,
) -> Float[Tensor, "*batch"]:
    r"""Height, in edges, of the lowest common ancestor of prediction and label; 0 where the prediction is right.

    .. math:: D(v, t) = 0 \ \text{if}\ v \in De(t) \ \text{else}\ \min_{a \in A(v) \cap A(t)} h(a)

    The height is that of the deepest leaf below, so on a ragged tree it is not half the length of the path between
    the two. A prediction below an internal label is right; one above the label is a mistake of its own height.
    The distance is 0 only where the prediction is right.

    In a tree the minimum is :math:`h(\operatorname{lca}(v, t))`. Where nodes have several parents, there may be several
    lowest common ancestors; the lowest of them counts (:func:`cladewise.ops.meet`).

    Args:
        predicted: Predicted nodes.
        target: Labels.
        taxonomy: The label tree.
        distances: Distances between leaf positions ``[leaf, leaf]`` to take instead, such as published ones
            (:func:`cladewise.losses.read_distances`); all nodes must then be leaves.

    Raises:
        InputError: There are ``distances`` of another shape, or for a node that is no leaf.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> hierarchical_distance(torch.tensor([2, 3, 4, 1, 3]), torch.tensor([2, 2, 2, 2, 1]), t)
        tensor([0., 1., 2., 1., 0.])
        >>> table = [[0, 1, 9], [1, 0, 9], [9, 9, 0]]
        >>> hierarchical_distance(torch.tensor([2, 3, 4]), torch.tensor([2, 2, 2]), t, table)
        tensor([0., 1., 9.])

    References:
        Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393.
    """
    if distances is not None:
        return _from_table(predicted, target, taxonomy, distances)
    meeting = meet(predicted, target, taxonomy)
    height = full_height(taxonomy, target.device)[meeting]
    return torch.where(meeting == target, 0, height).float()


def _from_table(
    predicted: Int[Tensor, "*batch"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy, distances: ArrayLike
) -> Float[Tensor, "*batch"]:
    table = torch.as_tensor(np.asarray(distances), dtype=torch.float32, device=target.device)
    size = taxonomy.num_leaves
    if tuple(table.shape) != (size, size):
        raise InputError(f"distances [{size}, {size}], one row per leaf", f"shape {list(table.shape)}")
    index = tree_index(taxonomy, target.device)
    for nodes, what in ((predicted, "predictions"), (target, "labels")):
        if index.height[nodes].any():
            raise InputError(f"{what} that are leaves, since the distances are those of leaves", "inner nodes")
    return table[index.leaf_start[predicted], index.leaf_start[target]]


def mistake_severity(distance: Float[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
    """The hierarchical distance of mistakes; NaN where the prediction is right.

    Its mean over mistakes, times the share of mistakes, is the mean hierarchical distance.

    Example:
        >>> mistake_severity(torch.tensor([0.0, 2.0]))
        tensor([nan, 2.])

    References:
        Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393.
    """
    return torch.where(distance > 0, distance, torch.nan)


def hd_at_k(
    ranking: Int[Tensor, "*batch rank"],
    target: Int[Tensor, "*batch"],
    k: int,
    taxonomy: Taxonomy,
    distances: ArrayLike | None = None,
) -> Float[Tensor, "*batch"]:
    r"""Mean hierarchical distance of the first ``k`` ranked nodes; those that are right count as 0.

    .. math:: \frac{1}{k} \sum_{i \le k} D(r_i, t)

    A ranking shorter than ``k`` is averaged over what it has. ``distances`` are as in :func:`hierarchical_distance`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> hd_at_k(torch.tensor([[2, 3, 4]]), torch.tensor([2]), 2, t)
        tensor([0.5000])

    References:
        Karthik et al., No Cost Likelihood Manipulation at Test Time for Making Better Mistakes, ICLR 2021,
        arXiv:2104.00795.
    """
    first = ranking[..., :k]
    return hierarchical_distance(first, target[..., None].expand_as(first), taxonomy, distances).mean(-1)
