"""Sets of leaves in few nodes: their lowest common ancestor, complete subtrees, or a limited number of nodes."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cladewise.ops import TreeIndex, lca, tree_index
from cladewise.taxonomy import Taxonomy

FAR = 1 << 40
"""More leaves than a tree has."""


def common_ancestor(leaves: Bool[Tensor, "image leaf"], taxonomy: Taxonomy) -> Int[Tensor, " image"]:
    """The lowest node above all leaves of each set; of a single leaf the leaf itself.

    Args:
        leaves: At least one leaf per image.
        taxonomy: The label tree.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> common_ancestor(torch.tensor([[True, True, False], [False, True, True], [False, True, False]]), t)
        tensor([1, 0, 3])
    """
    index, last = tree_index(taxonomy, leaves.device), leaves.shape[1] - 1
    first = leaves.byte().argmax(1)
    end = last - leaves.byte().flip(1).argmax(1)
    return lca(index.leaf_nodes[first], index.leaf_nodes[end], taxonomy)


def complete_subtrees(leaves: Bool[Tensor, "image leaf"], taxonomy: Taxonomy) -> Bool[Tensor, "image node"]:
    """The fewest nodes with exactly these leaves at or under them: the topmost of the nodes without any other leaf.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> complete_subtrees(torch.tensor([[True, True, True, False]]), t).nonzero()[:, 1]
        tensor([1, 5])
    """
    index = tree_index(taxonomy, leaves.device)
    return _topmost(_leaves_under(leaves, index) == index.num_leaves_under, index)


def smallest_cover(
    leaves: Bool[Tensor, "image leaf"], taxonomy: Taxonomy, max_nodes: int
) -> Bool[Tensor, "image node"]:
    r"""At most so many nodes, none above another, with all of these leaves and as few others as possible under them.

    With :math:`n_v` the leaves under a node and the minimum taken over ways to share *k* among its children,

    .. math:: f_v(k) = \min\Big(n_v, \min_{\sum_c k_c = k} \sum_{c:\ \text{occupied}} f_c(k_c)\Big)

    where a child is occupied if some of the leaves are under it. It is computed level by level for all images at once;
    of equally small covers, the one with fewer and higher nodes wins.

    Args:
        leaves: At least one leaf per image.
        taxonomy: The label tree.
        max_nodes: Number of nodes allowed, at least 1; with 1 it is the :func:`common_ancestor`, but for an only child,
            whose topmost ancestor with the same leaves is taken.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e", "f"), ("e", "g")])
        >>> kept = torch.tensor([[True, True, False, True, False]])  # b, c and f
        >>> [smallest_cover(kept, t, k).nonzero()[:, 1].tolist() for k in (1, 2, 3)]
        [[0], [1, 6], [2, 3, 6]]

    References: Mortier et al., Conformal prediction in hierarchical classification with constrained representation
        complexity, arXiv:2501.19038, whose representation complexity is the number of nodes.
    """
    index = tree_index(taxonomy, leaves.device)
    under = _leaves_under(leaves, index)
    size = index.num_leaves_under
    complete = under == size
    inside = under > 0
    inside[:, 1:] &= ~complete[:, index.parents[1:]]
    return _Cover(inside, complete, size, index, max_nodes).chosen()


class _Cover:
    """The recursion of :func:`smallest_cover` over the occupied nodes of all images, as a list of entries."""

    def __init__(self, inside: Tensor, complete: Tensor, size: Tensor, index: TreeIndex, max_nodes: int) -> None:
        self.shape, self.max_nodes, self.index = inside.shape, max_nodes, index
        self.image, self.node = inside.nonzero().unbind(1)
        entry = torch.zeros(inside.shape, dtype=torch.int64, device=inside.device)
        entry[self.image, self.node] = torch.arange(len(self.node), device=inside.device)
        self.size, self.ends = size[self.node], complete[self.image, self.node]
        self.depth = index.depth[self.node]
        self.parent = entry[self.image, index.parents[self.node].clamp_min(0)]
        below = self.depth > 0
        self.children = self.parent[below].bincount(minlength=len(self.node))
        self.ends = self.ends | (self.children > max_nodes)
        self.rank = self._rank_among_siblings(below)
        self.least = self.size[:, None].expand(-1, max_nodes).clone()

    def _rank_among_siblings(self, below: Tensor) -> Tensor:
        parent = torch.where(below, self.parent, -1)
        order = parent.argsort(stable=True)
        place = torch.arange(len(order), device=order.device)
        sorted_parent = parent[order]
        first = torch.ones_like(sorted_parent, dtype=torch.bool)
        first[1:] = sorted_parent[1:] != sorted_parent[:-1]
        start = torch.where(first, place, 0).cummax(0).values
        return torch.empty_like(order).scatter_(0, order, place - start)

    def chosen(self) -> Bool[Tensor, "image node"]:
        """The nodes of the best cover of each image."""
        kept = {depth: self._combine(depth) for depth in range(int(self.depth.max()), 0, -1)}
        budget = torch.zeros_like(self.node)
        budget[self.depth == 0] = self.max_nodes
        for depth in range(1, int(self.depth.max()) + 1):
            self._share_out(budget, kept[depth])
        # a node is in the cover if it has a share and keeps it
        taken = (budget > 0) & (self.least.gather(1, (budget - 1).clamp_min(0)[:, None]).squeeze(1) == self.size)
        result = torch.zeros(self.shape, dtype=torch.bool, device=self.node.device)
        result[self.image[taken], self.node[taken]] = True
        return result

    def _combine(self, depth: int) -> list[tuple[Tensor, Tensor, Tensor]]:
        """Least leaves under the parents of the nodes at a depth, from those under the nodes.

        Returns, child by child, the child of each parent, the parent, and the least leaves under the parent's children
        before it, by the number of nodes used for them, from 0.
        """
        here = self.depth == depth
        steps: list[tuple[Tensor, Tensor, Tensor]] = []
        total: Tensor | None = None
        above = torch.zeros(0, dtype=torch.int64, device=self.node.device)
        for rank in range(self.max_nodes):
            child = torch.nonzero(here & (self.rank == rank) & ~self.ends[self.parent]).squeeze(1)
            if not len(child):
                break
            parent = self.parent[child]
            if total is None:
                before = self.least.new_full((len(child), self.max_nodes + 1), FAR)
                before[:, 0] = 0
            else:
                before = total[torch.searchsorted(above, parent)]
            steps.append((child, parent, before))
            total, above = self._added(before, child), parent
            done = self.children[parent] == rank + 1
            best = torch.minimum(self.least[parent[done]], total[done, 1:])
            self.least[parent[done]] = best.cummin(1).values
        return steps

    def _added(self, before: Tensor, child: Tensor) -> Tensor:
        """Least leaves with one more child, for each number of nodes."""
        after = torch.full_like(before, FAR)
        for own in range(1, self.max_nodes + 1):
            with_own = before[:, : self.max_nodes + 1 - own] + self.least[child, own - 1, None]
            after[:, own:] = torch.minimum(after[:, own:], with_own)
        return after

    def _share_out(self, budget: Tensor, steps: list[tuple[Tensor, Tensor, Tensor]]) -> None:
        """Share the number of nodes of each parent that does not stay whole among its children."""
        left = budget.clone()
        for child, parent, before in reversed(steps):
            split = (budget[parent] > 0) & (self.least[parent, (budget[parent] - 1).clamp_min(0)] < self.size[parent])
            child, parent, before = child[split], parent[split], before[split]
            target = self._added(before, child).gather(1, left[parent, None])
            best = torch.full_like(child, 0)
            for own in range(self.max_nodes, 0, -1):  # the least number of nodes for the child last
                rest = (left[parent] - own).clamp_min(0)
                fits = (left[parent] >= own) & (
                    before.gather(1, rest[:, None]).squeeze(1) + self.least[child, own - 1] == target.squeeze(1)
                )
                best = torch.where(fits, own, best)
            budget[child] = best
            left[parent] -= best


def _leaves_under(leaves: Bool[Tensor, "image leaf"], index: TreeIndex) -> Int[Tensor, "image node"]:
    """Number of the given leaves at or under every node."""
    sums = torch.nn.functional.pad(leaves.cumsum(1, dtype=torch.int64), (1, 0))
    return sums[:, index.leaf_end] - sums[:, index.leaf_start]


def _topmost(nodes: Bool[Tensor, "image node"], index: TreeIndex) -> Bool[Tensor, "image node"]:
    """The nodes of each set whose parent is not in it."""
    result = nodes.clone()
    result[:, 1:] &= ~nodes[:, index.parents[1:]]
    return result
