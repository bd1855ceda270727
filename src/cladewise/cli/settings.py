"""Command-line options generated from configuration classes, so that the two never differ."""

from __future__ import annotations

import dataclasses
import inspect
import json
from collections.abc import Callable, Sequence
from typing import Annotated, Any, TypeVar, cast

import typer

from cladewise.cli.extending import extended
from cladewise.errors import InputError
from cladewise.records import Tree, check_tree

Command = TypeVar("Command", bound=Callable[..., None])


def with_settings(*tables: type, but: Sequence[str] = ()) -> Callable[[Command], Command]:
    """Add an option for every field of the tables to a command; those given are passed on as ``**chosen``."""

    def extend(command: Command) -> Command:
        fields = [(f, table) for table in tables for f in dataclasses.fields(table) if f.name not in but]
        return extended(command, [_parameter(f, table) for f, table in fields], None, _given)

    return extend


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _parameter(field: dataclasses.Field[Any], table: type) -> inspect.Parameter:
    default, flag = field.default, f"--{field.name.replace('_', '-')}"
    meaning = field.metadata["help"]
    text = f"{meaning[0].upper()}{meaning[1:]}."
    choices = field.metadata["choices"]
    if choices:
        text += f" One of {', '.join(choices)}."
    shown = json.dumps(default) if isinstance(default, bool) else str(default)
    names = [f"{flag}/--no-{flag[2:]}"] if isinstance(default, bool) else [flag]
    panel = table.__name__.removesuffix("Config")
    option = typer.Option(*names, help=text, show_default=shown or False, rich_help_panel=panel)
    kind = Annotated[type(default) | None, option]
    return inspect.Parameter(field.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=kind)


RUNTIME_HELP = (
    "Runtime that encodes images: torch, onnxruntime, openvino, or auto, the fastest that is installed and whose "
    "features equal torch's."
)
PRECISIONS = ("fp32", "bf16", "fp16")
PRECISION_HELP = f"Arithmetic of the image encoder: {', '.join(PRECISIONS)}."
NAMES_HELP = "Language to show names in, such as fr: a column name:fr of the taxonomy. Default: the nodes' own names."
TREE_HELP = "Tree to score in: true, or own, the altered tree that an ablated run was trained on."


def checked_tree(tree: str) -> Tree:
    """The word of ``--tree``.

    Raises:
        InputError: It stands for no tree.
    """
    check_tree(tree)
    return cast("Tree", tree)


def parse_pairs(pairs: Sequence[str], flag: str) -> dict[str, Any]:
    """``key=value`` words as a mapping; values are read as JSON if possible, and as text otherwise.

    Example:
        >>> parse_pairs(["dilution=0.7", "domain=leaves"], "--set")
        {'dilution': 0.7, 'domain': 'leaves'}
    """
    found: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise InputError(f"{flag} key=value", repr(pair))
        try:
            found[key] = json.loads(value)
        except json.JSONDecodeError:
            found[key] = value
    return found


def with_threshold(decisions: Sequence[str], threshold: float | None) -> list[str]:
    """The decisions of ``--decision``, with ``--threshold`` added to the only one.

    Example:
        >>> with_threshold(["threshold"], 0.9)
        ['threshold:threshold=0.9']

    Raises:
        InputError: A threshold is given without exactly one decision.
    """
    if threshold is None:
        return list(decisions)
    if len(decisions) != 1:
        given = f"{len(decisions)} decisions" if decisions else "only --threshold"
        raise InputError("one --decision with --threshold", given, advice="Write --decision threshold:threshold=0.9.")
    return [f"{decisions[0]}{',' if ':' in decisions[0] else ':'}threshold={threshold}"]
