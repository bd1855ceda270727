"""Options of commands that read somebody's scores, generated from the library's own options."""

from __future__ import annotations

import dataclasses
import inspect
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Annotated, Any, TypeVar

import typer

from cladewise.cli.extending import extended, listed
from cladewise.errors import InputError
from cladewise.scores.options import HELP, ScoreOptions
from cladewise.taxonomy.formats.options import ReadOptions

Command = TypeVar("Command", bound=Callable[..., None])

PREFIX = "scores"
PANEL = "Reading the scores"
OWN = ("labels",)
"""Fields that a command has as an option of its own."""
LISTS = ("elsewhere", "columns")
_OF_BOTH = {field.name for field in dataclasses.fields(ReadOptions)}
"""Options of trees; those of scores with the same name begin with ``scores``."""


def with_scores_options(command: Command) -> Command:
    """Add the options for reading scores to a command; those given are passed on as ``scores_options``."""
    fields = [field for field in dataclasses.fields(ScoreOptions) if field.name not in OWN]
    option_of = {_name(field.name): field.name for field in fields}
    return extended(
        command,
        [_parameter(field) for field in fields],
        "scores_options",
        lambda values: listed({option_of[name]: value for name, value in values.items()}, LISTS),
    )


@contextmanager
def options_of_scores() -> Generator[None, None, None]:
    """Name the options of scores in the errors of what reads them, where options of the tree have the same names.

    Raises:
        InputError: As raised within.
    """
    try:
        yield
    except InputError as error:
        named = re.compile(rf"(?<![\w-])({'|'.join(sorted(_OF_BOTH))})=")
        expected, advice = (named.sub(rf"{PREFIX}_\1=", text) for text in (error.expected, error.advice))
        raise InputError(expected, error.got, at=error.at, advice=advice) from None


def _name(field: str) -> str:
    return f"{PREFIX}_{field}" if field in _OF_BOTH else field


def _parameter(field: dataclasses.Field[Any]) -> inspect.Parameter:
    name, text = _name(field.name), HELP[field.name]
    help_text = f"{text[0].upper()}{text[1:]}{', separated by commas' if field.name in LISTS else ''}."
    option = typer.Option(f"--{name.replace('_', '-')}", help=help_text, show_default=False, rich_help_panel=PANEL)
    annotation = Annotated[str | None, option]
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)
