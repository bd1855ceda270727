"""What a node says at each level of the tree: who represents it there, and whether it says anything."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cladewise.ops.index import tree_index
from cladewise.taxonomy import Taxonomy


def at_levels(node: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Int[Tensor, "*batch level"]:
    """Representative of each node at every level below the root, coarse to fine; see :meth:`Taxonomy.at_level`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> at_levels(torch.tensor([2, 3, 0]), t).tolist()
        [[1, 2], [3, 3], [0, 0]]
    """
    index = tree_index(taxonomy, node.device)
    if node.numel() > taxonomy.num_nodes:  # once for every node, and then looked up
        return at_levels(torch.arange(taxonomy.num_nodes, device=node.device), taxonomy)[node]
    above, level = index.parents.clamp_min(0), index.level
    at_level = node.new_empty((*node.shape, taxonomy.num_levels))
    current = node
    for k in range(taxonomy.num_levels, 0, -1):
        # nothing finer than k + 1 is left, and a parent is coarser than its child, so one step is enough
        current = torch.where(level[current] > k, above[current], current)
        at_level[..., k - 1] = current
    return at_level


def speaks(node: Int[Tensor, "*batch"], taxonomy: Taxonomy) -> Bool[Tensor, "*batch level"]:
    """Whether a node says anything about each level: one that is not finer than its own, and of a leaf every level.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> speaks(torch.tensor([0, 1, 2, 3]), t).tolist()
        [[False, False], [True, False], [True, True], [True, True]]
    """
    index = tree_index(taxonomy, node.device)
    levels = torch.arange(1, taxonomy.num_levels + 1, device=node.device)
    return (levels <= index.level[node][..., None]) | (index.height[node] == 0)[..., None]
