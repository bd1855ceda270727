"""JSON arrays whose elements are rows of tables, written table by table in the memory of one."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import IO

import polars as pl


@contextmanager
def json_rows(file: IO[bytes], before: str = "[", after: str = "]\n") -> Generator[Callable[[pl.DataFrame], None]]:
    r"""A function that appends the rows of tables to an array in a JSON file, one object per line.

    Args:
        file: The file.
        before: Text before the first row, which opens the array: ``'{"images": ['``.
        after: Text after the last row, which closes it.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> with json_rows(file) as append:
        ...     append(pl.DataFrame({"id": [1, 2], "name": ["wren", "a\nb"]}))
        >>> file.getvalue().decode()
        '[\n{"id":1,"name":"wren"},\n{"id":2,"name":"a\\nb"}\n]\n'
    """
    file.write(before.encode())
    separator = "\n"

    def append(rows: pl.DataFrame) -> None:
        nonlocal separator
        if rows.height:
            text = rows.write_ndjson().removesuffix("\n")
            file.write(separator.encode())
            file.write(text.replace("\n", ",\n").encode())  # line breaks in texts are escaped
            separator = ",\n"

    yield append
    file.write(b"\n" + after.encode())
