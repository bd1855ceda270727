"""Linear maps of differentiable diffusion, from scores of nodes to scores of leaves."""

from __future__ import annotations

import dataclasses
from abc import ABC, abstractmethod

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import embedding_bag

from cladewise import ops
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

COPIES = 5
"""Tensors of the matrix's size during fitting: itself, its gradient, Adam's two moments, and the best so far."""
COLUMNS = 256
"""Columns of the closed form solved at a time."""
IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True, eq=False)
class LeafMap(ABC):
    """A bias-free linear map whose entries are one tensor."""

    taxonomy: Taxonomy
    nodes: Int[Tensor, " input"]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of the tensor of entries."""

    @abstractmethod
    def closed_form(self, alpha: float) -> Tensor:
        """The entries with which the map is plain diffusion."""

    @abstractmethod
    def __call__(self, values: Float[Tensor, "*batch input"], entries: Tensor) -> Float[Tensor, "*batch leaf"]:
        """Scores of the leaves."""


@dataclasses.dataclass(frozen=True, eq=False)
class FullMap(LeafMap):
    """A dense map: every leaf depends on every node."""

    @property
    def shape(self) -> tuple[int, ...]:
        return len(self.nodes), self.taxonomy.num_leaves

    def closed_form(self, alpha: float) -> Tensor:
        leaves = ops.tree_index(self.taxonomy, self.nodes.device).leaf_nodes
        entries = torch.zeros(self.shape, device=self.nodes.device)
        for columns in torch.arange(len(leaves), device=leaves.device).split(COLUMNS):
            ones = entries.new_zeros(len(columns), self.taxonomy.num_nodes)
            ones.scatter_(1, leaves[columns, None], 1.0)
            entries[:, columns] = ops.diffuse(ones, self.taxonomy, alpha).index_select(1, self.nodes).t()
        return entries

    def __call__(self, values: Tensor, entries: Tensor) -> Tensor:
        return values @ entries


@dataclasses.dataclass(frozen=True, eq=False)
class NeighbourMap(LeafMap):
    """A sparse map: every leaf depends on the nodes near it and on its ancestors."""

    source: Int[Tensor, " entry"]
    """Position of each entry's node among the nodes."""
    leaf: Int[Tensor, " entry"]
    """Leaf position of each entry, ascending."""
    first: Int[Tensor, " leaf"]
    """First entry of each leaf."""

    @classmethod
    def within(cls, radius: int, taxonomy: Taxonomy, nodes: Int[Tensor, " input"], most: int) -> NeighbourMap:
        """The map with an entry for each leaf and each of the nodes at most ``radius`` edges away, or an ancestor.

        Raises:
            InputError: There would be more than ``most`` entries.
        """
        position = np.full(taxonomy.num_nodes, -1)
        position[nodes.cpu().numpy()] = np.arange(len(nodes))
        leaf, node = _pairs(taxonomy, radius, most)
        source = position[node]
        leaf, source = leaf[source >= 0], source[source >= 0]
        order = np.lexsort((source, leaf))
        first = np.searchsorted(leaf[order], np.arange(taxonomy.num_leaves))
        return cls(
            taxonomy, nodes, *(torch.as_tensor(x, device=nodes.device) for x in (source[order], leaf[order], first))
        )

    @property
    def shape(self) -> tuple[int, ...]:
        return (len(self.source),)

    def closed_form(self, alpha: float) -> Tensor:
        leaves = ops.tree_index(self.taxonomy, self.nodes.device).leaf_nodes
        return ops.diffusion_entries(self.nodes[self.source], leaves[self.leaf], self.taxonomy, alpha).float()

    def __call__(self, values: Tensor, entries: Tensor) -> Tensor:
        if not len(self.source):
            return values.new_zeros(*values.shape[:-1], self.taxonomy.num_leaves)
        by_node = values.reshape(-1, len(self.nodes)).t().contiguous()
        out = embedding_bag(self.source, by_node, self.first, mode="sum", per_sample_weights=entries)
        return out.t().reshape(*values.shape[:-1], self.taxonomy.num_leaves)


def check_memory(what: str, entries: int, memory: float, advice: str) -> None:
    """Check that a matrix fits into memory.

    Raises:
        InputError: It takes more than ``memory`` gigabytes to learn.
    """
    needed = 4e-9 * COPIES * entries
    if needed > memory:
        raise InputError(
            f"a matrix that is learnt in {memory:g} GB (the option memory)",
            f"{what}, {entries:,} entries of which {COPIES} copies take {needed:.3g} GB",
            advice=advice,
        )


def _pairs(taxonomy: Taxonomy, radius: int, most: int) -> tuple[IntArray, IntArray]:
    """Leaf positions and nodes, each pair once: a walk on a tree that never turns back meets no node twice."""
    by_parent = np.argsort(taxonomy.parents[1:], kind="stable") + 1
    first_child = np.concatenate([[0], np.cumsum(taxonomy.num_children)])[:-1]
    leaf, node = np.arange(taxonomy.num_leaves), taxonomy.leaf_nodes.copy()
    came_from = np.full(len(leaf), -1)
    found, count = [(leaf, node)], len(leaf)
    for _ in range(radius):
        upwards = (taxonomy.parents[node] >= 0) & (taxonomy.parents[node] != came_from)
        children = taxonomy.num_children[node]
        count += int(upwards.sum() + children.sum())
        if count > most:
            check_memory(f"nodes within {radius} edges of each leaf", count, 4e-9 * COPIES * most, "Lower radius.")
        down = np.repeat(np.arange(len(node)), children)
        rank = np.arange(len(down)) - np.repeat(np.cumsum(children) - children, children)
        child = by_parent[first_child[node[down]] + rank]
        onwards = child != came_from[down]
        down, child = down[onwards], child[onwards]
        came_from = np.concatenate([node[upwards], node[down]])
        leaf, node = (
            np.concatenate([leaf[upwards], leaf[down]]),
            np.concatenate([taxonomy.parents[node[upwards]], child]),
        )
        found.append((leaf, node))
    leaf, node = np.arange(taxonomy.num_leaves), taxonomy.leaf_nodes.copy()
    for edges in range(1, taxonomy.max_depth + 1):
        node = taxonomy.parents[node]
        leaf, node = leaf[node >= 0], node[node >= 0]
        if edges > radius:
            found.append((leaf, node))
    return np.concatenate([pair[0] for pair in found]), np.concatenate([pair[1] for pair in found])
