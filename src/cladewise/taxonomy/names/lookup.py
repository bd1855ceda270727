"""Lookup of nodes by label.

A label is a name, an id, a synonym, or a path of these. The same rules apply wherever labels are given: manifests,
folders, options, and the files of decisions and inferences. A label that equals a name up to Unicode composition is
found. One that only looks equal is found with a warning. One that differs in case, blanks or joining marks is refused,
with the nearest name in the error.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from cladewise.catalogue import near_texts
from cladewise.errors import InputError, warn
from cladewise.taxonomy.arrays import IntArray, StrArray
from cladewise.taxonomy.names.columns import ID, SYNONYMS, split_names
from cladewise.taxonomy.names.paths import ROOT_NAME, SEPARATOR, label_steps, path_text
from cladewise.taxonomy.names.sameness import composed, loose, visible

Label = str | Sequence[str]
Nodes = int | list[int]  # a list per name would take too much memory
Same = Callable[[str], str]

BLANKS = " \t\r\n"
SHOWN = 20
COMPARED = 10_000
"""Most unknown labels that are compared with all names, for advice."""
COST_OF_PATHS = 8
"""How many times as long it takes to look a path up by its steps as to add a node's path to an index."""


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
    """Nodes by name, id and synonym, with texts normalised by ``same``."""

    same: Same
    names: dict[str, Nodes]
    ids: dict[str, Nodes]
    synonyms: dict[str, Nodes]

    @cached_property
    def certain(self) -> dict[str, int]:
        """Node of every text, paths aside, that means one node by every rule: the name, id or synonym of it alone."""
        everything = {**self.synonyms, **self.ids, **self.names}
        unclear = self.synonyms.keys() & (self.ids.keys() | self.names.keys())
        unclear |= {text for text in self.ids.keys() & self.names.keys() if self.ids[text] != self.names[text]}
        return {
            text: node
            for text, node in everything.items()
            if isinstance(node, int) and text not in unclear and SEPARATOR not in text and "\\" not in text
        }

    @classmethod
    def of(cls, taxonomy: NamedTree, same: Same) -> Index:
        """Index all nodes; a synthetic root has no name."""
        first = 1 if taxonomy.synthetic_root else 0
        names: list[str] = taxonomy.names[first:].tolist()
        ids: list[str] = taxonomy.columns[ID].tolist() if ID in taxonomy.columns else []
        return cls(
            same,
            _by_text((same(name), node) for node, name in enumerate(names, start=first)),
            _by_text((same(text), node) for node, text in enumerate(ids) if text),
            _by_text((same(text), node) for text, node in _synonyms(taxonomy)),
        )


@dataclasses.dataclass(frozen=True)
class Match:
    """Nodes that a label names, and a remark for the user if that is not obvious."""

    nodes: list[int]
    told: str = ""


def look_up(taxonomy: NamedTree, label: Label) -> Match:
    """All nodes that a label names exactly, or failing that, visually.

    An exact whole path excludes all others. Otherwise names, ids and ends of paths have equal rank, and synonyms count
    only if none of these matches. Blanks around a label matter only if a name has them.
    """
    if not isinstance(cast("object", label), Sequence):
        raise InputError("a label: a string, or a sequence of names", repr(label))
    exact, trimmed = taxonomy.called(composed), label.strip(BLANKS) if isinstance(label, str) else label
    found = _matches(taxonomy, exact, label)
    if not found.nodes and trimmed != label:
        found = _matches(taxonomy, exact, trimmed)
    if found.nodes:
        return found
    if taxonomy.synthetic_root and trimmed == ROOT_NAME:
        return Match([0], f"{ROOT_NAME!r} read as the root of the tree, which has no name of its own")
    found = _matches(taxonomy, taxonomy.called(visible), label)
    shown = " or ".join(repr(str(taxonomy.names[node])) for node in found.nodes[:3])
    return Match(found.nodes, f"{_shown(label)!r} read as {shown}, which only looks the same" if shown else "")


def find(taxonomy: NamedTree, label: Label, *, at: str = "") -> int:
    """The one node that a label names; see :meth:`cladewise.taxonomy.Taxonomy.find`."""
    found = look_up(taxonomy, label)
    if len(found.nodes) == 1:
        if found.told:
            warn(found.told, at=at)
        return found.nodes[0]
    if found.nodes:
        paths = ", ".join(_paths(taxonomy, found.nodes, 5)) + (", ..." if len(found.nodes) > 5 else "")
        raise InputError(
            "a label that names one node",
            f"{_shown(label)!r}, which matches {len(found.nodes)} nodes",
            at=at,
            advice=f"Use a path: {paths}.",
        )
    near = near_names(taxonomy, label)
    hints = [f"Nearest names: {', '.join(near)}."] if near else []
    hints += _where_they_stand(taxonomy, [_shown(label)])
    advice = " ".join(hints) or "List the labels with: cladewise taxonomy show."
    raise InputError("a label of the taxonomy", repr(_shown(label)), at=at, advice=advice)


def find_all(
    taxonomy: NamedTree,
    labels: Sequence[Label],
    *,
    at: str = "",
    place: Callable[[Label], str] | None = None,
    expected: str = "labels that each name one node of the taxonomy",
    advice: str = "Correct them, or add them to the taxonomy; if a name repeats, give the path.",
) -> NDArray[np.int64]:
    """The node of each label; one error lists those that name no node or several.

    Unambiguous names, ids and whole paths are looked up in a dictionary; only the others go through :func:`look_up`.

    Args:
        taxonomy: The label tree.
        labels: Labels, as :func:`as_labels` returns them.
        at: The file that they are from, for messages.
        place: Where in the file a label is, as in ``"line 3"``; called only for labels that are wrong or odd.
        expected: The rule, for the error text.
        advice: What to do, for the error text.

    Raises:
        InputError: Some labels name no node, or several.
    """
    certain: Any = taxonomy.called(composed).certain.get
    nodes = np.fromiter(map(certain, labels, itertools.repeat(-1)), np.int64, len(labels))
    rest: list[int] = np.flatnonzero(nodes < 0).tolist()
    if len(rest) * COST_OF_PATHS > taxonomy.num_nodes:
        rest = _find_whole_paths(taxonomy, labels, nodes, rest)
    found = {label: look_up(taxonomy, label) for label in dict.fromkeys(labels[position] for position in rest)}
    wrong = [label for label, match in found.items() if len(match.nodes) != 1]

    def placed(text: str, label: Label) -> str:
        return f"{text} in {place(label)}" if place else text

    if wrong:
        shown = [placed(complaint(taxonomy, label, found[label].nodes), label) for label in wrong[:SHOWN]]
        do = "does" if len(wrong) == 1 else "do"
        raise InputError(
            expected,
            f"{len(wrong)} that {do} not: {'; '.join(shown)}" + ("; ..." if len(wrong) > SHOWN else ""),
            at=at,
            advice=" ".join([*in_common(taxonomy, [v for v in wrong if not found[v].nodes]), advice]),
        )
    warn_inexact([placed(match.told, label) for label, match in found.items() if match.told], at=at)
    for position in rest:
        nodes[position] = found[labels[position]].nodes[0]
    return nodes


def as_labels(labels: Any) -> list[Label]:
    """Labels of a list, an array or a data frame's column as texts and tuples.

    Raises:
        InputError: It is not a collection, or holds something other than labels, such as numbers.
    """
    values: Any = labels.tolist() if isinstance(labels, np.ndarray) else labels
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise InputError("a label: a string, or a sequence of names", repr(labels))
    found: list[Any] = [
        tuple(cast("list[Any]", label)) if isinstance(label, list) else label for label in cast("Iterable[Any]", values)
    ]
    for label in found:
        if not isinstance(label, str) and not _is_path(label):
            raise InputError("labels that are strings, or sequences of names", f"{label!r} among them")
    return found


def _is_path(label: Any) -> bool:
    return isinstance(label, tuple) and all(isinstance(name, str) for name in cast("tuple[Any, ...]", label))


def path_index(taxonomy: NamedTree) -> dict[str, int]:
    """Node of every whole path of at least two names that means one node by every rule, as one composed text."""
    index = taxonomy.called(composed)
    names = [path_text([composed(name)]) for name in taxonomy.names.tolist()]
    top = 0 if taxonomy.synthetic_root else -1
    paths = names[:1]
    found: dict[str, int] = {}
    twice: set[str] = set()
    for node, parent in enumerate(taxonomy.parents.tolist()[1:], start=1):  # parents come first
        path = names[node] if parent == top else f"{paths[parent]}{SEPARATOR}{names[node]}"
        paths.append(path)
        if parent != top and found.setdefault(path, node) != node:
            twice.add(path)
    unclear = (path for path, node in found.items() if not names[node] or path[0] == SEPARATOR)
    for path in {*twice, *unclear, *(found.keys() & index.names.keys()), *(found.keys() & index.synonyms.keys())}:
        del found[path]
    return found


def _find_whole_paths(
    taxonomy: NamedTree, labels: Sequence[Label], nodes: NDArray[np.int64], rest: Sequence[int]
) -> list[int]:
    """Fill in the nodes of labels that are whole paths; returns the positions that are left."""
    paths = taxonomy.whole_paths
    left: list[int] = []
    for position in rest:
        label = labels[position]
        key = label if isinstance(label, str) else path_text(label) if len(label) > 1 else ""
        node = paths.get(key, -1)
        if node < 0:
            left.append(position)
        nodes[position] = node
    return left


def warn_inexact(odd: Sequence[str], *, at: str) -> None:
    """One warning about all labels that match only inexactly."""
    if odd:
        noun = "label" if len(odd) == 1 else "labels"
        more = "; ..." if len(odd) > SHOWN else ""
        warn(f"{len(odd)} {noun} matched only approximately: {'; '.join(odd[:SHOWN])}{more}", at=at)


def near_names(taxonomy: NamedTree, label: Label, limit: int = 3) -> list[str]:
    """Names similar to a label: equal except for case and joining marks, otherwise similar in spelling.

    For a path that is right except for case and joining marks, whole paths.
    """
    index = taxonomy.called(loose)
    alike = _matches(taxonomy, index, label).nodes[:limit]
    steps = _steps(label)
    if alike:
        return _paths(taxonomy, alike, limit) if len(steps) > 1 else _names(taxonomy, alike)
    near = near_texts(loose(steps[-1]), list(index.names), limit)
    return _names(taxonomy, [_held(index.names, text)[0] for text in near])


def _matches(taxonomy: NamedTree, index: Index, label: Label) -> Match:
    """Nodes that a label names under one normalisation."""
    same = index.same
    if isinstance(label, str) and SEPARATOR not in label and "\\" not in label:
        node = index.names.get(text := same(label))
        if isinstance(node, int) and text not in index.ids and text not in index.synonyms:
            return Match([node])
    steps = _steps(label)
    if not steps:
        return Match([0])
    wanted = tuple(map(same, steps))
    texts = {same(label)} if isinstance(label, str) else set[str]()
    texts |= {wanted[0]} if len(wanted) == 1 else set()
    named = _spelt(taxonomy, _held(index.names, *texts), label if isinstance(label, str) else steps[-1:])
    by_id, synonymous = _held(index.ids, *texts), _held(index.synonyms, *texts)
    called_so = _held(index.names, wanted[-1])
    whole = _spelt(taxonomy, [v for v in called_so if _ends_in(taxonomy, index, v, wanted, whole=True)], steps)
    if len(whole) == 1 and (len(wanted) > 1 or set(by_id) <= set(whole)):
        others = [v for v in (*named, *synonymous) if v != whole[0]]
        explicit = not isinstance(label, str) or label.startswith(SEPARATOR)
        return Match(whole, "" if explicit or not others else _preferred(taxonomy, label, whole[0], others))
    ending: list[int] = []
    if len(wanted) > 1:
        last = {*called_so, *_held(index.ids, wanted[-1]), *_held(index.synonyms, wanted[-1])}
        ending = [v for v in last if _ends_in(taxonomy, index, v, wanted)]
    nodes = sorted({*named, *by_id, *ending})
    if len(nodes) == 1 and (others := [v for v in synonymous if v != nodes[0]]):
        return Match(nodes, _preferred(taxonomy, label, nodes[0], others))
    return Match(nodes or sorted(set(synonymous)))


def _ends_in(taxonomy: NamedTree, index: Index, node: int, wanted: Sequence[str], *, whole: bool = False) -> bool:
    """Whether the path to a node ends in some steps; with ``whole``, whether its names are exactly these."""
    top = 0 if taxonomy.synthetic_root else -1
    for step in reversed(wanted):
        if node <= top:
            return False
        if index.same(str(taxonomy.names[node])) != step and (
            whole or node not in (*_held(index.ids, step), *_held(index.synonyms, step))
        ):
            return False
        node = int(taxonomy.parents[node])
    return not whole or node <= top


def _spelt(taxonomy: NamedTree, nodes: list[int], label: Label) -> list[int]:
    """The nodes whose names match character by character, or all of them if none does."""
    if len(nodes) < 2:
        return nodes
    steps = (label,) if isinstance(label, str) else tuple(label)
    return [v for v in nodes if taxonomy.path_names(v)[-len(steps) :] == steps] or nodes


def _steps(label: Label) -> tuple[str, ...]:
    return label_steps(label) if isinstance(label, str) else tuple(label)


def _by_text(pairs: Iterable[tuple[str, int]]) -> dict[str, Nodes]:
    nodes: dict[str, Nodes] = {}
    for text, node in pairs:
        held = nodes.setdefault(text, node)
        if isinstance(held, list):
            held.append(node)
        elif held != node:
            nodes[text] = [held, node]
    return nodes


def _held(nodes: dict[str, Nodes], *texts: str) -> list[int]:
    found: list[int] = []
    for text in texts:
        held = nodes.get(text, [])
        found += held if isinstance(held, list) else [held]
    return found


def _synonyms(taxonomy: NamedTree) -> Iterator[tuple[str, int]]:
    if SYNONYMS in taxonomy.columns:
        for node, cell in enumerate(taxonomy.columns[SYNONYMS].tolist()):
            yield from ((text, node) for text in split_names(cell))


def _preferred(taxonomy: NamedTree, label: Label, node: int, others: Sequence[int]) -> str:
    also = ", ".join(_paths(taxonomy, others, 3)) + (", ..." if len(others) > 3 else "")
    return f"{_shown(label)!r} read as {_paths(taxonomy, [node], 1)[0]}, whose full path it is, not as {also}"


def complaint(taxonomy: NamedTree, label: Label, nodes: Sequence[int] = ()) -> str:
    """A wrong label for a message, with the nearest name or the paths it could mean."""
    text = _shown(label)
    if nodes:
        return f"{text!r} ({' or '.join(_paths(taxonomy, nodes, 3))})"
    if not text.strip():
        return "a blank label"
    near = near_names(taxonomy, label, 1)
    return f"{text!r}" + (f" (nearest: {near[0]!r})" if near else "")


def in_common(taxonomy: NamedTree, unknown: Sequence[Label]) -> list[str]:
    """Sentences on what most of the unknown labels have in common."""
    unknown = unknown[:COMPARED]
    index = taxonomy.called(loose)
    alike = sum(bool(_matches(taxonomy, index, label).nodes) for label in unknown)
    said: list[str] = []
    if 2 * alike > len(unknown) > 1:
        said.append(f"{alike} differ from names only in case, blanks, hyphens, underscores or dots.")
    numbers = sum(_shown(label).strip().isdecimal() for label in unknown)
    if 2 * numbers > len(unknown):
        said.append(f"{numbers} are numbers, which are neither names nor ids in the taxonomy.")
    return said + _where_they_stand(taxonomy, [_shown(label) for label in unknown])


def _where_they_stand(taxonomy: NamedTree, unknown: Sequence[str]) -> list[str]:
    """A sentence for each column that contains most of the labels."""
    wanted = set(unknown)
    said: list[str] = []
    for column, texts in taxonomy.columns.items():
        held = len(wanted.intersection(texts.tolist()))
        if 2 * held > len(wanted):
            where = f"in its column {column!r}, which is not a column of ids"
            said.append(f"The taxonomy has {held} of {len(wanted)} {where}.")
    return said


def _names(taxonomy: NamedTree, nodes: Sequence[int]) -> list[str]:
    return list(dict.fromkeys(str(taxonomy.names[node]) for node in nodes))


def _paths(taxonomy: NamedTree, nodes: Sequence[int], limit: int) -> list[str]:
    return [taxonomy.path_name(node) or "the root" for node in nodes[:limit]]


def _shown(label: Label) -> str:
    return label if isinstance(label, str) else path_text(label)
