"""Tables of results, written to files or to standard output."""

from __future__ import annotations

import codecs
import shutil
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
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


def table_format(wanted: str | None, out: Path | None, also: Iterable[str] = ()) -> str:
    """The format of a table: the one given, or the one that the file name ends in, or CSV.

    ``also`` are formats that a command knows besides, for messages.

    Example:
        >>> table_format(None, Path("p.parquet")), table_format(None, None)
        ('parquet', 'csv')

    Raises:
        InputError: There is no such format, the name ends in none, or a binary table is to go to standard output.
    """
    if wanted is not None and wanted not in FORMATS:
        raise InputError(f"--format {' or '.join([*FORMATS, *also])}", repr(wanted))
    if out is None:
        if wanted == "parquet":
            raise InputError("--out FILE with --format parquet", "standard output")
        return wanted or "csv"
    by_name = SUFFIXES.get(out.suffix.lower())
    if wanted is None and by_name is None:
        advice = f"Or give --format {' or '.join([*FORMATS, *also])}." if also else "Or give --format."
        raise InputError(f"a name that ends in {', '.join(SUFFIXES)}", repr(str(out)), advice=advice)
    if wanted is not None and by_name not in (wanted, None):
        warn(f"Written as {wanted}, though the name is that of a {by_name} file", at=str(out))
    return wanted or by_name or "csv"


@contextmanager
def table_writer(format_: str, out: Path | None) -> Generator[Write, None, None]:
    """A function that appends rows to a table; all tables that it is given have the same columns.

    A file that cannot be written is an error before the work that fills it, and it appears when it is whole.

    Raises:
        InputError: The file cannot be written.
    """
    from cladewise.atomic import replacing

    if out is None:
        texts = _Texts(format_)
        yield lambda frame: _print(texts.next(frame))
        return
    if out.is_dir():
        raise InputError("a file to write", "a folder", at=str(out))
    with replacing(out) as temporary, (_parquet if format_ == "parquet" else _text)(format_, temporary) as write:
        yield write


def write_frame(frame: pl.DataFrame, format_: str, out: Path | None) -> None:
    """Write a table; see :func:`table_writer`."""
    with table_writer(format_, out) as write:
        write(frame)


def _print(text: str) -> None:
    sys.stdout.write(text)
    sys.stdout.flush()  # a full disk is found out here, not when Python exits


class _Texts:
    """Rows as text, with the column names before the first."""

    def __init__(self, format_: str) -> None:
        self._format, self._is_first = format_, True

    def next(self, frame: pl.DataFrame) -> str:
        if self._format not in SEPARATORS:
            return frame.write_ndjson()
        first, self._is_first = self._is_first, False
        return for_spreadsheets(frame).write_csv(separator=SEPARATORS[self._format], include_header=first)


@contextmanager
def _text(format_: str, file: Path) -> Generator[Write, None, None]:
    texts, is_ascii = _Texts(format_), True
    with file.open("wb") as written:

        def write(frame: pl.DataFrame) -> None:
            nonlocal is_ascii
            text = texts.next(frame)
            is_ascii = is_ascii and text.isascii()
            written.write(text.encode())

        yield write
    if format_ in SEPARATORS and not is_ascii:
        _mark(file)


def _mark(file: Path) -> None:
    """Put a byte order mark before a text: Excel takes a CSV file for UTF-8 only with one."""
    unmarked = file.with_name(f"{file.name}.unmarked")
    file.rename(unmarked)
    try:
        with unmarked.open("rb") as source, file.open("wb") as target:
            target.write(codecs.BOM_UTF8)
            shutil.copyfileobj(source, target)
    finally:
        unmarked.unlink()


@contextmanager
def _parquet(format_: str, file: Path) -> Generator[Write, None, None]:
    from cladewise.parquet import ParquetRows

    with file.open("wb") as written, ParquetRows(written) as rows:
        yield rows.append


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


def undefused(frame: pl.DataFrame) -> pl.DataFrame:
    """A table of texts without the apostrophes that :func:`for_spreadsheets` put in front of some.

    Example:
        >>> import polars as pl
        >>> undefused(pl.DataFrame({"label": ["'=1+1", "''tis", "it's"]}))["label"].to_list()
        ['=1+1', "'tis", "it's"]
    """
    import polars as pl

    defused = f"^'{FORMULA[1:]}"
    texts = frame.with_columns(pl.selectors.string().str.replace(defused, "$1"))
    return texts.rename(dict(zip(texts.columns, pl.Series(texts.columns).str.replace(defused, "$1"), strict=True)))


def lists(frame: pl.DataFrame, names: Sequence[str]) -> pl.DataFrame:
    r"""A table with the lists that :func:`for_spreadsheets` joined in some columns, as far as these are there.

    Example:
        >>> import polars as pl
        >>> lists(pl.DataFrame({"sets": [r"a\;b;c", "", None]}), ["sets", "others"])["sets"].to_list()
        [['a;b', 'c'], [], []]
    """
    import polars as pl

    split = [
        pl.when(pl.col(name).fill_null("") == "")
        .then(pl.lit([], dtype=pl.List(pl.String)))
        .otherwise(
            pl.col(name)
            .str.replace_all(r"\;", "\0", literal=True)
            .str.split(";")
            .list.eval(pl.element().str.replace_all("\0", ";", literal=True))
        )
        .alias(name)
        for name in names
        if name in frame.columns
    ]
    return frame.with_columns(split)


FORMULA = r"^([=+\-@\t\r\n'])"


def _escaped(text: pl.Expr) -> pl.Expr:
    return text.str.replace_all(";", r"\;", literal=True)
