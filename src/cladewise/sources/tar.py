"""Tar archives of images, such as the shards of WebDataset."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import islice, takewhile
from typing import Any

import polars as pl

from cladewise.datasets.files.decoding import has_image_suffix, probe
from cladewise.errors import InputError, warn
from cladewise.sources.archive import Member, members
from cladewise.sources.columns import as_text
from cladewise.sources.source import Chunk, Row
from cladewise.sources.storage import Storage
from cladewise.sources.table import fail

SIDECARS = ("cls", "id", "index", "json", "txt", "text", "caption")
"""Extensions of the texts that WebDataset keeps beside an image."""

KEY = "key"
_PEEK = 200  # members that are looked at to find which texts there are
_PEEK_BYTES = 1 << 25  # of the archive, which may have to be fetched
_MAX_SAMPLE = 1 << 28  # bytes of the images with one key
_MAX_PLACES = 1_000_000
_BRACES = re.compile(r"\{(?:(\d+)\.\.(\d+)|([^{}]*,[^{}]*))\}")


@dataclass(frozen=True, slots=True)
class TarSource:
    """The images in tar archives, in their order; an archive is a chunk.

    Args:
        places: Paths and URIs of the archives.
        sidecars: Extensions of the texts that are passed through.
        extension: The extension of the images, if the user named it.
        storage: Access to the archives.
        marks: State of every archive.
    """

    places: tuple[str, ...]
    sidecars: tuple[str, ...]
    extension: str | None
    storage: Storage
    marks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "tar"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        return {KEY: pl.String(), **{name: pl.String() for name in self.sidecars}}

    @property
    def identity(self) -> dict[str, Any]:
        texts = list(self.sidecars)
        return {"kind": self.kind, "files": list(self.marks), "extension": self.extension, "texts": texts}

    @property
    def num_rows(self) -> None:
        return None

    @property
    def is_remote(self) -> bool:
        return False  # the images come with their rows

    def chunks(self, size: int) -> list[Chunk]:
        return [Chunk(place, 0, None) for place in self.places]

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        reading = _Reading(chunk.file, self.sidecars, self.extension)
        with self.storage.open(chunk.file) as file:
            rows = reading.rows(members(chunk.file, file, reading.is_wanted))
            yield from islice(rows, chunk.start, chunk.stop)
        reading.tell()


def tar_source(places: Sequence[str], storage: Storage, extension: str | None) -> TarSource:
    """Archives as one source; the first members of the first one decide which texts are passed through.

    Raises:
        InputError: An archive is missing or cannot be read.
    """
    marks = storage.marks(places)
    with storage.open(places[0]) as file:
        first = takewhile(lambda _: file.tell() < _PEEK_BYTES, members(places[0], file, lambda _: False))
        names = [member.name for member in islice(first, _PEEK)]
    with_image = {_split(name)[0] for name in names if has_image_suffix(name)}
    found = {extension_ for key, extension_ in map(_split, names) if key in with_image and extension_ in SIDECARS}
    chosen = None if extension is None else extension.lower().lstrip(".")
    return TarSource(tuple(places), tuple(sorted(found)), chosen, storage, marks)


def expanded(pattern: str) -> list[str]:
    """A pattern with braces as the names that it stands for, without looking for files.

    Raises:
        InputError: The names are more than a million, or a range runs backwards.

    Example:
        >>> expanded("a-{08..10}.tar"), expanded("{train,val}.tar")
        (['a-08.tar', 'a-09.tar', 'a-10.tar'], ['train.tar', 'val.tar'])
    """
    names = [pattern]
    while (found := _BRACES.search(names[0])) is not None:
        first, last, listed = found.groups()
        if listed is None and int(first) > int(last):
            raise InputError("a range that runs forwards", repr(found[0]), at=pattern)
        count = listed.count(",") + 1 if listed is not None else int(last) - int(first) + 1
        if count * len(names) > _MAX_PLACES:
            raise InputError("at most a million archives", f"{count * len(names):,}", at=pattern)
        width = len(first) if listed is None and first.startswith("0") else 0
        texts = listed.split(",") if listed is not None else [f"{n:0{width}}" for n in range(int(first), int(last) + 1)]
        names = [_BRACES.sub(text, name, count=1) for name in names for text in texts]
    return names


def _split(name: str) -> tuple[str, str]:
    """Key and extension of a member as in WebDataset: its name up to the first dot, and what follows in lower case."""
    folder, slash, base = name.rpartition("/")
    key, _, extension = base.partition(".")
    return f"{folder}{slash}{key}", extension.lower()


@dataclass(slots=True)
class _Sample:
    """Adjacent members with the same key."""

    key: str
    images: list[Member] = field(default_factory=list[Member])
    texts: dict[str, str] = field(default_factory=dict[str, str])
    others: list[str] = field(default_factory=list[str])
    num_bytes: int = 0


class _Reading:
    """The rows of one archive, and what is to be told about it when it has been read."""

    def __init__(self, place: str, sidecars: Sequence[str], extension: str | None) -> None:
        self.place, self.sidecars, self.extension = place, sidecars, extension
        self.left_out, self.again, self.repeated = list[str](), list[str](), list[str]()
        self._keys, self._names = set[int](), set[int]()

    def is_wanted(self, name: str) -> bool:
        """Whether a member is an image or one of the texts; one without an extension is known by its content."""
        extension = _split(name)[1]
        return extension == "" or extension in self.sidecars or self._is_image(name)

    def rows(self, found: Iterable[Member]) -> Iterator[Row]:
        """An image with texts of the same key waits for all of them; others are rows at once."""
        sample: _Sample | None = None
        num_rows = 0
        for member in found:
            key, extension = _split(member.name)
            if sample is not None and (key != sample.key or not member.name):
                for row in self._rows_of(sample):
                    num_rows += 1
                    yield row
                sample = None
            if not member.name:
                yield Row(self.place, partial(fail, self.place, member.problem or ""), columns=self._columns(None, {}))
                return
            if sample is None:
                sample = _Sample(key)
                _note(key, self._keys, self.again)
            self._add(sample, member, extension)
            if not self.sidecars and self.extension is None:
                for row in self._rows_of(sample):
                    num_rows += 1
                    yield row
                sample = _Sample(key)
        for row in () if sample is None else self._rows_of(sample):
            num_rows += 1
            yield row
        if not num_rows:
            yield Row(
                self.place, partial(fail, self.place, "an archive without an image"), columns=self._columns(None, {})
            )

    def tell(self) -> None:
        """Warn about members that were left out, and keys that came again."""
        told = {
            "members that are no images, left out": self.left_out,
            "keys that come again after others, whose members are samples of their own": self.again,
            "images with the name of an earlier one": self.repeated,
        }
        for text, names in told.items():
            if names:
                warn(f"{len(names)} {text}, such as {names[0]!r}", at=self.place)

    def _is_image(self, name: str) -> bool:
        if self.extension is None:
            return has_image_suffix(name)
        extension = _split(name)[1]
        return self.extension in (extension, extension.rpartition(".")[2])

    def _add(self, sample: _Sample, member: Member, extension: str) -> None:
        content = member.content
        if content is not None and extension in self.sidecars and extension not in sample.texts:
            sample.texts[extension] = as_text(content.decode("utf-8", "surrogateescape"))
        elif self._is_image(member.name) or (
            extension == "" and self.extension is None and content is not None and probe("", content=content) is None
        ):
            sample.num_bytes += len(content or b"")
            if sample.num_bytes > _MAX_SAMPLE:
                problem = (
                    f"an image that shares its key, {sample.key!r}, with more than {_MAX_SAMPLE >> 20} MB of others"
                )
                sample.images = [Member(image.name, problem=problem) for image in sample.images]
                member = Member(member.name, problem=problem)
            sample.images.append(member)
            _note(member.name, self._names, self.repeated)
        else:
            sample.others.append(member.name)

    def _rows_of(self, sample: _Sample) -> Iterator[Row]:
        for image in sample.images:
            name = f"{self.place}/{image.name}"
            columns = self._columns(sample.key, sample.texts)
            if image.content is None:
                yield Row(name, partial(fail, name, image.problem or ""), columns=columns)
            else:
                yield Row(name, partial(_given, image.content), columns=columns)
        if not sample.images and (sample.texts or self.extension):
            name = f"{self.place}/{sample.key}"
            wanted = f" .{self.extension}" if self.extension else ""
            reason = f"a sample without an image{wanted}: {', '.join([*sample.texts, *sample.others])}"
            yield Row(name, partial(fail, name, reason), columns=self._columns(sample.key, sample.texts))
        elif not sample.images:
            self.left_out += sample.others

    def _columns(self, key: str | None, texts: dict[str, str]) -> dict[str, str | None]:
        return {KEY: None if key is None else as_text(key), **{name: texts.get(name) for name in self.sidecars}}


def _given(content: bytes) -> bytes:
    return content


def _note(name: str, seen: set[int], again: list[str]) -> None:
    """Remember a name by its hash, which takes less memory than the name, and note it if it was seen before."""
    if hash(name) in seen:
        again.append(name)
    seen.add(hash(name))
