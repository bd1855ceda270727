"""The formats of scores, and the evidence by which each is recognised."""

from __future__ import annotations

import dataclasses
import importlib
import re
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cladewise.catalogue import nearest
from cladewise.datasets.exports.json_files import read_json
from cladewise.errors import InputError
from cladewise.scores.formats.arrays import arrays_evidence
from cladewise.scores.formats.birdnet import is_birdnet
from cladewise.scores.formats.camera_traps import is_megadetector, is_speciesnet
from cladewise.scores.formats.delimited import Head, head_of
from cladewise.scores.formats.documents import json_lines, lists_evidence, pairs_evidence, records_evidence
from cladewise.scores.formats.long import CLASS_WORDS, rank_columns, score_column
from cladewise.scores.formats.ranked import rank_pairs
from cladewise.scores.formats.wide_columns import is_class, num_classes
from cladewise.scores.options import ScoreOptions
from cladewise.scores.tables import ListedTable, WideTable
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.evidence import Form, only_form
from cladewise.taxonomy.names.lookup import complaint
from cladewise.taxonomy.names.sameness import loose

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


@dataclasses.dataclass(frozen=True)
class ScoreFormat(Form[Seen]):
    """A format of scores.

    Attributes:
        reader: Module in this package and its function ``(seen) -> table``, with a colon between.
        is_table: Whether its files are tables.
    """

    reader: str
    is_table: bool = False

    def read(self, seen: Seen) -> WideTable | ListedTable:
        """Read the scores, or open them for reading in blocks."""
        module, name = self.reader.split(":")
        return getattr(importlib.import_module(f"cladewise.scores.formats.{module}"), name)(seen)


def _wide(seen: Seen) -> str | None:
    return f"columns of numbers that are called like classes: {seen.num_classes:,}" if seen.num_classes else None


def _long(seen: Seen) -> str | None:
    names = list(seen.numeric)
    if not names or _wide(seen) or is_birdnet(names) or rank_pairs(names):
        return None
    options = seen.options
    score = options.score_column or score_column(names)
    if score is None:
        return None
    free = [name for name in names if name not in (score, options.label_column)]
    named = options.class_column or any(CLASS_WORDS.fullmatch(loose(name)) for name in free) or rank_columns(free)
    return f"a column of scores, {score!r}, beside one of classes" if named else None


def _ranked(seen: Seen) -> str | None:
    pairs = rank_pairs(list(seen.numeric))
    return f"columns like {pairs[0][0]!r} and {pairs[0][1]!r}" if pairs and not _wide(seen) else None


def _birdnet(seen: Seen) -> str | None:
    return "the header of BirdNET-Analyzer" if is_birdnet(list(seen.numeric)) else None


def _camera(check: Callable[[Any], bool], because: str) -> Callable[[Seen], str | None]:
    return lambda seen: because if seen.document is not None and check(seen.document) else None


def _document(evidence: Callable[[Any], str | None]) -> Callable[[Seen], str | None]:
    def found(seen: Seen) -> str | None:
        document = seen.document
        if document is None or is_speciesnet(document) or is_megadetector(document):
            return None
        return evidence(document)

    return found


FORMATS: tuple[ScoreFormat, ...] = (
    ScoreFormat("wide", "a table with a column of scores for each class", _wide, "wide:read", True),
    ScoreFormat("arrays", "an array in npz, npy or safetensors", arrays_evidence, "arrays:read"),
    ScoreFormat("long", "a table with a row for each image and class, as pybioclip's", _long, "long:read", True),
    ScoreFormat("ranked", "a table with columns of class and score for each rank", _ranked, "ranked:read", True),
    ScoreFormat("birdnet", "results of BirdNET-Analyzer (CSV, Raven, Kaleidoscope)", _birdnet, "birdnet:read", True),
    ScoreFormat(
        "pipeline",
        "JSON with labels and scores, as Hugging Face pipelines return",
        _document(pairs_evidence),
        "documents:read_pairs",
    ),
    ScoreFormat(
        "records", "JSON objects with a class and a score each", _document(records_evidence), "documents:read_records"
    ),
    ScoreFormat(
        "lists",
        "JSON with lists of classes and of scores, as timm's",
        _document(lists_evidence),
        "documents:read_lists",
    ),
    ScoreFormat(
        "speciesnet",
        "SpeciesNet's predictions",
        _camera(is_speciesnet, "predictions with file paths"),
        "camera_traps:read_speciesnet",
    ),
    ScoreFormat(
        "megadetector",
        "MegaDetector's results with classifications",
        _camera(is_megadetector, "images and detection_categories"),
        "camera_traps:read_megadetector",
    ),
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
    if seen.head is not None and not seen.head.rows and not is_birdnet(seen.head.names):
        raise InputError("at least one row of scores", "a header alone", at=str(seen.path))
    forms: Sequence[Form[Seen]] = [form for form in FORMATS if form.is_table == bool(seen.numeric)]
    advice = f'State it with format="...": {", ".join(form.name for form in forms)}.'
    found = only_form(seen, forms, saw=seen.said, source=str(seen.path), advice=advice)
    return FORMATS[names.index(found.name)]
