"""Frames of videos, whole and cut, as PyAV writes and reads them."""

from __future__ import annotations

import struct
import sys
from pathlib import Path
from typing import Any

import av
import numpy as np
import polars as pl
import pytest
from PIL import Image

from cladewise.errors import InputError, MissingExtraError
from cladewise.sources import open_source
from sources.reading_rows import rows_of, told

NUM_FRAMES, RATE = 50, 10


def write_video(name: str, codec: str, pixels: str = "yuv420p", **options: str) -> bytes:
    """A video of five seconds that grows brighter, with a white corner at its top left."""
    with av.open(name, "w", options=options) as video:
        stream: Any = video.add_stream(codec, rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 64, 48, pixels
        for number in range(NUM_FRAMES):
            frame = np.full((48, 64, 3), 4 * number, dtype=np.uint8)
            frame[:16, :16] = 255
            video.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        video.mux(stream.encode())
    return Path(name).read_bytes()


def brightness(row: Any) -> float:
    picture = row.read()
    assert isinstance(picture, Image.Image)
    return float(np.asarray(picture)[30:, 30:].mean())


@pytest.mark.parametrize("fps", [0.5, 1.0, 3.0, 10.0, 100.0])
def test_frames_are_the_first_at_each_time(here: Path, fps: float) -> None:
    write_video("a.mp4", "libx264")
    source = open_source(["a.mp4"], fps=fps)
    rows = rows_of(source)
    times = [number / RATE for number in range(NUM_FRAMES)]
    expected = [next(t for t in times if t >= k / fps - 1e-9) for k in range(int(4.9 * fps) + 1)]
    expected = sorted(set(expected))
    assert source.columns == {"time": pl.Float64()}
    assert [row.columns["time"] for row in rows] == pytest.approx(expected)
    assert [row.name for row in rows[:2]] == ["a.mp4#t=0", f"a.mp4#t={expected[1]:.6g}"]
    assert [brightness(row) for row in rows] == pytest.approx([40 * t for t in expected], abs=4)
    assert source.num_rows is None


def test_frames_are_those_that_pyav_decodes(here: Path) -> None:
    write_video("a.avi", "mjpeg", "yuvj420p")
    rows = rows_of(open_source(["a.avi"], fps=RATE))
    with av.open("a.avi") as video:
        theirs = [frame.to_image() for frame in video.decode(video=0)]
    assert [row.read() for row in rows] == theirs


@pytest.mark.parametrize(
    ("name", "codec", "options"),
    [
        ("a.mp4", "mpeg4", {"movflags": "faststart"}),
        ("b.mp4", "libx264", {"movflags": "faststart"}),
        ("c.mov", "libx264", {}),
        ("d.avi", "mjpeg", {}),
        ("e.mkv", "libx264", {}),
        ("f.webm", "libvpx", {}),
    ],
)
def test_a_cut_video_says_so_in_its_last_row(here: Path, name: str, codec: str, options: dict[str, str]) -> None:
    whole = write_video(name, codec, "yuvj420p" if codec == "mjpeg" else "yuv420p", **options)
    rows = rows_of(open_source([name]))
    assert [row.columns["time"] for row in rows] == [0, 1, 2, 3, 4]
    assert all(isinstance(row.read(), Image.Image) for row in rows)
    for share in (0.75, 0.6, 0.3, 0.02, 0.0):
        Path(name).write_bytes(whole[: int(share * len(whole))])
        rows = rows_of(open_source([name]))
        reason = told(rows[-1])
        assert isinstance(reason, str), share
        assert reason.startswith(("a video ", "a damaged video", "a file without a video stream")), share
        assert (rows[-1].name, rows[-1].columns["time"]) == (name, None)
        assert all(isinstance(row.read(), Image.Image) for row in rows[:-1])


def test_frames_are_upright(here: Path) -> None:
    content = write_video("a.mp4", "libx264")
    matrix = content.index(b"tkhd") + 4 + 40  # of the track header, behind its times, size and volume
    one = 1 << 16
    plain = struct.unpack_from(">9i", content, matrix)
    assert plain == (one, 0, 0, 0, one, 0, 0, 0, 1 << 30)
    corners = {}
    for name, turned in {
        "none": plain,
        "clockwise": (0, one, 0, -one, 0, 0, 48 * one, 0, 1 << 30),
        "half": (-one, 0, 0, 0, -one, 0, 64 * one, 48 * one, 1 << 30),
        "counterclockwise": (0, -one, 0, one, 0, 0, 0, 64 * one, 1 << 30),
    }.items():
        rewritten = bytearray(content)
        struct.pack_into(">9i", rewritten, matrix, *turned)
        Path("a.mp4").write_bytes(rewritten)
        picture = rows_of(open_source(["a.mp4"]))[0].read()
        assert isinstance(picture, Image.Image)
        bright = np.asarray(picture)[..., 0] > 200
        rows, columns = np.nonzero(bright)
        down, across = rows.mean() > bright.shape[0] / 2, columns.mean() > bright.shape[1] / 2
        corners[name] = (picture.size, "lower" if down else "upper", "right" if across else "left")
    assert corners == {
        "none": ((64, 48), "upper", "left"),
        "clockwise": ((48, 64), "upper", "right"),
        "half": ((64, 48), "lower", "right"),
        "counterclockwise": ((48, 64), "lower", "left"),
    }


def test_remote_videos_and_several_are_read(here: Path) -> None:
    import fsspec

    system: Any = fsspec.filesystem("memory")
    system.pipe_file("/traps/a.mp4", write_video("a.mp4", "libx264"))
    source = open_source(["memory://traps/a.mp4", "a.mp4"], fps=2)
    first, second = ([(row.columns["time"], row.read()) for row in source.rows(chunk)] for chunk in source.chunks(1))
    assert len(first) == 10
    assert first == second


def test_what_is_no_video_and_wrong_options_are_told(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a.mp4").write_bytes(b"no video" * 1000)
    (row,) = rows_of(open_source(["a.mp4"]))
    assert str(told(row)).startswith("a video that cannot be read")
    for fps in (0.0, -1.0, float("nan")):
        with pytest.raises(InputError, match="frames per second above 0"):
            open_source(["a.mp4"], fps=fps)
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(MissingExtraError, match=r"cladewise\[video\]"):
        open_source(["a.mp4"])
