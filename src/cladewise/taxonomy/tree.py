"""The label tree as an immutable value: arrays over nodes in depth-first pre-order."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cladewise.errors import InputError
from cladewise.taxonomy import building
from cladewise.taxonomy.arrays import BoolArray, IntArray, StrArray, frozen, is_preorder, sealed, strings
from cladewise.taxonomy.further_edges import further_edges
from cladewise.taxonomy.names import lookup
from cladewise.taxonomy.names.columns import columns_of_language, first_names
from cladewise.taxonomy.names.index import Index
from cladewise.taxonomy.names.paths import path_text
from cladewise.taxonomy.order import depth_of, preorder, subtree_sizes
from cladewise.taxonomy.several_parents import FurtherAncestors, heights_through_edges, least

if TYPE_CHECKING:
    from os import PathLike

    import polars as pl

NAME_CHUNK = 100_000


class Taxonomy:
    """An immutable rooted tree of labels, its nodes numbered in depth-first pre-order.

    Pre-order makes the tree cheap to compute with: the subtree of ``v`` is the contiguous range
    ``[v, end[v])``, its leaves are the contiguous range ``[leaf_start[v], leaf_end[v])`` of leaf positions, and every
    parent precedes its children. The root is node 0. Children keep the order of the input.

    A node's identity is its path from the root, since short names repeat in real data. :meth:`find` takes a short
    name if it is unique, otherwise a path (``"Fruit/Apple"`` or ``("Fruit", "Apple")``).

    A *level* is a named column if the input had columns, otherwise the depth. A ragged row skips levels, so
    ``level[child] > level[parent]`` but not always by one. The root has level 0.

    Args:
        parents: Parent of every node, in pre-order; ``parents[0] == -1``. Use :meth:`from_parents` for other orders.
        names: Short name of every node.
        level: Level of every node, 1 to ``num_levels``; 0 for the root. Defaults to the depth.
        level_names: Name of each level from 1 on. Defaults to ``level_1, level_2, ...``
        columns: Further texts per node: ``{"id": ..., "description": ...}``.
        synthetic_root: Whether the root was added by the library rather than being a label of the input. A synthetic
            root has no name, and a root without a name is synthetic.
        further_parents: Pairs (node, parent) of shape ``[edge, 2]`` for nodes with several parents, apart from the
            parent in the tree; sorted, and without repetitions. The tree and these edges are a directed acyclic graph,
            of which the tree is the primary part: all numbering, levels and paths are those of the tree. Edges to a
            synthetic root are left out.

    Raises:
        InputError: The arrays are not a tree in pre-order, a level does not grow towards the leaves, or the further
            parents make a cycle.

    Example:
        >>> t = Taxonomy.from_paths([("bird", "warbler"), ("bird", "wren"), ("moth",)])
        >>> t.num_nodes, t.num_leaves, t.synthetic_root
        (5, 3, True)
        >>> t.find("warbler"), t.path_name(2), int(t.lca(2, 3))
        (2, 'bird/warbler', 1)
    """

    parents: IntArray
    names: StrArray
    level: IntArray
    level_names: tuple[str, ...]
    columns: Mapping[str, StrArray]
    synthetic_root: bool
    further_parents: IntArray
    depth: IntArray
    end: IntArray

    def __init__(
        self,
        parents: ArrayLike,
        names: Sequence[str] | StrArray,
        *,
        level: ArrayLike | None = None,
        level_names: Sequence[str] | None = None,
        columns: Mapping[str, Sequence[str] | StrArray] | None = None,
        synthetic_root: bool = False,
        further_parents: ArrayLike | None = None,
    ) -> None:
        self.parents = frozen(np.asarray(parents, dtype=np.int64))
        texts = strings(names)
        num_nodes = self.parents.size
        if self.parents.ndim != 1 or num_nodes == 0 or self.parents[0] != -1:
            raise InputError("parents of shape [node] that begin with -1 (the root)", f"{np.asarray(parents)!r:.80}")
        if texts.shape != (num_nodes,):
            raise InputError(f"a name for each of {num_nodes} nodes", f"names of shape {texts.shape}")
        self.synthetic_root = synthetic_root or str(texts[0]) == ""
        if self.synthetic_root and str(texts[0]):
            texts = texts.copy()
            texts[0] = ""
        self.names = frozen(texts)
        self.depth = frozen(depth_of(self.parents))
        self.end = frozen(np.arange(num_nodes) + subtree_sizes(self.parents, self.depth))
        if not is_preorder(self.parents, self.end):
            raise InputError(
                "nodes numbered in depth-first pre-order",
                "another order",
                advice="Build the tree with Taxonomy.from_parents, which renumbers.",
            )
        self.level = frozen(self.depth if level is None else np.asarray(level, dtype=np.int64))
        if self.level.shape != (num_nodes,) or self.level[0] != 0:
            raise InputError(f"levels of shape [{num_nodes}] with 0 at the root", f"shape {self.level.shape}")
        wrong = np.flatnonzero(self.level[1:] <= self.level[self.parents[1:]]) + 1
        if wrong.size:
            raise InputError(
                "every node at a finer level than its parent",
                f"level {self.level[wrong[0]]} under level {self.level[self.parents[wrong[0]]]}",
                at=f"node {self.path_name(int(wrong[0]))}",
            )
        num_levels = int(self.level.max())
        chosen = [f"level_{k}" for k in range(1, num_levels + 1)] if level_names is None else list(level_names)
        if len(chosen) < num_levels:
            raise InputError(f"a name for each of {num_levels} levels", f"{len(chosen)} names")
        self.level_names = tuple(chosen)
        self.columns = {k: frozen(strings(v)) for k, v in (columns or {}).items()}
        for key, values in self.columns.items():
            if values.shape != (num_nodes,):
                raise InputError(f"{num_nodes} values in column {key!r}", f"shape {values.shape}")
        edges = further_edges(self.parents, further_parents, self.path_name)
        if self.synthetic_root:  # all nodes are below it, and it is no label
            edges = edges[edges[:, 1] != 0]
        self.further_parents = frozen(edges)

    # ---------------------------------------------------------------- building

    @classmethod
    def from_parents(
        cls,
        parents: ArrayLike,
        names: Sequence[str] | StrArray,
        *,
        level: ArrayLike | None = None,
        level_names: Sequence[str] | None = None,
        columns: Mapping[str, Sequence[str] | StrArray] | None = None,
        synthetic_root: bool = False,
        further_parents: ArrayLike | None = None,
    ) -> Taxonomy:
        """Build from parents in any order; siblings keep their relative order.

        ``further_parents`` are pairs of positions in ``parents``.

        Example:
            >>> Taxonomy.from_parents([1, -1, 1], ["b", "root", "c"]).names.tolist()
            ['root', 'b', 'c']
        """
        given = np.asarray(parents, dtype=np.int64)
        order = preorder(given)  # order[i] = old index of new node i
        new_by_old = np.empty_like(order)
        new_by_old[order] = np.arange(order.size)
        moved = given[order]
        renumbered = np.where(moved < 0, -1, new_by_old[moved])
        texts = strings(names)
        return cls(
            renumbered,
            sealed(texts[order]),
            level=None if level is None else np.asarray(level, dtype=np.int64)[order],
            level_names=level_names,
            columns={key: sealed(strings(values)[order]) for key, values in (columns or {}).items()},
            synthetic_root=synthetic_root,
            further_parents=None if further_parents is None else _renumbered(further_parents, new_by_old),
        )

    @classmethod
    def from_paths(cls, paths: Iterable[Sequence[str]], *, level_names: Sequence[str] | None = None) -> Taxonomy:
        """Build from root-to-node paths of names; shared prefixes are shared nodes.

        The root is synthetic. An empty string skips its level. Children of a node with the same name and level are
        one node.

        Example:
            >>> Taxonomy.from_paths([("fruit", "apple"), ("fruit", "pear")]).level_names
            ('level_1', 'level_2')
        """
        parents, names, level = building.of_paths(paths)
        return cls.from_parents(parents, names, level=level, level_names=level_names, synthetic_root=True)

    @classmethod
    def from_edges(
        cls,
        edges: Any,
        *,
        direction: Literal["child-parent", "parent-child"],
        names: Mapping[Any, str] | None = None,
        parents: building.Parents = "error",
        roots: building.Roots = "error",
        level_names: Sequence[str] | None = None,
    ) -> Taxonomy:
        """Build from pairs of nodes, a million edges in two to five seconds.

        A node is a text or an integer. Siblings are in the order of their first mention, levels are depths, and the
        same edge twice is harmless. An edge without a parent (``None`` or a blank) names a root.

        Args:
            edges: Pairs, or an array or data frame with two columns.
            direction: ``"child-parent"`` for pairs (child, parent), ``"parent-child"`` for pairs (parent, child).
            names: Name of each node. If given, the nodes of the edges become the column ``id``; otherwise they are the
                names.
            parents: What to do with several parents of one node: fail, keep the ``"first"`` or the ``"last"``, or
                ``"all"``. The primary one is then the first that is not an ancestor of another.
            roots: What to do with several roots: fail, or ``"join"`` them under a synthetic root.
            level_names: Name of each level from 1 on. Defaults to ``level_1, level_2, ...``

        Raises:
            InputError: A node has several parents or no name, there is a cycle, or there are several roots.

        Example:
            >>> t = Taxonomy.from_edges([("apple", "fruit"), ("pear", "fruit")], direction="child-parent")
            >>> t.names.tolist()
            ['fruit', 'apple', 'pear']
            >>> names = {7: "cat", 1: "lion", 2: "lynx"}
            >>> t = Taxonomy.from_edges([(7, 1), (7, 2)], direction="parent-child", names=names)
            >>> t.path_name(1), t.columns["id"].tolist(), t.find("2")
            ('cat/lion', ['7', '1', '2'], 2)
            >>> pairs = [("fruit", ""), ("berry", "fruit"), ("tomato", "fruit"), ("tomato", "berry")]
            >>> t = Taxonomy.from_edges(pairs, direction="child-parent", parents="all")
            >>> t.path_name(2), t.all_parents(2).tolist()
            ('fruit/berry/tomato', [1, 0])
        """
        above, texts, ids, further = building.of_edges(edges, direction, names, roots, parents)
        columns = None if names is None else {"id": ids}
        return cls.from_parents(above, texts, level_names=level_names, columns=columns, further_parents=further)

    @classmethod
    def read(cls, path: str | PathLike[str], **options: Any) -> Taxonomy:
        """Read a tree from a file or folder, in any supported format; see :func:`cladewise.taxonomy.read`."""
        from cladewise.taxonomy.formats.reading import read

        return read(path, **options)

    @classmethod
    def from_csv(cls, path: str | PathLike[str], **options: Any) -> Taxonomy:
        """Read a level table or an edge list from a CSV or TSV file; see :func:`cladewise.taxonomy.read`."""
        return cls.read(path, **options)

    @classmethod
    def from_dataframe(cls, frame: Any, **options: Any) -> Taxonomy:
        """Build from a polars or pandas data frame; see :func:`cladewise.taxonomy.from_dataframe`."""
        from cladewise.taxonomy.formats.reading import from_dataframe

        return from_dataframe(frame, **options)

    def write(self, path: str | PathLike[str], **options: Any) -> None:
        """Write the tree in the format given by the file's suffix; see :func:`cladewise.taxonomy.write`."""
        from cladewise.taxonomy.formats.writing import write

        write(self, path, **options)

    # ---------------------------------------------------------------- sizes

    @property
    def num_nodes(self) -> int:
        """Number of nodes, the root included."""
        return self.parents.size

    @property
    def num_leaves(self) -> int:
        """Number of nodes without children."""
        return self.leaf_nodes.size

    @property
    def num_levels(self) -> int:
        """Number of levels below the root."""
        return len(self.level_names)

    @property
    def max_depth(self) -> int:
        """Number of edges to the deepest leaf."""
        return int(self.depth.max())

    def __len__(self) -> int:
        return self.num_nodes

    # ---------------------------------------------------------------- derived arrays, computed on first use

    @cached_property
    def num_children(self) -> IntArray:
        """Number of children of every node."""
        return frozen(np.bincount(self.parents[1:], minlength=self.num_nodes).astype(np.int64))

    @cached_property
    def is_leaf(self) -> BoolArray:
        """Whether each node is a leaf."""
        return frozen(self.num_children == 0)

    @cached_property
    def leaf_nodes(self) -> IntArray:
        """Node of every leaf position, ascending."""
        return frozen(np.flatnonzero(self.is_leaf))

    @cached_property
    def leaf_start(self) -> IntArray:
        """First leaf position under every node."""
        return frozen(np.searchsorted(self.leaf_nodes, np.arange(self.num_nodes)))

    @cached_property
    def leaf_end(self) -> IntArray:
        """One past the last leaf position under every node."""
        return frozen(np.searchsorted(self.leaf_nodes, self.end))

    @cached_property
    def num_leaves_under(self) -> IntArray:
        """Number of leaves at or under every node."""
        return frozen(self.leaf_end - self.leaf_start)

    @cached_property
    def nodes_by_depth(self) -> tuple[IntArray, ...]:
        """Nodes at each depth, ascending."""
        order = np.argsort(self.depth, kind="stable")
        counts = np.bincount(self.depth)
        return tuple(frozen(part) for part in np.split(order, np.cumsum(counts)[:-1]))

    @cached_property
    def height(self) -> IntArray:
        """Edges from every node to the deepest leaf below it; 0 for a leaf."""
        height = np.zeros(self.num_nodes, dtype=np.int64)
        for nodes in self.nodes_by_depth[:0:-1]:
            np.maximum.at(height, self.parents[nodes], height[nodes] + 1)
        return frozen(height)

    @cached_property
    def information(self) -> NDArray[np.float64]:
        """Information of every node in bits, log2(leaves / leaves under it): 0 at the root."""
        return frozen(np.log2(self.num_leaves / self.num_leaves_under))

    # ---------------------------------------------------------------- relations

    def children(self, node: int) -> IntArray:
        """Children of one node, in order."""
        start, stop = self._child_range[node], self._child_range[node + 1]
        return self._child_list[start:stop]

    @cached_property
    def _child_list(self) -> IntArray:
        return frozen(np.argsort(self.parents[1:], kind="stable") + 1)

    @cached_property
    def _child_range(self) -> IntArray:
        return frozen(np.concatenate([[0], np.cumsum(self.num_children)]))

    def path(self, node: int) -> tuple[int, ...]:
        """Nodes from the root down to ``node``, both included."""
        steps: list[int] = []
        current = int(node)
        while current >= 0:
            steps.append(current)
            current = int(self.parents[current])
        return tuple(reversed(steps))

    def path_names(self, node: int) -> tuple[str, ...]:
        """Short names from the root down to ``node``; a synthetic root is left out."""
        path = self.path(node)
        return tuple(str(self.names[v]) for v in (path[1:] if self.synthetic_root else path))

    def path_name(self, node: int) -> str:
        r"""The node's path as one string, such as ``Fruit/Apple/Pink-Lady``, which :meth:`find` accepts.

        A slash inside a name is written ``\/``, and a backslash before a slash, a backslash or the end ``\\``.
        """
        return path_text(self.path_names(node))

    def contains(self, ancestor: ArrayLike, node: ArrayLike) -> BoolArray:
        """Whether ``node`` is ``ancestor`` or a descendant of it, elementwise."""
        a, v = np.asarray(ancestor), np.asarray(node)
        return (a <= v) & (v < self.end[a])

    def lca(self, first: ArrayLike, second: ArrayLike) -> IntArray:
        """Lowest common ancestor of pairs of nodes, elementwise and broadcast; O(depth) vectorised steps.

        Example:
            >>> Taxonomy.from_paths([("a", "b"), ("a", "c")]).lca([2, 2], [2, 3]).tolist()
            [2, 1]
        """
        u, v = np.broadcast_arrays(np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64))
        shape, u, v = u.shape, u.ravel().copy(), v.ravel()
        active = np.flatnonzero(~self.contains(u, v))
        while active.size:
            above = self.parents[u[active]]
            u[active] = above
            active = active[~self.contains(above, v[active])]
        return u.reshape(shape)

    # ---------------------------------------------------------------- several parents

    @property
    def has_further_parents(self) -> bool:
        """Whether some node has several parents, so that the nodes are a directed acyclic graph rather than a tree."""
        return self.further_parents.size > 0

    @cached_property
    def further_ancestors(self) -> FurtherAncestors:
        """All ancestors that are not on the path of the tree; computed on first use."""
        return FurtherAncestors.of(self.parents, self.end, self.further_parents)

    def all_parents(self, node: int) -> IntArray:
        """The parents of one node, the primary one first; none for the root."""
        further = self.further_parents[self.further_parents[:, 0] == node, 1]
        return np.append(self.parents[node], further) if node else further

    def ancestors(self, node: int) -> IntArray:
        """Every ancestor of one node through any of its parents, ascending; the node itself is left out.

        Example:
            >>> t = Taxonomy.from_paths([("fruit", "tomato"), ("vegetable", "kale")])
            >>> both = Taxonomy(t.parents, t.names, further_parents=[(2, 3)])
            >>> both.ancestors(2).tolist(), both.path(2)
            ([0, 1, 3], (0, 1, 2))
        """
        return np.union1d(self.path(node)[:-1], self.further_ancestors.at(node)).astype(np.int64)

    def covers(self, ancestor: ArrayLike, node: ArrayLike) -> BoolArray:
        """Whether ``node`` is ``ancestor`` or a descendant of it through any of its parents, elementwise.

        :meth:`contains` asks the same of the primary tree.
        """
        a, v = np.broadcast_arrays(np.asarray(ancestor, dtype=np.int64), np.asarray(node, dtype=np.int64))
        inside = self.contains(a, v)
        return inside | self.further_ancestors.has(a, v) if self.has_further_parents else inside

    def descendants(self, node: ArrayLike) -> IntArray:
        """One node or several, and all their descendants through any parent, ascending; O(nodes).

        Example:
            >>> t = Taxonomy.from_paths([("fruit", "tomato"), ("vegetable", "kale")])
            >>> both = Taxonomy(t.parents, t.names, further_parents=[(2, 3)])
            >>> both.descendants(3).tolist()
            [2, 3, 4]
        """
        chosen = np.zeros(self.num_nodes, dtype=np.bool_)
        chosen[np.asarray(node, dtype=np.int64)] = True
        change = np.zeros(self.num_nodes + 1, dtype=np.int64)
        np.add.at(change, np.flatnonzero(chosen), 1)
        np.subtract.at(change, self.end[chosen], 1)
        found = np.cumsum(change[:-1]) > 0
        if self.has_further_parents:
            found |= self.further_ancestors.reach(chosen)
        return np.flatnonzero(found)

    @cached_property
    def full_height(self) -> IntArray:
        """Edges of the longest way down from every node, through any parents; :attr:`height` in a tree."""
        if not self.has_further_parents:
            return self.height
        return frozen(heights_through_edges(self.height, self.parents, self.nodes_by_depth, self.further_parents))

    @cached_property
    def num_leaves_covered(self) -> IntArray:
        """Number of leaves of the primary tree at or under every node, through any parents."""
        if not self.has_further_parents:
            return self.num_leaves_under
        further = self.further_ancestors
        leaves = np.bincount(further.row[self.leaf_nodes] + 1, minlength=further.offsets.size)[1:]
        more = np.bincount(further.nodes, np.repeat(leaves, np.diff(further.offsets)), self.num_nodes)
        return frozen(self.num_leaves_under + more.astype(np.int64))

    def meet(self, first: ArrayLike, second: ArrayLike) -> IntArray:
        r"""Common ancestor of least :attr:`full_height` of pairs of nodes, through any parents, elementwise.

        .. math:: \operatorname{meet}(u, v) = \operatorname*{arg\,min}_{a \in A(u) \cap A(v)} h(a)

        In a tree this is :meth:`lca`. A directed acyclic graph can have several lowest common ancestors, and the one of
        least height is among them. Of equally high ones it is that of the primary tree, otherwise the first. If one
        node is an ancestor of the other, it is that node.

        Example:
            >>> t = Taxonomy.from_paths([("fruit", "tomato"), ("vegetable", "kale")])
            >>> both = Taxonomy(t.parents, t.names, further_parents=[(2, 3)])
            >>> int(both.meet(2, 4)), int(both.lca(2, 4))
            (3, 0)
        """
        u, v = np.broadcast_arrays(np.asarray(first, dtype=np.int64), np.asarray(second, dtype=np.int64))
        in_tree = self.lca(u, v).ravel()
        if not self.has_further_parents:
            return in_tree.reshape(u.shape)
        of_tree = self.full_height[in_tree] * self.num_nodes  # before all other nodes of its height
        found = of_tree.copy()
        for pair, above in self.further_ancestors.common(u.ravel(), v.ravel()):
            pair, best = least(pair, self.full_height[above] * self.num_nodes + above)
            found[pair] = np.minimum(found[pair], best)
        return np.where(found < of_tree, found % self.num_nodes, in_tree).reshape(u.shape)

    def primary_tree(self) -> Taxonomy:
        """The tree without further parents.

        Example:
            >>> t = Taxonomy([-1, 0, 0, 2], ["food", "fruit", "vegetable", "tomato"], further_parents=[(3, 1)])
            >>> t.primary_tree()
            Taxonomy(4 nodes, 2 leaves, 2 levels, root 'food')
        """
        return self._with(further_parents=None) if self.has_further_parents else self

    # ---------------------------------------------------------------- levels

    def at_level(self, level: int) -> IntArray:
        """Representative of every node at a level: its deepest ancestor-or-self that is not finer than the level.

        A leaf above the level, and the parent of a child that skips the level, represent themselves.

        Example:
            >>> Taxonomy.from_paths([("a", "b"), ("c",)]).at_level(1).tolist()
            [0, 1, 1, 3]
        """
        if not 0 <= level <= self.num_levels:
            raise InputError(f"a level from 0 to {self.num_levels}", level)
        result = np.arange(self.num_nodes)
        finer = self.level > level
        for nodes in self.nodes_by_depth[1:]:
            below = nodes[finer[nodes]]
            result[below] = result[self.parents[below]]
        return result

    def speaks(self, level: int) -> BoolArray:
        """Whether each node, as a label, tells the class at a level: leaves, and nodes at or below the level.

        Example:
            >>> Taxonomy.from_paths([("a", "b"), ("c",)]).speaks(2).tolist()
            [False, False, True, True]
        """
        return self.is_leaf | (self.level >= level)

    def level_nodes(self, level: int) -> IntArray:
        """Nodes of the extended level: the nodes that represent at least one leaf at that level.

        Example:
            >>> Taxonomy.from_paths([("a", "b"), ("c",)]).level_nodes(2).tolist()
            [2, 3]
        """
        if level not in self._level_nodes:
            self._level_nodes[level] = frozen(np.unique(self.at_level(level)[self.leaf_nodes]))
        return self._level_nodes[level]

    def skipping(self, level: int) -> IntArray:
        """Nodes that skip a level although other descendants of their parent are in it.

        At that level their parent represents them alone; its other descendants represent themselves.

        Example:
            >>> t = Taxonomy.from_paths([("order", "family", "genus"), ("order", "", "other")])
            >>> [t.path_name(v) for v in t.level_nodes(2)], [t.path_name(v) for v in t.skipping(2)]
            (['order', 'order/family'], ['order/other'])
        """
        if level not in self._skipping:
            above, here = self.level[self.parents[1:]], self.level[1:]
            skips = 1 + np.flatnonzero((above < level) & (here > level))
            shared = np.zeros(self.num_nodes, dtype=np.bool_)
            shared[self.parents[1:][here <= level]] = True
            self._skipping[level] = frozen(skips[shared[self.parents[skips]]])
        return self._skipping[level]

    @cached_property
    def _level_nodes(self) -> dict[int, IntArray]:
        """Cache of :meth:`level_nodes`."""
        return {}

    @cached_property
    def _skipping(self) -> dict[int, IntArray]:
        """Cache of :meth:`skipping`."""
        return {}

    # ---------------------------------------------------------------- names

    @overload
    def find(self, label: str | tuple[str, ...], *, at: str = "", place: Callable[[Any], str] | None = None) -> int: ...
    @overload
    def find(
        self, label: list[Any] | NDArray[Any] | pl.Series, *, at: str = "", place: Callable[[Any], str] | None = None
    ) -> IntArray: ...
    def find(
        self,
        label: str | tuple[str, ...] | list[Any] | NDArray[Any] | pl.Series,
        *,
        at: str = "",
        place: Callable[[Any], str] | None = None,
    ) -> int | IntArray:
        r"""Node of a label: a name, an ``id``, another name, a path, or the last part of a path, if it is unique.

        A text or a tuple of names is one label; a list, an array or a data frame's column holds many, and gives an
        int64 array with one node per label, a million labels in a second or two.

        A path as one text has ``/`` between its names and ``\/`` for a slash inside a name, as :meth:`path_name`
        writes it. A whole path from the top is preferred. Ids are those of the column ``id``. Other names are those in
        the columns ``synonyms``, ``former_ids`` and ``name:<language>``, with ``|`` between several. They count only if
        no name, id or path matches, and an :class:`~cladewise.errors.InputWarning` says which labels were found so. A
        text that is the name of one node and the id of another is ambiguous, and so is another name of two nodes.
        Accents match whichever way they are stored. A label that only looks like one of these, because of zero-width
        characters or stray blanks, is found with a warning too; one that differs in case is not found.

        Args:
            label: One label, or many.
            at: Where the labels are from, for messages.
            place: Function from a label to its place there, such as ``"line 3"``. Called only for labels that a
                message names.

        Raises:
            InputError: A label names no node, or several. The message lists their paths, or the nearest names; with
                many labels it lists the first that are wrong.

        Example:
            >>> t = Taxonomy.from_paths([("fruit", "apple"), ("juice", "apple"), ("bags", "cases/trunks")])
            >>> t.find("fruit/apple"), t.path_name(t.find("cases/trunks"))
            (2, 'bags/cases\\/trunks')
            >>> t.find(["juice/apple", ("fruit", "apple"), "juice"])
            array([4, 2, 3])
        """
        if isinstance(label, str | tuple):
            return lookup.find(self, label, at=at)
        return lookup.find_all(self, lookup.as_labels(label), at=at, place=place)

    def matches(self, label: str | Sequence[str]) -> list[int]:
        """All nodes that a label names by the rules of :meth:`find`, possibly none or several; never warns.

        Example:
            >>> Taxonomy.from_paths([("fruit", "apple"), ("juice", "apple")]).matches("apple")
            [2, 4]
        """
        return list(lookup.look_up(self, label).nodes)

    def names_in(self, language: str) -> StrArray:
        """The name of every node in a language, where it has one, and its own name elsewhere.

        The names are the first ones in the column ``name:<language>``, or else in that of a less specific language:
        ``fr`` for ``fr-CA``.

        Args:
            language: BCP 47 code, such as ``fr`` or ``pt-BR``.

        Raises:
            InputError: No column is for this language. The message lists those that there are.

        Example:
            >>> columns = {"name:fr": ["", "grand félin|félin", ""]}
            >>> t = Taxonomy([-1, 0, 1], ["Felidae", "Panthera", "Panthera leo"], columns=columns)
            >>> t.names_in("fr-CA").tolist()
            ['Felidae', 'grand félin', 'Panthera leo']
        """
        names = self.names
        for column in reversed(columns_of_language(self, language)):
            first = first_names(self.columns[column])
            names = np.where(first == "", names, first)
        return frozen(strings(names))

    def called(self, same: Callable[[str], str]) -> Index:
        """Index of the nodes by name, id and other name, under a normalisation of texts; built on first use."""
        if same not in self._indexes:
            self._indexes[same] = Index.of(self, same)
        return self._indexes[same]

    @property
    def whole_paths(self) -> dict[str, int]:
        """Node of every unambiguous path from the top, as one text, for looking up many; built on first use."""
        return self._path_index

    @cached_property
    def _path_index(self) -> dict[str, int]:
        """Cache of :attr:`whole_paths`."""
        return lookup.path_index(self)

    @cached_property
    def _indexes(self) -> dict[Callable[[str], str], Index]:
        """Cache of :meth:`called`."""
        return {}

    # ---------------------------------------------------------------- growing

    def with_leaf(self, name: str, parent: int = 0) -> tuple[Taxonomy, int]:
        """The tree with one more leaf as the last child of a node, and the leaf's index.

        Nodes after the leaf move by one. The leaf has the level of its nearest sibling, or the level below its
        parent. Its ``id`` is its path, and all other columns are blank.

        Raises:
            InputError: There is no such node, or the name is blank or already that of a child.

        Example:
            >>> t, node = Taxonomy.from_paths([("bird", "wren"), ("moth",)]).with_leaf("robin", 1)
            >>> node, t.path_name(node), t.names.tolist()
            (3, 'bird/robin', ['', 'bird', 'wren', 'robin', 'moth'])
        """
        if not 0 <= parent < self.num_nodes:
            raise InputError(f"a node, 0 to {self.num_nodes - 1}", parent)
        siblings = self.children(parent)
        if not name.strip() or name in self.names[siblings].tolist():
            raise InputError("a name that no child has", repr(name), at=self.path_name(parent) or "the root")
        level = int(self.level[siblings[-1]] if siblings.size else self.level[parent] + 1)
        path = path_text((*self.path_names(parent), name))
        grown = Taxonomy.from_parents(
            np.append(self.parents, parent),
            [*self.names.tolist(), name],
            level=np.append(self.level, level),
            level_names=[*self.level_names, *(f"level_{k}" for k in range(self.num_levels + 1, level + 1))],
            columns={key: [*texts.tolist(), path if key == "id" else ""] for key, texts in self.columns.items()},
            synthetic_root=self.synthetic_root,
            further_parents=self.further_parents,
        )
        return grown, int(self.end[parent])

    def with_columns(self, columns: Mapping[str, Sequence[str] | StrArray]) -> Taxonomy:
        """The same nodes with these columns in place of their own.

        Example:
            >>> Taxonomy.from_paths([("wren",)]).with_columns({"colour": ["", "brown"]}).columns["colour"].tolist()
            ['', 'brown']
        """
        return self._with(columns=columns)

    def _with(self, **changed: Any) -> Taxonomy:
        """A copy with some arguments of the constructor changed."""
        given: dict[str, Any] = {
            "level": self.level,
            "level_names": self.level_names,
            "columns": self.columns,
            "synthetic_root": self.synthetic_root,
            "further_parents": self.further_parents,
        }
        return Taxonomy(self.parents, self.names, **(given | changed))

    # ---------------------------------------------------------------- value semantics

    @cached_property
    def fingerprint(self) -> str:
        """Hash of structure, further parents, names and levels: equal for equal trees, on every machine."""
        digest = hashlib.sha256()
        digest.update(self.parents.astype("<i8").tobytes())
        digest.update(self.level.astype("<i8").tobytes())
        for start in range(0, self.num_nodes, NAME_CHUNK):
            part = self.names[start : start + NAME_CHUNK].tolist()
            digest.update(("\0" * (start > 0) + "\0".join(part)).encode())
        digest.update(b"synthetic" if self.synthetic_root else b"real")
        if self.further_parents.size:
            digest.update(self.further_parents.astype("<i8").tobytes())
        return digest.hexdigest()[:16]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Taxonomy) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    def __copy__(self) -> Taxonomy:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Taxonomy:
        return self  # a value that never changes; torchmetrics copies metrics, and with them their tree

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.num_nodes))

    def __repr__(self) -> str:
        root = "synthetic root" if self.synthetic_root else f"root {str(self.names[0])!r}"
        further = f", {len(self.further_parents)} further parents" if self.further_parents.size else ""
        return f"Taxonomy({self.num_nodes} nodes, {self.num_leaves} leaves, {self.num_levels} levels, {root}{further})"


def _renumbered(further_parents: ArrayLike, new_by_old: IntArray) -> IntArray:
    edges = np.asarray(further_parents, dtype=np.int64).reshape(-1, 2)
    if edges.size and not (edges.min() >= 0 and edges.max() < new_by_old.size):
        raise InputError(f"further parents among {new_by_old.size} nodes", f"{edges[:3].tolist()}")
    return new_by_old[edges]
