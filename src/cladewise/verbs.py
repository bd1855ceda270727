"""The verbs of the library, one for each command of the command line: where each is, and how it is called."""

from __future__ import annotations

import functools
import importlib
import inspect
import typing
from collections.abc import Callable
from typing import Any

from cladewise.catalogue import nearest
from cladewise.errors import InputError

VERBS: dict[str, tuple[str, str]] = {
    "audit": ("cladewise.auditing", "audit"),
    "benchmark": ("cladewise.suites", "benchmark"),
    "choose": ("cladewise.choosing", "choose"),
    "compare": ("cladewise.report", "compare"),
    "decide": ("cladewise.engine", "decide"),
    "demo": ("cladewise.suites", "demo"),
    "discover": ("cladewise.discovery", "discover"),
    "embed": ("cladewise.embeddings", "embed"),
    "embed_images": ("cladewise.features", "embed_images"),
    "entails": ("cladewise.engine", "entails"),
    "evaluate": ("cladewise.engine", "evaluate"),
    "evaluate_unknown": ("cladewise.unknowns", "evaluate_unknown"),
    "explain": ("cladewise.explanations", "explain"),
    "export": ("cladewise.exporting", "export"),
    "few_shot": ("cladewise.episodes", "few_shot"),
    "fit": ("cladewise.engine", "fit"),
    "index": ("cladewise.features", "index_features"),
    "induce": ("cladewise.induction", "induce"),
    "look_alikes": ("cladewise.explanations", "look_alikes"),
    "manifolds": ("cladewise.explanations", "manifolds"),
    "migrate": ("cladewise.migration", "migrate"),
    "nearest": ("cladewise.features", "nearest"),
    "predict": ("cladewise.engine", "predict"),
    "push": ("cladewise.hub", "push"),
    "rerun": ("cladewise.engine", "rerun"),
    "retrieve": ("cladewise.engine", "retrieve"),
    "serve": ("cladewise.serving", "serve"),
    "space": ("cladewise.explanations", "space"),
    "train": ("cladewise.engine", "train"),
    "zero_shot": ("cladewise.engine", "zero_shot"),
}
"""Module and attribute of every verb; a module is imported when one of its verbs is first used."""


def verb(name: str) -> Callable[..., Any]:
    """A verb by its name, as a function that answers a misspelt keyword with an :class:`InputError`.

    Example:
        >>> verb("compare")(["runs/hace"], spilt="test")
        Traceback (most recent call last):
        ...
        cladewise.errors.InputError: Expected an argument of compare, but got 'spilt'. Did you mean split?
    """
    module, attribute = VERBS[name]
    return _checked(getattr(importlib.import_module(module), attribute), name)


def _checked(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    known = _keywords(function)

    @functools.wraps(function)
    def call(*args: Any, **options: Any) -> Any:
        for option in options:
            if known is not None and option not in known:
                raise InputError(f"an argument of {name}", repr(option), advice=nearest(option, known))
        return function(*args, **options)

    return call


def _keywords(function: Callable[..., Any]) -> list[str] | None:
    """Names that can be given by keyword; none where a function takes any and checks them itself."""
    names: list[str] = []
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            hint = typing.get_type_hints(function, include_extras=True).get(parameter.name)
            if typing.get_origin(hint) is not typing.Unpack:
                return None
            names += typing.get_type_hints(typing.get_args(hint)[0])
        elif parameter.kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY):
            names.append(parameter.name)
    return names
