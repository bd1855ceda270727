"""JSON of image classifiers: Hugging Face pipelines, records, and columns of lists."""

from __future__ import annotations

from typing import Any, cast

import polars as pl

from cladewise.errors import InputError
from cladewise.scores.formats.listing import Listing
from cladewise.scores.formats.long import CLASS_WORDS, SCORE_WORDS, from_frame
from cladewise.scores.formats.seen import Seen
from cladewise.scores.formats.taxa import by_label_line, is_label_line
from cladewise.scores.formats.wide_columns import key_column
from cladewise.scores.tables import PLACEHOLDER, ListedTable
from cladewise.taxonomy.names.sameness import loose

KEY = "path"


def is_pairs(value: Any) -> bool:
    """Whether a value is a list of objects with a label and a score.

    Example:
        >>> is_pairs([{"label": "cat", "score": 0.9}]), is_pairs([{"label": "cat"}]), is_pairs([])
        (True, False, False)
    """
    return isinstance(value, list) and bool(value) and all(_is_pair(item) for item in cast("list[Any]", value)[:5])


def pairs_evidence(document: Any) -> str | None:
    """The evidence of results of a Hugging Face pipeline, alone or by image."""
    if is_pairs(document):
        return "a list of labels with scores"
    values = _values(document)
    if values and all(is_pairs(value) for value in values[:20]):
        return "lists of labels with scores"
    if values and all(isinstance(value, dict) and _pairs_in(value) is not None for value in values[:20]):
        return "images with lists of labels and scores"
    return None


def read_pairs(seen: Seen) -> ListedTable:
    """Read results of a Hugging Face pipeline ``image-classification``, or the same in an object per image.

    A bare list has no names of images: rows are then numbered.

    Raises:
        InputError: The document has another shape.
    """
    document: Any = seen.document
    if is_pairs(document):
        document = [document]
    listing, key = Listing(str(seen.path)), None
    if isinstance(document, dict):
        key = KEY
        items = [({KEY: str(name)}, value) for name, value in cast("dict[Any, Any]", document).items()]
    else:
        items = [({}, value) for value in cast("list[Any]", document)]
    for number, (named, value) in enumerate(items):
        row, pairs = dict[str, Any](named), value
        if isinstance(value, dict):
            held = _pairs_in(cast("dict[str, Any]", value))
            if held is None:
                raise InputError("labels with scores", f"{value!s:.80}", at=f"{seen.path}, row {number + 1:,}")
            pairs = value[held]
            row |= {name: cell for name, cell in value.items() if name != held and not isinstance(cell, dict | list)}
        listed = cast("list[Any]", pairs)
        if not all(_is_pair(item) for item in listed):
            raise InputError("labels with scores", f"{listed!s:.80}", at=f"{seen.path}, row {number + 1:,}")
        names = [str(item["label"]) for item in listed]
        listing.add(
            row or {PLACEHOLDER: number},
            [by_label_line(name) if is_label_line(name) else name for name in names],
            [item["score"] for item in listed],
        )
    if key is None and items and isinstance(items[0][1], dict):
        key = seen.options.key or key_column(list(cast("dict[str, Any]", items[0][1])))
    return listing.table(key)


def records_evidence(document: Any) -> str | None:
    """The evidence of a table in JSON: objects with an image, a class and a score each."""
    if not isinstance(document, list) or not document or not isinstance(document[0], dict):
        return None
    first = cast("dict[str, Any]", document[0])
    if any(isinstance(cell, dict | list) for cell in first.values()) or set(first) == {"label", "score"}:
        return None
    return "objects with a score each" if any(SCORE_WORDS.fullmatch(loose(name)) for name in first) else None


def read_records(seen: Seen) -> ListedTable:
    """Read a long table in JSON, such as pybioclip's predictions.

    Raises:
        InputError: The columns of images, classes or scores are not clear.
    """
    return from_frame(pl.DataFrame(seen.document, infer_schema_length=None, strict=False), seen)


def lists_evidence(document: Any) -> str | None:
    """The evidence of parallel lists of classes and scores per image, as timm's inference script writes."""
    values = _values(_unsplit(document))
    if not values or not isinstance(values[0], dict):
        return None
    cells = cast("dict[str, Any]", values[0]).values()
    if isinstance(document, list) and not any(isinstance(cell, list) for cell in cells):
        return None  # a table of records
    return "parallel lists of classes and scores" if _parallel(cast("dict[str, Any]", values[0])) else None


def read_lists(seen: Seen) -> ListedTable:
    """Read parallel lists of classes and scores per image.

    Raises:
        InputError: A list has another length than its scores.
    """
    document: Any = _unsplit(seen.document)
    listing = Listing(str(seen.path))
    if isinstance(document, dict):
        items = [{KEY: str(name), **value} for name, value in cast("dict[Any, Any]", document).items()]
        key: str | None = KEY
    else:
        items = cast("list[dict[str, Any]]", document)
        key = seen.options.key or key_column(list(items[0]))
    for item in items:
        names = _parallel(item)
        if names is None:
            raise InputError("lists of classes and of scores", f"{item!s:.80}", at=str(seen.path))
        classes, scores = (cell if isinstance(cell, list) else [cell] for cell in (item[name] for name in names))
        rest = {name: cell for name, cell in item.items() if name not in names and not isinstance(cell, dict | list)}
        listing.add(rest, map(str, classes), scores)
    return listing.table(key)


def _unsplit(document: Any) -> Any:
    """Rows of a document that pandas wrote with columns and data apart."""
    if isinstance(document, dict) and set(cast("dict[str, Any]", document)) == {"columns", "data"}:
        content = cast("dict[str, Any]", document)
        return [dict(zip(content["columns"], row, strict=True)) for row in content["data"]]
    return document


def _parallel(value: dict[str, Any]) -> tuple[str, str] | None:
    """The names of the classes and of the scores among the cells of an object."""
    scores = [name for name in value if SCORE_WORDS.fullmatch(loose(name))]
    classes = [name for name in value if CLASS_WORDS.fullmatch(loose(name)) and name not in scores]
    classes = classes or [name for name in value if loose(name) in ("index", "indices")]
    if (
        len(scores) != 1
        or len(classes) != 1
        or isinstance(value[scores[0]], list) != isinstance(value[classes[0]], list)
    ):
        return None
    return classes[0], scores[0]


def _values(document: Any) -> list[Any]:
    if isinstance(document, dict):
        return list(cast("dict[str, Any]", document).values())
    return cast("list[Any]", document) if isinstance(document, list) else []


def _is_pair(item: Any) -> bool:
    return isinstance(item, dict) and "label" in item and "score" in item


def _pairs_in(value: dict[str, Any]) -> str | None:
    """The cell of an object that is a list of labels with scores."""
    return next((name for name, cell in value.items() if is_pairs(cell)), None)
