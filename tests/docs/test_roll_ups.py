"""The examples of docs/coming-from.md: repeated for the packages that are installed, and on the page as recorded."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def roll_ups() -> ModuleType:
    spec = importlib.util.spec_from_file_location("roll_ups", ROOT / "benchmarks" / "roll_ups.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["roll_ups"] = module  # dataclasses look their module up
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("package", ["speciesnet", "megadetector", "pybioclip", "hiclass", "taxopy"])
def test_answers_are_those_on_the_page(package: str, roll_ups: ModuleType) -> None:
    pytest.importorskip(roll_ups.MODULES.get(package, package))
    page = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8").replace("*", "")
    found = list(roll_ups.EXAMPLES[package]())
    assert found
    for example in found:
        assert (example.theirs, example.ours) == example.recorded, example.scores
        assert example.ours in page or "refused" in example.ours, example.scores


def test_the_page_names_the_versions_of_the_script(roll_ups: ModuleType) -> None:
    page = (ROOT / "docs" / "coming-from.md").read_text(encoding="utf-8")
    for package, version in roll_ups.PACKAGES.items():
        assert f"{package} {version}" in page
        assert package in roll_ups.EXAMPLES
