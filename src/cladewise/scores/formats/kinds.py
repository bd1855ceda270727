"""The formats of scores, and the evidence by which each is recognised."""

from __future__ import annotations

import dataclasses
import importlib
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.scores.formats.delimited import Head, head_of
from cladewise.scores.formats.wide_columns import num_classes
from cladewise.scores.options import ScoreOptions
from cladewise.scores.tables import ListedTable, WideTable
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.evidence import Form, only_form

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class Seen:
    """The beginning of a file of scores, from which its format is recognised.

    Attributes:
        path: The file.
        taxonomy: The tree that the scores are for.
        options: What is stated about it.
    """

    path: Path
    taxonomy: Taxonomy
    options: ScoreOptions

    @cached_property
    def start(self) -> bytes:
        """The first bytes."""
        with self.path.open("rb") as file:
            return file.read(1 << 12)

    @cached_property
    def schema(self) -> pa.Schema | None:
        """The columns of a Parquet or Feather table."""
        from cladewise.scores.formats.columnar import schema_of

        return schema_of(self.path)

    @property
    def is_text_table(self) -> bool:
        """Whether it can be a text table: neither JSON nor binary."""
        text = self.start.removeprefix(b"\xef\xbb\xbf").lstrip()
        return self.start[:2] == b"\x1f\x8b" or (text[:1] not in (b"{", b"[", b"<") and b"\0" not in self.start)

    @cached_property
    def head(self) -> Head | None:
        """The first rows of a text table."""
        return head_of(self.path, self.options.separator) if self.is_text_table else None

    @cached_property
    def numeric(self) -> dict[str, bool]:
        """Whether each column of a table holds numbers, by name; empty if it is no table."""
        from cladewise.scores.formats.columnar import numeric_columns

        if self.schema is not None:
            return numeric_columns(self.schema)
        return self.head.numeric if self.head is not None else {}

    @property
    def said(self) -> str:
        """Short description of the file for messages."""
        if self.numeric:
            return f"a table with the columns {some(list(self.numeric), 8)}"
        return "a document" if self.start.lstrip()[:1] in (b"{", b"[") else "a file of another kind"


@dataclasses.dataclass(frozen=True)
class ScoreFormat(Form[Seen]):
    """A format of scores.

    Attributes:
        reader: Module in this package and its function ``(seen) -> table``, with a colon between.
    """

    reader: str

    def read(self, seen: Seen) -> WideTable | ListedTable:
        """Read the scores, or open them for reading in blocks."""
        module, name = self.reader.split(":")
        return getattr(importlib.import_module(f"cladewise.scores.formats.{module}"), name)(seen)


def _wide(seen: Seen) -> str | None:
    numbers = [name for name, holds in seen.numeric.items() if holds]
    known = num_classes(numbers, seen.taxonomy) if len(numbers) > 1 else 0
    return f"{known:,} columns of numbers that are called like classes" if 2 * known > len(numbers) > 1 else None


FORMATS: tuple[ScoreFormat, ...] = (
    ScoreFormat("wide", "a table with a column of scores for each class", _wide, "wide:read"),
)
"""All formats."""


def format_of(seen: Seen) -> ScoreFormat:
    """The format that is stated, or the only one with evidence.

    Raises:
        InputError: No format has the stated name; or none, or several, have evidence.
    """
    names = [form.name for form in FORMATS]
    stated = seen.options.format
    if stated is not None:
        if stated not in names:
            raise InputError(f"a format of scores: {', '.join(names)}", repr(stated), advice=nearest(stated, names))
        return FORMATS[names.index(stated)]
    forms: Sequence[Form[Seen]] = FORMATS
    advice = f'State it with format="...": {", ".join(names)}.'
    found = only_form(seen, forms, saw=seen.said, source=str(seen.path), advice=advice)
    return FORMATS[names.index(found.name)]
