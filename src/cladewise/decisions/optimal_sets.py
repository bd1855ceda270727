"""Sets of nodes with the largest expected hierarchical F-score."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.decisions.expected import by_leaf_depth
from cladewise.taxonomy import Taxonomy

CELLS_AT_ONCE = 1 << 22
"""Approximate number of (image, size of set, candidate) cells processed at a time, 16 MB in single precision."""


def best_f_sets(mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy, beta: float) -> Bool[Tensor, "*batch node"]:
    r"""The set of nodes of each image with the largest expected :math:`hF_\beta`; of equals the smallest.

    .. math:: \mathbb{E}\, hF_\beta(S) = \sum_j p_j \frac{(1 + \beta^2) |S \cap A(j)|}{|S| + \beta^2 |A(j)|}

    :math:`A(j)` are the ancestors of the leaf, itself and the root included. For a given size it is a sum over the
    nodes of the set, so the best set of each size has the nodes with the largest terms; an ancestor is never after its
    descendants. Nodes below a bound of the probability are in no best set, which leaves few candidates.

    Args:
        mass: Probability on the leaves at or under every node.
        taxonomy: The label tree.
        beta: Weight of recall against precision.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> best_f_sets(torch.tensor([[1.0, 0.9, 0.45, 0.45, 0.1]]), t, 1.0).long()
        tensor([[1, 1, 1, 1, 0]])

    References: Plaud et al., ICML 2025, arXiv:2506.01552, section 5.
    """
    rows = mass.reshape(-1, taxonomy.num_nodes)
    chosen = torch.zeros_like(rows, dtype=torch.bool)
    candidate = rows >= rows[:, :1] / (1 + beta**2 * (taxonomy.max_depth + 1)) * (1 - 1e-5)
    candidate[:, 0] = True
    counts = candidate.sum(-1)
    depths, under = zip(*by_leaf_depth(rows, taxonomy), strict=True)
    order = counts.argsort()  # images with about as many candidates together
    start = 0
    while start < len(order):
        widest = int(counts[order[min(start + 255, len(order) - 1)]])
        images = order[start : start + max(1, min(256, CELLS_AT_ONCE // widest**2))]
        nodes, there = _padded(candidate[images])
        by_depth = [each[images].gather(1, nodes) * there for each in under]
        best = _best(by_depth, depths, there, beta)
        chosen[images[:, None].expand_as(nodes)[there], nodes[there]] = best[there]
        start += len(images)
    return chosen.reshape(mass.shape)


def _padded(candidate: Bool[Tensor, "image node"]) -> tuple[Int[Tensor, "image place"], Bool[Tensor, "image place"]]:
    """The candidates of each image, ascending; the places that are left over name nodes that are none."""
    image, node = candidate.nonzero().unbind(1)
    counts = candidate.sum(-1)
    place = torch.arange(len(node), device=node.device) - (counts.cumsum(0) - counts)[image]
    nodes = node.new_zeros(len(candidate), int(counts.max()))
    nodes[image, place] = node
    return nodes, torch.arange(nodes.shape[1], device=node.device) < counts[:, None]


def _best(
    by_depth: list[Float[Tensor, "image place"]],
    depths: tuple[int, ...],
    there: Bool[Tensor, "image place"],
    beta: float,
) -> Bool[Tensor, "image place"]:
    size = torch.arange(1, there.shape[1] + 1, device=there.device)[:, None]
    terms = by_depth[0].new_zeros(len(there), len(size), there.shape[1])
    for depth, mass in zip(depths, by_depth, strict=True):  # in this order for all, so that ancestors are not below
        terms += mass[:, None] * ((1 + beta**2) / (size + beta**2 * (depth + 1))).to(mass.dtype)
    terms, order = terms.masked_fill(~there[:, None], -1.0).sort(dim=-1, descending=True, stable=True)
    totals = terms.cumsum(-1).diagonal(dim1=1, dim2=2)
    possible = size[:, 0] <= there.sum(-1, keepdim=True)
    best = totals.masked_fill(~possible, -torch.inf).argmax(-1)
    of_size = order[torch.arange(len(order), device=order.device), best]
    taken = torch.arange(there.shape[1], device=there.device) <= best[:, None]
    return torch.zeros_like(there).scatter(1, of_size, taken)
