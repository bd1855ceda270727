"""The documentation is correct: its Python runs, its commands exist, its links resolve, its tables match the code."""

from __future__ import annotations

import dataclasses
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
import typer.main

from cladewise import Taxonomy, methods
from cladewise.cli.app import app
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig

ROOT = Path(__file__).parents[2]
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
BLOCK = re.compile(
    r"^(?:<!-- (?P<runs>runs|runs alone|continues) -->\n)?```(?P<language>\w+)[^\n]*\n(?P<code>.*?)^```$", re.M | re.S
)
"""A block of code; one marked ``runs`` is a program, one marked ``continues`` belongs to the program before it.

One marked ``runs alone`` is a program for an interpreter of its own, where no folder of these tests is a package: a
Hugging Face ``Trainer`` takes ``tests/datasets`` for the package ``datasets``.
"""

LINK = re.compile(r"\]\((?!https?:)([^)#\s]+)(#[^)\s]+)?\)")

every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())


def blocks(page: Path, language: str) -> list[re.Match[str]]:
    found = BLOCK.finditer(page.read_text(encoding="utf-8"))
    return [block for block in found if block["language"] == language]


def marked(mark: str) -> list[Any]:
    return [
        pytest.param(program, id=f"{page.name}-{number}")
        for page in PAGES
        for number, (found, program) in enumerate(programs(page))
        if found == mark
    ]


def programs(page: Path) -> list[tuple[str, str]]:
    """The mark of each program on a page, and its code."""
    found: list[tuple[str, str]] = []
    for block in blocks(page, "python"):
        if block["runs"] == "continues":
            mark, code = found.pop()
            found.append((mark, code + block["code"]))
        elif block["runs"]:
            found.append((block["runs"], block["code"]))
    return found


def run(code: str) -> dict[str, Any]:
    module = ModuleType("example")
    sys.modules["example"] = module  # dataclasses look their module up
    try:
        exec(compile(code, "example", "exec"), vars(module))
        return vars(module)
    finally:
        del sys.modules["example"]


@pytest.mark.parametrize("code", marked("runs"))
def test_marked_python_runs(code: str) -> None:
    run(code)


@pytest.mark.parametrize("code", marked("runs alone"))
def test_python_marked_to_run_alone_runs(code: str, tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, str(program)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@every_page
def test_all_python_compiles(page: Path) -> None:
    for block in blocks(page, "python"):
        compile(block["code"], page.name, "exec")


def test_the_method_of_the_guide_is_one() -> None:
    (page,) = [page for page in PAGES if page.name == "add-a-method.md"]
    (code,) = [block["code"] for block in blocks(page, "python") if block["runs"]]
    method = run(code)["FocalLeavesMethod"](focus=3.0)
    assert isinstance(method, methods.Method)
    tree = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    head, loss = method.head(tree, 5), method.loss(tree)
    target = torch.arange(tree.num_nodes)
    logits = head(torch.randn(tree.num_nodes, 5)).logits
    assert loss(logits, target).shape == (tree.num_nodes,)
    plain = run(code)["FocalLeavesMethod"](focus=0.0).loss(tree)
    assert torch.all(loss(logits, target) <= plain(logits, target) + 1e-6)
    extreme = (torch.eye(tree.num_leaves) * 2e4 - 1e4).requires_grad_()
    total = loss(extreme, torch.from_numpy(tree.leaf_nodes.copy()).roll(1)).sum()
    total.backward()
    assert total.isfinite()
    assert extreme.grad is not None
    assert extreme.grad.isfinite().all()


@every_page
def test_commands_and_options_exist(page: Path) -> None:
    root: Any = typer.main.get_command(app)
    for block in blocks(page, "sh"):
        for line in block["code"].splitlines():
            words = shlex.split(line, comments=True)
            if words[:1] != ["cladewise"] or "COMMAND" in words:
                continue
            command = root
            for word in words[1:]:
                if word in getattr(command, "commands", {}):
                    command = command.commands[word]
            assert not getattr(command, "commands", {}), line
            known = {o for p in command.params for o in (*p.opts, *p.secondary_opts)} | {"--help"}
            unknown = [word for word in words if word.startswith("--") and word not in known]
            assert unknown == [], line


@every_page
def test_links_lead_to_files(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = [found[1] for found in LINK.finditer(BLOCK.sub("", text))]
    missing = [target for target in targets if not (page.parent / target).exists()]
    assert missing == []


def test_every_page_is_in_the_navigation() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").partition("nav:")[2]
    for page in (ROOT / "docs").rglob("*.md"):
        assert page.relative_to(ROOT / "docs").as_posix() in navigation


def test_every_table_asked_for_is_written(tables: ModuleType) -> None:
    asked = {name for page in PAGES for name in tables.MARKER.findall(page.read_text(encoding="utf-8"))}
    assert asked <= set(tables.TABLES)
    assert tables.on_page_markdown("a\n<!-- generated: decisions -->\nb").startswith("a\n| name |")


def test_the_readme_credits_every_method_as_the_catalogue_does() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if re.match(r"\| `[\w-]+` \| .* \| \[.*\]\(http", line)]
    credited = {
        f"| `{name}` | {method.title} | [{method.citation.short}]({method.citation.url}) |"
        for name, method in methods.available().items()
    }
    assert set(rows) == credited
    assert len(rows) == len(credited)
    for name in ("plc", "mc", "m-plc", "hs", "hab"):
        assert methods.available()[name].citation.url == "https://arxiv.org/abs/2004.03459"


def test_tables_hold_every_part(tables: ModuleType) -> None:
    text = tables.methods()
    for name, method in methods.available().items():
        assert f"`{name}`" in text
        assert str(method.citation.url) in text
        for field in dataclasses.fields(method):
            assert f"| `{field.name}` | `{field.default}` | {field.metadata['help']} |" in text
    text = tables.configuration()
    for table in (BackboneConfig, TrainingConfig, AblationConfig):
        for field in dataclasses.fields(table):
            assert f"| `{field.name}` |" in text


def test_the_page_of_golden_values_names_tests_that_exist() -> None:
    text = (ROOT / "docs" / "golden-values.md").read_text(encoding="utf-8")
    rows = [line for line in text.splitlines() if line.startswith("| ") and not line.startswith("| part |")]
    named = [re.fullmatch(r"\|.*\| `(tests/[\w/]+\.py)::(\w+)` \|", row) for row in rows]
    assert all(named), [row for row, found in zip(rows, named, strict=True) if not found]
    tests = {
        file.relative_to(ROOT).as_posix(): set(re.findall(r"^def (test_\w+)\(", file.read_text(encoding="utf-8"), re.M))
        for file in (ROOT / "tests").rglob("test_*.py")
    }
    listed = {(found[1], found[2]) for found in named if found}
    assert len(listed) == len(rows)
    assert [test for test in listed if test[1] not in tests.get(test[0], ())] == []
    golden = {(file, name) for file, names in tests.items() for name in names if name.startswith("test_golden")}
    assert golden <= listed, golden - listed


def test_the_readme_lists_the_methods_there_are() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Methods")[2].partition("##")[0]
    assert set(re.findall(r"^\| `([\w-]+)` \|", text, re.M)) == set(methods.available())


def test_docstrings_become_markdown(docstrings: ModuleType) -> None:
    text = docstrings.as_markdown(
        """One line, with :math:`e^{x}` and :func:`~cladewise.ops.lca` and ``code``.

        .. math:: y = \\operatorname{LSE}_u z_u
            - 1

        Example:
            >>> 1 + 1
            2

        References: Someone et al., A title,
            CVPR 2020.
        """
    )
    assert "<msup>" in text
    assert "`cladewise.ops.lca`" in text
    assert "`code`" in text
    assert '<div class="formula"><math' in text
    assert "Examples:\n    >>> 1 + 1" in text
    assert "**References.** Someone et al., A title, CVPR 2020." in text
    assert ".. math" not in text


@pytest.mark.slow
def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    for package in ("mkdocs", "material", "mkdocstrings", "latex2mathml"):
        pytest.importorskip(package)
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path / "site")]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    for page in (tmp_path / "site").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        assert ":math:" not in text, page
        fetched = re.findall(r"<(?:script|link|img)[^>]*(?:src|href)=\"?https?://[^\s\">]+", text)
        assert fetched == [], page


def test_architecture_lists_the_packages_that_exist() -> None:
    table = (
        (ROOT / "docs" / "architecture.md")
        .read_text(encoding="utf-8")
        .partition("## Packages")[2]
        .partition("\n\nWithin")[0]
    )
    packages = {file.parent.name for file in (ROOT / "src" / "cladewise").glob("*/__init__.py")}
    assert set(re.findall(r"^\| `(\w+)/` \|", table, re.M)) == packages
