"""Opening a source of images from the words that a user gave."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cladewise.errors import InputError
from cladewise.sources.boxes import THRESHOLD, Cropping, box_source
from cladewise.sources.files import FileSource, find_images, local_matches
from cladewise.sources.formats import FORMATS, KNOWN, SUFFIXES, UNREAD
from cladewise.sources.parquet_images import holds_images, image_columns, parquet_source
from cladewise.sources.parquet_table import open_parquet
from cladewise.sources.places import local, scheme, suffix
from cladewise.sources.source import Source
from cladewise.sources.storage import Storage
from cladewise.sources.table import Table, table_source
from cladewise.sources.tar import expanded, tar_source
from cladewise.sources.text_table import index_table
from cladewise.sources.video import FPS, video_source


@dataclass(frozen=True, slots=True)
class _Choices:
    storage: Storage
    column: str | None
    root: str | None
    cropping: Cropping
    fps: float


def open_source(
    words: Sequence[str | os.PathLike[str]],
    *,
    format: str | None = None,
    column: str | None = None,
    root: str | os.PathLike[str] | None = None,
    crop: str = "boxes",
    threshold: float = THRESHOLD,
    padding: float = 0.0,
    square: bool = False,
    fps: float = FPS,
    storage_options: Mapping[str, Any] | None = None,
) -> Source:
    """The images that some words stand for.

    Words of one kind can be combined: files, folders and patterns; or tables; or archives.

    Args:
        words: Image files, folders, patterns, tables and archives, local or as ``protocol://`` URIs.
        format: One of :data:`FORMATS`, for names whose suffix does not tell.
        column: The column of a table with the paths, URIs or bytes of the images; of an archive the extension of the
            images, for samples with several.
        root: Folder or URI that relative paths in a table start from; the folder of the table by default.
        crop: For COCO and MegaDetector JSON: ``boxes``, one row per box; ``boxes-or-images``, images without a box too;
            ``images``, whole images.
        threshold: Confidence from which detections count.
        padding: Margin around boxes, as a share of their width and height.
        square: Extend the shorter side of a crop to the longer one.
        fps: Frames per second of a video.
        storage_options: Options of the fsspec file systems, as in :class:`Storage`.

    Raises:
        InputError: A word matches nothing, words are of different kinds, a file is not what its suffix says, or an
            argument has no meaning for inputs of this kind.

    Example:
        >>> path = getfixture("tmp_path") / "list.csv"
        >>> _ = path.write_text("path,site\\na.jpg,pond\\n")
        >>> source = open_source([path])
        >>> source.num_rows, source.columns, [row.name for row in source.rows(source.chunks(100)[0])]
        (1, {'site': String}, ['a.jpg'])
    """
    if isinstance(words, (str, bytes, os.PathLike)):
        raise InputError("a list of inputs", f"the single one {os.fsdecode(words)!r}", advice="Pass a list.")
    if not words:
        raise InputError(KNOWN, "nothing")
    if format is not None and format not in FORMATS:
        raise InputError(f"a format: {', '.join(FORMATS)}", repr(format))
    texts = [os.fsdecode(word) for word in words]
    kinds = [format or _kind(text) for text in texts]
    for text, kind in zip(texts, kinds, strict=True):
        if kind != kinds[0]:
            got = f"{texts[0]!r} ({kinds[0]}) and {text!r} ({kind})"
            raise InputError("inputs of one kind", got, advice="Run the command once for each kind.")
        _refuse_listing(text)
    chosen = {"column": column, "root": root, "crop": crop, "threshold": threshold}
    check_fitting(kinds[0], texts[0], {**chosen, "padding": padding, "square": square, "fps": fps})
    cropping = Cropping(crop, threshold, padding, square)
    storage = Storage(dict(storage_options or {}))
    choices = _Choices(storage, column, None if root is None else os.fsdecode(root), cropping, fps)
    return _OPENERS[kinds[0]](texts, choices)


def check_fitting(kind: str, word: str, chosen: Mapping[str, Any]) -> None:
    """Check that nothing was chosen that has no meaning for inputs of a kind.

    Args:
        kind: One of :data:`FORMATS`, or of inputs that are none of them.
        word: An input.
        chosen: Arguments of :func:`open_source` by name; those with their default count as not chosen.

    Raises:
        InputError: Something was.
    """
    for name, (default, kinds) in _FITTING.items():
        if chosen.get(name, default) != default and kind not in kinds:
            what = "a confidence threshold" if name == "threshold" else f"{name}="
            raise InputError(f"an input of the format {' or '.join(kinds)} with {what}", f"{kind}, {word!r}")


def _kind(word: str) -> str:
    """The format of a word, from its suffix; of a pattern, from the files that it matches."""
    if not scheme(word) and not os.path.lexists(local(word)) and glob.has_magic(local(word)):
        kinds = {SUFFIXES.get(suffix(path), "images") for path in local_matches(local(word))}
        return kinds.pop() if len(kinds) == 1 else "images"
    if not scheme(word) and os.path.isdir(local(word)):
        return "images"
    advice = UNREAD.get(suffix(word)) or UNREAD.get(os.path.splitext(suffix(word))[1])
    if advice is not None:
        raise InputError(KNOWN, repr(word), advice=advice)
    return SUFFIXES.get(suffix(word), "images")


def _refuse_listing(word: str) -> None:
    """Refuse remote folders and patterns: listing millions of objects takes hours and costs money."""
    protocol = scheme(word)
    magic = "*" in word if protocol in ("http", "https") else glob.has_magic(word)
    if protocol and (magic or word.endswith("/")):
        raise InputError(
            "the URI of an image, a table or an archive",
            f"{'a pattern' if magic else 'a folder'}, {word!r}, which would have to be listed",
            advice="Give a table with a column path or url, such as an inventory of the bucket.",
        )


def _files(words: Sequence[str], choices: _Choices) -> Source:
    paths, notes = find_images(words)
    return FileSource(paths, choices.storage, notes)


def _each(words: Sequence[str]) -> list[str]:
    """The files of words that are no images: patterns as what they match, and each file once, however it is spelt."""
    places: list[str] = []
    for word in words:
        if not scheme(word) and os.path.lexists(local(word)):
            places.append(word)
            continue
        for name in expanded(word):
            if scheme(name) or os.path.lexists(local(name)):
                places.append(name)
            elif matches := local_matches(local(name)):
                places += matches
            else:
                raise InputError(KNOWN, f"{name!r}, which matches nothing")
    found: dict[str, str] = {}
    for place in places:
        found.setdefault(place if scheme(place) else os.path.abspath(local(place)), place)
    return list(found.values())


def _text_tables(
    words: Sequence[str], choices: _Choices, *, separator: str | None = None, json_lines: bool = False
) -> Source:
    tables: list[Table] = [
        index_table(choices.storage, place, separator, json_lines=json_lines) for place in _each(words)
    ]
    return table_source(tables, choices.storage, column=choices.column, root=choices.root)


def _parquet(words: Sequence[str], choices: _Choices) -> Source:
    """Parquet files with images, if a column holds some or the user chose one that can; otherwise with paths."""
    tables = [open_parquet(choices.storage, place) for place in _each(words)]
    chosen = tables[0].schema.get(choices.column or "")
    if image_columns(tables[0]) if choices.column is None else chosen is not None and holds_images(chosen):
        return parquet_source(tables, choices.storage, column=choices.column, root=choices.root)
    return table_source(tables, choices.storage, column=choices.column, root=choices.root)


def _tars(words: Sequence[str], choices: _Choices) -> Source:
    return tar_source(_each(words), choices.storage, choices.column)


def _boxes(words: Sequence[str], choices: _Choices) -> Source:
    return box_source(_each(words), choices.storage, cropping=choices.cropping, root=choices.root)


def _videos(words: Sequence[str], choices: _Choices) -> Source:
    return video_source(_each(words), choices.storage, choices.fps)


_TABLES = ("csv", "tsv", "jsonl", "parquet")
_FITTING: dict[str, tuple[Any, tuple[str, ...]]] = {
    "column": (None, (*_TABLES, "tar")),
    "root": (None, (*_TABLES, "boxes")),
    "crop": ("boxes", ("boxes",)),
    "threshold": (THRESHOLD, ("boxes",)),
    "padding": (0.0, ("boxes",)),
    "square": (False, ("boxes",)),
    "fps": (FPS, ("video",)),
}
"""Defaults of arguments, and the formats that they have a meaning for."""

_OPENERS: dict[str, Callable[[Sequence[str], _Choices], Source]] = {
    "images": _files,
    "csv": _text_tables,
    "tsv": lambda words, choices: _text_tables(words, choices, separator="\t"),
    "jsonl": lambda words, choices: _text_tables(words, choices, json_lines=True),
    "parquet": _parquet,
    "tar": _tars,
    "boxes": _boxes,
    "video": _videos,
}
