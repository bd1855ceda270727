"""Tables as CSV and Markdown files, and names that are safe in file names."""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

import polars as pl

from cladewise.atomic import write_text, writing


def write_csv(frame: pl.DataFrame, file: Path) -> Path:
    """Write a table; NaN becomes an empty cell."""
    content = io.BytesIO()
    frame.with_columns(pl.selectors.float().fill_nan(None)).write_csv(content)
    with writing(file) as stream:
        stream.write(content.getvalue())
    return file


def write_markdown(cells: Sequence[Sequence[str]], file: Path, *, num_names: int) -> Path:
    """Write a table whose first row is its header.

    Args:
        cells: Rows of texts.
        file: Where to write it.
        num_names: Number of leading columns that hold names; the others hold numbers and are aligned right.
    """
    rules = ["---"] * num_names + ["--:"] * (len(cells[0]) - num_names)
    lines = [_markdown_row(cells[0]), _markdown_row(rules), *map(_markdown_row, cells[1:])]
    write_text(file, "\n".join(lines) + "\n")
    return file


def _markdown_row(cells: Iterable[str]) -> str:
    r"""One row; characters that would end the cell or start HTML are escaped.

    Example:
        >>> _markdown_row(["a|b", "<i>"])
        '| a\\|b | &lt;i> |'
    """
    return "| " + " | ".join(text.replace("|", r"\|").replace("<", "&lt;") for text in cells) + " |"


def file_name(text: str) -> str:
    """A name with everything but letters, digits, underscores and dots replaced by hyphens.

    Example:
        >>> file_name("sub family/A&B")
        'sub-family-A-B'
    """
    return re.sub(r"[^\w.]+", "-", text).strip("-") or "level"
