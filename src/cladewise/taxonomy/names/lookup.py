"""Lookup of nodes by label.

A label is a name, an id, another name of a node, or a path of these; the other names are synonyms, former ids and names
in any language. The same rules apply wherever labels are given: manifests, folders, options, and the files of decisions
and inferences. Names, ids and paths come first. A label that equals one of them up to Unicode composition is found. One
that only looks equal, or is another name, is found with a warning. One that differs in case, blanks or joining marks is
refused, with the nearest name in the error, and so is one that could mean several nodes.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from cladewise.catalogue import near_texts
from cladewise.errors import InputError, warn
from cladewise.taxonomy.names.index import Index, Label, NamedTree, Nodes, Same, held
from cladewise.taxonomy.names.other_names import other_name
from cladewise.taxonomy.names.paths import ROOT_NAME, SEPARATOR, label_steps, path_text
from cladewise.taxonomy.names.sameness import composed, loose, visible

AnyLabel = TypeVar("AnyLabel", bound=Label)
BLANKS = " \t\r\n"
SHOWN = 20
COMPARED = 10_000
"""Most unknown labels that are compared with all names, for advice."""
COST_OF_PATHS = 8
"""How many times as long it takes to look a path up by its steps as to add a node's path to an index."""


@dataclasses.dataclass(frozen=True)
class Match:
    """Nodes that a label names.

    Attributes:
        nodes: The nodes.
        told: A remark for the user if it is not obvious why; blank otherwise.
        other: Whether the label is neither a name nor an id nor a path of these, but another name.
    """

    nodes: list[int]
    told: str = ""
    other: bool = False


def look_up(taxonomy: NamedTree, label: Label) -> Match:
    """All nodes that a label names exactly, or failing that, visually.

    An exact whole path excludes all others. Otherwise names, ids and ends of paths have equal rank, and other names
    count only if none of these matches. Blanks around a label matter only if a name has them.
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
    shown = " or ".join(dict.fromkeys(repr(_named_so(taxonomy, visible, label, node)) for node in found.nodes[:3]))
    told = f"{_shown(label)!r} read as {shown}, which only looks the same" if shown else ""
    return dataclasses.replace(found, told=told)


def find(taxonomy: NamedTree, label: Label, *, at: str = "") -> int:
    """The one node that a label names; see :meth:`cladewise.taxonomy.Taxonomy.find`."""
    found = look_up(taxonomy, label)
    if len(found.nodes) == 1:
        if found.told:
            warn(found.told, at=at)
        tell_others(taxonomy, {label: found.nodes[0]} if found.other else {}, at=at)
        return found.nodes[0]
    if found.nodes:
        paths = ", ".join(_paths(taxonomy, found.nodes, 5)) + (", ..." if len(found.nodes) > 5 else "")
        kinds = _kinds(taxonomy, label, found.nodes[:5]) if found.other else []
        raise InputError(
            "a label that names one node",
            f"{_shown(label)!r}, which matches {len(found.nodes)} nodes" + (f" ({', '.join(kinds)})" if kinds else ""),
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
    others: dict[Any, int] = {}
    if len(rest) * COST_OF_PATHS > taxonomy.num_nodes:
        rest = _find_whole_paths(taxonomy, labels, nodes, rest)
        others = taxonomy.called(composed).certain_others if rest else {}
    distinct = dict.fromkeys(labels[position] for position in rest)
    known = {label: others[label] for label in distinct if label in others}  # numbers, since there may be many
    found = {label: look_up(taxonomy, label) for label in distinct if label not in known}
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
    known |= {label: match.nodes[0] for label, match in found.items()}
    nodes[rest] = np.fromiter((known[labels[position]] for position in rest), np.int64, len(rest))
    inexact = [match.told and placed(match.told, label) for label, match in found.items()]
    tell_inexact(inexact, at=at)
    other = {label: node for label, node in known.items() if label not in found or found[label].other}
    if other:
        tell_others(taxonomy, other, at=at, place=placed)
        tell_doubtful(taxonomy, labels, nodes.tolist(), other, at=at)
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


def tell_inexact(remarks: Iterable[str], *, at: str) -> None:
    """One warning with the remarks about labels that match only inexactly; blank ones are left out."""
    odd = [remark for remark in remarks if remark]
    if odd:
        more = "; ..." if len(odd) > SHOWN else ""
        warn(f"{_counted(len(odd))} matched only approximately: {'; '.join(odd[:SHOWN])}{more}", at=at)


def tell_others(
    taxonomy: NamedTree,
    found: Mapping[AnyLabel, int],
    *,
    at: str,
    place: Callable[[str, AnyLabel], str] = lambda text, _: text,
) -> None:
    """One warning about labels that are other names of their nodes.

    Args:
        taxonomy: The label tree.
        found: The node of each of these labels.
        at: Where the labels are from.
        place: Function from a text about a label, and the label, to the text with the label's place.
    """
    if found:
        first = itertools.islice(found.items(), SHOWN)
        shown = [place(_described(taxonomy, label, node), label) for label, node in first]
        by = "by another name" if len(found) == 1 else "by other names"
        more = ", ..." if len(found) > SHOWN else ""
        warn(f"{_counted(len(found))} found {by}: {', '.join(shown)}{more}", at=at)


def tell_doubtful(
    taxonomy: NamedTree, labels: Sequence[Label], nodes: Sequence[int], other: Mapping[AnyLabel, int], *, at: str
) -> None:
    """Warn about labels that are the name of one node and another's in a language, if other labels are in a language.

    Args:
        taxonomy: The label tree.
        labels: All labels that the user gave together.
        nodes: The node of each.
        other: Those of them that were found by another name.
        at: Where the labels are from.
    """
    vernacular = taxonomy.called(composed).vernacular
    if vernacular.keys().isdisjoint(text for label in other for text in _plain_texts(label)):
        return
    index = taxonomy.called(composed)
    doubtful: list[str] = []
    for label, node in dict(zip(labels, nodes, strict=True)).items():
        if label in other:
            continue
        texts = _texts(composed, label)
        others = [v for v in held(vernacular, *texts) if v != node]
        if others and node in (*held(index.names, *texts), *held(index.ids, *texts)):
            also = other_name(taxonomy, others[0], composed, texts)
            doubtful.append(f"{_shown(label)!r} (also {also.shown if also else 'another name'})")
    if doubtful:
        more = ", ..." if len(doubtful) > SHOWN else ""
        text = f"{_counted(len(doubtful))} taken by name or id, although others are names in a language"
        warn(f"{text}: {', '.join(doubtful[:SHOWN])}{more}", at=at)


def _plain_texts(label: Label) -> Iterable[str]:
    """:func:`_texts` of the composed label, faster for a label that is no path."""
    if isinstance(label, str) and SEPARATOR not in label and "\\" not in label:
        return (composed(label),)
    return _texts(composed, label)


def _counted(number: int) -> str:
    return f"{number} {'label' if number == 1 else 'labels'}"


def _described(taxonomy: NamedTree, label: Label, node: int) -> str:
    """A label that is another name of a node, with what it is to the node."""
    for same in (composed, visible):
        found = other_name(taxonomy, node, same, _texts(same, label))
        if found is not None:
            return f"{_shown(label)!r} ({found.shown})"
    return f"{_shown(label)!r} (by other names above {taxonomy.path_name(node)})"


def _kinds(taxonomy: NamedTree, label: Label, nodes: Sequence[int]) -> list[str]:
    """The kinds of other name that a label is of some nodes, such as ``name in fr``; none if it is a name or id."""
    texts = _texts(composed, label)
    index = taxonomy.called(composed)
    if not texts.isdisjoint(index.names) or not texts.isdisjoint(index.ids):
        return []
    found = [other_name(taxonomy, node, composed, texts) for node in nodes]
    return list(dict.fromkeys(each.kind for each in found if each is not None))


def _named_so(taxonomy: NamedTree, same: Same, label: Label, node: int) -> str:
    """The name of a node that a label equals after normalisation, its own or another."""
    name, texts = str(taxonomy.names[node]), _texts(same, label)
    found = None if same(name) in texts else other_name(taxonomy, node, same, texts)
    return name if found is None else found.text


def _texts(same: Same, label: Label) -> set[str]:
    """The texts of a label that may be a name, normalised: all of it, and its last step."""
    steps = _steps(label)
    return {same(text) for text in (label, *steps[-1:]) if isinstance(text, str)}


def near_names(taxonomy: NamedTree, label: Label, limit: int = 3) -> list[str]:
    """Names similar to a label: equal except for case and joining marks, otherwise similar in spelling.

    For a path that is right except for case and joining marks, whole paths. Names other than a node's own are followed
    by what they are.
    """
    index = taxonomy.called(loose)
    alike = _matches(taxonomy, index, label).nodes[:limit]
    steps = _steps(label)
    if alike:
        if len(steps) > 1:
            return _paths(taxonomy, alike, limit)
        return list(dict.fromkeys(_near_name(taxonomy, node, _texts(loose, label)) for node in alike))
    known = {**index.vernacular, **index.synonyms, **index.names}
    near = near_texts(loose(steps[-1]), list(known), limit)
    return list(dict.fromkeys(_near_name(taxonomy, held(known, text)[0], {text}) for text in near))


def _near_name(taxonomy: NamedTree, node: int, texts: set[str]) -> str:
    name = str(taxonomy.names[node])
    found = None if loose(name) in texts else other_name(taxonomy, node, loose, texts)
    return name if found is None else f"{found.text} ({found.shown})"


def _matches(taxonomy: NamedTree, index: Index, label: Label) -> Match:
    """Nodes that a label names under one normalisation."""
    same = index.same
    if isinstance(label, str) and SEPARATOR not in label and "\\" not in label:
        node = index.names.get(text := same(label))
        if isinstance(node, int) and text not in index.ids and text not in index.synonyms:
            return Match([node])
        if node is None and text not in index.ids:
            nodes = sorted({*held(index.synonyms, text), *held(index.vernacular, text)})
            return Match(nodes, other=bool(nodes))
    steps = _steps(label)
    if not steps:
        return Match([0])
    wanted = tuple(map(same, steps))
    texts = {same(label)} if isinstance(label, str) else set[str]()
    texts |= {wanted[0]} if len(wanted) == 1 else set()
    named = _spelt(taxonomy, held(index.names, *texts), label if isinstance(label, str) else steps[-1:])
    by_id, synonymous = held(index.ids, *texts), held(index.synonyms, *texts)
    called_so = held(index.names, wanted[-1])
    whole = _spelt(taxonomy, [v for v in called_so if _names_are(taxonomy, index, v, wanted)], steps)
    if len(whole) == 1 and (len(wanted) > 1 or set(by_id) <= set(whole)):
        others = [v for v in (*named, *synonymous) if v != whole[0]]
        explicit = not isinstance(label, str) or label.startswith(SEPARATOR)
        return Match(whole, "" if explicit or not others else _preferred(taxonomy, label, whole[0], others))
    nodes = sorted({*named, *by_id, *_ending(taxonomy, index, wanted, [index.ids])})
    if len(nodes) == 1 and (others := [v for v in synonymous if v != nodes[0]]):
        return Match(nodes, _preferred(taxonomy, label, nodes[0], others))
    if nodes:
        return Match(nodes)
    every = (index.ids, index.synonyms, index.vernacular)
    nodes = sorted({*synonymous, *held(index.vernacular, *texts), *_ending(taxonomy, index, wanted, every)})
    return Match(nodes, other=bool(nodes))


def _names_are(taxonomy: NamedTree, index: Index, node: int, wanted: Sequence[str]) -> bool:
    """Whether the names on the path to a node are exactly these."""
    top = 0 if taxonomy.synthetic_root else -1
    for step in reversed(wanted):
        if node <= top or index.same(str(taxonomy.names[node])) != step:
            return False
        node = int(taxonomy.parents[node])
    return node <= top


def _ending(taxonomy: NamedTree, index: Index, wanted: Sequence[str], further: Sequence[dict[str, Nodes]]) -> list[int]:
    """The nodes whose paths end in some steps, at least two, each a name or one of the further texts of its node."""
    if len(wanted) < 2:
        return []
    last = {node for nodes in (index.names, *further) for node in held(nodes, wanted[-1])}
    return [node for node in last if _ends_in(taxonomy, index, node, wanted, further)]


def _ends_in(
    taxonomy: NamedTree, index: Index, node: int, wanted: Sequence[str], further: Sequence[dict[str, Nodes]]
) -> bool:
    top = 0 if taxonomy.synthetic_root else -1
    for step in reversed(wanted):
        if node <= top:
            return False
        if index.same(str(taxonomy.names[node])) != step and not any(node in held(nodes, step) for nodes in further):
            return False
        node = int(taxonomy.parents[node])
    return True


def _spelt(taxonomy: NamedTree, nodes: list[int], label: Label) -> list[int]:
    """The nodes whose names match character by character, or all of them if none does."""
    if len(nodes) < 2:
        return nodes
    steps = (label,) if isinstance(label, str) else tuple(label)
    return [v for v in nodes if taxonomy.path_names(v)[-len(steps) :] == steps] or nodes


def _steps(label: Label) -> tuple[str, ...]:
    return label_steps(label) if isinstance(label, str) else tuple(label)


def _preferred(taxonomy: NamedTree, label: Label, node: int, others: Sequence[int]) -> str:
    also = ", ".join(_paths(taxonomy, others, 3)) + (", ..." if len(others) > 3 else "")
    return f"{_shown(label)!r} read as {_paths(taxonomy, [node], 1)[0]}, whose full path it is, not as {also}"


def complaint(taxonomy: NamedTree, label: Label, nodes: Sequence[int] = ()) -> str:
    """A wrong label for a message, with the nearest name or the paths it could mean."""
    text = _shown(label)
    if nodes:
        paths, kinds = _paths(taxonomy, nodes, 3), _kinds(taxonomy, label, nodes[:3])
        return f"{text!r} ({' or '.join(paths)}{': ' * bool(kinds)}{', '.join(kinds)})"
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


def _paths(taxonomy: NamedTree, nodes: Sequence[int], limit: int) -> list[str]:
    return [taxonomy.path_name(node) or "the root" for node in nodes[:limit]]


def _shown(label: Label) -> str:
    return label if isinstance(label, str) else path_text(label)
