"""What can be wrong with a table of labels: one kind, one rule, one severity."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal

from cladewise.errors import InputError

Severity = Literal["error", "warning"]

RULES: dict[str, str] = {
    "unreadable": "a tree that can be read",
    "encoding": "UTF-8 text",
    "header": "a header that names every column once",
    "row-length": "no more cells in a row than the header has",
    "blank": "a label in every row",
    "duplicate": "each node in one row",
    "several-parents": "one parent for each node",
    "orphan": "every parent to have a row of its own",
    "roots": "exactly one root",
    "cycle": "every node to lead up to the root",
    "levels": "every node at a finer level than its parent",
    "near-duplicate": "names that differ by more than case or white space",
    "white-space": "names without stray white space",
    "repeated-name": "one place for each name of a level",
    "synonym": "every name to be accepted, or a synonym of one that is",
    "left-out": "names that are accepted or synonyms",
    "unplaced": "a place for every taxon",
    "unlisted": "a row for every taxon above others",
    "rank": "ranks that order the taxa from coarse to fine",
}
"""The rule that each kind of problem breaks."""

ADVICE: dict[str, str] = {
    "encoding": "Save the file as UTF-8.",
    "several-parents": 'Pass parents="first" (or "last") to keep one of them.',
    "orphan": "Add a row for the parent, with an empty parent if it is the root.",
    "roots": 'Pass roots="join" to put them under a synthetic root.',
    "unplaced": 'Fill in where they belong, or pass roots="join" to put them at the top.',
}
"""What to do about it, where there is one thing to do."""


@dataclasses.dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong with a file.

    Attributes:
        line: Line of the file, from 1; 0 where the file as a whole is meant, or the format has no lines.
        kind: Key of :data:`RULES`.
        text: What was found.
        severity: An ``error`` keeps the file from being read; a ``warning`` is probably a slip.

    Example:
        >>> print(Problem(3, "orphan", "parent 'froot' of 'apple', which no row defines"))
        3: error: parent 'froot' of 'apple', which no row defines [orphan]
    """

    line: int
    kind: str
    text: str
    severity: Severity = "error"

    def __str__(self) -> str:
        where = f"{self.line}: " if self.line else ""
        return f"{where}{self.severity}: {self.text} [{self.kind}]"


def raise_first(problems: Sequence[Problem], source: str, *, checkable: bool = True) -> None:
    """Raise the first error among the problems, if there is one, and say how many more there are.

    Raises:
        InputError: Some problem is an error.
    """
    errors = sorted(p for p in problems if p.severity == "error")
    if not errors:
        return
    first = errors[0]
    advice = ADVICE.get(first.kind, "")
    if len(errors) > 1 and checkable:
        advice += f" List all {len(errors)} errors with: cladewise taxonomy check {source}."
    elif len(errors) > 1:
        advice += f" There are {len(errors) - 1} more errors."
    at = f"{source}:{first.line}" if first.line else source
    raise InputError(RULES[first.kind], first.text, at=at, advice=advice)


def some(items: Sequence[str], limit: int = 5) -> str:
    """The first few of many names, quoted, for an error text.

    Example:
        >>> some(["a", "b", "c"], limit=2)
        "'a', 'b', ..."
    """
    return ", ".join(repr(item) for item in items[:limit]) + (", ..." if len(items) > limit else "")
