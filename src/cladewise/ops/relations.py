"""Ancestors and lowest common ancestors of nodes held in tensors."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cladewise.ops.index import tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.taxonomy import Taxonomy


def is_ancestor(
    ancestor: Int[Tensor, "*batch"], node: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Bool[Tensor, "*batch"]:
    """Whether ``node`` is ``ancestor`` or lies under it, elementwise and broadcast.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> is_ancestor(torch.tensor([1, 2]), torch.tensor([3, 3]), t)
        tensor([ True, False])
    """
    return (ancestor <= node) & (node < tree_index(taxonomy, ancestor.device).end[ancestor])


def lca(first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Int[Tensor, "*batch"]:
    """Lowest common ancestor of pairs of nodes, elementwise and broadcast, in steps up the tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> lca(torch.tensor([2, 2]), torch.tensor([2, 3]), t)
        tensor([2, 1])
    """
    index = tree_index(taxonomy, first.device)
    above, node = torch.broadcast_tensors(first, second)
    if has_kernels(above) and has_kernels(node) and are_nodes(above, taxonomy) and are_nodes(node, taxonomy):
        out = torch.empty(above.shape, dtype=torch.int64)
        by_rows("lca", above.reshape(-1), node.reshape(-1), index.parents, out.view(-1))
        return out
    for _ in range(index.max_depth):
        covers = (above <= node) & (node < index.end[above])
        above = torch.where(covers, above, index.parents[above])
    return above.clone() if index.max_depth == 0 else above


def are_nodes(nodes: Tensor, taxonomy: Taxonomy) -> bool:
    """Compiled code does not look where it reads; torch does, and says so."""
    if nodes.numel() == 0:
        return True
    low, high = torch.aminmax(nodes)
    return int(low) >= 0 and int(high) < taxonomy.num_nodes


def lca_height(
    first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Int[Tensor, "*batch"]:
    """Height of the lowest common ancestor, in edges: the mistake severity of Bertinetto et al.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> lca_height(torch.tensor([2, 2, 2]), torch.tensor([2, 3, 4]), t)
        tensor([0, 1, 2])

    References: Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393.
    """
    return tree_index(taxonomy, first.device).height[lca(first, second, taxonomy)]


def ancestors(nodes: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Int[Tensor, "*batch depth"]:
    """Path to every node: the root first, the node at its own depth, then -1 to ``max_depth + 1`` places.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> ancestors(torch.tensor([2, 3]), t).tolist()
        [[0, 1, 2], [0, 3, -1]]
    """
    index = tree_index(taxonomy, nodes.device)
    depth = index.depth[nodes]
    steps: list[Tensor] = []
    current = nodes
    for place in range(index.max_depth, -1, -1):
        here = depth >= place
        steps.append(torch.where(here, current, -1))
        current = torch.where(here, index.parents[current].clamp(min=0), current)
    return torch.stack(steps[::-1], dim=-1)
