"""Published methods, one module each; :func:`available` finds them by existing."""

from __future__ import annotations

import sys
from typing import Any

from cladewise.catalogue import make_part, named_parts
from cladewise.methods.method import Citation, Method, option
from cladewise.methods.objective import Objective, Represented, Seen

__all__ = ["Citation", "Method", "Objective", "Represented", "Seen", "available", "make", "option"]


def available() -> dict[str, type[Method]]:
    """Every method by name, those of other distributions included."""
    return named_parts(sys.modules[__name__], Method)


def make(name: str, **options: Any) -> Method:
    """The method of a name with its hyper-parameters.

    Raises:
        InputError: No such method or hyper-parameter.

    Example:
        >>> make("hace", dilution=0.7).options()["dilution"]
        0.7
    """
    return make_part(available(), "method", name, options)
