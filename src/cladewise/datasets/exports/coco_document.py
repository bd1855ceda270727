"""Images, annotations and categories of a COCO file as columns, in seconds for millions of images.

Format: https://cocodataset.org/#format-data. Only the ids and the file names of images and annotations are decoded.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import GIBIBYTE, read_bytes

MAX_BYTES = 16 * GIBIBYTE
"""Most bytes of one file; iNaturalist 2021 has more than 1 GiB."""
Id = int | float | str


@dataclasses.dataclass(frozen=True)
class CocoDocument:
    """The content of one annotation file.

    Attributes:
        path: The file.
        images: Columns ``id`` and ``path``, one row per image.
        annotations: Columns ``image`` and ``category``, ids as texts; None if the file has none.
        categories: Its categories.
    """

    path: Path
    images: pl.DataFrame
    annotations: pl.DataFrame | None
    categories: list[dict[str, Any]]


class _Image(msgspec.Struct, gc=False):
    id: Id
    file_name: str | None = None
    coco_url: str | None = None


class _Annotation(msgspec.Struct, gc=False):
    image_id: Id | None = None
    category_id: Id | None = None


class _Document(msgspec.Struct):
    images: list[_Image]
    annotations: list[_Annotation] | None = None
    categories: list[dict[str, Any]] | None = None


def read_coco_document(path: Path) -> CocoDocument:
    """Read one annotation file, plain or gzipped.

    Raises:
        InputError: The file is not JSON or not COCO's; the message names the line, or the place in the document.

    Example:
        >>> path = getfixture("tmp_path") / "labels.json"
        >>> _ = path.write_text('{"images": [{"id": 7, "file_name": "1.jpg"}, {"file_name": "2.jpg"}]}')
        >>> read_coco_document(path)
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a COCO annotation file with images, but got an error: Object missing
        required field `id` - at `images[1]` at ...labels.json.
    """
    document = _decoded(path)
    names = [image.file_name or (_of_url(image.coco_url) if image.coco_url else None) for image in document.images]
    images = pl.DataFrame(
        {"id": _texts([image.id for image in document.images]), "path": pl.Series(names, dtype=pl.String)}
    )
    if images["path"].null_count():
        first = images["id"].filter(images["path"].is_null())[0]
        raise InputError(
            "images with an id and a file_name", f"no file name for the image with id {first}", at=str(path)
        )
    if images["id"].is_duplicated().any():
        twice = images["id"].filter(images["id"].is_duplicated()).unique(maintain_order=True).to_list()
        raise InputError("a different id for every image", some(twice), at=str(path))
    categories = document.categories or []
    given = document.annotations or []
    whole = [each for each in given if each.image_id is not None and each.category_id is not None]
    if len(whole) < len(given) and categories:
        place = next(n for n, each in enumerate(given) if each.image_id is None or each.category_id is None)
        got = f"annotations[{place}] without"
        raise InputError("annotations with an image_id and a category_id", got, at=str(path))
    annotations = pl.DataFrame(
        {
            "image": _texts([each.image_id for each in whole]),
            "category": _texts([each.category_id for each in whole]),
        }
    )
    return CocoDocument(path, images, annotations if whole else None, categories)


def united_categories(documents: Sequence[CocoDocument]) -> list[dict[str, Any]]:
    """The categories of all files; those of one id are one category.

    Raises:
        InputError: An id has another name in another file.
    """
    found: dict[str, dict[str, Any]] = {}
    for document in documents:
        if len({str(record.get("id")) for record in document.categories}) < len(document.categories):
            return document.categories  # refused with its ids
        for record in document.categories:
            other = found.setdefault(str(record.get("id")), record)
            if other.get("name") != record.get("name"):
                got = f"{other.get('name')!r} and {record.get('name')!r} for id {record.get('id')}"
                raise InputError("the same categories in all files", got, at=str(document.path))
    return list(found.values())


def labelled_pairs(document: CocoDocument, place: Mapping[str, int]) -> pl.DataFrame:
    """Pairs of an image and a category by their positions.

    Raises:
        InputError: An annotation is of an image or a category that is not listed.
    """
    assert document.annotations is not None
    known = pl.DataFrame({"category": list(place), "position": list(place.values())})
    found = document.annotations.join(
        document.images.select(image="id").with_row_index("row"), on="image", how="left", maintain_order="left"
    ).join(known, on="category", how="left", maintain_order="left")
    for what, key, column in (("images", "row", "image"), ("categories", "position", "category")):
        lost = found.filter(pl.col(key).is_null())
        if lost.height:
            named = some(lost[column].unique(maintain_order=True).to_list())
            got = f"{column}_id {named} in {lost.height:,} annotations"
            raise InputError(f"annotations of {what} that are listed", got, at=str(document.path))
    return found.select(image=pl.col("row").cast(pl.Int64), category=pl.col("position").cast(pl.Int64))


def _decoded(path: Path) -> _Document:
    data = read_bytes(path, limit=MAX_BYTES)
    try:
        try:
            return msgspec.json.decode(data, type=_Document)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # broken, or with the NaN that Python writes
            return msgspec.convert(json.loads(data), type=_Document)
    except msgspec.ValidationError as error:
        got = f"an error: {str(error).replace('$.', '')}"
        raise InputError("a COCO annotation file with images", got, at=str(path)) from error
    except (ValueError, RecursionError) as error:
        raise InputError("a COCO annotation file", f"broken JSON ({error})", at=str(path)) from error


def _texts(values: list[Any]) -> pl.Series:
    """Ids as texts, through integers if all of them are."""
    try:
        return pl.Series(values, dtype=pl.Int64, strict=True).cast(pl.String)
    except (TypeError, OverflowError, pl.exceptions.PolarsError):
        return pl.Series(list(map(str, values)), dtype=pl.String)


def _of_url(url: str) -> str:
    """Folder and name of an image at an address, as in LVIS, whose images are COCO's and have no file name."""
    return "/".join(url.split("/")[-2:])
