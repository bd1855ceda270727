"""Options of commands that read a label tree, generated from the library's own options."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from typing import Annotated, Any, TypeVar

import typer

from cladewise.taxonomy.formats.options import HELP, ReadOptions

Command = TypeVar("Command", bound=Callable[..., None])

PREFIX = "taxonomy"
PANEL = "Reading the taxonomy"
LISTS = ("levels", "columns")


def with_reading(*, beside: str = "") -> Callable[[Command], Command]:
    """Add the options for reading a tree to a command, passed on as one argument ``reading``.

    If the tree is an argument of the command, options have their Python names: ``--separator``, ``--name``. If it is an
    option, ``--taxonomy FILE``, they are prefixed with it, ``--taxonomy-separator``; the short form works too, unless
    the command has an option of that name.

    Args:
        beside: The option that gives the tree, ``taxonomy``; empty if the tree is an argument of the command.
    """

    def extend(command: Command) -> Command:
        signature = inspect.signature(command, eval_str=True)
        own = {p.name: p for p in signature.parameters.values() if p.name != "reading"}
        added = {f"{PREFIX}_{field.name}": _parameter(field, beside, own) for field in dataclasses.fields(ReadOptions)}
        variadic = [p for p in own.values() if p.kind is inspect.Parameter.VAR_KEYWORD]
        fixed = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own.values() if p not in variadic]
        parameters = [*fixed, *added.values(), *variadic]

        def wrapped(**values: Any) -> None:
            chosen = {key.removeprefix(f"{PREFIX}_"): values.pop(key) for key in added}
            command(**values, reading=_options(chosen))

        wrapped.__name__, wrapped.__doc__ = command.__name__, command.__doc__
        wrapped.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        wrapped.__annotations__ = {p.name: p.annotation for p in parameters}
        return wrapped  # type: ignore[return-value]

    return extend


def _parameter(field: dataclasses.Field[Any], beside: str, own: dict[str, Any]) -> inspect.Parameter:
    short = field.name.replace("_", "-")
    flags = [f"--{short}"] if not beside else [f"--{beside}-{short}"]
    if beside and field.name not in own:
        flags.append(f"--{short}")
    meaning = HELP[field.name]
    text = f"{meaning[0].upper()}{meaning[1:]}{', separated by commas' if field.name in LISTS else ''}."
    kind = bool if isinstance(field.default, bool) else str | None
    default = False if kind is bool else None
    option = typer.Option(*flags, help=text, show_default=False, rich_help_panel=PANEL)
    annotation = Annotated[kind, option]
    name = f"{PREFIX}_{field.name}"
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=annotation)


def _options(chosen: dict[str, Any]) -> ReadOptions:
    """The options given, with comma-separated lists split."""
    given = {key: value for key, value in chosen.items() if value not in (None, False)}
    for key in LISTS:
        if key in given:
            given[key] = [name.strip() for name in str(given[key]).split(",")]
    return ReadOptions(**given)
