"""The beginning of a file of scores, from which its format is recognised."""

from __future__ import annotations

import dataclasses
import re
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cladewise.datasets.exports.json_files import read_json
from cladewise.scores.formats.columnar import numeric_columns, schema_of
from cladewise.scores.formats.delimited import Head, head_of
from cladewise.scores.formats.json_lines import json_lines
from cladewise.scores.formats.wide_columns import is_class, num_classes
from cladewise.scores.options import ScoreOptions
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.names.lookup import complaint

if TYPE_CHECKING:
    import pyarrow as pa


@dataclasses.dataclass(frozen=True)
class Seen:
    """The beginning of a file of scores, from which its format is recognised.

    Attributes:
        path: The file.
        taxonomy: The tree that the scores are for.
        options: Options that describe it.
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
        if self.schema is not None:
            return numeric_columns(self.schema)
        return self.head.numeric if self.head is not None else {}

    @cached_property
    def document(self) -> Any:
        """The content of a JSON document, or the objects of JSON lines; None if it is neither."""
        if self.is_text_table or b"\0" in self.start:
            return None
        first = self.start.removeprefix(b"\xef\xbb\xbf").lstrip()
        is_lines = first[:1] == b"{" and self.path.suffix in (".jsonl", ".ndjson")
        if is_lines or re.search(rb"[\]}]\s*\r?\n\s*[\[{]", first):
            return json_lines(self.path)
        return read_json(self.path)

    @cached_property
    def num_classes(self) -> int:
        """Number of columns of numbers that are called like classes; 0 unless they are most of those columns."""
        numbers = [name for name, holds in self.numeric.items() if holds]
        known = num_classes(numbers, self.taxonomy)
        return known if 2 * known > len(numbers) else 0

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences on how the file is read."""
        commas = self.head is not None and self.head.decimal == ","
        return ("Commas are read as decimal marks.",) if commas else ()

    @property
    def said(self) -> str:
        """Short description of the file for messages."""
        if self.numeric:
            told = f"a table with the columns {some(list(self.numeric), 8)}"
            numbers = [name for name, holds in self.numeric.items() if holds]
            strange = [name for name in numbers if not is_class(self.taxonomy, name)]
            if not strange:
                return told
            first = "; ".join(complaint(self.taxonomy, name) for name in strange[:3])
            more = "; ..." if len(strange) > 3 else ""
            return (
                f"{told}, of whose {len(numbers):,} columns of numbers {len(strange):,} are no classes: {first}{more}"
            )
        return "a document" if self.start.lstrip()[:1] in (b"{", b"[") else "a file of another kind"
