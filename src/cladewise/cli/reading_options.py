"""Options of commands that read a label tree, generated from the library's own options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from cladewise.cli.extending import extended, listed
from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import HELP, ReadOptions

if TYPE_CHECKING:
    from cladewise.taxonomy import Taxonomy

Command = TypeVar("Command", bound=Callable[..., None])

PREFIX = "taxonomy"
PANEL = "Reading the taxonomy"
LISTS = ("levels", "columns")


def with_reading(*, beside: str = "", into: str = "reading", short: bool = True) -> Callable[[Command], Command]:
    """Add the options for reading a tree to a command, passed on as one argument.

    If the tree is an argument of the command, options have their Python names: ``--separator``, ``--name``. If it is an
    option, ``--taxonomy FILE``, they are prefixed with it, ``--taxonomy-separator``; the short form works too, unless
    the command has an option of that name.

    Args:
        beside: The option that gives the tree, ``taxonomy``; empty if the tree is an argument of the command.
        into: The argument. A command with options for a second tree takes them as another argument than ``reading``,
            and without short forms.
        short: Whether there are short forms.
    """
    prefix = f"{PREFIX}_" if into == "reading" else f"{into}_"

    def extend(command: Command) -> Command:
        fields = dataclasses.fields(ReadOptions)
        own = [name for name in inspect.signature(command, eval_str=True).parameters if name != into]
        taken = own if short and into == "reading" else [field.name for field in fields]
        added = [_parameter(field, beside, taken, prefix) for field in fields]
        return extended(command, added, into, lambda values: _options(values, prefix))

    return extend


def read_tree(file: Path | None, reading: ReadOptions) -> Taxonomy | None:
    """The tree of ``--taxonomy FILE``; ``None`` without one.

    Raises:
        InputError: It cannot be read, or there are options of reading it but no file.
    """
    if file is None:
        given = reading.given()
        if given:
            option = next(iter(given)).replace("_", "-")
            raise InputError("--taxonomy FILE with options of reading it", f"--taxonomy-{option} alone")
        return None
    from cladewise.taxonomy.formats.reading import read_with

    return read_with(file, reading)


def _parameter(field: dataclasses.Field[Any], beside: str, taken: Sequence[str], prefix: str) -> inspect.Parameter:
    short = field.name.replace("_", "-")
    flags = [f"--{short}"] if not beside else [f"--{beside}-{short}"]
    if beside and field.name not in taken:
        flags.append(f"--{short}")
    meaning = HELP[field.name]
    text = f"{meaning[0].upper()}{meaning[1:]}{', separated by commas' if field.name in LISTS else ''}."
    kind = bool if isinstance(field.default, bool) else str | None
    default = False if kind is bool else None
    panel = PANEL if prefix == f"{PREFIX}_" else f"Reading the {beside} taxonomy"
    option = typer.Option(*flags, help=text, show_default=False, rich_help_panel=panel)
    annotation = Annotated[kind, option]
    return inspect.Parameter(
        prefix + field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation
    )


def _options(values: dict[str, Any], prefix: str) -> ReadOptions:
    return ReadOptions(**listed({name.removeprefix(prefix): value for name, value in values.items()}, LISTS))
