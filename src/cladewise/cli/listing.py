"""``cladewise list``."""

from __future__ import annotations

import dataclasses
import fnmatch
import inspect
from collections.abc import Mapping
from typing import Annotated, Any

import typer

from cladewise.catalogue import named_option_of, nearest, options_of, value_text
from cladewise.cli.printing import print_table, say
from cladewise.errors import InputError

Rows = tuple[tuple[str, ...], dict[str, tuple[str, ...]]]  # the columns, and the cells of each name


def list_parts(
    kind: Annotated[str, typer.Argument(help="One of methods, decisions, inferences, datasets, backbones.")],
    pattern: Annotated[str, typer.Argument(help="List only names that match this pattern, such as 'resnet*'.")] = "*",
) -> None:
    """List methods, decisions, inference rules, datasets or backbones."""
    from rich.table import Table

    listers = {
        "methods": _methods,
        "decisions": _decisions,
        "inferences": _inferences,
        "datasets": _datasets,
        "backbones": _backbones,
    }
    if kind not in listers:
        raise InputError(f"one of {', '.join(listers)}", repr(kind), advice=nearest(kind, listers))
    columns, rows = listers[kind]()
    fitting = [name for name in rows if fnmatch.fnmatch(name, pattern)]
    if not fitting:
        raise InputError(f"a pattern that matches some {kind}", repr(pattern), advice=nearest(pattern, rows))
    table = Table("name", *columns, box=None, header_style="bold")
    for name in sorted(fitting):
        table.add_row(name, *rows[name])
    print_table(table)
    of = f" of {len(rows):,}" if len(fitting) < len(rows) else ""
    say(f"{len(fitting):,}{of} {kind}, by name")


def _methods() -> Rows:
    from cladewise import methods

    rows = {
        name: (method.title, _options(method), method.citation.short) for name, method in methods.available().items()
    }
    return ("title", "options", "published"), rows


def _decisions() -> Rows:
    from cladewise import decisions

    return _rules(decisions.available())


def _inferences() -> Rows:
    from cladewise import inference

    return _rules(inference.available())


def _rules(parts: Mapping[str, type]) -> Rows:
    rows = {name: (_options(part), (inspect.getdoc(part) or "").splitlines()[0]) for name, part in parts.items()}
    return ("options", "what it does"), rows


def _datasets() -> Rows:
    from cladewise import datasets

    return ("what it is",), {name: (text,) for name, text in datasets.available().items()}


def _backbones() -> Rows:
    from cladewise import backbones

    return ("what it is",), {name: (text,) for name, text in backbones.available().items()}


def _options(part: Any) -> str:
    listed, open_field = [_option(field) for field in options_of(part).values()], named_option_of(part)
    return ", ".join([*listed, *([f"{open_field.metadata['named']}=..."] if open_field else [])])


def _option(field: dataclasses.Field[Any]) -> str:
    return field.name if field.default is dataclasses.MISSING else f"{field.name}={value_text(field.default)}"
