"""Reading sources whole, for tests."""

from __future__ import annotations

import pickle
from typing import Any

from cladewise.datasets import UnreadableImageError
from cladewise.sources import Row, Source


def rows_of(source: Source, size: int = 1000) -> list[Row]:
    """All rows, after the source and its chunks went through a pickle, as to another process."""
    sent: Source = pickle.loads(pickle.dumps(source))
    return [row for chunk in source.chunks(size) for row in sent.rows(pickle.loads(pickle.dumps(chunk)))]


def told(row: Row) -> Any:
    """The bytes of a row, or why there are none."""
    try:
        return row.read()
    except UnreadableImageError as error:
        return error.reason
