"""Parquet files with the images in a column, as Hugging Face's data sets and Spark write them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cladewise.errors import InputError
from cladewise.sources import open_source
from sources.reading_rows import rows_of, told

IMAGE = pa.struct({"bytes": pa.binary(), "path": pa.string()})


@pytest.fixture
def hugging(here: Path, picture: Any) -> Path:
    """A file of 250 rows in groups of 100, with the schema that Hugging Face's library stores."""
    images = [{"bytes": picture(k % 256), "path": f"{k}.png"} for k in range(250)]
    images[7], images[8], images[9] = {"bytes": None, "path": "there.png"}, {"bytes": None, "path": None}, None
    features = {"image": {"_type": "Image"}, "label": {"names": ["wren", "robin"], "_type": "ClassLabel"}}
    table = pa.table(
        {
            "image": pa.array(images, IMAGE),
            "label": pa.array([k % 2 for k in range(250)], pa.int64()),
            "license": pa.array(["cc0"] * 250).dictionary_encode(),
            "objects": pa.array([[k] for k in range(250)]),
        }
    ).replace_schema_metadata({"huggingface": json.dumps({"info": {"features": features}})})
    pq.write_table(table, "train-00000-of-00001.parquet", row_group_size=100)
    (here / "there.png").write_bytes(picture(77))
    return here


def test_rows_are_those_that_pyarrow_reads(hugging: Path, picture: Any) -> None:
    name = "train-00000-of-00001.parquet"
    source = open_source([name])
    assert (source.kind, source.num_rows) == ("parquet", 250)
    assert source.columns == {"image_path": pl.String(), "label": pl.Int64(), "license": pl.String()}
    assert source.notes == ("columns left out, since they hold lists, structures or bytes: objects",)
    theirs = pq.read_table(name).to_pylist()
    for size in (10, 150, 200, 1000):
        rows = rows_of(source, size)
        assert [row.name for row in rows] == [f"{name}#{k}" for k in range(250)]
        for row, their in zip(rows, theirs, strict=True):
            image = their["image"] or {"bytes": None, "path": None}
            assert dict(row.columns) == {"image_path": image["path"], "label": their["label"], "license": "cc0"}
            if image["bytes"] is not None:
                assert row.read() == image["bytes"]
    assert rows[7].read() == picture(77)
    assert [told(rows[k]) for k in (8, 9)] == ["no image in this row"] * 2


def test_a_chunk_is_whole_row_groups(hugging: Path) -> None:
    source = open_source(["*.parquet"])
    ranges = {size: [(c.start, c.stop) for c in source.chunks(size)] for size in (1, 199, 200, 10**6)}
    by_group = [(0, 100), (100, 200), (200, 250)]
    assert ranges == {1: by_group, 199: [(0, 100), (100, 250)], 200: [(0, 200), (200, 250)], 10**6: [(0, 250)]}


def test_columns_of_bytes_are_known_by_name_or_chosen(here: Path, picture: Any) -> None:
    rows = {"path": ["a.png", "b.png"], "content": [picture(1), picture(2)], "hash": [b"\0", b"\1"]}
    pl.DataFrame(rows).write_parquet("spark.parquet")
    source = open_source(["spark.parquet"])
    assert [row.read() for row in rows_of(source)] == [picture(1), picture(2)]
    assert source.columns == {"path": pl.String()}
    by_path = open_source(["spark.parquet"], column="path")
    assert (by_path.kind, by_path.columns) == ("table", {})
    by_hash = open_source(["spark.parquet"], column="hash")
    assert [row.read() for row in rows_of(by_hash)] == [b"\0", b"\1"]
    pl.DataFrame({"path": ["a.png"], "hash": [b"\0"]}).write_parquet("hashes.parquet")
    assert open_source(["hashes.parquet"]).kind == "table"
    pl.DataFrame({"image": [b"\0"], "img": [b"\0"]}).write_parquet("two.parquet")
    with pytest.raises(InputError, match=r"several: 'image', 'img' at two.parquet. Choose one: column=\"image\""):
        open_source(["two.parquet"])
    pl.DataFrame({"number": [1], "views": [[b"\0"]]}).write_parquet("none.parquet")
    with pytest.raises(InputError, match=r"a column path, url.*, but got 'number', 'views'"):
        open_source(["none.parquet"])
    with pytest.raises(InputError, match=r"a column of paths or URIs, but got 'views' of type List\(Binary\)"):
        open_source(["none.parquet"], column="views")
    with pytest.raises(InputError, match="files with the same columns, but got 'content', 'hash'"):
        open_source(["spark.parquet", "two.parquet"], column="content")


def test_a_damaged_row_group_loses_its_own_rows_and_says_so(hugging: Path) -> None:
    path = hugging / "train-00000-of-00001.parquet"
    group = pq.ParquetFile(path).metadata.row_group(1)
    content = bytearray(path.read_bytes())
    start = group.column(0).data_page_offset
    content[start : start + 200] = b"\xff" * 200
    path.write_bytes(content)
    rows = rows_of(open_source([path.name]), 100)
    assert len(rows) == 250
    assert [str(told(row)).startswith("a damaged part of the file") for row in rows[100:200]] == [True] * 100
    assert [row.columns["label"] for row in rows[200:]] == [k % 2 for k in range(50)]
    assert all(isinstance(told(row), bytes) for row in (*rows[:7], *rows[200:]))
    path.write_bytes(content[:-50])
    with pytest.raises(InputError, match="a Parquet file"):
        open_source([path.name])
