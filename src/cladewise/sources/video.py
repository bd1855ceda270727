"""Frames of videos as rows, decoded by PyAV."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import Any

import polars as pl
from PIL import Image

from cladewise.errors import InputError, MissingExtraError
from cladewise.sources.source import Chunk, Row
from cladewise.sources.storage import Storage
from cladewise.sources.table import fail

FPS = 1.0
"""Default number of frames per second."""

TIME = "time"
_LATE = 1.0  # seconds by which a whole video may end before its announced end
_FEWER = 2  # frames that a whole video may have fewer than announced
_TURNS = {90: Image.Transpose.ROTATE_90, 180: Image.Transpose.ROTATE_180, 270: Image.Transpose.ROTATE_270}


@dataclass(frozen=True, slots=True)
class VideoSource:
    """Frames of videos at even times; a video is a chunk.

    Args:
        places: Paths and URIs of the videos.
        fps: Frames per second that become rows; all frames of a video that has fewer.
        storage: Access to the videos.
        marks: State of every video.
    """

    places: tuple[str, ...]
    fps: float
    storage: Storage
    marks: tuple[dict[str, Any], ...]
    notes: tuple[str, ...] = ()

    @property
    def kind(self) -> str:
        return "video"

    @property
    def columns(self) -> dict[str, pl.DataType]:
        """The time of a frame in seconds from the first one."""
        return {TIME: pl.Float64()}

    @property
    def identity(self) -> dict[str, Any]:
        return {"kind": self.kind, "files": list(self.marks), "fps": self.fps}

    @property
    def num_rows(self) -> None:
        return None

    @property
    def is_remote(self) -> bool:
        return False  # the images come with their rows

    def chunks(self, size: int) -> list[Chunk]:
        return [Chunk(place, 0, None) for place in self.places]

    def rows(self, chunk: Chunk) -> Iterator[Row]:
        yield from islice(self._rows(chunk.file), chunk.start, chunk.stop)

    def _rows(self, place: str) -> Iterator[Row]:
        with self.storage.open(place) as file:
            for time, frame in _frames(file, self.fps):
                if isinstance(frame, str):
                    yield Row(place, partial(fail, place, frame), columns={TIME: time})
                else:
                    yield Row(f"{place}#t={time:.6g}", partial(_given, frame), columns={TIME: time})


def video_source(places: Sequence[str], storage: Storage, fps: float) -> VideoSource:
    """Videos as one source.

    Raises:
        InputError: ``fps`` is not positive, or a video is missing.
        MissingExtraError: PyAV is not installed.
    """
    if not 0 < fps <= 1000:
        raise InputError("a number of frames per second above 0, up to 1000", str(fps))
    _av()
    return VideoSource(tuple(places), fps, storage, storage.marks(places))


def _frames(file: Any, fps: float) -> Iterator[tuple[float | None, Image.Image | str]]:
    """Time and picture of the first frame at or after each multiple of ``1 / fps``; at the end what went wrong."""
    av = _av()
    number = shown = broken = 0
    first, time = None, 0.0
    try:
        with av.open(file) as video:
            stream = next(iter(video.streams.video), None)
            if stream is None:
                yield None, "a file without a video stream"
                return
            for packet in video.demux(stream):
                try:
                    frames = packet.decode()
                except av.error.InvalidDataError:
                    broken += 1
                    continue
                for frame in frames:
                    at = frame.time if frame.time is not None else number / float(stream.average_rate or 25)
                    first = at if first is None else first
                    time, number = at - first, number + 1
                    if time * fps >= shown - 1e-6:
                        shown = int(time * fps + 1e-6) + 1
                        yield round(time, 6), _upright(frame)
            problem = _problem(stream, video, number, time, broken, av.time_base)
    except (av.error.FFmpegError, OSError) as error:  # of a cut file the reader seeks positions that are none
        problem = f"a video that cannot be read{f' after {time:.3g} s' if number else ''} ({error.strerror})"
    if problem:
        yield None, problem


def _upright(frame: Any) -> Image.Image:
    picture: Image.Image = frame.to_image()
    turn = _TURNS.get(round(frame.rotation) % 360)  # counterclockwise
    return picture if turn is None else picture.transpose(turn)


def _problem(stream: Any, video: Any, number: int, time: float, broken: int, time_base: int) -> str | None:
    """Why a video is not whole, from what it says of itself: readers of cut videos end without an error."""
    if not number:
        return "a video without a frame that can be decoded"
    if broken:
        return f"a damaged video: {broken} of its packets cannot be decoded"
    length = stream.duration * stream.time_base if stream.duration else (video.duration or 0) / time_base
    if (stream.frames and number + _FEWER < stream.frames) or time + _LATE < float(length):
        announced = f"{stream.frames} frames" if stream.frames else f"{float(length):.3g} s"
        return f"a video that ends too early, after {number} frames and {time:.3g} s of {announced}"
    return None


def _av() -> Any:
    try:
        import av
    except ImportError as error:
        raise MissingExtraError("av", "video") from error
    return av


def _given(picture: Image.Image) -> Image.Image:
    return picture
