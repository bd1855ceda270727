"""Tables written part by part, as other readers see them."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from cladewise.parquet import write_parquet, write_parquet_parts

TABLE = pl.DataFrame(
    {
        "path": ["a.jpg", "ä/b.jpg", "", "d", "e"],
        "node": [1, 2, 3, 4, 5],
        "nodes": [[1, 2], [], [3], [4, 5, 6], [0]],
        "log_probs": pl.Series([[0.5], [], [1.0, 2.0], [0.0], [1.5]], dtype=pl.List(pl.Float32)),
        "value": [0.5, float("nan"), None, 1.0, 2.0],
    }
)


def test_parts_are_read_as_one_table(tmp_path: Path) -> None:
    for sizes in ([5], [2, 3], [1, 1, 1, 1, 1], [0, 5], [5, 0]):
        path, starts = tmp_path / "table.parquet", [sum(sizes[:k]) for k in range(len(sizes))]
        write_parquet_parts((TABLE.slice(start, size) for start, size in zip(starts, sizes, strict=True)), path)
        found = pl.read_parquet(path)
        assert found.schema == TABLE.schema
        assert found.equals(TABLE), sizes
        assert pq.read_table(path)["nodes"].to_pylist() == TABLE["nodes"].to_list()
        assert pq.ParquetFile(path).num_row_groups == len(sizes)


def test_one_part_is_written_as_a_whole_table(tmp_path: Path) -> None:
    write_parquet(TABLE, tmp_path / "whole")
    write_parquet_parts(iter([TABLE]), tmp_path / "parts")
    assert (tmp_path / "parts").read_bytes() == (tmp_path / "whole").read_bytes()
