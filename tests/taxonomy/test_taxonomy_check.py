"""``check`` lists everything at once."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import check, read


def told(path: Path, content: str | bytes, **options: str) -> list[str]:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return [str(problem) for problem in check(path, **options)]


def test_every_kind_of_problem_of_an_edge_list_by_line(tmp_path: Path) -> None:
    content = "\n".join(
        [
            "child,parent,note",
            "fruit,,",
            'apple,fruit,"a',
            'note"',
            "Apple,fruit",
            "kale,herb",
            "",
            "apple,juice",
            "egg,hen",
            "hen,egg",
            ",fruit",
            " pear,fruit",
            "fruit,",
            "soda,",
            "juice,fruit",
            "long,fruit,x,y",
        ]
    ).encode()
    assert told(tmp_path / "t.csv", content + b"\ncaf\xe9,fruit\n") == [
        "5: warning: 'Apple' next to 'apple' (line 3) [near-duplicate]",
        "6: error: parent 'herb' of 'kale', which no row defines [orphan]",
        "8: error: 2 parents of 'apple': 'fruit', 'juice' [several-parents]",
        "9: error: a cycle: egg → hen → egg [cycle]",
        "11: error: a row without a name [blank]",
        "12: warning: stray white space in ' pear' [white-space]",
        "13: warning: the same node as an earlier row [duplicate]",
        "14: error: another root 'soda' next to 'fruit' (line 2) [roots]",
        "16: error: 4 cells for 3 columns [row-length]",
        "17: error: byte 0xE9 at byte 4 [encoding]",
    ]


def test_options_resolve(tmp_path: Path) -> None:
    content = "child,parent\na,\nb,\nc,a\nc,b\n"
    assert len(told(tmp_path / "t.csv", content)) == 2
    assert told(tmp_path / "t.csv", content, parents="first", roots="join") == []


def test_level_tables(tmp_path: Path) -> None:
    content = "order,family,species\nA,f,s\nA,f,s\nA,F,s\n,  ,\nB,g,two  words\n"
    assert told(tmp_path / "t.csv", content) == [
        "warning: each of the 3 nodes of level 'family' has one of 'species' [single]",
        "3: warning: the same labels as an earlier row [duplicate]",
        "4: warning: 'F' next to 'f' (line 2) [near-duplicate]",
        "4: warning: 's' under both 'f' (line 2) and 'F': two nodes [repeated-name]",
        "5: warning: a row without any label [blank]",
        "6: warning: stray white space in 'two  words' [white-space]",
    ]


def test_names_that_differ_in_unicode_composition_only(tmp_path: Path) -> None:
    assert told(tmp_path / "t.csv", "name\ncaf\u00e9\ncafe\u0301\n") == [
        "3: warning: 'cafe\u0301' next to 'caf\u00e9' (line 2) [near-duplicate]"
    ]


def test_levels_that_do_not_grow(tmp_path: Path) -> None:
    content = "id,parent,name,level\nr,,r,x > y\na,r,a,y\nb,a,b,x\n"
    text = "expected every node at a finer level than its parent, but got level 1 under level 2 at node r/a/b"
    assert told(tmp_path / "t.csv", content) == [f"error: {text} [levels]"]
    with pytest.raises(InputError, match=r"t\.csv, node r/a/b"):
        read(tmp_path / "t.csv")


def test_errors_of_trees_in_documents_name_the_file(tmp_path: Path) -> None:
    (tmp_path / "t.yaml").write_text("name: r\nlevels: [a]\nchildren: [{name: x, children: [y]}]\n")
    with pytest.raises(InputError, match=r"Expected .* levels, but got .* at .*t\.yaml"):
        read(tmp_path / "t.yaml")


def test_headers_and_empty_files(tmp_path: Path) -> None:
    assert told(tmp_path / "t.csv", "") == ["1: error: an empty file [header]"]
    assert told(tmp_path / "t.csv", "a,b\n") == ["1: error: no rows [unreadable]"]
    assert told(tmp_path / "t.csv", "a,,a\nx,y,z\n") == [
        "1: error: column 2 without a name [column-name]",
        "1: error: several columns named 'a' [column-name]",
    ]
    assert told(tmp_path / "t.csv", "a\nx\n".encode("utf-16")) == ["1: error: UTF-16 [encoding]"]
    assert told(tmp_path / "t.csv", "a,b\nx,y\n", format="edges") == [
        "error: expected a column of nodes and one of their parents, but got 'a', 'b'. Name the columns with "
        'name="..." and parent="...", and id="..." if parents are ids. [unreadable]'
    ]


def test_tables_without_lines_count_rows(tmp_path: Path) -> None:
    pl.DataFrame({"child": ["a", "b"], "parent": ["", "c"]}).write_parquet(tmp_path / "t.parquet")
    assert [str(problem) for problem in check(tmp_path / "t.parquet")] == [
        "2: error: parent 'c' of 'b', which no row defines [orphan]"
    ]
    (tmp_path / "t.parquet").write_bytes(b"no")
    assert [problem.kind for problem in check(tmp_path / "t.parquet")] == ["unreadable"]


def test_nested_files(tmp_path: Path) -> None:
    assert told(tmp_path / "t.json", '{"a": ["b", "B", "b", " c"]}') == [
        "warning: two nodes at 'a/b' [duplicate]",
        "warning: 'a/B' next to 'a/b' [near-duplicate]",
        "warning: stray white space in ' c' [white-space]",
    ]
    assert told(tmp_path / "t.json", '{"a":\n[}')[0].startswith("2: error: expected JSON, but got an error")
    assert told(tmp_path / "t.nwk", "(a,b") == [
        "1: error: expected a Newick tree that ends in ';', but got none [unreadable]"
    ]
    assert told(tmp_path / "t.nwk", b"(a,\n\xe9);") == ["2: error: expected UTF-8 text, but got byte 0xE9 [encoding]"]


def test_what_cannot_be_checked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file or folder"):
        check(tmp_path / "none.csv")
    (tmp_path / "t.csv").write_text("a\nx\n")
    with pytest.raises(InputError, match="Expected format to be one of"):
        check(tmp_path / "t.csv", format="xml")  # type: ignore[arg-type]
