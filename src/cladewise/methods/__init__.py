"""Published methods by name. A method is a class in a module of this package; defining it there registers it."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Mapping
from typing import Any

from cladewise.catalogue import make_part, named_parts, options_of, parts_called
from cladewise.methods.method import Citation, Method, option

__all__ = ["Citation", "Method", "available", "make", "option", "recorded", "recorded_options"]


def available() -> dict[str, type[Method]]:
    """Every method by name, including those of other distributions."""
    return named_parts(sys.modules[__name__], Method)


def make(name: str, **options: Any) -> Method:
    """Make a method by name, with its hyper-parameters.

    Raises:
        InputError: There is no such method or hyper-parameter.

    Example:
        >>> make("hace", dilution=0.7).options()["dilution"]
        0.7
    """
    found = parts_called(name, sys.modules[__name__], Method)  # spares importing all the other methods
    return make_part(found or available(), "method", name, options)


def recorded(name: str, options: Mapping[str, Any]) -> Method:
    """Make the method of a run from its configuration, completed by :func:`recorded_options`.

    Raises:
        InputError: There is no such method or hyper-parameter.

    Example:
        >>> recorded("supcon", {"temperature": 0.1}).views(), make("supcon", temperature=0.1).views()
        (1, 2)
    """
    return make(name, **recorded_options(name, options))


def recorded_options(name: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """All options of the method of a run, whose configuration may be older than some of them.

    An option that is missing has the value that describes what the method did before the option existed: ``before`` of
    :func:`option`, else its default. A run trained again from its ``config.toml`` then gives the same result.

    Args:
        name: Name of the method.
        options: Its hyper-parameters in the configuration; returned unchanged if there is no such method.

    Example:
        >>> found = recorded_options("supcon", {"temperature": 0.1})
        >>> found["temperature"], found["projection"], found["compared_views"]
        (0.1, 128, 1)
    """
    kind = (parts_called(name, sys.modules[__name__], Method) or available()).get(name)
    earlier: dict[str, Any] = {}
    for key, field in ({} if kind is None else options_of(kind)).items():
        before = field.metadata.get("before")
        value = field.default if before is None else before
        if value is not dataclasses.MISSING:
            earlier[key] = value
    return {**earlier, **options}
