"""Comparison of two taxonomies by their names alone: paths added, removed, moved and renamed.

:func:`cladewise.taxonomy.match` weighs all evidence and proposes counterparts, for a person to edit; :func:`diff` tells
whether two files hold the same tree, and pairs only nodes of the same name.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable

import numpy as np

from cladewise.taxonomy.correspondence.correspondence import Correspondence
from cladewise.taxonomy.names.sameness import folded
from cladewise.taxonomy.tree import Taxonomy

Path = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class TaxonomyDifference:
    """The changes that lead from one taxonomy to another.

    Attributes:
        added: Paths that only the second has.
        removed: Paths that only the first has.
        moved: Old and new path of nodes that have another parent; descendants that moved along are not listed.
        renamed: Old and new path of nodes whose name changed in case, white space or Unicode composition only.
        parents_added: Path of a node and of a further parent that it has in the second only; both paths are new ones.
        parents_removed: Path of a node and of a further parent that it has in the first only; both paths are old ones.
    """

    added: tuple[Path, ...] = ()
    removed: tuple[Path, ...] = ()
    moved: tuple[tuple[Path, Path], ...] = ()
    renamed: tuple[tuple[Path, Path], ...] = ()
    parents_added: tuple[tuple[Path, Path], ...] = ()
    parents_removed: tuple[tuple[Path, Path], ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, field.name) for field in dataclasses.fields(self))


def diff(first: Taxonomy, second: Taxonomy) -> TaxonomyDifference:
    """Compare two taxonomies node by node.

    Nodes are matched from the root down, children by their name, then by their name without regard to case, white
    space and Unicode composition. A remaining node whose name is unique on both sides counts as moved. Levels and the
    order of children are ignored. Further parents are compared for nodes that both trees have.

    Example:
        >>> old = Taxonomy.from_paths([("fruit", "apple"), ("fruit", "tomato")])
        >>> new = Taxonomy.from_paths([("fruit", "Apple"), ("vegetable", "tomato")])
        >>> change = diff(old, new)
        >>> change.added, change.moved
        ((('vegetable',),), ((('fruit', 'tomato'), ('vegetable', 'tomato')),))
        >>> change.renamed
        ((('fruit', 'apple'), ('fruit', 'Apple')),)
    """
    matching = _Matching(first, second)
    matching.descend(0, 0)
    matching.move()
    found = Correspondence.from_pairs(first, second, np.array(list(matching.counterpart.items())))
    rows = list(zip(found.old_nodes.tolist(), found.new_nodes.tolist(), found.change.tolist(), strict=True))

    def paths(change: str) -> tuple[tuple[Path, Path], ...]:
        return tuple((first.path_names(u), second.path_names(v)) for u, v, word in rows if change in word.split())

    lost, gained = _further(matching.counterpart, first, second)
    return TaxonomyDifference(
        added=tuple(second.path_names(v) for _, v, word in rows if word == "added"),
        removed=tuple(first.path_names(u) for u, _, word in rows if word == "removed"),
        moved=paths("moved"),
        renamed=paths("renamed"),
        parents_added=tuple((second.path_names(v), second.path_names(p)) for v, p in gained),
        parents_removed=tuple((first.path_names(u), first.path_names(p)) for u, p in lost),
    )


def _further(
    counterpart: dict[int, int], first: Taxonomy, second: Taxonomy
) -> tuple[list[tuple[int, int]], list[tuple[int, int]]]:
    """Edges to further parents that only the first has, and those that only the second has, of nodes that both have."""
    old: list[tuple[int, int]] = [(u, p) for u, p in first.further_parents.tolist() if u in counterpart]
    known = set(counterpart.values())
    new: list[tuple[int, int]] = [(v, p) for v, p in second.further_parents.tolist() if v in known]
    kept = {(counterpart[u], counterpart.get(p, -1)) for u, p in old}
    present = set(new)
    lost = [(u, p) for u, p in old if (counterpart[u], counterpart.get(p, -1)) not in present]
    return lost, [edge for edge in new if edge not in kept]


class _Matching:
    """A matching between the nodes of two trees, grown from the roots down."""

    def __init__(self, first: Taxonomy, second: Taxonomy) -> None:
        self.trees = (first, second)
        self.names: tuple[list[str], list[str]] = (first.names.tolist(), second.names.tolist())
        self.counterpart: dict[int, int] = {}
        self.taken: set[int] = set()

    def descend(self, u: int, v: int) -> None:
        """Match two nodes, and recursively their descendants."""
        waiting = [(u, v)]
        while waiting:
            u, v = waiting.pop()
            self.counterpart[u] = v
            self.taken.add(v)
            ours = [a for a in self.trees[0].children(u).tolist() if a not in self.counterpart]
            theirs = [b for b in self.trees[1].children(v).tolist() if b not in self.taken]
            exact = self._pairs(ours, theirs, lambda name: name)
            done = dict(exact)
            others = set(done.values())
            rest = [a for a in ours if a not in done], [b for b in theirs if b not in others]
            waiting += exact + self._pairs(*rest, folded)

    def move(self) -> None:
        """Match remaining nodes whose names are unique on both sides, and their descendants."""
        left = [u for u in self.trees[0] if u not in self.counterpart]
        right = [v for v in self.trees[1] if v not in self.taken]
        count = Counter(self.names[0][u] for u in left), Counter(self.names[1][v] for v in right)
        by_name = {self.names[1][v]: v for v in right}
        for u in left:
            name = self.names[0][u]
            if u in self.counterpart or count[0][name] != 1 or count[1][name] != 1 or by_name[name] in self.taken:
                continue
            self.descend(u, by_name[name])

    def _pairs(self, ours: list[int], theirs: list[int], key: Callable[[str], str]) -> list[tuple[int, int]]:
        """Pairs of children with the same key, in order if a key repeats."""
        by_key: dict[str, list[int]] = {}
        for b in reversed(theirs):
            by_key.setdefault(key(self.names[1][b]), []).append(b)
        pairs: list[tuple[int, int]] = []
        for a in ours:
            found = by_key.get(key(self.names[0][a]))
            if found:
                pairs.append((a, found.pop()))
        return pairs
