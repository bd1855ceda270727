"""The vocabulary in which rules are written for an exporter: comparisons of all nodes of an image at once.

A graph has shapes that do not depend on values, so it cannot collect the few candidates of each image as
:mod:`cladewise.decisions.candidates` does. Most rules are one expression here: the best of the eligible nodes, in one
key after another, the lowest of equals, and the root where none is eligible (:func:`first_best`).
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.taxonomy import Taxonomy


def first_best(eligible: Bool[Tensor, "#image node"], *keys: Float[Tensor, "#image node"]) -> Int[Tensor, " image"]:
    """The eligible node that is largest in the first key, then in the next, then the lowest; 0 where there is none.

    Example:
        >>> keys = torch.tensor([[9.0, 1.0, 2.0, 2.0]]), torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        >>> first_best(torch.tensor([[False, True, True, True]]), *keys), first_best(torch.tensor([[False] * 4]), *keys)
        (tensor([2]), tensor([0]))
    """
    left = eligible
    for key in keys:
        values = torch.where(left, key, -torch.inf)
        left = left & (values >= values.amax(-1, keepdim=True))
    return left.to(torch.int32).argmax(-1)


def most_informative_of(
    eligible: Bool[Tensor, "image node"], log_prob: Float[Tensor, "image node"], taxonomy: Taxonomy
) -> Int[Tensor, " image"]:
    """The eligible node with the most information, then probability; the root where there is none."""
    leaves = ops.tree_index(taxonomy, log_prob.device).num_leaves_under
    return first_best(eligible, -leaves.to(log_prob.dtype), log_prob)


def in_log_space(threshold: Float[Tensor, "*shape"], dtype: torch.dtype) -> Float[Tensor, "*shape"]:
    """:func:`~cladewise.decisions.candidates.log_bar` of thresholds below 1 that are tensors."""
    info = torch.finfo(dtype)
    return (threshold.log() + 8 * info.eps).clamp_max(-info.tiny).to(dtype)


class Descent(NamedTuple):
    """The best child of every node, and the way down that they make."""

    is_best: Bool[Tensor, "image node"]
    """Whether each node is the best of its siblings, of equals the lowest; false for the root."""
    runner_up: Float[Tensor, "image node"]
    """The value of each node that is not, -inf for all others."""


def descent(values: Float[Tensor, "image node"], taxonomy: Taxonomy) -> Descent:
    """Compare siblings by their values."""
    index = ops.tree_index(taxonomy, values.device)
    below, parent = values[:, 1:], index.parents[1:].expand(values.shape[0], -1)
    best = torch.full_like(values, -torch.inf).scatter_reduce(1, parent, below, "amax").gather(1, parent)
    nodes = torch.arange(1, taxonomy.num_nodes, device=values.device).expand_as(parent)
    none = taxonomy.num_nodes
    candidates = torch.where(below >= best, nodes, none)
    first = torch.full_like(values, none, dtype=torch.int64).scatter_reduce(1, parent, candidates, "amin")
    is_best = nodes == first.gather(1, parent)
    nothing = torch.zeros_like(values[:, :1], dtype=torch.bool)
    lowest = torch.full_like(values[:, :1], -torch.inf)
    return Descent(torch.cat([nothing, is_best], 1), torch.cat([lowest, torch.where(is_best, -torch.inf, below)], 1))


def on_the_way(step: Bool[Tensor, "image node"], taxonomy: Taxonomy) -> Bool[Tensor, "image node"]:
    """Nodes all of whose ancestors below the root are steps, and which are steps themselves; the root is one of them.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> on_the_way(torch.tensor([[False, True, False, True, False, True]]), t)[0].tolist()
        [True, True, False, True, False, False]
    """
    index = ops.tree_index(taxonomy, step.device)
    below_root = (step & (index.depth > 0)).float()
    return ops.path_sum(below_root, taxonomy) >= index.depth


def deepest(nodes: Bool[Tensor, "image node"], taxonomy: Taxonomy) -> Int[Tensor, " image"]:
    """The deepest of the nodes, which lie on one path."""
    depth = ops.tree_index(taxonomy, nodes.device).depth
    return torch.where(nodes, depth, -1).argmax(-1)
