"""Files of tables: their names, and numbers as CSV, whole or not at all."""

from __future__ import annotations

import io
import re
from pathlib import Path

import polars as pl

from cladewise.atomic import writing


def write_csv(frame: pl.DataFrame, file: Path) -> Path:
    """Write a table; what is not a number is an empty cell."""
    content = io.BytesIO()
    frame.with_columns(pl.selectors.float().fill_nan(None)).write_csv(content)
    with writing(file) as stream:
        stream.write(content.getvalue())
    return file


def file_name(text: str) -> str:
    """A name as part of a file's.

    Example:
        >>> file_name("sub family/A&B")
        'sub-family-A-B'
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-") or "level"
