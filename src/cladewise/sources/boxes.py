"""Boxes of images as rows: annotations, and the detections of camera-trap models."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import groupby, islice
from operator import itemgetter
from typing import Any

import polars as pl

from cladewise.datasets.files.decoding import UnreadableImageError, stored_size
from cladewise.errors import InputError
from cladewise.sources.box_files import BoxOf, ImageOf, read_boxes
from cladewise.sources.cropping import padded, square_crop
from cladewise.sources.places import folder
from cladewise.sources.source import Box, Chunk, Row, ranges
from cladewise.sources.storage import Storage
from cladewise.sources.table import NUM_TRIED, any_remote, fail, image_reader, missing_note

CROPS = {
    "boxes": "one row per box; images without a box have none",
    "boxes-or-images": "one row per box, and one per image without a box",
    "images": "one row per image, whole",
}
"""Choices of the rows that a file with boxes gives."""

THRESHOLD = 0.2
"""Default confidence from which detections count, that of MegaDetector's own tools."""

_IMAGES_AT_ONCE = 10_000  # whose rows become a table
_SAME_SHAPE = 0.02  # relative difference of two ratios of width to height
_BOX = ("box_left", "box_top", "box_width", "box_height")
_SCHEMA: dict[str, pl.DataType] = {
    "path": pl.String(),
    "failure": pl.String(),
    "image_id": pl.String(),
    "annotation_id": pl.String(),
    **dict.fromkeys(_BOX, pl.Float64()),
    "detection_confidence": pl.Float64(),
    "category": pl.String(),
    "image_width": pl.Float64(),
    "image_height": pl.Float64(),
}
_OWN = ("path", "failure")  # not passed through


@dataclass(frozen=True, slots=True)
class Cropping:
    """How boxes become crops.

    Args:
        crop: One of :data:`CROPS`.
        threshold: Confidence from which detections count; boxes without one always do.
        padding: Margin on each side, as a share of the box's width and height.
        square: Whether the shorter side of the crop is extended to the longer one, in pixels.

    Raises:
        InputError: A value is out of its range.

    Example:
        >>> Cropping(padding=0.1).padding
        0.1
    """

    crop: str = "boxes"
    threshold: float = THRESHOLD
    padding: float = 0.0
    square: bool = False

    def __post_init__(self) -> None:
        if self.crop not in CROPS:
            raise InputError(f"crop as one of {', '.join(CROPS)}", repr(self.crop))
        if not 0 <= self.threshold <= 1:
            raise InputError("a threshold from 0 to 1", str(self.threshold))
        if not 0 <= self.padding <= 10:
            raise InputError("a padding from 0 to 10 times the box", str(self.padding))


@dataclass(frozen=True, slots=True, eq=False)
class BoxSource:
    """Boxes of images in one or more files; boxes of an image are adjacent.

    Args:
        rows_by_place: For every file its rows, with the columns that are passed through and those for reading.
        cropping: How boxes become crops.
        root: Folder or URI that relative paths start from; the file's own folder by default.
        storage: Access to the images.
        marks: State of every file.
        notes: Images that have no row.
    """

    rows_by_place: dict[str, pl.DataFrame]
    cropping: Cropping
    root: str | None
    storage: Storage
    marks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "boxes"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {name: _SCHEMA[name] for name in next(iter(self.rows_by_place.values())).columns if name not in _OWN}

    @property
    def identity(self) -> dict[str, Any]:
        how = {name: getattr(self.cropping, name) for name in Cropping.__slots__}
        return {"kind": self.kind, "files": list(self.marks), "root": self.root, **how}

    @property
    def num_rows(self) -> int:
        return sum(frame.height for frame in self.rows_by_place.values())

    @property
    def is_remote(self) -> bool:
        return any(
            any_remote(place, self.root, frame["path"].head(NUM_TRIED).to_list())
            for place, frame in self.rows_by_place.items()
        )

    def chunks(self, size: int) -> list[Chunk]:
        return [chunk for place, frame in self.rows_by_place.items() for chunk in ranges(place, frame.height, size)]

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        frame = self.rows_by_place[chunk.file]
        root = folder(chunk.file) if self.root is None else self.root
        names = list(self.columns)
        stop = frame.height if chunk.stop is None else chunk.stop
        cells = frame.slice(chunk.start, stop - chunk.start).iter_rows(named=True)
        for path, of_image in groupby(cells, key=itemgetter("path")):
            read = _Once(image_reader(self.storage, root, path))
            for each in of_image:
                yield self._row(path, read, each, {name: each[name] for name in names})

    def _row(self, path: str, read: Callable[[], bytes], cells: dict[str, Any], columns: dict[str, Any]) -> Row:
        if cells["failure"] is not None:
            return Row(path, partial(fail, path, cells["failure"]), columns=columns)
        if cells.get("box_left") is None:
            return Row(path, read, columns=columns)
        left, top, width, height = (cells[name] for name in _BOX)
        box: Box = padded((left, top, width, height), self.cropping.padding)
        if cells.get("image_width") is not None:
            read = partial(_read_checked, read, path, (cells["image_width"], cells["image_height"]))
        if self.cropping.square:
            return Row(path, partial(square_crop, read, path, box), columns=columns)
        return Row(path, read, box, columns)


def box_source(places: Sequence[str], storage: Storage, *, cropping: Cropping, root: str | None) -> BoxSource:
    """Files with boxes as one source.

    Raises:
        InputError: A file is not COCO, MegaDetector or SpeciesNet JSON, or has no row.
    """
    frames: dict[str, pl.DataFrame] = {}
    num_boxless = 0
    marks = storage.marks(places)
    for place in places:
        found = read_boxes(storage, place, only_images=cropping.crop == "images")
        parts = [pl.DataFrame(schema=_SCHEMA)]
        while images := list(islice(found.images, _IMAGES_AT_ONCE)):
            by_image = [_rows_of(image, found.in_pixels, cropping) for image in images]
            num_boxless += sum(not rows for rows in by_image)
            cells = [[row.get(name) for rows in by_image for row in rows] for name in _SCHEMA]
            parts.append(pl.DataFrame(dict(zip(_SCHEMA, cells, strict=True)), schema=_SCHEMA))
        frames[place] = pl.concat(parts)
    rows = sum(frame.height for frame in frames.values())
    certain = f" with a confidence of at least {cropping.threshold:g}" if cropping.threshold else ""
    if not rows:
        got = f"{num_boxless:,} images, none with a box{certain}" if num_boxless else "no image"
        raise InputError("images with boxes", got, at=places[0], advice='Classify whole images: crop="images".')
    notes = [f"images left out, since they have no box{certain}: {num_boxless:,}"] if num_boxless else []
    for place, frame in frames.items():
        notes += missing_note(place, root, frame["path"].head(NUM_TRIED).to_list())
    unused = [name for name in _SCHEMA if name not in _OWN and all(f[name].is_null().all() for f in frames.values())]
    kept = {place: frame.drop(unused) for place, frame in frames.items()}
    return BoxSource(kept, cropping, root, storage, marks, tuple(notes))


def _rows_of(image: ImageOf, in_pixels: bool, cropping: Cropping) -> list[dict[str, Any]]:
    whole = {"path": image.path, "image_id": image.id}
    if cropping.crop == "images":
        return [whole]
    if image.failure is not None:
        return [{**whole, "failure": image.failure}]
    size = {} if image.size is None else dict(zip(("image_width", "image_height"), map(float, image.size), strict=True))
    boxes = [box for box in image.boxes if box.confidence is None or box.confidence >= cropping.threshold]
    if boxes:
        return [{**whole, **size, **_cells(box, image, in_pixels)} for box in boxes]
    return [{**whole, **size}] if cropping.crop == "boxes-or-images" else []


def _cells(box: BoxOf, image: ImageOf, in_pixels: bool) -> dict[str, Any]:
    across, down = image.size if in_pixels and image.size is not None else (1.0, 1.0)
    left, top, width, height = box.edges
    edges = padded((left / across, top / down, width / across, height / down), 0.0)
    bad = width <= 0 or height <= 0 or edges[2] <= 0 or edges[3] <= 0
    return {
        **dict(zip(_BOX, edges, strict=True)),
        "failure": f"a box without an area in the image: {list(box.edges)}" if bad else None,
        "detection_confidence": box.confidence,
        "category": box.category,
        "annotation_id": box.id,
    }


class _Once:
    """Reads an image for the first of its boxes, and keeps it while rows of others wait."""

    __slots__ = ("_content", "_lock", "_read")

    def __init__(self, read: Callable[[], bytes]) -> None:
        self._read, self._lock = read, threading.Lock()
        self._content: bytes | UnreadableImageError | None = None

    def __call__(self) -> bytes:
        with self._lock:
            if self._content is None:
                try:
                    self._content = self._read()
                except UnreadableImageError as error:
                    self._content = error
        if isinstance(self._content, UnreadableImageError):
            raise self._content
        return self._content


def _read_checked(read: Callable[[], bytes], name: str, size: tuple[float, float]) -> bytes:
    """The bytes of an image, if it has the shape that the file with its boxes says.

    Raises:
        UnreadableImageError: Its shape is another one, so that its boxes lie elsewhere.
    """
    content = read()
    found = stored_size(content)
    if found is None:  # which decoding explains
        return content
    stored, upright = found
    if _alike(upright, size):
        return content
    is_shown = f"{upright[0]} x {upright[1]} pixels, with boxes for {size[0]:g} x {size[1]:g}"
    turned = ", those of the stored image before its EXIF rotation" if _alike(stored, size) else ""
    raise UnreadableImageError(name, f"an image of {is_shown}{turned}")


def _alike(one: tuple[int, int], other: tuple[float, float]) -> bool:
    """Whether two sizes are the same up to scale."""
    return abs(one[0] * other[1] - one[1] * other[0]) <= _SAME_SHAPE * one[1] * other[0]
