"""Problems of a label file: kinds, the rules they break, and how they become errors and warnings."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Generator, Sequence
from typing import Literal

from cladewise.errors import InputError, warn

Severity = Literal["error", "warning"]

FEW = 3
"""Most problems of one kind that get a warning each."""

RULES: dict[str, str] = {
    "unreadable": "a tree that can be read",
    "encoding": "UTF-8 text",
    "header": "a table",
    "header-again": "one header",
    "header-guess": "a header that can be told from labels",
    "column-name": "a header with a different name for each column",
    "row-numbers": "columns of labels",
    "quote": "quotes that open and close one cell each",
    "row-length": "no more cells in a row than the header has",
    "blank": "a label in every row",
    "total": "rows of labels",
    "merged-cells": "every row to say where its label lies",
    "duplicate": "each node in one row",
    "other-texts": "one row of texts for each node",
    "several-parents": "one parent for each node",
    "overlap": "classes that exclude each other",
    "orphan": "every parent to have a row of its own",
    "no-parent": "blank parents at roots",
    "number": "one spelling of each id",
    "roots": "exactly one root",
    "cycle": "every node to be connected to the root",
    "levels": "every node at a finer level than its parent",
    "near-duplicate": "names that differ by more than case or white space",
    "ambiguous": "names and numbers with one meaning",
    "white-space": "names without stray white space",
    "nothing": "labels that stand for something",
    "zero-width": "names without characters that cannot be seen",
    "spelling": "one spelling for each label",
    "repeated-name": "one place for each name of a level",
    "single": "levels that divide the labels",
    "synonym": "every name to be accepted, or a synonym of one that is",
    "synonym-of-name": "synonyms that are no names",
    "live-former-id": "former ids that are no ids",
    "shared-name": "names that lead to one node",
    "language": "BCP 47 codes for languages, such as fr",
    "left-out": "names that are accepted or synonyms",
    "unplaced": "a place for every taxon",
    "unlisted": "a row for every taxon above others",
    "rank": "ranks that order the taxa from coarse to fine",
}
"""The rule that each kind of problem breaks."""

ADVICE: dict[str, str] = {
    "encoding": "Save the file as UTF-8.",
    "quote": "Close the quote, or write a quote inside a cell twice.",
    "several-parents": 'Pass parents="all" to keep them, or parents="first" (or "last") to keep one of them.',
    "orphan": "Add a row for the parent, with an empty parent if it is the root.",
    "roots": 'Pass roots="join" to put them under a synthetic root.',
    "nothing": "Leave the cell empty if there is none.",
    "merged-cells": "Pass fill_down=True if they are merged cells.",
    "header-again": "Remove the line.",
    "total": "Remove the line if it is one.",
    "header-guess": 'Pass header="none" if there is no header, or header="first" if it is one.',
    "column-name": 'Name every column, and remove lines above the header; pass header="none" if there is none.',
    "unplaced": 'Fill in where they belong, or pass roots="join" to put them at the top.',
}
"""Advice for each kind of problem that has a standard remedy."""


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One problem of a file.

    Attributes:
        line: Line of the file, from 1; 0 for the file as a whole, or if the format has no lines.
        kind: Key of :data:`RULES`.
        text: What was found.
        severity: An ``error`` makes the file unreadable; a ``warning`` is probably a mistake.
        advice: Advice for this problem, with Python arguments; blank if that of the kind is enough.

    Example:
        >>> print(Problem(3, "orphan", "parent 'froot' of 'apple', which no row defines"))
        3: error: parent 'froot' of 'apple', which no row defines [orphan]
    """

    line: int
    kind: str
    text: str
    severity: Severity = "error"
    advice: str = ""

    def __str__(self) -> str:
        where = f"{self.line}: " if self.line else ""
        advice = f". {self.advice}" if self.advice else ""
        return f"{where}{self.severity}: {self.text}{advice} [{self.kind}]"


def raise_first(problems: Sequence[Problem], source: str, *, checkable: bool = True) -> None:
    """Raise the first error among the problems, if any, with the number of further ones.

    Raises:
        InputError: Some problem is an error.
    """
    errors = [problem for problem in problems if problem.severity == "error"]
    errors.sort(key=lambda problem: (problem.kind != "encoding", problem))  # with wrong bytes, names mean nothing
    if not errors:
        return
    first = errors[0]
    advice = first.advice or ADVICE.get(first.kind, "")
    if len(errors) > 1 and checkable:
        advice += f" List all {len(errors)} errors with: cladewise taxonomy check {source}."
    elif len(errors) > 1:
        advice += f" There are {len(errors) - 1} more errors."
    at = f"{source}:{first.line}" if first.line else source
    raise InputError(RULES[first.kind], first.text, at=at, advice=advice)


def warn_of(problems: Sequence[Problem], source: str, *, checkable: bool = True) -> None:
    """Warn about problems: one by one if a kind has few, otherwise the first with the number of further ones.

    Example:
        >>> import warnings
        >>> with warnings.catch_warnings(record=True, action="always") as caught:
        ...     warn_of([Problem(2, "blank", "a row without any label", "warning")] * 9, "t.csv")
        >>> print(caught[0].message)
        a row without any label, and 8 more of this kind, at t.csv:2. List them with: cladewise taxonomy check t.csv.
    """
    by_kind: dict[str, list[Problem]] = {}
    for problem in problems:
        if problem.severity == "warning":
            by_kind.setdefault(problem.kind, []).append(problem)
    for kind, found in by_kind.items():
        told, advice = found, found[0].advice or ADVICE.get(kind, "")
        more = ""
        if len(found) > FEW:
            told = [min(found)]
            more = f", and {len(found) - 1:,} more of this kind,"
            advice += f" List them with: cladewise taxonomy check {source}." if checkable else ""
        for problem in told:
            warn(problem.text + more, at=f"{source}:{problem.line}" if problem.line else source, advice=advice)


@contextlib.contextmanager
def placed_at(source: str) -> Generator[None]:
    """Add the file to errors raised while building a tree from it.

    Example:
        >>> with placed_at("classes.csv"):
        ...     raise InputError("a finer level", "level 1", at="node a/b")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a finer level, but got level 1 at classes.csv, node a/b.
    """
    try:
        yield
    except InputError as error:
        if source in error.at:
            raise
        at = f"{source}, {error.at}" if error.at else source
        raise InputError(error.expected, error.got, at=at, advice=error.advice) from error


def some(items: Sequence[str], limit: int = 5) -> str:
    """The first few of many names, quoted, for a message.

    Example:
        >>> some(["a", "b", "c"], limit=2)
        "'a', 'b', ..."
    """
    return ", ".join(repr(item) for item in items[:limit]) + (", ..." if len(items) > limit else "")
