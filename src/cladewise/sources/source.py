"""The interface of a source of images: rows, the chunks that they are read in, and the source itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import polars as pl
from PIL import Image

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Row:
    """One input row: an image, a box of an image, or a frame of a video.

    Attributes:
        name: Path or URI as the user wrote it. Images inside other files are named after both: ``a.tar/000123.jpg``,
            ``x.parquet#17``, ``v.mp4#t=1.25``.
        read: Returns the encoded bytes, or the decoded picture where there are no encoded bytes of it (frames, square
            crops). Raises :class:`~cladewise.datasets.UnreadableImageError` if the image cannot be read.
        box: Left, top, width and height as fractions of the upright image; ``None`` for the whole image.
        columns: Values of the other columns, in the order of :attr:`Source.columns`.

    Example:
        >>> Row("a.jpg", lambda: b"...").columns
        {}
    """

    name: str
    read: Callable[[], bytes | Image.Image]
    box: Box | None = None
    columns: Mapping[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True, slots=True)
class Chunk:
    """A unit of work: consecutive rows of one file.

    Attributes:
        file: Path or URI of the table, archive or video; empty for rows of the source's own list.
        start: First row.
        stop: Row after the last; ``None`` for all that follow, where their number is not known before they are read.

    Example:
        >>> import dataclasses
        >>> Chunk(**dataclasses.asdict(Chunk("a.tar", 0, None)))
        Chunk(file='a.tar', start=0, stop=None)
    """

    file: str
    start: int
    stop: int | None


@runtime_checkable
class Source(Protocol):
    """Rows of images in a fixed order, read a chunk at a time; made by :func:`open_source`.

    A source holds plain data only, so that it can be sent to other processes and machines.

    Attributes:
        kind: ``files``, ``table``, ``tar``, ``parquet``, ``boxes`` or ``video``.
        columns: Name and type of every column that is passed through, the same for all rows.
        identity: What determines the rows, as JSON values: two sources with equal identities have the same rows.
        num_rows: Number of rows; ``None`` if it is not known before they are read.
        is_remote: Whether images come from elsewhere when they are read, so that many should be read at once.
        notes: Sentences for the user about what was left out or counted once.
    """

    @property
    def kind(self) -> str: ...

    @property
    def columns(self) -> dict[str, pl.DataType]: ...

    @property
    def identity(self) -> dict[str, Any]: ...

    @property
    def num_rows(self) -> int | None: ...

    @property
    def is_remote(self) -> bool: ...

    @property
    def notes(self) -> tuple[str, ...]: ...

    def chunks(self, size: int) -> list[Chunk]:
        """All rows in chunks of about ``size`` rows; the same ones in every call. An archive or video is one chunk."""
        ...

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        """The rows of a chunk, in order.

        Bytes of archives and of Parquet columns are read while iterating; those of files when :attr:`Row.read` is
        called, which may happen in any order and in other threads.
        """
        ...


def ranges(file: str, num_rows: int, size: int) -> list[Chunk]:
    """Chunks of equal length over the rows of a file; the last one may be shorter.

    Example:
        >>> [(chunk.start, chunk.stop) for chunk in ranges("a.csv", 5, 2)]
        [(0, 2), (2, 4), (4, 5)]
    """
    return [Chunk(file, start, min(start + size, num_rows)) for start in range(0, num_rows, size)]
