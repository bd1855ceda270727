"""Every command is a function of the package, found by completion and checked like a command."""

from __future__ import annotations

import ast
import importlib
import importlib.util
import inspect
import pkgutil
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import cladewise as cw
from cladewise.verbs import VERBS

ROOT = Path(__file__).parents[1]
NO_COMMANDS = {"evaluate_unknown", "few_shot", "fit", "rerun"}
"""Verbs whose commands are options of others: ``evaluate --protocol few-shot``, ``train --config``."""


@pytest.fixture(scope="module")
def tables() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tables", ROOT / "docs" / "hooks" / "tables.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_completion_and_type_checkers_see_every_name() -> None:
    assert set(VERBS) <= set(cw.__all__)
    assert dir(cw) == sorted(cw.__all__)
    source = Path(inspect.getfile(cw)).read_text(encoding="utf-8")
    imports = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    imported = {alias.asname or alias.name for node in imports for alias in node.names}
    assert set(cw.__all__) - {"__version__"} <= imported


def test_every_name_is_there_and_the_rest_is_not() -> None:
    for name in cw.__all__:
        assert getattr(cw, name) is not None, name
    for name, (module, attribute) in VERBS.items():
        assert inspect.unwrap(getattr(cw, name)) is getattr(importlib.import_module(module), attribute), name
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = cw.trian  # type: ignore[attr-defined]


def test_a_misspelt_keyword_is_told_with_the_right_one() -> None:
    wrong = {
        "compare": ("spilt", "split"),
        "explain": ("imagse", "images"),
        "few_shot": ("shot", "shots"),
        "predict": ("decison", "decision"),
        "retrieve": ("undr", "under"),
    }
    for name, (given, meant) in wrong.items():
        with pytest.raises(cw.InputError, match=f"an argument of {name}, but got '{given}'. Did you mean {meant}?"):
            getattr(cw, name)("runs/hace", **{given: 1})


def test_names_are_loaded_when_they_are_used() -> None:
    script = f"""
import sys
import cladewise as cw
for name in ("torch", "polars", "plotly", "matplotlib", "lightning", "timm", "typer"):
    assert name not in sys.modules or name == "polars", name
dir(cw)
assert "torch" not in sys.modules
cw.compare
assert "torch" not in sys.modules
assert set({sorted(VERBS)!r}) <= set(dir(cw))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_the_documentation_has_a_function_for_every_command(tables: ModuleType) -> None:
    functions = tables.functions()
    assert set(functions) == {" ".join(path) for path in tables._commands()}
    verbs = {match for text in functions.values() for match in re.findall(r"`cw\.(\w+)`", text)}
    assert set(VERBS) - NO_COMMANDS == verbs
    for text in functions.values():
        for name in re.findall(r"`((?:cw|cladewise)\.[\w.]+)`", text):
            assert callable(pkgutil.resolve_name(name.replace("cw.", "cladewise."))), name
    assert tables.verbs().count("\n") == len(functions) + 1
    assert "<!-- generated: verbs -->" in (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
