"""Every kind of image and of file that is none."""

from __future__ import annotations

import os
import pickle
import struct
import zlib
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from cladewise.datasets import UnreadableImageError, decode, probe
from cladewise.errors import InputError


def png(width: int, height: int, *, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG file by hand: Pillow writes neither 16-bit colours nor headers without the pixels to go with them."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def noise(width: int = 64, height: int = 48) -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8))


def color(path: Path, at: tuple[int, int] = (0, 0)) -> tuple[int, ...]:
    picture = decode(path)
    assert picture.mode == "RGB"
    return picture.getpixel(at)  # type: ignore[return-value]


# ------------------------------------------------------------------ modes


@pytest.mark.parametrize(
    ("mode", "value", "ending", "expected"),
    [
        ("1", 1, "png", (255, 255, 255)),
        ("L", 70, "png", (70, 70, 70)),
        ("LA", (0, 0), "png", (255, 255, 255)),
        ("RGBA", (0, 0, 0, 0), "png", (255, 255, 255)),
        ("RGBA", (255, 0, 0, 0), "webp", (255, 255, 255)),
        ("RGBA", (255, 0, 0, 128), "png", (255, 127, 127)),
        ("CMYK", (0, 255, 255, 0), "tiff", (255, 0, 0)),
        ("I;16", 0x8080, "png", (128, 128, 128)),
        ("I;16", 0x8080, "tiff", (128, 128, 128)),
        ("I", 65535, "tiff", (255, 255, 255)),
        ("F", 0.5, "tiff", (128, 128, 128)),
        ("LAB", (255, 128, 128), "tiff", (254, 255, 254)),  # by the colour tables of littleCMS
        ("RGB", (1, 2, 3), "bmp", (1, 2, 3)),
        ("RGB", (1, 2, 3), "ppm", (1, 2, 3)),
    ],
)
def test_every_mode_becomes_rgb(
    tmp_path: Path, mode: str, value: object, ending: str, expected: tuple[int, ...]
) -> None:
    Image.new(mode, (4, 4), value).save(tmp_path / f"a.{ending}", lossless=True)
    assert color(tmp_path / f"a.{ending}") == expected


def test_cmyk_jpeg(tmp_path: Path) -> None:
    Image.new("CMYK", (16, 16), (0, 255, 255, 0)).save(tmp_path / "a.jpg", quality=95)
    assert np.abs(np.subtract(color(tmp_path / "a.jpg"), (255, 0, 0))).max() <= 3


def test_palette_with_and_without_transparency(tmp_path: Path) -> None:
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 10, 20, 30])
    image.save(tmp_path / "plain.png")
    image.save(tmp_path / "clear.png", transparency=1)
    assert color(tmp_path / "plain.png") == (10, 20, 30)
    assert color(tmp_path / "clear.png") == (255, 255, 255)


def test_a_transparent_colour_of_an_opaque_image(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (9, 9, 9)).save(tmp_path / "a.png", transparency=(9, 9, 9))
    assert color(tmp_path / "a.png") == (255, 255, 255)


def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path) -> None:
    values = np.linspace(0, 65535, 256).astype(np.uint16)[None]
    Image.fromarray(values).save(tmp_path / "grey.png")
    grey = np.asarray(decode(tmp_path / "grey.png"))[0, :, 0]
    np.testing.assert_array_equal(grey, np.arange(256))

    rows = b"\0" + np.array([0x8080, 0x4040, 0xFFFF], dtype=">u2").tobytes()
    (tmp_path / "colour.png").write_bytes(png(1, 1, depth=16, kind=2, rows=rows))
    assert color(tmp_path / "colour.png") == (128, 64, 255)


def test_not_a_number_is_black(tmp_path: Path) -> None:
    Image.fromarray(np.array([[np.nan, np.inf, 1.0]], dtype=np.float32)).save(tmp_path / "a.tiff")
    assert [color(tmp_path / "a.tiff", (x, 0))[0] for x in range(3)] == [0, 0, 255]


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tiff", "mpo"])
def test_the_first_frame_counts(tmp_path: Path, ending: str) -> None:
    frames = [Image.new("RGB", (8, 8), name) for name in ("red", "blue", "green")]
    extra = {"lossless": True} if ending == "webp" else {}
    frames[0].save(tmp_path / f"a.{ending}", save_all=True, append_images=frames[1:], **extra)
    with Image.open(tmp_path / f"a.{ending}") as image:
        assert getattr(image, "n_frames", 1) == 3
    assert np.abs(np.subtract(color(tmp_path / f"a.{ending}"), (255, 0, 0))).max() <= 1


def test_the_content_decides_not_the_name(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4), (1, 2, 3)).save(tmp_path / "a.png")
    (tmp_path / "a.png").rename(tmp_path / "a.jpg")
    assert color(tmp_path / "a.jpg") == (1, 2, 3)
    assert probe(tmp_path / "a.jpg") is None


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
def test_upright_by_exif(tmp_path: Path, ending: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise
    image = Image.new("RGB", (32, 16), "white")
    image.paste("black", (0, 0, 16, 16))
    image.save(tmp_path / f"a.{ending}", exif=exif)
    picture = decode(tmp_path / f"a.{ending}")
    assert picture.size == (16, 32)
    assert picture.getpixel((8, 4))[0] < 60 < 200 < picture.getpixel((8, 28))[0]  # type: ignore[index]


def test_broken_exif_costs_no_picture(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.jpg", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff garbage")
    assert decode(tmp_path / "a.jpg").size == (64, 48)


def test_a_jpeg_is_decoded_no_larger_than_needed(tmp_path: Path) -> None:
    noise(1600, 1200).save(tmp_path / "a.jpg")
    assert decode(tmp_path / "a.jpg").size == (1600, 1200)
    assert decode(tmp_path / "a.jpg", size=224).size == (400, 300)
    assert decode(tmp_path / "a.jpg", size=1201).size == (1600, 1200)
    Image.new("CMYK", (640, 640)).save(tmp_path / "b.jpg")
    assert decode(tmp_path / "b.jpg", size=160).size == (160, 160)


# ------------------------------------------------------------------ files that are no images


def hostile(folder: Path) -> dict[str, str]:
    """Files that cannot be decoded, each with the reason that is expected (its beginning)."""
    noise().save(folder / "whole.jpg")
    whole = (folder / "whole.jpg").read_bytes()
    noise().save(folder / "whole.png")
    whole_png = (folder / "whole.png").read_bytes()
    contents = {
        "empty.jpg": b"",
        "text.jpg": b"hello, I am not a picture",
        "html.png": b"<!doctype html><title>404</title>",
        "truncated.jpg": whole[: len(whole) // 2],
        "truncated.png": whole_png[: len(whole_png) // 2],
        "header-only.jpg": whole[:20],
        "magic-only.png": whole_png[:8],
        "damaged.png": whole_png[:41] + b"\xff" * 20 + whole_png[61:],
        "huge.png": png(40_000, 40_000, depth=8, kind=2, rows=b""),
        "large.png": png(15_000, 12_000, depth=8, kind=2, rows=b""),
        "postscript.eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n%%EndComments\n",
        "drawing.svg": b'<svg xmlns="http://www.w3.org/2000/svg"/>',
    }
    for name, content in contents.items():
        (folder / name).write_bytes(content)
    (folder / "folder.jpg").mkdir()
    (folder / "dangling.jpg").symlink_to(folder / "gone")
    os.mkfifo(folder / "pipe.jpg")
    return {
        "empty.jpg": "an empty file",
        "text.jpg": "not an image of a known format (it begins with b'hello, I am ')",
        "html.png": "not an image of a known format (it begins with b'<!doctype ht')",
        "truncated.jpg": "a truncated image (",
        "truncated.png": "a truncated image (",
        "header-only.jpg": "not an image of a known format",
        "magic-only.png": "not an image of a known format",
        "damaged.png": "a broken image (",
        "huge.png": "an image of 1600 megapixels, more than the limit of 179 megapixels",
        "large.png": "an image of 180 megapixels, more than the limit of 179 megapixels",
        "postscript.eps": "not an image of a known format",
        "drawing.svg": "not an image of a known format",
        "folder.jpg": "a folder",
        "dangling.jpg": "a link to a missing file",
        "pipe.jpg": "a special file",
        "missing.jpg": "no such file",
        "nul\0.jpg": "a path that cannot be opened (embedded null byte)",
        "x" * 300 + ".jpg": "a path that cannot be opened (File name too long)",
    }


def test_what_cannot_be_decoded_says_why(tmp_path: Path) -> None:
    for name, reason in hostile(tmp_path).items():
        with pytest.raises(UnreadableImageError) as caught:
            decode(tmp_path / name)
        assert caught.value.reason.startswith(reason), name
        assert caught.value.path == str(tmp_path / name)
        assert str(caught.value).startswith(f"Expected an image that can be decoded, but got {reason}")
        assert "\n" not in str(caught.value)


def test_the_header_tells_of_most(tmp_path: Path) -> None:
    needs_pixels = {"truncated.jpg", "truncated.png", "damaged.png"}
    for name, reason in hostile(tmp_path).items():
        told = probe(tmp_path / name)
        if name in needs_pixels:
            assert told is None, name
        else:
            assert (told or "").startswith(reason), name


def test_the_limit_of_pixels_is_the_callers(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", max_pixels=64 * 48).size == (64, 48)
    with pytest.raises(UnreadableImageError, match="64 x 48 pixels, more than the limit of 0"):
        decode(tmp_path / "a.png", max_pixels=3000)


def test_a_file_without_permission(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    if os.access(tmp_path / "a.png", os.R_OK):
        pytest.skip("this user may read everything")
    assert probe(tmp_path / "a.png") == "a file that may not be read"


def test_the_error_travels_between_processes() -> None:
    error = pickle.loads(pickle.dumps(UnreadableImageError("a.jpg", "an empty file")))
    assert isinstance(error, InputError)
    assert (error.path, error.reason, str(error)) == (
        "a.jpg",
        "an empty file",
        "Expected an image that can be decoded, but got an empty file at a.jpg.",
    )


@settings(max_examples=150, deadline=None)
@given(data=st.data(), ending=st.sampled_from(["jpg", "png", "gif", "webp", "tiff", "bmp"]))
def test_damaged_bytes_never_crash(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, ending: str) -> None:
    folder = tmp_path_factory.mktemp("damaged")
    noise(16, 12).save(folder / f"whole.{ending}")
    content = bytearray((folder / f"whole.{ending}").read_bytes())
    for position in data.draw(st.lists(st.integers(0, len(content) - 1), min_size=1, max_size=8)):
        content[position] = data.draw(st.integers(0, 255))
    path = folder / f"damaged.{ending}"
    path.write_bytes(content[: data.draw(st.integers(0, len(content)))])
    with suppress(UnreadableImageError):
        assert decode(path).mode == "RGB"
    probe(path)
