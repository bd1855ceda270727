"""Published methods by name. A method is a class in a module of this package; defining it there registers it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any

from cladewise.catalogue import make_part, named_parts, options_of, parts_called
from cladewise.methods.method import Citation, Method, option

__all__ = ["Citation", "Method", "available", "make", "option", "recorded"]


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
    """Make the method of a run from its configuration, which may be older than some options of the method.

    An option that is missing there has the value that it had before it existed, so that a run trained again from its
    ``config.toml`` gives the same result.

    Args:
        name: Name of the method.
        options: Its hyper-parameters in the configuration.

    Raises:
        InputError: There is no such method or hyper-parameter.

    Example:
        >>> recorded("supcon", {"temperature": 0.1}).views(), make("supcon", temperature=0.1).views()
        (1, 2)
    """
    kind = (parts_called(name, sys.modules[__name__], Method) or available()).get(name)
    fields = {} if kind is None else options_of(kind)
    before = {key: field.metadata.get("before") for key, field in fields.items()}
    return make(name, **{**{key: value for key, value in before.items() if value is not None}, **options})
