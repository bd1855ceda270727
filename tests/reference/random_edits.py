"""Random edits of a tree, one after another, with the correspondences that follow from them."""

from __future__ import annotations

import dataclasses

import numpy as np

from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.correspondence import Correspondence

EDITS = ("rename", "move", "merge", "split", "add", "remove", "regroup", "dissolve")


@dataclasses.dataclass
class _Node:
    name: str
    parent: int
    origins: frozenset[int]
    level: int


class EditedTree:
    """A tree that is edited node by node; slow, and obvious.

    Args:
        taxonomy: The tree to begin with.
        seed: Seed of all choices.
    """

    def __init__(self, taxonomy: Taxonomy, seed: int) -> None:
        self.old = taxonomy
        self.random = np.random.default_rng(seed)
        self.nodes = {
            v: _Node(str(taxonomy.names[v]), int(taxonomy.parents[v]), frozenset([v]), int(taxonomy.level[v]))
            for v in range(taxonomy.num_nodes)
        }
        self.made = taxonomy.num_nodes
        self.done: list[str] = []
        self.number: dict[int, int] = {}
        """Node of the new tree of each node, once that is made."""

    # ---------------------------------------------------------------- the tree as it is

    def children(self, node: int) -> list[int]:
        return [v for v, of in self.nodes.items() if of.parent == node]

    def leaves(self) -> list[int]:
        parents = {of.parent for of in self.nodes.values()}
        return [v for v in self.nodes if v not in parents and v != 0]

    def inner(self) -> list[int]:
        return sorted({of.parent for of in self.nodes.values() if of.parent >= 0})

    def under(self, node: int) -> set[int]:
        return {node}.union(*(self.under(child) for child in self.children(node)))

    def plain(self, nodes: list[int]) -> list[int]:
        """The nodes that no merge, split or addition made."""
        split = [origin for of in self.nodes.values() for origin in of.origins]
        return [
            v for v in nodes if len(self.nodes[v].origins) == 1 and split.count(next(iter(self.nodes[v].origins))) == 1
        ]

    def with_siblings(self, nodes: list[int]) -> list[int]:
        return [v for v in nodes if len(self.children(self.nodes[v].parent)) > 1]

    def one_of(self, nodes: list[int]) -> int | None:
        return int(self.random.choice(nodes)) if nodes else None

    def new(self, name: str, parent: int, origins: frozenset[int] = frozenset()) -> int:
        self.nodes[self.made] = _Node(f"{name} {self.made}", parent, origins, self.nodes[parent].level + 1)
        self.made += 1
        return self.made - 1

    # ---------------------------------------------------------------- the edits; each says whether it was possible

    def rename(self) -> bool:
        node = self.one_of([v for v in self.nodes if v])
        if node is None:
            return False
        self.nodes[node].name += "*"
        return True

    def move(self) -> bool:
        node = self.one_of(self.with_siblings([v for v in self.nodes if v]))
        if node is None:
            return False
        apart = self.under(node) | {self.nodes[node].parent}
        target = self.one_of([v for v in self.inner() if v not in apart])
        if target is None:
            return False
        self.nodes[node].parent = target
        return True

    def merge(self) -> bool:
        leaves = self.plain(self.with_siblings(self.leaves()))
        first = self.one_of(leaves)
        if first is None:
            return False
        near = [v for v in leaves if self.nodes[v].parent == self.nodes[first].parent and v != first]
        second = self.one_of(near or [v for v in leaves if v != first])
        if second is None or (near and len(self.children(self.nodes[first].parent)) < 3):
            return False
        self.nodes[first].origins |= self.nodes[second].origins
        del self.nodes[second]
        return True

    def split(self) -> bool:
        node = self.one_of(self.plain(self.leaves()))
        if node is None:
            return False
        of = self.nodes.pop(node)
        for _ in range(int(self.random.integers(2, 4))):
            self.new(of.name, of.parent, of.origins)
        return True

    def add(self) -> bool:
        self.new("new", self.one_of(self.inner()) or 0)
        return True

    def remove(self) -> bool:
        node = self.one_of(self.with_siblings(self.leaves()))
        if node is None or len(self.leaves()) < 3:
            return False
        del self.nodes[node]
        return True

    def regroup(self) -> bool:
        """A new inner node above some siblings."""
        parent = self.one_of([v for v in self.inner() if len(self.children(v)) > 2])
        if parent is None:
            return False
        children = self.children(parent)
        group = self.new("group", parent)
        for child in self.random.choice(children, size=2, replace=False).tolist():
            self.nodes[child].parent = group
        return True

    def dissolve(self) -> bool:
        """An inner node goes, and its children move up."""
        node = self.one_of([v for v in self.inner() if v])
        if node is None:
            return False
        for child in self.children(node):
            self.nodes[child].parent = self.nodes[node].parent
        del self.nodes[node]
        return True

    def edit(self, kind: str) -> bool:
        if not getattr(self, kind)():
            return False
        self.done.append(kind)
        return True

    # ---------------------------------------------------------------- the result

    def correspondence(self) -> Correspondence:
        """The old tree, the new one, and which nodes of them correspond."""
        kept = sorted(self.nodes)
        place = {v: k for k, v in enumerate(kept)}
        parents = [place.get(self.nodes[v].parent, -1) for v in kept]
        level: dict[int, int] = {}

        def at(node: int) -> int:
            if node not in level:
                above = self.nodes[node].parent
                level[node] = 0 if above < 0 else max(self.nodes[node].level, at(above) + 1)
            return level[node]

        levels = np.unique([at(v) for v in kept], return_inverse=True)[1]
        names = [*self.old.level_names, *(f"deeper {k}" for k in range(len(kept)))]
        new = Taxonomy.from_parents(
            parents,
            [str(k) for k in range(len(kept))],
            level=levels,
            level_names=names[: int(levels.max(initial=0))],
            synthetic_root=self.old.synthetic_root,
        )
        self.number = number = {kept[int(name or 0)]: v for v, name in enumerate(new.names)}
        texts = [""] * len(kept)
        for node, v in number.items():
            texts[v] = self.nodes[node].name
        new = Taxonomy(
            new.parents, texts, level=new.level, level_names=new.level_names, synthetic_root=self.old.synthetic_root
        )
        pairs = [(origin, number[v]) for v in kept for origin in self.nodes[v].origins]
        return Correspondence.from_pairs(self.old, new, pairs)


def random_edits(
    taxonomy: Taxonomy, number: int, seed: int, kinds: tuple[str, ...] = EDITS
) -> tuple[Correspondence, list[str]]:
    """Edit a tree a number of times; fewer if some edits are impossible in a small tree. Returns the kinds done too."""
    tree = EditedTree(taxonomy, seed)
    for _ in range(20 * number):
        if len(tree.done) == number:
            break
        tree.edit(str(tree.random.choice(kinds)))
    return tree.correspondence(), tree.done
