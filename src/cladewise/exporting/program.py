"""The program that torch.export makes of a run's module, from which files are written."""

from __future__ import annotations

from typing import Any

import torch

from cladewise.errors import InputError
from cladewise.exporting.graph import RunGraph, warmed
from cladewise.runtimes.graph import quietly
from cladewise.tracing import traced


def exported(graph: RunGraph) -> torch.export.ExportedProgram:
    """The module as a program with any number of images, of any height and width where they are decoded images.

    Raises:
        InputError: The module cannot be traced.
    """
    inputs = (graph.example(), *graph.defaults.values())
    warmed(graph, *inputs)
    others = ((None,) * len(graph.defaults),) if graph.defaults else ()
    shapes = (dynamic_dims(graph), *others)
    try:
        with quietly(), traced(), torch.no_grad():
            program = torch.export.export(graph, inputs, dynamic_shapes=shapes, strict=False)
    except InputError:
        raise
    except Exception as error:  # of any kind, from each of its stages
        raise InputError("a run that torch.export can trace", reason(error)) from error
    for node in program.graph.nodes:  # names of source files on this machine, which would be kept in the file
        node.meta.pop("stack_trace", None)
    return program


def dynamic_dims(graph: RunGraph) -> dict[int, Any]:
    """The dimensions of the first input that may be of any size."""
    names = ("batch", "height", "width") if graph.start == "images" else ("batch",)
    return {place: torch.export.Dim(name) for place, name in enumerate(names)}


def reason(error: BaseException) -> str:
    """The first line of the error at the root of a chain of errors, without colours.

    Example:
        >>> try:
        ...     try:
        ...         raise ValueError("no such operator")
        ...     except ValueError as inner:
        ...         raise RuntimeError("export failed") from inner
        ... except RuntimeError as outer:
        ...     reason(outer)
        'no such operator'
    """
    while error.__cause__ is not None:
        error = error.__cause__
    lines = (line.strip() for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
