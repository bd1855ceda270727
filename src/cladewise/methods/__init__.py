"""Published methods by name. A method is a class in a module of this package; defining it there registers it."""

from __future__ import annotations

import sys
from typing import Any

from cladewise.catalogue import make_part, named_parts, parts_called
from cladewise.methods.method import Citation, Method, option

__all__ = ["Citation", "Method", "available", "make", "option"]


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
