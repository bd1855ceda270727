"""Package names that are imported on first use, so that importing a package does not import all it can do."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Mapping
from typing import Any


def lazy_names(package: str, modules: Mapping[str, str]) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """The module functions ``__getattr__`` and ``__dir__`` (PEP 562) of a package whose names live in its modules.

    A type checker does not follow them: import the same names under ``TYPE_CHECKING`` as well.

    Args:
        package: ``__name__`` of the package.
        modules: Module of each name.

    Example:
        >>> getattr_, dir_ = lazy_names("cladewise.catalogue", {"near_texts": "cladewise.catalogue"})
        >>> getattr_("near_texts")("applr", ["apple", "kiwi"]), dir_()
        (['apple'], ['near_texts'])
        >>> getattr_("far_texts")
        Traceback (most recent call last):
        AttributeError: module 'cladewise.catalogue' has no attribute 'far_texts'
    """

    def __getattr__(name: str) -> Any:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(modules[name]), name)

    def __dir__() -> list[str]:
        return sorted({*modules, *getattr(sys.modules[package], "__all__", ())})

    return __getattr__, __dir__
