"""Ancestors, lowest common ancestors and level representatives of nodes held in tensors."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Bool, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.ops.index import tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.taxonomy import Taxonomy
from cladewise.tracing import is_traced


def is_ancestor(
    ancestor: Int[Tensor, "*batch"], node: Int[Tensor, "*batch"], taxonomy: Taxonomy
) -> Bool[Tensor, "*batch"]:
    """Whether ``node`` is ``ancestor`` or lies under it, elementwise with broadcasting.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> is_ancestor(torch.tensor([1, 2]), torch.tensor([3, 3]), t)
        tensor([ True, False])
    """
    return (ancestor <= node) & (node < tree_index(taxonomy, ancestor.device).end[ancestor])


def lca(first: Int[Tensor, "*batch"], second: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Int[Tensor, "*batch"]:
    """Lowest common ancestor of pairs of nodes, elementwise with broadcasting.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> lca(torch.tensor([2, 2]), torch.tensor([2, 3]), t)
        tensor([2, 1])
    """
    index = tree_index(taxonomy, first.device)
    above, node = torch.broadcast_tensors(first, second)
    if has_kernels(above) and has_kernels(node) and are_nodes(above, taxonomy) and are_nodes(node, taxonomy):
        out = torch.empty(above.shape, dtype=torch.int64)
        by_rows("lca_rows", above.reshape(-1), node.reshape(-1), index.parents, out.view(-1))
        return out
    for _ in range(index.max_depth):
        covers = (above <= node) & (node < index.end[above])
        above = torch.where(covers, above, index.parents[above])
    return above.clone() if index.max_depth == 0 else above


def are_nodes(nodes: Tensor, taxonomy: Taxonomy) -> bool:
    """Whether all values are node indices. Compiled kernels do not check bounds; torch does, and raises."""
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
    """Path to every node: ancestors from the root to the node at its depth, then -1 up to ``max_depth + 1`` places.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> ancestors(torch.tensor([2, 3]), t).tolist()
        [[0, 1, 2], [0, 3, -1]]
    """
    if is_traced():
        return torch.as_tensor(path_table(taxonomy), device=nodes.device)[nodes]
    index = tree_index(taxonomy, nodes.device)
    depth = index.depth[nodes]
    steps: list[Tensor] = []
    current = nodes
    for place in range(index.max_depth, -1, -1):
        here = depth >= place
        steps.append(torch.where(here, current, -1))
        current = torch.where(here, index.parents[current].clamp(min=0), current)
    return torch.stack(steps[::-1], dim=-1)


def at_levels(node: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Int[Tensor, "*batch level"]:
    """Representative of each node at every level below the root, coarse to fine; see :meth:`Taxonomy.at_level`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> at_levels(torch.tensor([2, 3, 0]), t).tolist()
        [[1, 2], [3, 3], [0, 0]]
    """
    if is_traced():
        return torch.as_tensor(level_table(taxonomy), device=node.device)[node]
    index = tree_index(taxonomy, node.device)
    if node.numel() > taxonomy.num_nodes:  # compute once per node, then look up
        return at_levels(torch.arange(taxonomy.num_nodes, device=node.device), taxonomy)[node]
    above, level = index.parents.clamp_min(0), index.level
    at_level = node.new_empty((*node.shape, taxonomy.num_levels))
    current = node
    for k in range(taxonomy.num_levels, 0, -1):
        # nothing finer than k + 1 is left and a parent is coarser than its child, so one step suffices
        current = torch.where(level[current] > k, above[current], current)
        at_level[..., k - 1] = current
    return at_level


def level_table(taxonomy: Taxonomy) -> NDArray[np.int64]:
    """Representatives of all nodes at every level below the root, ``[node, level]``: :func:`at_levels` of all nodes."""
    columns = [taxonomy.at_level(level) for level in range(1, taxonomy.num_levels + 1)]
    return np.stack(columns, 1) if columns else np.zeros((taxonomy.num_nodes, 0), dtype=np.int64)


def path_table(taxonomy: Taxonomy) -> NDArray[np.int64]:
    """Paths to all nodes, root first, then -1, ``[node, depth]``: :func:`ancestors` of all nodes.

    Example:
        >>> path_table(Taxonomy.from_paths([("a", "b"), ("c",)])).tolist()
        [[0, -1, -1], [0, 1, -1], [0, 1, 2], [0, 3, -1]]
    """
    table = np.full((taxonomy.num_nodes, taxonomy.max_depth + 1), -1, dtype=np.int64)
    for depth, nodes in enumerate(taxonomy.nodes_by_depth):
        if depth:
            table[nodes, :depth] = table[taxonomy.parents[nodes], :depth]
        table[nodes, depth] = nodes
    return table


def speaks(node: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Bool[Tensor, "*batch level"]:
    """Whether a label at the node says anything about each level: levels down to its own, and every level for a leaf.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> speaks(torch.tensor([0, 1, 2, 3]), t).tolist()
        [[False, False], [True, False], [True, True], [True, True]]
    """
    index = tree_index(taxonomy, node.device)
    levels = torch.arange(1, taxonomy.num_levels + 1, device=node.device)
    return (levels <= index.level[node][..., None]) | (index.height[node] == 0)[..., None]
