"""Tables of results, written to files or to standard output."""

from __future__ import annotations

import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from cladewise.errors import InputError, warn

if TYPE_CHECKING:
    import polars as pl

SUFFIXES = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet"}
FORMATS = tuple(dict.fromkeys(SUFFIXES.values()))
SEPARATORS = {"csv": ",", "tsv": "\t"}
FORMAT_HELP = f"One of {', '.join(FORMATS)}. Default: as in the name of --out, otherwise csv."
OUT_HELP = f"File to write instead of standard output. Its name decides the format: {', '.join(SUFFIXES)}."

Write = Callable[["pl.DataFrame"], None]


def table_format(wanted: str | None, out: Path | None) -> str:
    """The format of a table: the one given, or the one that the file name ends in, or CSV.

    Example:
        >>> table_format(None, Path("p.parquet")), table_format(None, None)
        ('parquet', 'csv')

    Raises:
        InputError: There is no such format, the name ends in none, or a binary table is to go to standard output.
    """
    if wanted is not None and wanted not in FORMATS:
        raise InputError(f"--format {' or '.join(FORMATS)}", repr(wanted))
    if out is None:
        if wanted == "parquet":
            raise InputError("--out FILE with --format parquet", "standard output")
        return wanted or "csv"
    by_name = SUFFIXES.get(out.suffix.lower())
    if wanted is None and by_name is None:
        raise InputError(f"a name that ends in {', '.join(SUFFIXES)}", repr(str(out)), advice="Or give --format.")
    if wanted is not None and by_name not in (wanted, None):
        warn(f"Written as {wanted}, though the name is that of a {by_name} file", at=str(out))
    return wanted or by_name or "csv"


@contextmanager
def table_writer(format_: str, out: Path | None) -> Generator[Write, None, None]:
    """A function that writes one table. A file that cannot be written is an error before the work that fills it.

    Raises:
        InputError: The file cannot be written.
    """
    from cladewise.atomic import replacing

    if out is None:
        yield lambda frame: _print(_encoded(frame, format_))
        return
    if out.is_dir():
        raise InputError("a file to write", "a folder", at=str(out))
    with replacing(out) as temporary:
        yield lambda frame: _save(frame, format_, temporary)


def write_frame(frame: pl.DataFrame, format_: str, out: Path | None) -> None:
    """Write a table; see :func:`table_writer`."""
    with table_writer(format_, out) as write:
        write(frame)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # a full disk is found out here, not when Python exits


def _save(frame: pl.DataFrame, format_: str, file: Path) -> None:
    if format_ == "parquet":
        from cladewise.parquet import write_parquet

        write_parquet(frame, file)
        return
    text = _encoded(frame, format_)
    # Excel takes a CSV file for UTF-8 only with a byte order mark
    marked = format_ in SEPARATORS and not text.isascii()
    file.write_text(text, encoding="utf-8-sig" if marked else "utf-8", newline="")


def _encoded(frame: pl.DataFrame, format_: str) -> str:
    if format_ in SEPARATORS:
        return for_spreadsheets(frame).write_csv(separator=SEPARATORS[format_])
    return frame.write_ndjson()


def for_spreadsheets(frame: pl.DataFrame) -> pl.DataFrame:
    r"""A table whose cells a spreadsheet shows as they are.

    Probabilities have 6 digits. Lists are joined with semicolons, semicolons in texts escaped with a backslash. Texts
    that a spreadsheet would run as a formula (those that begin with ``=``, ``+``, ``-``, ``@``, a tab or a line break)
    get an apostrophe in front, and so do those that begin with an apostrophe: taking one away gives the text back.

    Example:
        >>> import polars as pl
        >>> frame = pl.DataFrame({"label": ["=1+1", "'tis"], "p": [1 / 3, 0.5], "sets": [["a;b", "c"], []]})
        >>> for_spreadsheets(frame).rows()
        [("'=1+1", 0.333333, 'a\\;b;c'), ("''tis", 0.5, '')]
    """
    import polars as pl

    lists = [
        pl.col(name)
        .list.eval(pl.element().round(6).cast(pl.String) if kind.inner.is_float() else _escaped(pl.element()))
        .list.join(";")
        for name, kind in frame.schema.items()
        if isinstance(kind, pl.List)
    ]
    flat = frame.with_columns(lists).with_columns(pl.selectors.float().round(6))
    defused = flat.with_columns(pl.selectors.string().str.replace(FORMULA, "'$1"))
    return defused.rename(dict(zip(flat.columns, pl.Series(flat.columns).str.replace(FORMULA, "'$1"), strict=True)))


FORMULA = r"^([=+\-@\t\r\n'])"


def _escaped(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(";", r"\;", literal=True)
