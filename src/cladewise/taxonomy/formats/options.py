"""Options for reading trees: the format of a file, and how to resolve ambiguities."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from os import PathLike
from typing import Any, Literal, cast, get_args

from cladewise.errors import InputError
from cladewise.taxonomy.building import Parents, Roots

TableFormat = Literal[
    "levels",
    "edges",
    "nodes",
    "darwin-core",
    "paths",
    "bird-list",
    "tree-numbers",
]
FileFormat = Literal[
    "json",
    "yaml",
    "newick",
    "folders",
    "wordnet",
    "coco",
    "class-lists",
    "speciesnet",
    "birdnet",
    "camtrap-dp",
    "obo",
    "rdf",
    "dwca",
    "coldp",
    "taxdump",
    "label-studio",
    "datumaro",
    "cvat",
]
Format = TableFormat | FileFormat
Header = Literal["first", "none"]
Support = Literal["names", "drop"]
Underscores = Literal["keep", "blanks"]

TABLE_FORMATS: tuple[TableFormat, ...] = get_args(TableFormat)
FORMATS: tuple[Format, ...] = (*TABLE_FORMATS, *get_args(FileFormat))

CHECKLISTS = ("dwca", "coldp", "taxdump")
"""Formats of checklists in archives."""

SEPARATOR_WORDS = {"tab": "\t", "\\t": "\t", "comma": ",", "semicolon": ";", "pipe": "|"}


HELP = {
    "format": f"format of the file, if it cannot be detected: {', '.join(FORMATS)}",
    "separator": "tables: the character that separates cells, or tab",
    "header": "tables: whether the first row names the columns (first) or there is no header (none)",
    "id": "edge lists: the column of ids that parents refer to",
    "parent": "edge lists: the column of parents",
    "name": "edge lists: the column of names",
    "levels": "level tables: the columns that are levels, coarse to fine; or the column of paths; checklists: ranks; "
    "CVAT: attributes",
    "columns": "level tables and checklists: further text columns to keep",
    "parents": "several parents of a node: error, keep the first or the last, or keep all",
    "roots": "what to do with several roots: error, or join them under a synthetic root",
    "ids": "WordNet: the synsets to keep, or a file of them",
    "support": "Newick: keep numbers at internal nodes as names, or drop them as support values",
    "underscores": "Newick: keep underscores in unquoted names, or read them as blanks",
    "control": "Label Studio: the control whose choices are the tree, if there are several",
    "fill_down": "level tables: fill blank cells from the row above, for merged cells",
}
"""Help text of each option on the command line."""


@dataclasses.dataclass(frozen=True)
class ReadOptions:
    """How to read a tree; the fields are the options of :func:`cladewise.taxonomy.read` and of the command line.

    A column is given by its header or, if no column has that name, by its number from 1.

    Raises:
        InputError: An option has an unknown value, or two options contradict each other.

    Example:
        >>> ReadOptions(separator="tab").given()
        {'separator': '\\t'}
    """

    format: Format | None = None
    separator: str | None = None
    header: Header | None = None
    id: str | None = None
    parent: str | None = None
    name: str | None = None
    levels: Sequence[str] | None = None
    columns: Sequence[str] = ()
    parents: Parents = "error"
    roots: Roots = "error"
    ids: str | PathLike[str] | Sequence[str] | None = None
    fill_down: bool = False
    support: Support | None = None
    underscores: Underscores | None = None
    control: str | None = None

    def __post_init__(self) -> None:
        one_of("format", self.format, (None, *FORMATS))
        one_of("header", self.header, (None, *get_args(Header)))
        one_of("parents", self.parents, get_args(Parents))
        one_of("roots", self.roots, get_args(Roots))
        one_of("support", self.support, (None, *get_args(Support)))
        one_of("underscores", self.underscores, (None, *get_args(Underscores)))
        if self.separator is not None:
            separator = SEPARATOR_WORDS.get(self.separator, self.separator)
            if len(separator) != 1 or separator in '"\r\n':
                raise InputError("separator to be one character, or the word tab", repr(self.separator))
            object.__setattr__(self, "separator", separator)
        for option in ("levels", "columns"):
            value = getattr(self, option)
            if isinstance(value, str):
                raise InputError(f"{option} to be a list of columns", repr(value))
            if value:  # columns may be given as numbers
                object.__setattr__(self, option, [str(column) for column in value])
        for option in ("id", "parent", "name"):
            if getattr(self, option) is not None:
                object.__setattr__(self, option, str(getattr(self, option)))
        shown = argument("format", self.format or "")
        edges = [argument(o, getattr(self, o)) for o in ("id", "parent", "name") if getattr(self, o)]
        levels = [argument(o, getattr(self, o)) for o in ("levels", "columns", "fill_down") if getattr(self, o)]
        if edges and (levels or self.format in ("levels", "paths")):
            other = levels[0] if levels else shown
            got = f"{edges[0]} (edge lists) together with {other} (level tables)"
            raise InputError("options of one kind of table", got)
        if levels and self.format not in (None, "levels", "paths", "cvat", *CHECKLISTS):
            raise InputError("options of one kind of file", f"{levels[0]} (level tables) together with {shown}")
        if edges and self.format not in (None, "edges", "nodes"):
            raise InputError("options of one kind of file", f"{edges[0]} (edge lists) together with {shown}")

    def given(self) -> dict[str, Any]:
        """The non-default options, as plain values for a configuration file."""
        found: dict[str, Any] = {}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                plain = value if isinstance(value, str | bool) else None
                found[field.name] = plain if plain is not None else _plain(value)
        return found


def _plain(value: Any) -> Any:
    return str(value) if isinstance(value, PathLike) else [str(item) for item in value]


def argument(option: str, value: object) -> str:
    """An option as a Python argument, for advice.

    Example:
        >>> argument("levels", ["order", "family"])
        'levels=["order", "family"]'
    """
    if isinstance(value, bool):
        return f"{option}={value}"
    plain = value if isinstance(value, str) else [str(item) for item in cast("Sequence[object]", value)]
    return f"{option}={json.dumps(plain, ensure_ascii=False)}"


def one_of(option: str, value: object, known: Sequence[object]) -> None:
    """Check that an option has a known value.

    Raises:
        InputError: It does not.

    Example:
        >>> one_of("roots", "both", ("error", "join"))
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected roots to be one of error, join, but got 'both'.
    """
    if value not in known:
        raise InputError(f"{option} to be one of {', '.join(str(word) for word in known if word)}", repr(value))


PLAIN = ReadOptions()
"""The default options."""
