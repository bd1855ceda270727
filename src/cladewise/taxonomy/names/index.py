"""Nodes by each text that names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Protocol

import numpy as np

from cladewise.taxonomy.arrays import IntArray, StrArray
from cladewise.taxonomy.names.columns import FORMER_IDS, ID, SYNONYMS, VERNACULAR, split_names
from cladewise.taxonomy.names.paths import SEPARATOR

Label = str | Sequence[str]
Nodes = int | list[int]  # a list per name would take too much memory
Same = Callable[[str], str]


class NamedTree(Protocol):
    """The part of a :class:`~cladewise.taxonomy.Taxonomy` that lookup reads: names, structure and caches."""

    names: StrArray
    parents: IntArray
    columns: Mapping[str, StrArray]
    synthetic_root: bool

    @property
    def num_nodes(self) -> int: ...
    @property
    def whole_paths(self) -> dict[str, int]: ...
    def called(self, same: Same) -> Index: ...
    def path_names(self, node: int) -> tuple[str, ...]: ...
    def path_name(self, node: int) -> str: ...


@dataclasses.dataclass(frozen=True)
class Index:
    """Nodes by name, id and other names, with texts normalised by ``same``.

    Attributes:
        same: Normalisation of texts.
        names: Nodes by name.
        ids: Nodes by id.
        synonyms: Nodes by synonym or former id.
        columns: Columns of the tree.
    """

    same: Same
    names: dict[str, Nodes]
    ids: dict[str, Nodes]
    synonyms: dict[str, Nodes]
    columns: Mapping[str, StrArray]

    @cached_property
    def vernacular(self) -> dict[str, Nodes]:
        """Nodes by name in any language; made only for labels that are neither names nor ids, since there are many."""
        columns = (column for column in self.columns if column.startswith(VERNACULAR))
        return nodes_by_text((self.same(text), node) for column in columns for text, node in self._texts(column))

    @cached_property
    def certain(self) -> dict[str, int]:
        """Node of every text, paths aside, that means one node by every rule: its name or id."""
        everything = {**self.ids, **self.names}
        unclear = self.synonyms.keys() & everything.keys()
        unclear |= {text for text in self.ids.keys() & self.names.keys() if self.ids[text] != self.names[text]}
        return {text: node for text, node in _plain(everything) if text not in unclear}

    @cached_property
    def certain_others(self) -> dict[str, int]:
        """Node of every text, paths aside, that is another name of one node, and no name or id."""
        everything = {**self.vernacular, **self.synonyms}
        unclear = everything.keys() & (self.names.keys() | self.ids.keys())
        unclear |= {v for v in self.vernacular.keys() & self.synonyms.keys() if self.vernacular[v] != self.synonyms[v]}
        return {text: node for text, node in _plain(everything) if text not in unclear}

    @classmethod
    def of(cls, taxonomy: NamedTree, same: Same) -> Index:
        """Index all nodes; a synthetic root has no name."""
        first = 1 if taxonomy.synthetic_root else 0
        names: list[str] = taxonomy.names[first:].tolist()
        ids: list[str] = taxonomy.columns[ID].tolist() if ID in taxonomy.columns else []
        found = cls(
            same,
            nodes_by_text((same(name), node) for node, name in enumerate(names, start=first)),
            nodes_by_text((same(text), node) for node, text in enumerate(ids) if text),
            {},
            taxonomy.columns,
        )
        others = (pair for column in (SYNONYMS, FORMER_IDS) for pair in found._texts(column))
        return dataclasses.replace(found, synonyms=nodes_by_text((same(text), node) for text, node in others))

    def _texts(self, column: str) -> Iterator[tuple[str, int]]:
        """Each text in the cells of a column, with its node; none if there is no such column."""
        if column in self.columns:
            cells = self.columns[column]
            filled = np.flatnonzero(cells != "")
            for node, cell in zip(filled.tolist(), cells[filled].tolist(), strict=True):
                yield from ((text, node) for text in split_names(cell))


def _plain(nodes: dict[str, Nodes]) -> Iterator[tuple[str, int]]:
    """The texts of one node each that can be read neither as a path nor as part of one."""
    for text, node in nodes.items():
        if isinstance(node, int) and SEPARATOR not in text and "\\" not in text:
            yield text, node


def nodes_by_text(pairs: Iterable[tuple[str, int]]) -> dict[str, Nodes]:
    """The node or nodes of each text.

    Example:
        >>> nodes_by_text([("a", 1), ("b", 2), ("a", 1), ("a", 3)])
        {'a': [1, 3], 'b': 2}
    """
    nodes: dict[str, Nodes] = {}
    for text, node in pairs:
        held = nodes.setdefault(text, node)
        if isinstance(held, list):
            held.append(node)
        elif held != node:
            nodes[text] = [held, node]
    return nodes


def held(nodes: dict[str, Nodes], *texts: str) -> list[int]:
    """The nodes of some texts.

    Example:
        >>> held({"a": [1, 3], "b": 2}, "b", "c", "a")
        [2, 1, 3]
    """
    found: list[int] = []
    for text in texts:
        of_text = nodes.get(text, [])
        found += of_text if isinstance(of_text, list) else [of_text]
    return found
