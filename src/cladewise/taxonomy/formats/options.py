"""What a caller may say about a file: its format, and how to resolve what is ambiguous in it."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Literal, get_args

from cladewise.errors import InputError

TableFormat = Literal["levels", "edges", "nodes", "darwin-core"]
FileFormat = Literal["json", "yaml", "newick", "folders", "wordnet"]
Format = Literal["levels", "edges", "nodes", "darwin-core", "json", "yaml", "newick", "folders", "wordnet"]
Parents = Literal["error", "first", "last"]
Roots = Literal["error", "join"]

TABLE_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
FORMATS: tuple[Format, ...] = get_args(Format)


@dataclasses.dataclass(frozen=True)
class TableOptions:
    """How to read a table; the fields are the options of :func:`cladewise.taxonomy.read`.

    Raises:
        InputError: A word is not among those that the option knows.
    """

    format: TableFormat | None = None
    parents: Parents = "error"
    roots: Roots = "error"
    levels: Sequence[str] | None = None
    columns: Sequence[str] = ()
    child: str | None = None
    parent: str | None = None

    def __post_init__(self) -> None:
        one_of("format", self.format, (None, *TABLE_FORMATS))
        one_of("parents", self.parents, get_args(Parents))
        one_of("roots", self.roots, get_args(Roots))


def one_of(option: str, value: object, known: Sequence[object]) -> None:
    """Refuse a word that an option does not know.

    Raises:
        InputError: The value is none of the known ones.

    Example:
        >>> one_of("roots", "both", ("error", "join"))
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected roots to be one of error, join, but got 'both'.
    """
    if value not in known:
        raise InputError(f"{option} to be one of {', '.join(str(word) for word in known if word)}", repr(value))
