"""JSON arrays written element by element, in the memory of a few."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import IO

import polars as pl


@contextmanager
def json_array(file: IO[bytes], before: str = "[", after: str = "]\n") -> Generator[Callable[[Iterable[str]], None]]:
    r"""A function that appends elements to an array in a JSON file, one per line.

    Args:
        file: The file.
        before: Text before the first element, which opens the array: ``'{"images": ['``.
        after: Text after the last element, which closes it.

    Example:
        >>> import io
        >>> file = io.BytesIO()
        >>> with json_array(file) as append:
        ...     append(['{"id": 1}', '{"id": 2}'])
        >>> file.getvalue().decode()
        '[\n{"id": 1},\n{"id": 2}\n]\n'
    """
    file.write(before.encode())
    separator = "\n"

    def append(elements: Iterable[str]) -> None:
        nonlocal separator
        for element in elements:
            file.write(f"{separator}{element}".encode())
            separator = ",\n"

    yield append
    file.write(b"\n" + after.encode())


def objects(rows: pl.DataFrame) -> list[str]:
    r"""The rows of a table as JSON objects.

    Example:
        >>> objects(pl.DataFrame({"id": [1], "name": ["a\nb"]}))
        ['{"id":1,"name":"a\\nb"}']
    """
    return rows.write_ndjson().split("\n")[:-1] if rows.height else []  # line breaks in texts are escaped
