"""The pages, and the code in them."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


def load_hook(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "hooks" / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def tables() -> ModuleType:
    """The hook that writes tables into pages."""
    return load_hook("tables")


@pytest.fixture(scope="session")
def docstrings() -> ModuleType:
    """The extension that reads docstrings."""
    pytest.importorskip("griffe")
    pytest.importorskip("latex2mathml")
    return load_hook("docstrings")
