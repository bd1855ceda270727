"""``cladewise list``."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Annotated

import typer

from cladewise.errors import InputError

KINDS = ("methods", "decisions", "inferences", "datasets", "backbones")


def list_parts(kind: Annotated[str, typer.Argument(help=f"One of {', '.join(KINDS)}.")]) -> None:
    """List the methods, decisions, inferences, data sets or backbones that there are."""
    from rich.console import Console
    from rich.table import Table

    if kind not in KINDS:
        raise InputError(f"one of {', '.join(KINDS)}", repr(kind))
    table = Table(box=None, header_style="bold")
    if kind == "methods":
        from cladewise import methods

        for column in ("name", "title", "options", "published as"):
            table.add_column(column)
        for name, method in methods.available().items():
            options = ", ".join(f"{f.name}={f.default}" for f in dataclasses.fields(method))
            table.add_row(name, method.title, options, f"{method.citation.venue} {method.citation.year}")
    elif kind in ("decisions", "inferences"):
        from cladewise import decisions, inference

        for column in ("name", "parameters", "what it does"):
            table.add_column(column)
        parts = decisions.available() if kind == "decisions" else inference.available()
        for name, part in parts.items():
            parameters = ", ".join(f"{f.name}={f.default}" for f in dataclasses.fields(part))  # type: ignore[arg-type]
            table.add_row(name, parameters, (inspect.getdoc(part) or "").splitlines()[0])
    else:
        from cladewise import backbones, datasets

        for column in ("name", "what it is"):
            table.add_column(column)
        for name, text in (datasets.available() if kind == "datasets" else backbones.available()).items():
            table.add_row(name, text)
    Console().print(table)
