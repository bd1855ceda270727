"""Each command of ``cladewise taxonomy``."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cladewise.cli.taxonomy import app
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments], env={"COLUMNS": "80"})


@pytest.fixture
def classes(tmp_path: Path) -> Path:
    path = tmp_path / "classes.csv"
    path.write_text("group,kind,variety\nfruit,apple,fuji\nfruit,apple,gala\nfruit,pear,\nfish,,\n")
    return path


def test_check_of_a_good_file(classes: Path) -> None:
    result = run("check", classes)
    assert (result.exit_code, result.stdout) == (
        0,
        f"{classes}: 7 nodes, 4 leaves, 3 levels (group 2, kind 2, variety 2)\n{classes}: 0 errors, 0 warnings\n",
    )


def test_check_prints_file_and_line_and_exits_with_1(tmp_path: Path) -> None:
    file = tmp_path / "edges.csv"
    file.write_text("child,parent\na,r\nA,r\na,q\n")
    result = run("check", file)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        f"{file}:3: warning: 'A' next to 'a' (line 2) [near-duplicate]",
        f"{file}:4: error: another root 'q' next to 'r' (line 2) [roots]",
        f"{file}:4: error: 2 parents of 'a': 'r', 'q' [several-parents]",
        f"{file}: 2 errors, 1 warning",
    ]
    assert len(run("check", file, "--no-warnings").stdout.splitlines()) == 3
    assert run("check", file, "--parents", "first").exit_code == 0


def test_unusable_input_is_left_to_the_main_program(tmp_path: Path) -> None:
    result = run("check", tmp_path / "none.csv")
    assert isinstance(result.exception, InputError)


def test_show_draws_and_counts(classes: Path) -> None:
    result = run("show", classes, "--depth", 2, "--max-children", 1)
    assert result.exit_code == 0
    assert [line.rstrip() for line in result.stdout.splitlines()] == [
        "(root)  4 leaves",
        "├── fruit  3 leaves",
        "│   ├── apple  2 leaves",
        "│   └── ... 1 more",
        "└── ... 1 more",
        "7 nodes, 4 leaves, depth 1 to 3",
        " level    nodes  leaves",
        " group        2       1",
        " kind         2       1",
        " variety      2       2",
    ]


def test_show_begins_at_a_label(classes: Path) -> None:
    assert run("show", classes, "--node", "fruit/apple").stdout.startswith("apple  2 leaves\n├── fuji\n└── gala\n")
    assert isinstance(run("show", classes, "--node", "aple").exception, InputError)


def test_show_takes_names_for_names_and_not_for_markup(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a\n[red]x[/red]\n")
    assert "[red]x[/red]" in run("show", tmp_path / "t.csv").stdout


@pytest.mark.parametrize("name", ["t.csv", "t.parquet", "t.json", "t.yaml", "t.nwk", "t.tsv"])
def test_convert(classes: Path, name: str) -> None:
    target = classes.with_name(name)
    result = run("convert", classes, target)
    assert (result.exit_code, result.stdout) == (0, f"{target}: 7 nodes, 4 leaves\n")
    found, tree = read(target), read(classes)
    assert (found.parents.tolist(), found.names.tolist()) == (tree.parents.tolist(), tree.names.tolist())


def test_convert_with_options(classes: Path) -> None:
    target = classes.with_name("out.csv")
    assert run("convert", classes, target, "--levels", "group, variety", "--to", "levels").exit_code == 0
    assert target.read_text() == "group,variety\nfruit,fuji\nfruit,gala\nfish,\n"


def test_diff(classes: Path) -> None:
    other = classes.with_name("other.json")
    new = [("Fruit", "apple", "fuji"), ("Fruit", "pear"), ("fish", "gala"), ("herb",)]
    Taxonomy.from_paths(new).write(other)
    result = run("diff", classes, other)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == ["+ herb", "> fruit/apple/gala -> fish/gala", "~ fruit -> Fruit"]
    same = run("diff", classes, classes)
    assert (same.exit_code, same.stdout) == (0, "no difference\n")


EDGES = "1;;bird\n2;1;wren\n3;1;robin\n"
READING = ("--separator", ";", "--header", "none", "--id", "1", "--parent", "2", "--name", "3")


def test_every_command_takes_the_options_of_reading(tmp_path: Path) -> None:
    file = tmp_path / "edges.txt"
    file.write_text(EDGES)
    options = ("--format", "edges", *READING)
    checked = run("check", file, *options)
    assert checked.exit_code == 0
    assert f"{file}: 3 nodes, 2 leaves, 1 level (level_1 2)" in checked.stdout.splitlines()
    assert run("show", file, *options).stdout.startswith("bird  2 leaves\n├── wren\n└── robin\n")
    assert run("convert", file, tmp_path / "t.nwk", *options).stdout == f"{tmp_path / 't.nwk'}: 3 nodes, 2 leaves\n"
    assert run("diff", file, file, *options).stdout == "no difference\n"


def test_lists_and_flags_of_reading(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("fine,coarse,note\nwren,bird,small\nrobin,,red\n")
    options = ("--levels", "coarse, fine", "--columns", "note", "--fill-down")
    assert "3 nodes, 2 leaves" not in run("check", file, *options).stdout
    assert "4 nodes, 2 leaves, 2 levels (coarse 1, fine 2)" in run("check", file, *options).stdout
    assert isinstance(run("check", file, "--separator", ",,").exception, InputError)


def test_what_check_advises_are_options(tmp_path: Path) -> None:
    file = tmp_path / "t.nwk"
    file.write_text("((A,B)95,(C,D)100)90;")
    assert "Pass --support drop to leave them out" in run("check", file).stdout
    assert "Pass" not in run("check", file, "--support", "drop").stdout


def test_what_cannot_be_read_is_counted_no_nodes(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_text("fine,coarse\nwren,bird\nrobin,bird\n")
    result = run("check", file)
    assert result.exit_code == 1
    assert "For a level table pass --levels coarse,fine." in result.stdout
    assert result.stdout.splitlines()[-1] == f"{file}: 1 error, 0 warnings"
    assert "leaves" not in result.stdout


@pytest.fixture
def versions(tmp_path: Path) -> tuple[Path, Path]:
    """Two versions of a tree, the second as an edge list; ids and names disagree about the owl."""
    old, new = tmp_path / "old.csv", tmp_path / "new.txt"
    old.write_text("id,parent,name\nb,,bird\nt,b,Tyto\no,t,Tyto alba\ng,b,gull\nn,b,tern\na,b,auk\nw,b,wren\n")
    new.write_text(
        "id;parent;name\nb;;bird\nt;b;Tyto\no;t;Tyto furcata\nx;t;Tyto alba\ng;b;gulls\nn;b;tern\na;b;auk\nw;b;wren\n"
    )
    return old, new


def test_match_writes_a_table_and_a_page_and_says_what_is_to_decide(
    tmp_path: Path, versions: tuple[Path, Path]
) -> None:
    out, page = tmp_path / "matched.csv", tmp_path / "matched.html"
    result = run("match", *versions, "--out", out, "--page", page, "--new-separator", ";")
    assert (result.exit_code, result.stdout.splitlines()) == (
        0,
        [f"{out}: 8 rows: 5 same, 1 renamed, 2 split", str(page), f"2 rows to decide, on {page}"],
    )
    lines = out.read_text().splitlines()
    assert lines[3:5] == [
        "bird/Tyto/Tyto alba,bird/Tyto/Tyto furcata,split,0.92,id o; same parent,yes",
        "bird/Tyto/Tyto alba,bird/Tyto/Tyto alba,split,0.7,name; same parent; another id,yes",
    ]
    assert "Tyto furcata" in page.read_text()
    out.write_text("\n".join([*lines[:3], lines[3].removesuffix("yes"), *lines[5:]]) + "\n")
    again = run("match", *versions, "--out", out, "--edited", out, "--new-separator", ";")
    assert isinstance(again.exception, InputError), "the word split of the row that was kept"
    out.write_text(out.read_text().replace(",split,", ",,"))
    again = run("match", *versions, "--out", out, "--edited", out, "--new-separator", ";")
    assert again.stdout.splitlines() == [f"{out}: 8 rows: 5 same, 2 renamed, 1 added"]


def test_match_ignores_evidence_on_request(tmp_path: Path, versions: tuple[Path, Path]) -> None:
    out = tmp_path / "matched.csv"
    assert run("match", *versions, "--out", out, "--without", "ids, spelling").exit_code == 0
    assert "bird/Tyto/Tyto alba,bird/Tyto/Tyto alba,same" in out.read_text()
    assert "bird/gull,,removed" in out.read_text()
    assert isinstance(run("match", *versions, "--without", "colours").exception, InputError)
    assert isinstance(run("match", *versions, "--without", "ids", "--edited", out).exception, InputError)


def test_several_parents_are_shown_compared_and_converted(tmp_path: Path) -> None:
    graph, tree = tmp_path / "graph.csv", tmp_path / "tree.csv"
    tree.write_text("child,parent\nfruit,food\nvegetable,food\nfig,fruit\ntomato,vegetable\n")
    graph.write_text(tree.read_text() + "tomato,fruit\n")
    shown = run("show", graph, "--parents", "all").output
    assert "tomato  at food/vegetable/tomato" in shown
    assert "1 with several parents" in shown
    checked = run("check", graph).output
    assert f"{graph}:6: error: 2 parents of 'tomato': 'vegetable', 'fruit' [several-parents]" in checked
    differences = run("diff", tree, graph, "--parents", "all").output
    assert differences.splitlines() == ["+ food/vegetable/tomato under food/fruit"]
    kept = tmp_path / "kept.json"
    assert run("convert", graph, kept, "--parents", "all").exit_code == 0
    assert run("diff", kept, graph, "--parents", "all").output.strip() == "no difference"
    refused = run("convert", graph, tmp_path / "kept.nwk", "--parents", "all").exception
    assert isinstance(refused, InputError)
    assert str(refused).startswith("Expected one parent for each node, which is all that newick can hold")
    assert not (tmp_path / "kept.nwk").exists()
