"""Images named one by one, and tables that name them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.sources import Source, open_source
from cladewise.sources.text_table import STRIDE
from sources.reading_rows import rows_of, told


def test_files_folders_and_patterns_are_read_in_order(here: Path, picture: Any) -> None:
    for number, name in enumerate(("b/2.png", "b/1.png", "b/notes.txt", "a.JPG", "c/x.png")):
        (here / name).parent.mkdir(exist_ok=True)
        (here / name).write_bytes(b"text" if name.endswith("txt") else picture(number))
    source = open_source(["b", "a.JPG", "c/*.png", "./a.JPG"])
    assert isinstance(source, Source)
    rows = rows_of(source, 2)
    assert [row.name for row in rows] == ["b/1.png", "b/2.png", "a.JPG", "c/x.png"]
    assert [row.read() for row in rows] == [picture(number) for number in (1, 0, 3, 4)]
    assert source.notes == (
        "named more than once, and taken once: a.JPG",
        "left out, since they are no images: b/notes.txt",
    )
    assert [(chunk.start, chunk.stop) for chunk in source.chunks(3)] == [(0, 3), (3, 4)]


def test_the_identity_of_files_changes_with_each_of_them(here: Path, picture: Any) -> None:
    for name in ("a.png", "b.png"):
        (here / name).write_bytes(picture())
    before = open_source(["."]).identity
    assert open_source(["."]).identity == before == json.loads(json.dumps(before))
    (here / "b.png").write_bytes(picture(1, (9, 9)))
    after = open_source(["."]).identity
    assert after != before
    (here / "c.png").write_bytes(picture())
    assert open_source(["."]).identity not in (before, after)


def test_what_cannot_be_read_is_an_error_of_its_row(here: Path) -> None:
    (here / "empty.png").touch()
    (here / "list.csv").write_text("path\nempty.png\ngone.png\n.\n  \n" + "n" * 300 + "\nhttps://a b\n")
    rows = rows_of(open_source(["list.csv"]))
    assert [told(row) for row in rows[:5]] == [
        "an empty file",
        "no such file",
        "a folder",
        "no path in this row",
        "a path that cannot be opened (File name too long)",
    ]
    assert rows[3].name == "list.csv#3"


@pytest.mark.parametrize("suffix", ["csv", "tsv", "csv.gz", "jsonl", "jsonl.gz", "parquet"])
def test_tables_name_images_and_pass_other_columns(here: Path, picture: Any, suffix: str) -> None:
    (here / "photos").mkdir()
    (here / "photos" / "1.png").write_bytes(picture(1))
    (here / "2.png").write_bytes(picture(2))
    frame = pl.DataFrame(
        {
            "id": ["007", "00é"],
            "path": ["1.png", str(here / "2.png")],
            "site": ["a,b", 'the "old" pond\nsouth'],
            "empty": pl.Series([None, None], dtype=pl.String),
        }
    )
    path = here / "photos" / f"list.{suffix}"
    written = path.with_suffix("") if suffix.endswith(".gz") else path
    if "jsonl" in suffix:
        frame.write_ndjson(written)
    elif suffix == "parquet":
        frame.write_parquet(written)
    else:
        frame.write_csv(written, separator="\t" if suffix == "tsv" else ",")
    if suffix.endswith(".gz"):
        path.write_bytes(gzip.compress(written.read_bytes()))
    source = open_source([str(path)])
    rows = rows_of(source, 1)
    assert [row.name for row in rows] == frame["path"].to_list()
    assert [row.read() for row in rows] == [picture(1), picture(2)]
    assert list(source.columns) == ["id", "site", "empty"]
    assert [row.columns["id"] for row in rows] == ["007", "00é"]
    assert [row.columns["site"] for row in rows] == frame["site"].to_list()
    assert all(not row.columns["empty"] for row in rows)
    assert source.num_rows == 2


def test_types_of_columns_are_those_of_the_file(here: Path) -> None:
    rows = [
        {"file": "1.png", "count": 3, "share": 1, "seen": True, "tags": ["a"], "odd": 1},
        {"file": "2.png", "count": None, "share": 0.5, "seen": False, "odd": "x", "late": "y"},
        {"file": "3.png", "count": 2**70},
    ]
    (here / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[:2]))
    source = open_source(["a.jsonl"])
    assert source.columns == {
        "count": pl.Int64(),
        "share": pl.Float64(),
        "seen": pl.Boolean(),
        "tags": pl.String(),
        "odd": pl.String(),
        "late": pl.String(),
    }
    assert [dict(row.columns) for row in rows_of(source)] == [
        {"count": 3, "share": 1.0, "seen": True, "tags": '["a"]', "odd": "1", "late": None},
        {"count": None, "share": 0.5, "seen": False, "tags": None, "odd": "x", "late": "y"},
    ]
    (here / "b.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows[2:]))
    both = open_source(["a.jsonl", "b.jsonl"])
    assert both.columns["count"] == pl.String()
    assert [row.columns["count"] for row in rows_of(both)] == ["3", None, str(2**70)]
    typed = pl.DataFrame(
        {
            "uri": ["1.png"],
            "kind": pl.Series(["a"], dtype=pl.Categorical),
            "on": pl.Series(["2024-05-01"]).str.to_date(),
            "box": [[1, 2]],
            "raw": [b"\xff"],
            "small": pl.Series([7], dtype=pl.UInt8),
        }
    )
    typed.write_parquet(here / "t.parquet")
    source = open_source(["t.parquet"])
    assert source.columns == {"kind": pl.String(), "on": pl.Date(), "small": pl.UInt8()}
    assert dict(rows_of(source)[0].columns) == {"kind": "a", "on": typed["on"][0], "small": 7}
    assert source.notes[0] == "columns left out, since they hold lists, structures or bytes: box, raw"


CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.integers(1, 4), st.booleans())
def test_chunks_of_any_size_give_the_rows_that_polars_wrote(
    tmp_path_factory: pytest.TempPathFactory, cells: list[tuple[str, str]], size: int, many: bool
) -> None:
    rows = [(f"p{number}", *row) for number, row in enumerate(cells * (STRIDE if many else 1))]
    frame = pl.DataFrame(rows, schema=["path", "one", "two"], orient="row")
    folder = tmp_path_factory.mktemp("tables")
    frame.write_csv(folder / "a.csv", quote_style="always")
    frame.write_ndjson(folder / "a.jsonl")
    for name in ("a.csv", "a.jsonl"):
        source = open_source([folder / name])
        chunks = source.chunks(size * (STRIDE // 3 if many else 1))
        found = [row for chunk in reversed(chunks) for row in reversed(list(source.rows(chunk)))][::-1]
        # a text table does not tell an empty text from none
        expected = frame.rows() if name == "a.jsonl" else [tuple(cell or None for cell in row) for row in frame.rows()]
        assert [(row.name, *row.columns.values()) for row in found] == expected, name


def test_parquet_is_read_by_row_groups(here: Path) -> None:
    frame = pl.DataFrame({"path": [f"{n}.png" for n in range(1000)], "n": range(1000)})
    frame.write_parquet("a.parquet", row_group_size=130)
    source = open_source(["a.parquet"])
    for size in (1, 7, 130, 131, 5000):
        if size > 1:
            assert [row.columns["n"] for row in rows_of(source, size)] == list(range(1000)), size
    (chunk,) = [chunk for chunk in source.chunks(10) if chunk.start == 990]
    assert [row.name for row in source.rows(chunk)] == [f"{n}.png" for n in range(990, 1000)]


def test_bytes_that_are_not_utf_8_reach_the_file(here: Path, picture: Any) -> None:
    import os

    (here / os.fsdecode(b"caf\xe9.png")).write_bytes(picture(1))
    (here / "list.csv").write_bytes(b"path,note\ncaf\xe9.png,caf\xe9\n")
    (row,) = rows_of(open_source(["list.csv"]))
    assert row.read() == picture(1)
    assert row.columns["note"] == "caf\\udce9"


REFUSED = {
    "no column": ("a.csv", "id,label\n1,wren\n", "a column path, url, uri, file or file_name, but got 'id', 'label'"),
    "no header": ("a.csv", "photos/1.jpg,wren\n", "add a header line"),
    "two columns": ("a.csv", "path,url\na,b\n", "2 columns that could be it: 'path', 'url' at a.csv. Choose one"),
    "repeated column": ("a.csv", "path,a,a\n1,2,3\n", "several columns named 'a' at a.csv:1"),
    "wide row": ("a.csv", "path,a\n1,2\n\n1,2,3\n", "3 cells for 2 columns at a.csv:4"),
    "quote": ("a.csv", 'path,a\n1,2\n"x"y,2\n', "a.csv:3. Put cells with quotes"),
    "unclosed quote": ("a.csv", 'path,a\n1,2\n"x,2\n3,4\n', "a.csv:3. Put cells with quotes"),
    "no row": ("a.csv", "path,a\n", "a table with a row per image, but got no row"),
    "empty": ("a.csv", "", "an empty file at a.csv"),
    "utf-16": ("a.csv", "\ufeffpath\n", "UTF-16"),
    "json": ("a.csv", '{"images": []}', "JSON, XML or HTML at a.csv"),
    "broken line": ("a.jsonl", '{"path": "a"}\n{"path": \n', "a.jsonl:2"),
    "list in a line": ("a.jsonl", "[1]\n", "a list at a.jsonl:1"),
    "numbers": ("a.jsonl", '{"path": 1}\n', "but got 'path', where 'path' holds no texts at a.jsonl"),
    "carriage returns": ("a.csv", "path,a\r1,2\r", "a carriage return alone at a.csv:1"),
    "separator": ("a.csv", "path;a,b\n1;2,3\n2;3,4\n", "a first row that could be split"),
    "no parquet": ("a.parquet", "PAR1", "a Parquet file"),
    "packed": ("a.csv.gz", "path\na\n", "a table that can be unpacked"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_tables_that_are_none_are_refused_with_their_place(here: Path, case: str) -> None:
    name, text, message = REFUSED[case]
    (here / name).write_text(text, encoding="utf-16" if case == "utf-16" else "utf-8")
    with pytest.raises(InputError) as refused:
        open_source([name])
    assert message in str(refused.value)


def test_a_table_cut_inside_its_compression_is_refused(here: Path) -> None:
    packed = gzip.compress(("path\n" + "".join(f"{n}.png\n" for n in range(5000))).encode())
    (here / "a.csv.gz").write_bytes(packed[:-100])
    with pytest.raises(InputError, match="a table that can be unpacked"):
        open_source(["a.csv.gz"])


def test_a_column_can_be_named_and_a_root_given(here: Path, picture: Any) -> None:
    (here / "data").mkdir()
    (here / "data" / "1.png").write_bytes(picture(1))
    (here / "a.csv").write_text("path,url,where\nx,y,1.png\n")
    (row,) = rows_of(open_source(["a.csv"], column="where", root="data"))
    assert (row.name, row.read(), dict(row.columns)) == ("1.png", picture(1), {"path": "x", "url": "y"})
    with pytest.raises(InputError, match="the column 'wher'"):
        open_source(["a.csv"], column="wher")
    (here / "list").write_text("path\nq.png\n")
    assert open_source(["list"], format="csv").num_rows == 1


def test_a_folder_of_other_inputs_says_how_to_name_them(here: Path) -> None:
    (here / "data").mkdir()
    for name in ("a.tar", "b.tar", "notes.md"):
        (here / "data" / name).touch()
    with pytest.raises(InputError, match=r"no file is an image. Name its .tar files: 'data/\*.tar'"):
        open_source(["data"])


def test_names_of_columns_can_hold_dots_and_blanks(here: Path) -> None:
    frame = pl.DataFrame({"file path": ["1.png"], "a.b": [1], "a": ["x"], "": [0]})
    frame.write_parquet("t.parquet")
    frame.write_csv("t.csv")
    for name, one in (("t.parquet", 1), ("t.csv", "1")):
        (row,) = rows_of(open_source([name]))
        assert (row.name, dict(row.columns)) == ("1.png", {"a.b": one, "a": "x"}), name


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "but got nothing"),
        ("a.png", "Pass a list"),
        (["a.png", "a.csv"], "'a.png' (images) and 'a.csv' (csv). Run the command once"),
        (["*.csv"], "'*.csv'"),
        (["gone.csv"], "'gone.csv', which matches nothing"),
        (["s3://museum/2024/"], "a folder, 's3://museum/2024/', which would have to be listed. Give a table"),
        (["gs://museum/*.jpg"], "a pattern, 'gs://museum/*.jpg', which would have to be listed"),
        (["nonsense://a/b.csv"], "nonsense://"),
    ],
)
def test_words_that_stand_for_nothing_are_refused(here: Path, words: Any, message: str) -> None:
    with pytest.raises(InputError) as refused:
        open_source(words)
    assert message in str(refused.value)


UNFIT: dict[str, tuple[str, dict[str, Any], str]] = {
    "column of a folder": ("photos", {"column": "path"}, r"csv or tsv or .* with column=, but got images, 'photos'"),
    "root of a folder": ("photos", {"root": "photos"}, "boxes with root=, but got images"),
    "crop of a table": ("a.csv", {"crop": "images"}, "boxes with crop=, but got csv, 'a.csv'"),
    "threshold of a table": (
        "a.csv",
        {"threshold": 0.9},
        "an input of the format boxes with a confidence threshold, but got csv",
    ),
    "padding of a table": ("a.csv", {"padding": 0.1}, "boxes with padding="),
    "squares of a folder": ("photos", {"square": True}, "boxes with square="),
    "frames of a folder": ("photos", {"fps": 2.0}, "video with fps=, but got images"),
}


@pytest.mark.parametrize("case", UNFIT)
def test_arguments_without_a_meaning_for_the_input_are_refused(here: Path, picture: Any, case: str) -> None:
    word, arguments, told = UNFIT[case]
    (here / "photos").mkdir(exist_ok=True)
    (here / "photos" / "a.png").write_bytes(picture(1))
    (here / "a.csv").write_text("path\nphotos/a.png\n")
    with pytest.raises(InputError, match=told):
        open_source([word], **arguments)
    assert open_source([word]).num_rows == 1
