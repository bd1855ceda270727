"""Every module is reached by its name: no function or class of a package stands in the place of a module."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

import cladewise


def test_no_attribute_of_a_package_shadows_a_module() -> None:
    shadowed: list[str] = []
    for module in pkgutil.walk_packages(cladewise.__path__, "cladewise."):
        package, _, name = module.name.rpartition(".")
        if name == "__main__":
            continue
        importlib.import_module(module.name)
        if not isinstance(getattr(importlib.import_module(package), name), ModuleType):
            shadowed.append(module.name)
    assert shadowed == []
