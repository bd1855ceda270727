"""Parts of a prediction on disk: one Parquet file per part, with what else was asked to be kept."""

from __future__ import annotations

import dataclasses
import io
import json
import os
import re
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

import polars as pl

from cladewise.engine.feeding.threads import ordered_map
from cladewise.errors import InputError
from cladewise.scale.folder import Folder
from cladewise.scale.job import Job, Kept, read_job

SUBFOLDER = "parts"
_NAME = re.compile(r"part-(\d{6,})\.parquet")
_COUNTS = "cladewise"
"""Key of a part's row counts in the metadata of its Parquet file."""
_FOOTER = 1 << 16  # bytes that hold the metadata of a part
_AT_ONCE = 32
_REPEAT = "Repeat the command that wrote the folder, which predicts this part again."
DELETE = "Delete this file and repeat the command that wrote the folder, which predicts this part again."
"""Advice for a damaged file of a part."""


@dataclasses.dataclass(frozen=True)
class Part:
    """A finished part, before it is written.

    Args:
        number: Number of the part, from 0.
        table: One row per image.
        kept: Content of the files kept besides the table.
    """

    number: int
    table: pl.DataFrame
    kept: dict[Kept, bytes] = dataclasses.field(default_factory=dict[Kept, bytes])

    @property
    def num_errors(self) -> int:
        """Number of rows without an answer."""
        return self.table.height - self.table["error"].null_count()


def table_name(number: int) -> str:
    """File of a part's table, from the number of the part alone.

    Example:
        >>> table_name(7)
        'parts/part-000007.parquet'
    """
    return f"{SUBFOLDER}/part-{number:06d}.parquet"


def kept_name(number: int, kept: Kept) -> str:
    """File of a part's features or scores."""
    return f"{SUBFOLDER}/part-{number:06d}.{kept}.safetensors"


def write_part(folder: Folder, part: Part) -> None:
    """Write a part; its table comes last, so that a part whose table is there is complete.

    Raises:
        InputError: The disk is full, the folder is not writable, or the storage refuses.
    """
    for kept, content in part.kept.items():
        folder.write(kept_name(part.number, kept), content)
    content = io.BytesIO()
    counts = {"rows": part.table.height, "errors": part.num_errors}
    part.table.write_parquet(content, metadata={_COUNTS: json.dumps(counts)})
    folder.write(table_name(part.number), content.getvalue())


def finished(folder: Folder, keep: Sequence[Kept] = ()) -> set[int]:
    """Numbers of the parts that are complete: those with a table and everything that is kept besides it."""
    names = set(folder.names(SUBFOLDER))
    numbers = [int(found[1]) for name in names if (found := _NAME.fullmatch(name))]
    return {number for number in numbers if all(_base(kept_name(number, kept)) in names for kept in keep)}


def _base(name: str) -> str:
    return name.rpartition("/")[2]


@dataclasses.dataclass(frozen=True)
class Parts:
    """The finished parts of a folder.

    Args:
        folder: The folder.
        job: Its job.
        numbers: Numbers of the finished parts, ascending.
    """

    folder: Folder
    job: Job
    numbers: tuple[int, ...]

    @property
    def is_complete(self) -> bool:
        """Whether every part is there."""
        return len(self.numbers) == self.job.num_parts

    def tables(self) -> Iterator[pl.DataFrame]:
        """The table of each part, in order, one at a time."""
        for number in self.numbers:
            yield self.table(number)

    def table(self, number: int) -> pl.DataFrame:
        """The table of one part.

        Raises:
            InputError: Its file is damaged.
        """
        content = self._content(table_name(number))
        with self._reading(number):
            return pl.read_parquet(io.BytesIO(content))

    def kept(self, number: int, kept: Kept) -> bytes:
        """Features or scores of one part.

        Raises:
            InputError: They were not kept.
        """
        return self._content(kept_name(number, kept))

    def counts(self) -> tuple[int, int]:
        """Number of rows, and of those without an answer, from the metadata of the files.

        Raises:
            InputError: A file is damaged, or was not written by a prediction.
        """
        return sum(rows for rows, _ in self._counts), sum(errors for _, errors in self._counts)

    def first_errors(self, count: int) -> list[tuple[str, str]]:
        """Names of the first rows without an answer, with their errors; tables without any are not read."""
        found: list[tuple[str, str]] = []
        for number in (number for number, (_, errors) in zip(self.numbers, self._counts, strict=True) if errors):
            table = self.table(number)
            failed = table.filter(table["error"].is_not_null()).select("path", "error")
            found += failed.head(count - len(found)).rows()
            if len(found) >= count:
                break
        return found

    @cached_property
    def _counts(self) -> list[tuple[int, int]]:
        """Numbers of rows and of errors of each part, from the ends of the files, asked for at the same time."""
        return list(ordered_map(self._counts_of, self.numbers, threads=_AT_ONCE, ahead=4 * _AT_ONCE))

    def _counts_of(self, number: int) -> tuple[int, int]:
        end = self.folder.read_end(table_name(number), _FOOTER)
        with self._reading(number):
            found = json.loads(pl.read_parquet_metadata(io.BytesIO(end))[_COUNTS])
            return int(found["rows"]), int(found["errors"])

    def _content(self, name: str) -> bytes:
        content = self.folder.read(name)
        if content is None:
            raise InputError("a finished part", "no such file", at=self.folder.at(name), advice=_REPEAT)
        return content

    @contextmanager
    def _reading(self, number: int) -> Generator[None, None, None]:
        """Names the file of a part that cannot be read, and says what to do."""
        try:
            yield
        except (pl.exceptions.PolarsError, OSError, ValueError, KeyError, TypeError) as error:
            got = "a damaged one" if isinstance(error, (pl.exceptions.PolarsError, OSError)) else "another Parquet file"
            at = self.folder.at(table_name(number))
            raise InputError("a finished part", got, at=at, advice=DELETE) from error


def read_parts(folder: str | os.PathLike[str], *, storage_options: dict[str, Any] | None = None) -> Parts:
    """The finished parts in a folder that :func:`predict_to` writes to, or has written to.

    Args:
        folder: The folder, or its URI.
        storage_options: Options of its storage.

    Raises:
        InputError: It is no such folder.
    """
    where = Folder(os.fspath(folder), storage_options or {})
    job = read_job(where)
    if job is None:
        raise InputError("a folder of predictions", "no job.json", at=where.place)
    return Parts(where, job, tuple(sorted(number for number in finished(where, job.keep) if number < job.num_parts)))
