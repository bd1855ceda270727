"""The reference pages document exactly the names that the packages export."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import cladewise as cw

DOCS = Path(__file__).parents[2] / "docs"
DIRECTIVE = re.compile(r"^::: (\S+)$", re.MULTILINE)


def pages() -> dict[str, list[str]]:
    """The objects that each page of the Python reference documents."""
    return {page.name: DIRECTIVE.findall(page.read_text(encoding="utf-8")) for page in DOCS.glob("api/*.md")}


def test_every_public_package_has_a_page_of_its_name_that_the_index_and_the_navigation_list() -> None:
    packages = {name for name in cw.__all__ if isinstance(getattr(cw, name), ModuleType)}
    described = {"engine", "records", "taxonomy"}  # their names are also exported at the top
    for name in packages | described:
        assert f"cladewise.{name}" in pages()[f"{name}.md"], name
        assert f"[{name}]({name}.md)" in (DOCS / "api" / "index.md").read_text(encoding="utf-8"), name
        assert f"- {name}: api/{name}.md" in (DOCS.parent / "mkdocs.yml").read_text(encoding="utf-8"), name
    assert {page.removesuffix(".md") for page in pages()} == packages | described | {"index"}


def test_a_page_documents_modules_whole_by_what_they_export() -> None:
    """A page that names a single object would document what its package does not export, or document it twice."""
    named = [path for paths in pages().values() for path in paths]
    assert len(named) == len(set(named))
    for path in named:
        module = importlib.import_module(path)
        assert getattr(module, "__all__", ()), f"{path} does not say what it exports"


def test_every_export_is_there_and_has_a_docstring() -> None:
    for path in {path for paths in pages().values() for path in paths}:
        module = importlib.import_module(path)
        for name in module.__all__:
            exported = getattr(module, name)
            if inspect.isclass(exported) or inspect.isroutine(exported):
                assert (inspect.getdoc(exported) or "").strip(), f"{path}.{name}"
