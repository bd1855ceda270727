"""The arrays of a taxonomy as index tensors, cached per device."""

from __future__ import annotations

import dataclasses
import weakref
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor

from cladewise.taxonomy import Taxonomy


@dataclasses.dataclass(frozen=True, eq=False)
class DepthIndex:
    """The nodes at one depth below the root, grouped by parent."""

    children: Int[Tensor, " child"]
    """Nodes at this depth, ascending, so that siblings are adjacent."""
    parent_of_child: Int[Tensor, " child"]
    parents: Int[Tensor, " parent"]
    """The distinct parents, ascending."""
    first_child: Int[Tensor, " parent"]
    """Position in ``children`` of each parent's first child."""


@dataclasses.dataclass(frozen=True, eq=False)
class TreeIndex:
    """Index tensors of one taxonomy on one device; made by :func:`tree_index`.

    They are derived data, never parameters or buffers: they are not part of checkpoints, and ``.to(device)`` cannot
    leave them behind.
    """

    device: torch.device
    parents: Int[Tensor, " node"]
    """Parent of every node; -1 for the root."""
    end: Int[Tensor, " node"]
    """One past the last node of every subtree."""
    children: Int[Tensor, " child"]
    """All nodes but the root, sorted by parent."""
    child_start: Int[Tensor, " node+1"]
    """Start of each node's children in :attr:`children`; they end at the next node's start."""
    inner_nodes: Int[Tensor, " inner"]
    """Nodes with children, ascending."""
    group: Int[Tensor, " child"]
    """Index in :attr:`inner_nodes` of the parent of every node but the root, in node order."""
    depth: Int[Tensor, " node"]
    height: Int[Tensor, " node"]
    level: Int[Tensor, " node"]
    leaf_nodes: Int[Tensor, " leaf"]
    leaf_start: Int[Tensor, " node"]
    """First leaf position under every node."""
    leaf_end: Int[Tensor, " node"]
    """One past the last leaf position under every node."""
    by_depth: tuple[DepthIndex, ...]
    """The nodes at each depth, from 1 on."""
    max_depth: int

    @cached_property
    def num_leaves_under(self) -> Int[Tensor, " node"]:
        """Number of leaves at or under every node."""
        with torch.inference_mode(False):
            return self.leaf_end - self.leaf_start

    @cached_property
    def frame_nodes(self) -> Int[Tensor, " basis"]:
        """Node of each basis vector of a frame: all nodes but the root by depth, ascending within a depth.

        So the nodes of a depth are adjacent, and so are the descendants that a node has there.
        """
        with torch.inference_mode(False):
            none = torch.zeros(0, dtype=torch.int64, device=self.device)
            return torch.cat([none, *(level.children for level in self.by_depth)])

    @cached_property
    def frame_place(self) -> Int[Tensor, " node"]:
        """Position in :attr:`frame_nodes` of every node; 0 for the root, which has none."""
        with torch.inference_mode(False):
            place = torch.arange(self.frame_nodes.numel(), device=self.device)
            return torch.zeros_like(self.parents).index_copy(0, self.frame_nodes, place)

    @cached_property
    def information_bits(self) -> Float[Tensor, " node"]:
        r"""Information of every node in bits, :math:`\log_2 (L / |B(v)|)`, in double precision; 0 at the root."""
        with torch.inference_mode(False):  # it is kept, and may be needed for gradients later
            return (len(self.leaf_nodes) / self.num_leaves_under.double()).log2()


_CACHE: weakref.WeakKeyDictionary[Taxonomy, dict[torch.device, TreeIndex]] = weakref.WeakKeyDictionary()


def tree_index(taxonomy: Taxonomy, device: torch.device | str) -> TreeIndex:
    """Index tensors of a taxonomy on a device, built once and cached for the lifetime of the taxonomy.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> tree_index(t, "cpu").leaf_nodes
        tensor([2, 3, 4])
        >>> tree_index(t, "cpu") is tree_index(t, "cpu")
        True
    """
    place = torch.device(device)
    by_device = _CACHE.setdefault(taxonomy, {})
    if place not in by_device:
        with torch.inference_mode(False):  # it is kept, and gradients may be needed later
            built = _build(taxonomy, place)
        if torch.compiler.is_exporting():  # its tensors are stand-ins, for this export alone
            return built
        by_device[place] = built
    return by_device[place]


def _build(taxonomy: Taxonomy, device: torch.device) -> TreeIndex:
    def tensor(array: NDArray[np.int64]) -> Tensor:
        return torch.tensor(array, dtype=torch.int64, device=device)

    def at_depth(children: NDArray[np.int64]) -> DepthIndex:
        above = taxonomy.parents[children]
        parents, first = np.unique(above, return_index=True)
        return DepthIndex(tensor(children), tensor(above), tensor(parents), tensor(first.astype(np.int64)))

    inner = np.flatnonzero(taxonomy.num_children > 0)
    return TreeIndex(
        device=device,
        parents=tensor(taxonomy.parents),
        end=tensor(taxonomy.end),
        children=tensor(np.argsort(taxonomy.parents[1:], kind="stable") + 1),
        child_start=tensor(np.concatenate([[0], np.cumsum(taxonomy.num_children)])),
        inner_nodes=tensor(inner),
        group=tensor(np.searchsorted(inner, taxonomy.parents[1:])),
        depth=tensor(taxonomy.depth),
        height=tensor(taxonomy.height),
        level=tensor(taxonomy.level),
        leaf_nodes=tensor(taxonomy.leaf_nodes),
        leaf_start=tensor(taxonomy.leaf_start),
        leaf_end=tensor(taxonomy.leaf_end),
        by_depth=tuple(at_depth(nodes) for nodes in taxonomy.nodes_by_depth[1:]),
        max_depth=taxonomy.max_depth,
    )
