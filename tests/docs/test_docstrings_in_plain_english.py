"""Docstrings begin with a noun phrase or a full sentence that says what the thing is or does."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
HEADLESS = re.compile(r"(What|Of|Those|That)\b")


def headless(source: str) -> list[str]:
    """First lines of docstrings that begin with a clause without a noun."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            text = ast.get_docstring(node, clean=False) or ""
            if HEADLESS.match(text):
                found.append(text.partition("\n")[0])
    return found


def test_no_docstring_begins_with_a_headless_clause() -> None:
    assert headless('def f():\n    """What it is."""') == ["What it is."]
    assert headless('def f():\n    """Whether it is so."""') == []
    found = {
        file.relative_to(ROOT).as_posix(): lines
        for folder in ("src", "tests", "benchmarks", "results", "docs")
        for file in (ROOT / folder).rglob("*.py")
        if (lines := headless(file.read_text(encoding="utf-8")))
    }
    assert found == {}
