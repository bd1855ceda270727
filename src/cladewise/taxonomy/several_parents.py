"""Ancestors of nodes with several parents, and the choice of the primary one."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from functools import cached_property

import numpy as np

from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.order import depth_of, preorder, subtree_sizes

PAIRS_AT_ONCE = 1 << 16
"""Pairs of nodes whose common ancestors are listed at a time, which bounds the memory."""


@dataclasses.dataclass(frozen=True, eq=False)
class FurtherAncestors:
    r"""The ancestors that are not on the path of the tree, for all nodes of a directed acyclic graph.

    With :math:`p(v)` the path of a node in the primary tree and :math:`A(v)` all its ancestors and itself, these are
    :math:`F(v) = A(v) \setminus p(v)`. Only a node with further parents changes them: below it, as far as the next such
    node, all have the same. So there is one row for each node with further parents, and memory grows with these rows
    rather than with all pairs of a node and an ancestor.

    Args:
        end: One past the last node of every subtree of the tree, ``[node]``.
        row: Row of every node; -1 where there are no further ancestors, ``[node]``.
        offsets: Start of each row in ``nodes``, and their number at the end, ``[row + 1]``.
        nodes: The ancestors of one row after another, ascending within a row.
    """

    end: IntArray
    row: IntArray
    offsets: IntArray
    nodes: IntArray

    @classmethod
    def of(cls, parents: IntArray, end: IntArray, edges: IntArray) -> FurtherAncestors:
        """Compute them for a tree in pre-order with edges (node, further parent), in rounds from the top down.

        Example:
            >>> found = FurtherAncestors.of(np.array([-1, 0, 1, 0]), np.array([4, 3, 3, 4]), np.array([[2, 3]]))
            >>> found.row.tolist(), found.nodes.tolist()
            ([-1, -1, 0, -1], [3])
        """
        sources, source_of_edge = np.unique(edges[:, 0], return_inverse=True)
        row = _nearest(parents, sources)
        start, count = np.zeros(sources.size, dtype=np.int64), np.zeros(sources.size, dtype=np.int64)
        own_row, own_node = np.divmod(_paths_above(parents, end, edges[:, 1], sources, source_of_edge), parents.size)
        needs, needed = _dependencies(row, parents, sources, edges, source_of_edge)
        found, size = np.empty(max(own_node.size, 16), dtype=np.int64), 0
        for ready in _rounds(needs, needed, sources.size):
            own = in_ranges(*_runs(own_row, ready))
            use = in_ranges(*_runs(needs, ready))
            taken = needed[use]
            above = found[in_ranges(start[taken], count[taken])]
            below = np.repeat(needs[use], count[taken])
            here = sources[below]
            outside = ~((above <= here) & (here < end[above]))  # not on the node's own path
            rows, nodes = (
                np.concatenate([own_row[own], below[outside]]),
                np.concatenate([own_node[own], above[outside]]),
            )
            holder, nodes = np.divmod(np.unique(rows * parents.size + nodes), parents.size)
            if size + nodes.size > found.size:
                found = np.concatenate([found[:size], np.empty(max(found.size, nodes.size), dtype=np.int64)])
            found[size : size + nodes.size] = nodes
            first, count[ready] = _runs(holder, ready)
            start[ready], size = size + first, size + nodes.size
        return cls(end, row, np.concatenate([[0], np.cumsum(count)]), found[in_ranges(start, count)])

    @cached_property
    def count(self) -> IntArray:
        """Number of further ancestors of every node."""
        return np.append(np.diff(self.offsets), 0)[self.row]

    @cached_property
    def _keys(self) -> IntArray:
        """Row and ancestor of every entry as one number, ascending."""
        return np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets)) * self.end.size + self.nodes

    def at(self, node: int) -> IntArray:
        """The further ancestors of one node, ascending."""
        row = int(self.row[node])
        return self.nodes[self.offsets[row] : self.offsets[row + 1]] if row >= 0 else self.nodes[:0]

    def above(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """Pairs of a position in ``nodes`` and a further ancestor of the node there, one node after another."""
        count = self.count[nodes]
        return np.repeat(np.arange(nodes.size), count), self.nodes[in_ranges(self.offsets[self.row[nodes]], count)]

    def below(self, nodes: IntArray) -> tuple[IntArray, IntArray]:
        """Pairs of a position in ``nodes`` and a node that has the node there as a further ancestor."""
        rows_by_ancestor, ancestors, nodes_by_row, rows = self._upside_down
        first, count = _runs(ancestors, nodes)
        position, row = np.repeat(np.arange(nodes.size), count), rows_by_ancestor[in_ranges(first, count)]
        first, count = _runs(rows, row)
        return np.repeat(position, count), nodes_by_row[in_ranges(first, count)]

    @cached_property
    def _upside_down(self) -> tuple[IntArray, IntArray, IntArray, IntArray]:
        """Rows in the order of their ancestors, and these; nodes in the order of their rows, and these."""
        by_ancestor = np.argsort(self.nodes, kind="stable")
        row = np.repeat(np.arange(self.offsets.size - 1), np.diff(self.offsets))
        by_row = np.argsort(self.row, kind="stable")
        return row[by_ancestor], self.nodes[by_ancestor], by_row, self.row[by_row]

    def has(self, ancestor: IntArray, node: IntArray) -> BoolArray:
        """Whether ``ancestor`` is a further ancestor of ``node``, elementwise."""
        row = self.row[node]
        wanted = row * self.end.size + ancestor
        place = np.minimum(np.searchsorted(self._keys, wanted), self._keys.size - 1)
        return (row >= 0) & (self._keys[place] == wanted) if self._keys.size else np.zeros(wanted.shape, dtype=np.bool_)

    def reach(self, chosen: BoolArray) -> BoolArray:
        """Whether each node has one of the chosen nodes, ``[node]``, among its further ancestors."""
        before = np.concatenate([[0], np.cumsum(chosen[self.nodes])])[self.offsets]
        return np.append(np.diff(before) > 0, False)[self.row]

    def common(self, first: IntArray, second: IntArray) -> Iterator[tuple[IntArray, IntArray]]:
        """Common ancestors of pairs of nodes that are not on both paths of the tree, in parts.

        Together with the lowest common ancestor in the tree and its path, these are all; none occurs twice.

        Yields:
            The index of the pair and the ancestor, of each.
        """
        pairs = np.flatnonzero((self.row[first] >= 0) | (self.row[second] >= 0))
        for part in np.split(pairs, range(PAIRS_AT_ONCE, pairs.size, PAIRS_AT_ONCE)):
            place, above = self.above(first[part])
            pair = part[place]
            other = second[pair]
            both = ((above <= other) & (other < self.end[above])) | self.has(above, other)
            yield pair[both], above[both]
            place, above = self.above(second[part])
            pair = part[place]
            other = first[pair]
            on_path = (above <= other) & (other < self.end[above])
            yield pair[on_path], above[on_path]


def in_ranges(starts: IntArray, counts: IntArray) -> IntArray:
    """The positions of several ranges, one range after another.

    Example:
        >>> in_ranges(np.array([5, 0]), np.array([2, 3])).tolist()
        [5, 6, 0, 1, 2]
    """
    ends = np.cumsum(counts)
    return np.arange(int(ends[-1]) if ends.size else 0) + np.repeat(starts - (ends - counts), counts)


def least(group: IntArray, values: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct groups and the least value of each, for groups in runs.

    Example:
        >>> [found.tolist() for found in least(np.array([2, 2, 5]), np.array([7, 4, 6]))]
        [[2, 5], [4, 6]]
    """
    first = np.flatnonzero(np.diff(group, prepend=-1))
    return group[first], np.minimum.reduceat(values, first) if first.size else values


def heights_through_edges(
    height: IntArray, parents: IntArray, nodes_by_depth: Sequence[IntArray], edges: IntArray
) -> IntArray:
    """Longest ways down a tree with further edges, from the heights in the tree; one sweep per edge of such a way.

    Example:
        >>> parents, by_depth = np.array([-1, 0, 0, 2]), (np.array([0]), np.array([1, 2]), np.array([3]))
        >>> heights_through_edges(np.array([2, 0, 1, 0]), parents, by_depth, np.array([[2, 1]])).tolist()
        [3, 2, 1, 0]
    """
    child, parent = edges.T
    found = height
    while True:
        raised = found.copy()
        np.maximum.at(raised, parent, found[child] + 1)
        if np.array_equal(raised, found):
            return found
        for nodes in nodes_by_depth[:0:-1]:
            np.maximum.at(raised, parents[nodes], raised[nodes] + 1)
        found = raised


def most_specific_first(parents: IntArray, edges: IntArray) -> tuple[IntArray, IntArray]:
    """Primary and further parents so that no primary parent is an ancestor of a further one of the same node.

    An edge to a grandparent says nothing that the edge to the parent does not; as the primary one it would hide the
    parent from the tree. Such a parent is exchanged for the first further parent that is above no other.

    Args:
        parents: Parent of every node in the order listed first; in any order of the nodes, with -1 at the one root.
        edges: Pairs (node, further parent) in the order in which they are listed.

    Returns:
        The parents, and the edges.

    Example:
        >>> parents, edges = most_specific_first(np.array([-1, 0, 0]), np.array([[2, 1]]))
        >>> parents.tolist(), edges.tolist()
        ([-1, 0, 1], [[2, 0]])
    """
    order = preorder(parents)
    place = np.empty_like(order)
    place[order] = np.arange(order.size)
    above = parents[order]
    above = np.where(above < 0, -1, place[above])
    end = np.arange(order.size) + subtree_sizes(above, depth_of(above))
    further = FurtherAncestors.of(above, end, place[edges])

    def covers(ancestor: IntArray, node: IntArray) -> BoolArray:
        return ((ancestor <= node) & (node < end[ancestor])) | further.has(ancestor, node)

    child, parent = place[edges].T
    hidden = covers(above[child], parent)
    if not hidden.any():
        return parents, edges
    rows = np.flatnonzero(np.isin(child, child[hidden]))
    rows = rows[np.argsort(child[rows], kind="stable")]  # in the order listed, child by child
    group = child[rows]
    first, size = _runs(group, group)
    one, other = np.repeat(parent[rows], size), parent[rows][in_ranges(first, size)]
    above_another = np.zeros(rows.size, dtype=np.bool_)
    above_another[np.repeat(np.arange(rows.size), size)[(one != other) & covers(one, other)]] = True
    lowest = np.flatnonzero(~above_another)
    lowest = rows[lowest[np.unique(group[lowest], return_index=True)[1]]]
    nodes, chosen = edges[lowest, 0], edges.copy()
    exchanged = parents.copy()
    exchanged[nodes], chosen[lowest, 1] = edges[lowest, 1], parents[nodes]
    return exchanged, chosen


def _nearest(parents: IntArray, sources: IntArray) -> IntArray:
    """Position among the sources of each node's nearest one at or above it, -1 if there is none; pointer doubling."""
    number = np.full(parents.size, -1, dtype=np.int64)
    number[sources] = np.arange(sources.size)
    near = np.where(number >= 0, np.arange(parents.size), np.maximum(parents, 0))
    while True:
        further = near[near]
        if np.array_equal(further, near):
            return number[near]
        near = further


def _paths_above(
    parents: IntArray, end: IntArray, above: IntArray, sources: IntArray, source_of_edge: IntArray
) -> IntArray:
    """Source and ancestor as one number: further parents and their paths in the tree, but for the source's own path."""
    found: list[IntArray] = [np.zeros(0, dtype=np.int64)]
    source, current = source_of_edge, above
    while source.size:
        node = sources[source]
        outside = ~((current <= node) & (node < end[current]))
        keys = np.unique(source[outside] * parents.size + current[outside])  # paths that have met go on as one
        found.append(keys)
        source, current = np.divmod(keys, parents.size)
        current = parents[current]
    return np.unique(np.concatenate(found))


def _dependencies(
    row: IntArray, parents: IntArray, sources: IntArray, edges: IntArray, source_of_edge: IntArray
) -> tuple[IntArray, IntArray]:
    """Pairs of a row and one that has to be known before, by the former."""
    above = row[parents[sources]]
    needs = np.concatenate([np.arange(sources.size), source_of_edge])
    needed = np.concatenate([above, row[edges[:, 1]]])
    known = needed >= 0
    pairs = np.unique(np.stack([needs[known], needed[known]], axis=1), axis=0)
    return pairs[:, 0], pairs[:, 1]


def _rounds(needs: IntArray, needed: IntArray, size: int) -> Iterator[IntArray]:
    """Rows in topological rounds, ascending in each."""
    waits = np.bincount(needs, minlength=size)
    order = np.argsort(needed, kind="stable")
    by_needed, waiting = needed[order], needs[order]
    ready = np.flatnonzero(waits == 0)
    while ready.size:
        yield ready
        freed = waiting[in_ranges(*_runs(by_needed, ready))]
        np.subtract.at(waits, freed, 1)
        freed = np.unique(freed)
        ready = freed[waits[freed] == 0]


def _runs(ascending: IntArray, wanted: IntArray) -> tuple[IntArray, IntArray]:
    """Start and length of the run of each wanted value."""
    first = np.searchsorted(ascending, wanted)
    return first, np.searchsorted(ascending, wanted, side="right") - first
