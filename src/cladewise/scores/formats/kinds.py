"""The formats of scores, and the evidence by which each is recognised."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.scores.formats import arrays, birdnet, camera_traps, documents, long, ranked, wide
from cladewise.scores.formats.seen import Seen
from cladewise.scores.tables import ListedTable, WideTable
from cladewise.taxonomy.formats.evidence import Form, only_form
from cladewise.taxonomy.names.sameness import loose


@dataclasses.dataclass(frozen=True)
class ScoreFormat(Form[Seen]):
    """A format of scores.

    Attributes:
        read: Reads the scores, or opens them for reading in blocks.
        is_table: Whether its files are tables.
    """

    read: Callable[[Seen], WideTable | ListedTable]
    is_table: bool = False


def _wide(seen: Seen) -> str | None:
    return f"columns of numbers that are called like classes: {seen.num_classes:,}" if seen.num_classes else None


def _long(seen: Seen) -> str | None:
    names = list(seen.numeric)
    if not names or _wide(seen) or birdnet.is_birdnet(names) or ranked.rank_pairs(names):
        return None
    options = seen.options
    score = options.score_column or long.score_column(names)
    if score is None:
        return None
    free = [name for name in names if name not in (score, options.label_column)]
    named = (
        options.class_column or any(long.CLASS_WORDS.fullmatch(loose(name)) for name in free) or long.rank_columns(free)
    )
    return f"a column of scores, {score!r}, beside one of classes" if named else None


def _ranked(seen: Seen) -> str | None:
    pairs = ranked.rank_pairs(list(seen.numeric))
    return f"columns like {pairs[0][0]!r} and {pairs[0][1]!r}" if pairs and not _wide(seen) else None


def _birdnet(seen: Seen) -> str | None:
    return "the header of BirdNET-Analyzer" if birdnet.is_birdnet(list(seen.numeric)) else None


def _camera(check: Callable[[Any], bool], because: str) -> Callable[[Seen], str | None]:
    return lambda seen: because if seen.document is not None and check(seen.document) else None


def _document(evidence: Callable[[Any], str | None]) -> Callable[[Seen], str | None]:
    def found(seen: Seen) -> str | None:
        document = seen.document
        if document is None or camera_traps.is_speciesnet(document) or camera_traps.is_megadetector(document):
            return None
        return evidence(document)

    return found


FORMATS: tuple[ScoreFormat, ...] = (
    ScoreFormat("wide", "a table with a column of scores for each class", _wide, wide.read, True),
    ScoreFormat("arrays", "an array in npz, npy or safetensors", arrays.arrays_evidence, arrays.read),
    ScoreFormat("long", "a table with a row for each image and class, as pybioclip's", _long, long.read, True),
    ScoreFormat("ranked", "a table with columns of class and score for each rank", _ranked, ranked.read, True),
    ScoreFormat("birdnet", "results of BirdNET-Analyzer (CSV, Raven, Kaleidoscope)", _birdnet, birdnet.read, True),
    ScoreFormat(
        "pipeline",
        "JSON with labels and scores, as Hugging Face pipelines return",
        _document(documents.pairs_evidence),
        documents.read_pairs,
    ),
    ScoreFormat(
        "records",
        "JSON objects with a class and a score each",
        _document(documents.records_evidence),
        documents.read_records,
    ),
    ScoreFormat(
        "lists",
        "JSON with lists of classes and of scores, as timm's",
        _document(documents.lists_evidence),
        documents.read_lists,
    ),
    ScoreFormat(
        "speciesnet",
        "SpeciesNet's predictions",
        _camera(camera_traps.is_speciesnet, "predictions with file paths"),
        camera_traps.read_speciesnet,
    ),
    ScoreFormat(
        "megadetector",
        "MegaDetector's results with classifications",
        _camera(camera_traps.is_megadetector, "images and detection_categories"),
        camera_traps.read_megadetector,
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
    if seen.head is not None and not seen.head.rows and not birdnet.is_birdnet(seen.head.names):
        raise InputError("at least one row of scores", "a header alone", at=str(seen.path))
    forms: Sequence[Form[Seen]] = [form for form in FORMATS if form.is_table == bool(seen.numeric)]
    advice = f'State it with format="...": {", ".join(form.name for form in forms)}.'
    found = only_form(seen, forms, saw=seen.said, source=str(seen.path), advice=advice)
    return FORMATS[names.index(found.name)]
