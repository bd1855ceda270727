"""The classes of a classifier, and the node of a taxonomy that each of them is."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.scores.options import ScoreOptions
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.lookup import SHOWN, Match, complaint, in_common, look_up
from cladewise.taxonomy.names.sameness import composed, folded

IntArray = NDArray[np.int64]
ELSEWHERE = -1
"""In place of the node of a class that is not in the tree."""


@dataclasses.dataclass(frozen=True)
class ScoredClass:
    """A class as the scores name it.

    Attributes:
        text: Its name in the file, for messages and options.
        labels: Texts that may be a name, an id or a path of its node, the most reliable first.
        lineage: Names of taxa above it, if the file has them, by which homonyms are told apart.
    """

    text: str
    labels: tuple[str, ...] = ()
    lineage: tuple[str, ...] = ()

    @property
    def any_labels(self) -> tuple[str, ...]:
        """The labels, or the text if there are none."""
        return self.labels or (self.text,)


@dataclasses.dataclass(frozen=True)
class Matched:
    """The node of each class.

    Attributes:
        nodes: Node of each class; :data:`ELSEWHERE` for classes outside the tree.
        notes: What is not obvious about them, as sentences.
    """

    nodes: IntArray
    notes: tuple[str, ...]


def match_classes(taxonomy: Taxonomy, classes: Sequence[ScoredClass], options: ScoreOptions, *, at: str) -> Matched:
    """The node of each class, found as labels are found (:meth:`cladewise.taxonomy.Taxonomy.find`).

    The labels of a class are tried in turn. The first that names one node decides; one that names several is narrowed
    by the lineage: the nodes with most of its names above them.

    Raises:
        InputError: A class names no node, or several, and is not said to be elsewhere; or the option ``elsewhere``
            names a class that the scores do not have.

    Example:
        >>> t = Taxonomy.from_paths([("fruit", "apple"), ("juice", "apple")])
        >>> found = [ScoredClass("apple", lineage=("juice",)), ScoredClass("blank")]
        >>> match_classes(t, found, ScoreOptions(elsewhere=["blank"]), at="scores.csv").nodes
        array([ 4, -1])
    """
    away = _outside(classes, options, at)
    certain = taxonomy.called(composed).certain
    nodes = np.full(len(classes), ELSEWHERE, dtype=np.int64)
    notes: list[str] = []
    wrong: list[str] = []
    unknown: list[str] = []
    carried: list[str] = [classes[position].text for position in sorted(away)]
    other: list[str] = []
    told: list[str] = []
    for position, each in enumerate(classes):
        if position in away:
            continue
        labels = each.any_labels
        node = certain.get(labels[0])
        if node is not None:
            nodes[position] = node
            continue
        found, match = _nodes_of(taxonomy, each)
        if len(found) == 1:
            nodes[position] = found[0]
            if match is not None and match.other:
                other.append(each.text)
            if match is not None and match.told:
                told.append(match.told)
        elif options.unmatched == "elsewhere":
            carried.append(each.text)
        else:
            wrong.append(complaint(taxonomy, each.text, found))
            if not found:
                unknown.append(each.text)
    if wrong:
        do = "does" if len(wrong) == 1 else "do"
        advice = 'If a class is outside the taxonomy, name it: elsewhere=["blank"]; for all: unmatched="elsewhere".'
        raise InputError(
            "classes that each are one node of the taxonomy",
            f"{len(wrong):,} of {len(classes):,} that {do} not: {'; '.join(wrong[:SHOWN])}"
            + ("; ..." if len(wrong) > SHOWN else ""),
            at=at,
            advice=" ".join([*in_common(taxonomy, unknown), advice]),
        )
    if other:
        notes.append(f"{_count(len(other), 'class', 'classes')} found by another name: {some(other)}.")
    notes += [f"{text}." for text in told[:SHOWN]]
    if carried:
        notes.append(
            f"{_count(len(carried), 'class', 'classes')} outside the taxonomy, whose mass is elsewhere: "
            f"{some(carried)}."
        )
    notes += _shared(taxonomy, classes, nodes)
    return Matched(nodes, tuple(notes))


def _outside(classes: Sequence[ScoredClass], options: ScoreOptions, at: str) -> set[int]:
    """Positions of the classes that are said to be elsewhere."""
    wanted = {folded(text): text for text in options.elsewhere}
    found = {
        position: hit
        for position, each in enumerate(classes)
        if wanted and (hit := next((folded(t) for t in (each.text, *each.labels) if folded(t) in wanted), None))
    }
    unused = [text for key, text in wanted.items() if key not in found.values()]
    if unused:
        known = some([each.text for each in classes], 8)
        raise InputError(f"classes of the scores in elsewhere: {known}", some(unused), at=at)
    return set(found)


def _nodes_of(taxonomy: Taxonomy, each: ScoredClass) -> tuple[list[int], Match | None]:
    """The nodes that a class may be, and the match that decided on one."""
    several: list[int] = []
    for label in each.any_labels:
        if not label.strip():
            continue
        match = look_up(taxonomy, label)
        nodes = _narrowed(taxonomy, match.nodes, each.lineage)
        if len(nodes) == 1:
            return nodes, match
        common = [node for node in nodes if node in several]
        if len(common) == 1:
            return common, match
        several = several or nodes
    return several, None


def _narrowed(taxonomy: Taxonomy, nodes: list[int], lineage: tuple[str, ...]) -> list[int]:
    """The nodes among several that have most names of a lineage above them."""
    if len(nodes) < 2 or not lineage:
        return nodes
    names = {folded(name) for name in lineage}
    shared = [len(names.intersection(map(folded, taxonomy.path_names(node)[:-1]))) for node in nodes]
    return [node for node, count in zip(nodes, shared, strict=True) if count == max(shared)]


def _shared(taxonomy: Taxonomy, classes: Sequence[ScoredClass], nodes: IntArray) -> list[str]:
    """A sentence on classes that are the same node."""
    inside = nodes[nodes != ELSEWHERE]
    distinct, count = np.unique(inside, return_counts=True)
    several = distinct[count > 1]
    if not several.size:
        return []
    first = [classes[position].text for position in np.flatnonzero(nodes == several[0]).tolist()]
    path = taxonomy.path_name(int(several[0])) or "the root"
    more = f", and {several.size - 1:,} more" if several.size > 1 else ""
    return [f"Classes that are one node are added up: {some(first)} are {path!r}{more}."]


def _count(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
