"""Nothing is cut from a table, however narrow the terminal is."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
from rich.table import Table
from rich.text import Text

from cladewise import cli
from cladewise.cli.printing import print_table

NAME, OPTIONS, NUMBER = "conditional-softmax", "node_weights=none, label_smoothing=0.0", "0.4321"


@pytest.fixture
def table() -> Table:
    made = Table("name", "options", "a long column title", box=None)
    made.add_row(NAME, OPTIONS, NUMBER)
    return made


def test_what_is_piped_has_a_line_a_row(table: Table, capsys, monkeypatch) -> None:
    monkeypatch.setenv("COLUMNS", "40")
    print_table(table)
    header, row = capsys.readouterr().out.splitlines()
    assert header.rstrip().endswith("a long column title")
    assert row.split() == [NAME, *OPTIONS.split(), NUMBER]


@pytest.fixture
def narrow_terminal(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setenv("FORCE_COLOR", "1")  # which rich takes for a terminal
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "65")
    return 65


def test_a_narrow_terminal_folds_all_but_the_names(table: Table, narrow_terminal: int, capsys) -> None:
    print_table(table)
    lines = Text.from_ansi(capsys.readouterr().out).plain.splitlines()
    assert max(map(len, lines)) <= narrow_terminal
    assert len(lines) > 2
    assert any(line.split()[0] == NAME for line in lines)
    below_options = "".join(line[len(NAME) + 2 :].replace(NUMBER, "") for line in lines[1:])
    assert "".join(below_options.split()) == OPTIONS.replace(" ", "")


def test_rows_of_numbers_run_over_the_edge(table: Table, narrow_terminal: int, capsys) -> None:
    print_table(table, fold=False)
    lines = Text.from_ansi(capsys.readouterr().out).plain.splitlines()
    assert len(lines) == 2
    assert lines[1].split() == [NAME, *OPTIONS.split(), NUMBER]


EVIL = "wr\x1b[31men\x9b2J\u202e"


def test_names_do_not_reach_the_terminal_as_commands(here: Any, tmp_path: Path) -> None:
    """Brackets, which style text elsewhere, and controls of a terminal are shown as they are."""
    tree = tmp_path / "tree.json"
    tree.write_text(json.dumps({"name": "", "children": [{"name": f"{EVIL}[bold]"}, {"name": "[/]moth"}]}))
    for words in (
        ("taxonomy", "show", tree),
        ("taxonomy", "show", tree, "--node", f"no{EVIL}"),
        ("taxonomy", "check", tmp_path / f"no{EVIL}.csv"),
        ("taxonomy", "diff", tree, "classes.csv"),
        ("train", f"no{EVIL}"),
        ("list", f"no{EVIL}"),
        (f"no{EVIL}",),
    ):
        _, out, err = here(*words)
        said = out + err
        assert not set("\x1b\x9b\u202e") & set(said), words
        assert "wr\\x1b[31men\\x9b2J\\u202e" in said, words
        assert "Traceback" not in said, words
    assert "[/]moth" in here("taxonomy", "show", tree)[1]


def test_every_command_prints_by_the_one_way() -> None:
    """All but the module that prints, and the text of a table on standard output, which is data."""
    for file in sorted(Path(cli.__file__).parent.glob("*.py")):
        calls = [node.func for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Call)]
        named = {ast.unparse(call) for call in calls}
        if file.name not in ("printing.py", "app.py"):
            assert not named & {"typer.echo", "Console", "rich.print"}, file.name
