"""Level tables, edge lists and node tables: what they may look like, and what each error says."""

# ruff: noqa: E501  (an error text stays on one line)

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read, write
from cladewise.taxonomy.formats.options import FORMATS
from cladewise.taxonomy.formats.reading import FORMAT_BY_SUFFIX
from cladewise.taxonomy.formats.tables.table import TABLE_SUFFIXES
from cladewise.taxonomy.formats.writing import FILES, TABLES


def written(folder: Path, text: str | bytes, name: str = "classes.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree][1 if tree.synthetic_root else 0 :]


class TestLevelTables:
    def test_blanks_make_shallow_leaves_and_holes(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "order,family,species\nA,f,s\nA,,t\nB,,\n"))
        assert paths(tree) == ["A", "A/f", "A/f/s", "A/t", "B"]
        assert tree.level.tolist() == [0, 1, 2, 3, 3, 1]
        assert tree.level_names == ("order", "family", "species")
        assert tree.synthetic_root

    def test_repeated_rows_blank_rows_and_rows_of_internal_nodes_are_harmless(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "a,b\nx,y\nx,y\n\n,\nx,\nx\nx,z\n"))
        assert paths(tree) == ["x", "x/y", "x/z"]

    def test_single_child_chains_and_names_like_their_parent_are_kept(self, tmp_path: Path) -> None:
        assert paths(read(written(tmp_path, "a,b,c\nx,x,x\n"))) == ["x", "x/x", "x/x/x"]

    def test_a_name_under_two_parents_is_two_nodes(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "genus,epithet\nCatocala,staudingeri\nEulithis,staudingeri\n"))
        assert tree.matches("staudingeri") == [2, 4]

    def test_byte_order_mark_windows_lines_and_quotes(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, b'\xef\xbb\xbfa,b\r\n"x, ""1""","y\r\nz"\r\n'))
        assert tree.path_names(2) == ('x, "1"', "y\r\nz")

    def test_white_space_in_names_stays(self, tmp_path: Path) -> None:
        assert paths(read(written(tmp_path, "a,b\n x , y\n"))) == [" x ", " x / y"]

    def test_columns_that_are_no_levels(self, tmp_path: Path) -> None:
        file = written(tmp_path, "fine,coarse,note\nfuji,apple,red\n,apple,round\nkale,herb,\n")
        tree = read(file, levels=["coarse", "fine"], columns=["note"])
        assert paths(tree) == ["apple", "apple/fuji", "herb", "herb/kale"]
        assert tree.columns["note"].tolist() == ["", "round", "red", "", ""]

    def test_a_first_column_called_root(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "root,kind\nfood,apple\nfood,pear\n"))
        assert (tree.synthetic_root, tree.names.tolist(), tree.level_names) == (
            False,
            ["food", "apple", "pear"],
            ("kind",),
        )

    @pytest.mark.parametrize("kind", [pl.DataFrame, pd.DataFrame])
    def test_data_frames(self, kind: Any) -> None:
        frame = kind({"a": ["x", "x", None], "b": ["1", None, "2"], "size": [1.0, None, 3.0]})
        tree = Taxonomy.from_dataframe(frame, levels=["a", "b"], columns=["size"])
        assert paths(tree) == ["x", "x/1", "2"]
        assert tree.columns["size"].tolist() == ["", "", "1", "3"]

    def test_parquet_with_numbers(self, tmp_path: Path) -> None:
        pl.DataFrame({"a": [1, 1], "b": ["x", None]}).write_parquet(tmp_path / "t.parquet")
        assert paths(read(tmp_path / "t.parquet")) == ["1", "1/x"]


class TestEdgeLists:
    @pytest.mark.parametrize("header", ["child,parent", "Name,Parent", "label,parent_name", "node,parent"])
    def test_headers(self, tmp_path: Path, header: str) -> None:
        assert paths(read(written(tmp_path, f"{header}\nb,a\nc,b\n"))) == ["a", "a/b", "a/b/c"]

    def test_other_headers_are_named(self, tmp_path: Path) -> None:
        file = written(tmp_path, "klasse,über\nb,a\n")
        assert paths(read(file, name="klasse", parent="über")) == ["a", "a/b"]

    def test_ids_tell_repeated_names_apart_and_are_kept(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "id,parent,name,colour\nr,,food,\nx,r,apple,red\ny,x,apple,green\n"))
        assert paths(tree) == ["food", "food/apple", "food/apple/apple"]
        assert tree.columns["id"].tolist() == ["r", "x", "y"]
        assert tree.columns["colour"].tolist() == ["", "red", "green"]

    def test_ids_beside_parents_by_name(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "id,name,parent\n7,food,\n8,apple,food\n"))
        assert paths(tree) == ["food", "food/apple"]
        assert tree.columns["id"].tolist() == ["7", "8"]

    def test_rows_in_any_order_and_twice(self, tmp_path: Path) -> None:
        assert paths(read(written(tmp_path, "child,parent\nc,b\nb,a\na,\nc,b\n"))) == ["a", "a/b", "a/b/c"]

    def test_several_parents_resolved(self, tmp_path: Path) -> None:
        file = written(tmp_path, "child,parent\na,r\nb,r\nc,a\nc,b\n")
        assert paths(read(file, parents="first")) == ["r", "r/a", "r/a/c", "r/b"]
        assert paths(read(file, parents="last")) == ["r", "r/a", "r/b", "r/b/c"]

    def test_several_roots_joined(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "child,parent\na,\nb,\nc,b\n"), roots="join")
        assert (paths(tree), tree.synthetic_root) == (["a", "b", "b/c"], True)

    def test_levels_are_put_in_order(self, tmp_path: Path) -> None:
        tree = read(written(tmp_path, "id,parent,name,level\nr,,all,\ns,f,s,species\nf,r,f,family\nt,r,t,species\n"))
        assert tree.level_names == ("family", "species")
        assert tree.level.tolist() == [0, 1, 2, 2]

    def test_a_synthetic_root_without_an_id(self, tmp_path: Path) -> None:
        tree = Taxonomy([-1, 0, 0], ["", "a", "b"], columns={"id": ["", "x", "y"], "note": ["top", "", ""]})
        write(tree, tmp_path / "t.csv")
        assert (tmp_path / "t.csv").read_text().splitlines()[1:3] == [",,,level_1,top", "x,,a,level_1,"]
        again = read(tmp_path / "t.csv")
        assert again == tree
        assert again.columns["note"].tolist() == ["top", "", ""]


ERRORS: list[tuple[str, str | bytes, dict[str, Any], str]] = [
    (
        "cycle",
        "child,parent\na,r\nb,c\nc,b\n",
        {},
        "Expected every node to be connected to the root, but got a cycle: b → c → b at {file}:3.",
    ),
    (
        "orphan",
        "child,parent\nr,\na,r\nb,R\n",
        {},
        "Expected every parent to have a row of its own, but got parent 'R' of 'b', which no row defines (is it 'r'?) at "
        "{file}:4. Add a row for the parent, with an empty parent if it is the root.",
    ),
    (
        "two roots",
        "child,parent\nr,\na,r\nq,\n",
        {},
        "Expected exactly one root, but got another root 'q' next to 'r' (line 2) at {file}:4. "
        'Pass roots="join" to put them under a synthetic root.',
    ),
    (
        "two roots without rows",
        "child,parent\na,r\nb,q\n",
        {},
        "Expected exactly one root, but got another root 'q' next to 'r' (line 2) at {file}:3. "
        'Pass roots="join" to put them under a synthetic root.',
    ),
    (
        "several parents",
        "child,parent\na,r\nb,r\nc,a\nc,b\n",
        {},
        "Expected one parent for each node, but got 2 parents of 'c': 'a', 'b' at {file}:5. "
        'Pass parents="all" to keep them, or parents="first" (or "last") to keep one of them.',
    ),
    (
        "several errors",
        "child,parent\nr,\na,x\nb,y\n",
        {},
        "Expected every parent to have a row of its own, but got parent 'x' of 'a', which no row defines at {file}:3. "
        "Add a row for the parent, with an empty parent if it is the root. "
        "List all 2 errors with: cladewise taxonomy check {file}.",
    ),
    ("blank", "child,parent\na,r\n,r\n", {}, "Expected a label in every row, but got a row without a name at {file}:3."),
    (
        "an id for two names",
        "id,parent,name\nr,,r\nx,r,a\nx,r,b\n",
        {},
        "Expected each node in one row, but got id 'x' for several names: 'a', 'b' at {file}:4.",
    ),
    (
        "encoding",
        b"a,b\nx,y\nx,caf\xe9\n",
        {},
        "Expected UTF-8 text, but got byte 0xE9 at byte 6 at {file}:3. Save the file as UTF-8.",
    ),
    ("utf-16", "a,b\nx,y\n".encode("utf-16"), {}, "Expected UTF-8 text, but got UTF-16 at {file}:1. Save the file as UTF-8."),
    ("empty", "", {}, "Expected a table, but got an empty file at {file}:1."),
    ("no rows", "a,b\n", {}, "Expected at least one row, but got none at {file}."),
    ("no edges", "child,parent\n", {}, "Expected at least one row, but got none at {file}."),
    (
        "header twice",
        "a,a\nx,y\n",
        {},
        "Expected a header with a different name for each column, but got several columns named 'a' at {file}:1. "
        'Name every column, and remove lines above the header; pass header="none" if there is none.',
    ),
    (
        "header blank",
        "a,\nx,y\n",
        {},
        "Expected a header with a different name for each column, but got column 2 without a name at {file}:1. "
        'Name every column, and remove lines above the header; pass header="none" if there is none.',
    ),
    (
        "long row",
        "a,b\nx,y\n\"x\n\",y,z\n",
        {},
        "Expected no more cells in a row than the header has, but got 3 cells for 2 columns at {file}:3.",
    ),
    ("column", "a,b\nx,y\n", {"levels": ["a", "c"]}, "Expected the columns 'c', but got 'a', 'b' at {file}."),
    ("no level", "a\nx\n", {"columns": ["a"]}, "Expected at least one column that is a level, but got none at {file}."),
    (
        "no parent",
        "a,b\nx,y\n",
        {"format": "edges"},
        "Expected a column of nodes and one of their parents, but got 'a', 'b' at {file}. "
        'Name the columns with name="..." and parent="...", and id="..." if parents are ids.',
    ),
    ("no child", "a,b\nx,y\n", {"name": "c"}, "Expected the columns 'c', but got 'a', 'b' at {file}."),
    (
        "levels",
        "id,parent,name,level\nr,,r,\na,r,a,x\nb,a,b,y\nc,r,c,y\nd,c,d,x\n",
        {},
        "Expected a level for every node, in one order from coarse to fine, but got levels that nest in both orders at "
        "{file}.",
    ),
    (
        "unknown level",
        "id,parent,name,level\nr,,r,x > y\na,r,a,z\n",
        {},
        "Expected a level for every node, in one order from coarse to fine, but got 'z' at {file}.",
    ),
    ("format", "a,b\nx,y\n", {"format": "xml"}, f"Expected format to be one of {', '.join(FORMATS)}, but got 'xml'."),
    ("parents", "a,b\nx,y\n", {"parents": "both"}, "Expected parents to be one of error, first, last, all, but got 'both'."),
    ("roots", "a,b\nx,y\n", {"roots": "first"}, "Expected roots to be one of error, join, but got 'first'."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("content", "options", "text"), [case[1:] for case in ERRORS], ids=[case[0] for case in ERRORS]
)
def test_errors_of_reading(tmp_path: Path, content: str | bytes, options: dict[str, Any], text: str) -> None:
    file = written(tmp_path, content)
    with pytest.raises(InputError) as error:
        read(file, **options)
    assert str(error.value) == text.format(file=file)


def test_errors_of_places(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected a taxonomy file or folder, but got no such file or folder"):
        read(tmp_path / "none.csv")
    with pytest.raises(InputError, match=r"Expected a file name that ends in \.csv, .*, but got 'a.doc'"):
        read(written(tmp_path, "", "a.doc"))
    with pytest.raises(InputError, match="Expected a Parquet file"):
        read(written(tmp_path, "no", "a.parquet"))
    with pytest.raises(InputError, match="Expected a data frame, but got int"):
        Taxonomy.from_dataframe(3)


def test_a_data_frame_is_told_by_rows() -> None:
    with pytest.raises(InputError) as error:
        Taxonomy.from_dataframe(pl.DataFrame({"child": ["a", "b", "b"], "parent": ["", "a", "c"]}), parents="last")
    assert "which no row defines at the data frame:3" in str(error.value)


TREE = Taxonomy.from_paths([("x", "a"), ("y", "a")])
UNWRITABLE: list[tuple[str, Taxonomy, str, str | None, str]] = [
    ("edges", TREE, "t.csv", "edges", "Expected names that do not repeat, but got 'a'. Write the node table, which has ids."),
    (
        "levels",
        Taxonomy([-1, 0, 0], ["", "a", "a"]),
        "t.csv",
        "levels",
        "Expected children of a node with different names, but got two of 'a'. Write the node table, which has ids.",
    ),
    (
        "root level",
        Taxonomy([-1, 0], ["r", "a"], level_names=["root"]),
        "t.csv",
        "levels",
        "Expected levels with names other than 'root', but got 'root'.",
    ),
    ("ids", Taxonomy([-1, 0], ["r", "a"], columns={"id": ["x", "x"]}), "t.csv", None, "Expected a unique id for every node, but got several of 'x' at r. Fill in the column 'id', or leave it out to number the nodes."),
    ("taken", Taxonomy([-1, 0], ["r", "a"], columns={"name": ["x", "x"]}), "t.csv", None, "Expected further columns with other names than parent, name, level, further_parents, but got 'name'."),
    ("taken key", Taxonomy([-1, 0], ["r", "a"], columns={"children": ["x", "x"]}), "t.json", None, "Expected further columns with other names than name, children, level, levels, further_parents, but got 'children'."),
    ("blank", Taxonomy([-1, 0], ["r", " "]), "t.csv", None, "Expected a name for every node, but got 1 without at node 1."),
    ("level name", Taxonomy([-1, 0], ["r", "a"], level_names=["a > b"]), "t.csv", None, "Expected names of levels without ' > ' or blanks at their ends, but got 'a > b'."),
    ("suffix", TREE, "t.doc", None, f"Expected a file name that ends in {', '.join([*TABLE_SUFFIXES, *FORMAT_BY_SUFFIX])}, or in nothing for folders, but got 't.doc'."),
    ("table suffix", TREE, "t.doc", "levels", "Expected a file name that ends in .csv, .tsv, .tab, .txt, .parquet, but got 't.doc'."),
    ("wordnet", TREE, "t", "wordnet", f"Expected a format to write among {', '.join([*TABLES, *FILES])}, but got 'wordnet'."),
    ("deep", Taxonomy(range(-1, 199), ["n"] * 200), "t.json", None, "Expected a tree at most 150 deep, but got depth 199. Write the node table instead."),
]  # fmt: skip


@pytest.mark.parametrize(
    ("tree", "name", "format", "text"), [c[1:] for c in UNWRITABLE], ids=[c[0] for c in UNWRITABLE]
)
def test_errors_of_writing_leave_nothing_behind(
    tmp_path: Path, tree: Taxonomy, name: str, format: Any, text: str
) -> None:
    with pytest.raises(InputError) as error:
        write(tree, tmp_path / name, format=format)
    assert str(error.value) == text
    assert list(tmp_path.iterdir()) == []


def test_names_with_null_characters_are_not_written_as_text(tmp_path: Path) -> None:
    tree = Taxonomy.from_paths([("a\0b",)])
    with pytest.raises(InputError, match="text without null characters, but got one in the column 'name'"):
        tree.write(tmp_path / "classes.csv")
    tree.write(tmp_path / "classes.parquet")
    assert Taxonomy.read(tmp_path / "classes.parquet") == tree
