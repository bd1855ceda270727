"""Every command explains itself, quickly, and the documentation has the same words."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main
from typer.testing import CliRunner

from cladewise.cli.app import app

DOCS = Path(__file__).parents[2] / "docs"


def commands(path: tuple[str, ...] = (), command: Any = None) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = command or typer.main.get_command(app)
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands((*path, name), child)


COMMANDS = dict(commands())
every_command = pytest.mark.parametrize("path", COMMANDS, ids=lambda path: " ".join(path) or "cladewise")


def test_there_are_the_commands_that_users_rely_on() -> None:
    assert {"demo", "train", "evaluate", "predict", "compare", "list", "taxonomy"} <= {p[0] for p in COMMANDS if p}
    assert {"check", "show", "convert", "diff"} <= {p[1] for p in COMMANDS if p[:1] == ("taxonomy",) and p[1:]}


@every_command
def test_help_answers(path: tuple[str, ...]) -> None:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0, result.output
    assert "Usage: cladewise" in result.output or "Usage: root" in result.output


@every_command
def test_everything_has_a_help_text(path: tuple[str, ...]) -> None:
    command = COMMANDS[path]
    assert command.help
    silent = [parameter.name for parameter in command.params if not (parameter.help or "").strip()]
    assert silent == []


def test_help_needs_no_torch() -> None:
    script = f"""
import sys
import typer.main
from typer.testing import CliRunner
from cladewise.cli.app import app

for path in {sorted(COMMANDS)!r}:
    result = CliRunner().invoke(app, [*path, "--help"])
    assert result.exit_code == 0, (path, result.output)
loaded = {{"torch", "torchvision", "lightning", "timm", "plotly"}} & set(sys.modules)
assert not loaded, loaded
"""
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr


def test_the_documentation_has_every_command_and_option(tables: Any) -> None:
    page = tables.commands()
    assert "<!-- generated: commands -->" in (DOCS / "commands.md").read_text(encoding="utf-8")
    for path, command in COMMANDS.items():
        assert f"`{' '.join(('cladewise', *path))}`" in page
        for parameter in command.params:
            if path and parameter.param_type_name == "option" and parameter.name != "help":
                assert f"`{parameter.opts[0]}`" in page
    rows = [line for line in page.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} == {4}
