"""Tables that belong to a tree or to images without being either: groups, weights."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from cladewise.errors import InputError
from cladewise.parquet import read_parquet
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.tables.delimited import read_delimited
from cladewise.taxonomy.formats.tables.table import is_parquet


def read_side_table(path: Path, expected: str) -> pl.DataFrame:
    """Read Parquet with its types, or text with any separator as texts, null where a cell is blank.

    Args:
        path: The file.
        expected: The table that is expected, for messages.

    Raises:
        InputError: There is no such file, or it is no table.

    Example:
        >>> path = getfixture("tmp_path") / "weights.csv"
        >>> _ = path.write_text("label;weight\\nwren;0,5\\nrobin;\\n")
        >>> read_side_table(path, "a table of weights").rows()
        [('wren', '0,5'), ('robin', None)]
    """
    if not path.is_file():
        raise InputError(expected, "no such file", at=str(path))
    if is_parquet(path):
        return read_parquet(path)
    table = read_delimited(path, ReadOptions(header="first"))
    table.fail([problem for problem in table.problems if problem.kind != "column-name"])
    return table.frame.with_columns(pl.all().replace("", None))
