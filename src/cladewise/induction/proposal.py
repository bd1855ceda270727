"""A proposed tree: the groups with their evidence, and the classes that need a person."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.induction.merges import Merges
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.sameness import folded

IntArray = NDArray[np.int64]

CERTAINTY, EVIDENCE = "certainty", "evidence"
"""Columns of a proposed tree."""


@dataclasses.dataclass(frozen=True)
class Group:
    """Name and evidence of a group.

    Args:
        name: Its name.
        evidence: Why its members belong together, as a sentence without its full stop.
        certainty: Share in [0, 1], or ``None`` if unknown.
    """

    name: str
    evidence: str
    certainty: float | None = None


@dataclasses.dataclass(frozen=True)
class Question:
    """A class that a person should look at.

    Args:
        label: The class.
        found: What was found, as a sentence without its full stop.
        choices: Paths or meanings that it could be.
    """

    label: str
    found: str
    choices: tuple[str, ...] = ()


@dataclasses.dataclass(frozen=True, eq=False)
class Proposal:
    """A proposed tree over classes, each of which is exactly one leaf.

    Args:
        taxonomy: The tree, with the columns ``certainty`` (a share, blank if unknown) and ``evidence``.
        classes: Names of the classes, in the order given.
        nodes: Node of each class.
        source: Source of the proposal in a few words.
        about: Sentences on how the tree was made.
        questions: Classes that a person should look at.
    """

    taxonomy: Taxonomy
    classes: tuple[str, ...]
    nodes: IntArray
    source: str
    about: tuple[str, ...] = ()
    questions: tuple[Question, ...] = ()

    def certainty(self, node: int) -> float | None:
        """Certainty of a group or of the place of a class; ``None`` if unknown."""
        text = str(self.taxonomy.columns[CERTAINTY][node])
        return float(text) if text else None

    def evidence(self, node: int) -> str:
        """Evidence for a node; blank if there is none."""
        return str(self.taxonomy.columns[EVIDENCE][node])


@dataclasses.dataclass(frozen=True, eq=False)
class ClassList:
    """Classes in a canonical order: by name.

    Args:
        names: Unique name of each class, ascending.
        columns: Further texts of each.
        given: Position in the given list of each.
    """

    names: tuple[str, ...]
    columns: dict[str, list[str]]
    given: IntArray


def assembled(
    merges: Merges,
    kept: IntArray,
    level: IntArray | None,
    groups: Sequence[Group],
    classes: ClassList,
    placed: Sequence[Group],
    *,
    level_names: Sequence[str] | None = None,
) -> tuple[Taxonomy, IntArray]:
    """The tree of the kept groups and all classes, under a synthetic root.

    Args:
        merges: The tree that was cut.
        kept: Nodes of the groups that stay, ascending.
        level: Level of each node of ``merges`` that stays, ``[node]``; depth if ``None``.
        groups: Name and evidence of each kept group.
        classes: The classes.
        placed: Evidence for the place of each class; its name is not used.
        level_names: Names of the levels.

    Returns: The tree, and the node of each class in the order of ``classes``.
    """
    stays = merges.class_of >= 0
    stays[kept] = True
    stays[0] = True
    nearest = np.arange(stays.size)
    for node in np.flatnonzero(~stays).tolist():  # parents come first
        nearest[node] = nearest[merges.parents[node]]
    left = np.flatnonzero(stays)
    number = np.cumsum(stays) - 1
    above = np.where(merges.parents[left] < 0, -1, number[nearest[np.maximum(merges.parents[left], 0)]])
    of_group = dict(zip(kept.tolist(), groups, strict=True))
    names: list[str] = []
    columns: dict[str, list[str]] = {key: [] for key in (*classes.columns, CERTAINTY, EVIDENCE)}
    taken = set(classes.columns.get("id", ()))
    group_ids = (text for number in itertools.count(1) if (text := f"group_{number}") not in taken)
    for node in left.tolist():
        own = int(merges.class_of[node])
        told = placed[own] if own >= 0 else of_group.get(node, Group("", ""))
        names.append(classes.names[own] if own >= 0 else told.name)
        for key, values in classes.columns.items():
            columns[key].append(values[own] if own >= 0 else next(group_ids) if key == "id" and node else "")
        columns[CERTAINTY].append("" if told.certainty is None else f"{told.certainty:.3f}")
        columns[EVIDENCE].append(told.evidence)
    taxonomy = Taxonomy(
        above,
        names,
        level=None if level is None else level[left],
        level_names=level_names,
        columns=columns,
        synthetic_root=True,
    )
    own = merges.class_of[left]
    nodes = np.zeros(len(classes.names), dtype=np.int64)
    nodes[own[own >= 0]] = np.flatnonzero(own >= 0)
    return taxonomy, nodes


def distinct(name: str, taken: set[str]) -> str:
    """The name, with ``(group)`` or a number if a class or another group has it; it is then taken too.

    Example:
        >>> taken = {"milk"}
        >>> [distinct(name, taken) for name in ("Milk", "milk", "juice")]
        ['Milk (group)', 'milk (group 2)', 'juice']
    """
    chosen, number = name, 1
    while folded(chosen) in taken:
        chosen = f"{name} (group)" if number == 1 else f"{name} (group {number})"
        number += 1
    taken.add(folded(chosen))
    return chosen
