"""Reading of files with boxes: COCO, MegaDetector and SpeciesNet."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeVar

from cladewise.errors import InputError
from cladewise.sources.columns import as_text
from cladewise.sources.storage import Storage

_KNOWN = "COCO (images and annotations) or MegaDetector (images with detections) or SpeciesNet (predictions) JSON"
Entry = TypeVar("Entry")

_OUTSIDE = 0.02  # by how much a fraction may exceed 1, since detectors round


@dataclass(frozen=True, slots=True)
class BoxOf:
    """One box of an image.

    Attributes:
        edges: Left, top, width and height, in pixels or as fractions.
        category: Name of its class.
        confidence: Score of the detector; ``None`` for a box that a person drew.
        id: Its id in the file.
    """

    edges: tuple[float, float, float, float]
    category: str | None
    confidence: float | None
    id: str | None


@dataclass(slots=True)
class ImageOf:
    """One image of a file with boxes.

    Attributes:
        path: Its path or URI.
        id: Its id in the file.
        size: Width and height in pixels, if boxes are in pixels.
        boxes: Its boxes, in order.
        failure: Why the detector could not read it.
    """

    path: str
    id: str | None
    size: tuple[float, float] | None
    boxes: list[BoxOf]
    failure: str | None = None


@dataclass(frozen=True, slots=True)
class BoxFile:
    """Images with boxes.

    Attributes:
        in_pixels: Whether boxes are in pixels of the stored image, and not fractions of the upright one.
        images: All images, in order; each is forgotten once it has been taken.
    """

    in_pixels: bool
    images: Iterator[ImageOf]


def read_boxes(storage: Storage, place: str, *, only_images: bool = False) -> BoxFile:
    """Read a file with boxes once, keeping only what is needed of each entry.

    Args:
        storage: Access to it.
        place: Path or URI.
        only_images: Leave out all boxes.

    Raises:
        InputError: The file is no such JSON, or an entry lacks something; the message names it.
    """
    content = storage.read_all(place)
    try:
        found = json.loads(content, object_hook=_compact)
    except ValueError as error:
        raise InputError(_KNOWN, f"broken JSON ({error})", at=place) from error
    if isinstance(found, dict) and _is_coco(found):
        return _coco(found, place, only_images)
    if isinstance(found, dict) and isinstance(found.get("images"), list):
        return BoxFile(False, _detector(found["images"], found.get("detection_categories"), place, only_images))
    if isinstance(found, dict) and isinstance(found.get("predictions"), list):
        return BoxFile(False, _detector(found["predictions"], None, place, only_images))
    got = (
        f"the keys {', '.join(map(repr, found)) or 'none'}" if isinstance(found, dict) else f"a {type(found).__name__}"
    )
    if isinstance(found, list) and found and isinstance(found[0], _Annotation):
        got = "a list of results without their images"
    raise InputError(_KNOWN, got, at=place)


class _Annotation(tuple[Any, ...]):
    """Image, category, box, score and id of a COCO annotation, without its outline, which takes most of the memory."""

    __slots__ = ()


class _Detection(tuple[Any, ...]):
    """Box, confidence, category and label of a detection."""

    __slots__ = ()


def _compact(entry: dict[str, Any]) -> Any:
    if "image_id" in entry and ("category_id" in entry or "bbox" in entry):
        return _Annotation(entry.get(key) for key in ("image_id", "category_id", "bbox", "score", "id"))
    if "conf" in entry and "bbox" in entry:
        return _Detection(entry.get(key) for key in ("bbox", "conf", "category", "label"))
    return entry


def _is_coco(found: dict[str, Any]) -> bool:
    """Whether a file is COCO's: with annotations, or a list of the images of a test set."""
    images = found.get("images")
    if not isinstance(images, list) or "annotations" in found:
        return isinstance(found.get("annotations"), list) and "images" in found
    return bool(images) and all(isinstance(image, dict) and {"id", "file_name"} <= image.keys() for image in images)


def _coco(found: dict[str, Any], place: str, only_images: bool) -> BoxFile:
    categories = {entry.get("id"): _text(entry.get("name")) for entry in found.get("categories") or ()}
    images: dict[Any, ImageOf] = {}
    for number, entry in enumerate(found["images"]):
        path = entry.get("file_name") or entry.get("coco_url") or entry.get("flickr_url")
        if not path or "id" not in entry:
            raise InputError("an id and a file_name for every image", _shown(entry), at=f"{place}, images[{number}]")
        if entry["id"] in images:
            raise InputError("a different id for every image", repr(entry["id"]), at=f"{place}, images[{number}]")
        size = (entry["width"], entry["height"]) if entry.get("width") and entry.get("height") else None
        images[entry["id"]] = ImageOf(str(path), _text(entry["id"]), size, [])
    annotations: list[Any] = [] if only_images else found.get("annotations", [])
    for number, entry in enumerate(_taken(annotations)):
        at = f"{place}, annotations[{number}]"
        if not isinstance(entry, _Annotation):
            raise InputError("annotations with an image_id and a category_id or bbox", _shown(entry), at=at)
        image_id, category, edges, score, own_id = entry
        if image_id not in images:
            raise InputError("annotations of images that are listed", f"image_id {image_id!r}", at=at)
        if not edges:  # a label of the whole image
            continue
        image = images[image_id]
        if image.size is None:
            advice = 'Add the sizes, or classify whole images: crop="images".'
            raise InputError(
                "width and height of every image with boxes", f"none for {image.path!r}", at=at, advice=advice
            )
        image.boxes.append(BoxOf(_edges(edges, at), categories.get(category), score, _text(own_id)))
    return BoxFile(True, _taken(list(images.values())))


def _detector(entries: list[Any], categories: Any, place: str, only_images: bool) -> Iterator[ImageOf]:
    names = categories if isinstance(categories, dict) else {}
    for number, entry in enumerate(_taken(entries)):
        at = f"{place}, image {number}"
        path = entry.get("file") or entry.get("filepath") if isinstance(entry, dict) else None
        if not path:
            raise InputError(_KNOWN, f"an entry without file or filepath: {_shown(entry)}", at=at)
        failure = entry.get("failure") or entry.get("failures")
        boxes: list[BoxOf] = []
        for detection in () if only_images else entry.get("detections") or ():
            if not isinstance(detection, _Detection):
                raise InputError("detections with bbox and conf", _shown(detection), at=at)
            bbox, confidence, category, label = detection
            edges = _edges(bbox, at)
            if max(edges[0] + edges[2], edges[1] + edges[3]) > 1 + _OUTSIDE:
                raise InputError("boxes as fractions of the image", str(list(edges)), at=at)
            boxes.append(BoxOf(edges, _text(label) or _text(names.get(category, category)), confidence, None))
        reason = f"an image that the detector could not read ({failure})" if failure and not boxes else None
        yield ImageOf(str(path), None, None, boxes, reason)


def _taken(entries: list[Entry]) -> Iterator[Entry]:
    """The entries in order, from a list that is emptied: there may be millions."""
    entries.reverse()
    while entries:
        yield entries.pop()


def _edges(found: Any, at: str) -> tuple[float, float, float, float]:
    if isinstance(found, list) and len(found) == 4 and all(isinstance(value, (int, float)) for value in found):
        left, top, width, height = map(float, found)
        return left, top, width, height
    raise InputError("boxes as [left, top, width, height]", str(found), at=at)


def _text(value: Any) -> str | None:
    return None if value is None else as_text(str(value))


def _shown(entry: Any) -> str:
    return repr(entry)[:80]
