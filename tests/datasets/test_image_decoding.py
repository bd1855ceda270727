"""Every kind of image and of file that is none."""

from __future__ import annotations

import importlib.util
import os
import pickle
import re
import struct
import subprocess
import sys
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, features

from cladewise.datasets import UnreadableImageError, decode, probe
from cladewise.errors import InputError

TURNED = Image.Exif()
TURNED[0x0112] = 6  # the camera was turned: show it rotated by 90 degrees clockwise


def png(width: int, height: int, *, depth: int, kind: int, rows: bytes) -> bytes:
    """A PNG file by hand: Pillow writes neither 16-bit colours nor headers without the pixels to go with them."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


NUM_DAMAGED = int(os.environ.get("CLADEWISE_MUTATIONS", "25"))
"""How many damaged files of each format are tried."""


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
    image = Image.new("RGB", (32, 16), "white")
    image.paste("black", (0, 0, 16, 16))
    image.save(tmp_path / f"a.{ending}", exif=TURNED)
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
        "html.png": "a web page",
        "truncated.jpg": "a truncated image (",
        "truncated.png": "a truncated image (",
        "header-only.jpg": "a broken JPEG image (its header cannot be read)",
        "magic-only.png": "a broken PNG image (its header cannot be read)",
        "damaged.png": "a broken image (",
        "huge.png": "an image of 1600 megapixels, more than the limit of 179 megapixels",
        "large.png": "an image of 180 megapixels, more than the limit of 179 megapixels",
        "postscript.eps": "a PostScript drawing (export it as PNG)",
        "drawing.svg": "an SVG drawing (export it as PNG)",
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


def test_the_limit_of_memory_is_the_callers(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.png")
    assert decode(tmp_path / "a.png", max_bytes=4 * 64 * 48).size == (64, 48)
    with pytest.raises(UnreadableImageError, match=r"64 x 48 pixels, which takes .* more than the limit"):
        decode(tmp_path / "a.png", max_bytes=4 * 64 * 48 - 1)


@pytest.mark.parametrize(
    ("mode", "name", "options", "bytes_per_pixel"),
    [
        ("RGB", "a.png", {}, 4),
        ("RGB", "a.jpg", {}, 4),
        ("RGB", "a.jpg", {"progressive": True}, 4 + 6),
        ("RGB", "a.jpg", {"exif": TURNED}, 4 + 4),
        ("CMYK", "a.jpg", {"progressive": True}, 4 + 8 + 4),
        ("P", "a.gif", {}, 1 + 4),
        ("RGBA", "a.png", {}, 4 + 4),
        ("I;16", "a.png", {}, 2 + 4),
        ("F", "a.tiff", {}, 4 + 6 + 4),
        ("RGB", "a.webp", {}, 4 + 12),
    ],
)
def test_the_limit_counts_what_decoding_takes(
    tmp_path: Path, mode: str, name: str, options: dict[str, Any], bytes_per_pixel: int
) -> None:
    Image.new(mode, (20, 10)).save(tmp_path / name, **options)
    needed = 20 * 10 * bytes_per_pixel
    assert probe(tmp_path / name, max_bytes=needed) is None
    assert decode(tmp_path / name, max_bytes=needed).size in ((20, 10), (10, 20))
    assert "more than the limit" in (probe(tmp_path / name, max_bytes=needed - 1) or "")


def test_a_large_image_is_refused_by_its_bytes_not_its_pixels(tmp_path: Path) -> None:
    (tmp_path / "colours.png").write_bytes(png(13_000, 13_000, depth=8, kind=2, rows=b""))
    (tmp_path / "clear.png").write_bytes(png(13_000, 13_000, depth=8, kind=6, rows=b""))
    assert probe(tmp_path / "colours.png") is None
    assert probe(tmp_path / "clear.png") == (
        "an image of 13000 x 13000 pixels, which takes 1.4 GB to decode, more than the limit of 1.0 GB"
    )


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "CMYK", "I;16", "F"])
def test_strips_give_what_the_whole_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mode: str) -> None:
    random = np.random.default_rng(0)
    values = random.integers(0, 256, (48, 64, 4), dtype=np.uint8)
    deep = {"I;16": np.uint16, "F": np.float32}
    image = (
        Image.fromarray(random.integers(0, 60_000, (48, 64)).astype(deep[mode]))
        if mode in deep
        else Image.fromarray(values, "RGBA").convert("RGB" if mode in ("P", "CMYK") else "RGBA").convert(mode)
    )
    image.save(tmp_path / "a.tiff")
    whole = np.asarray(decode(tmp_path / "a.tiff"))
    monkeypatch.setattr("cladewise.datasets.files.decoding._STRIP_PIXELS", 64 * 7)
    np.testing.assert_array_equal(np.asarray(decode(tmp_path / "a.tiff")), whole)


FOREIGN = {
    "a.heic": (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC image (to read it: pip install pillow-heif)"),
    "named.jpg": (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC image (to read it: pip install pillow-heif)"),
    "a.jxl": (b"\xff\x0a\xfa\x1f\x01", "a JPEG XL image (to read it: pip install pillow-jxl-plugin)"),
    "box.jxl": (b"\0\0\0\x0cJXL \r\n\x87\n", "a JPEG XL image (to read it: pip install pillow-jxl-plugin)"),
    "a.cr3": (b"\0\0\0\x18ftypcrx \0\0\0\1", "a raw photograph (export it as JPEG)"),
    "a.raf": (b"FUJIFILMCCD-RAW 0201", "a raw photograph (export it as JPEG)"),
    "a.psd": (b"8BPS\0\1\0\0", "a Photoshop document (export it as PNG)"),
    "a.pdf": (b"%PDF-1.7\n", "a PDF document (export its pages as images)"),
    "a.mp4": (b"\0\0\0\x20ftypisom\0\0\2\0", "a video (extract its frames)"),
    "a.mov": (b"\0\0\0\x14ftypqt  \0\0\0\0", "a video (extract its frames)"),
    "a.webm": (b"\x1aE\xdf\xa3\x01\0", "a video (extract its frames)"),
    "a.avi": (b"RIFF\x24\0\0\0AVI LIST", "a video (extract its frames)"),
    "a.svg": (b'<?xml version="1.0"?>\n<svg width="9"/>', "an SVG drawing (export it as PNG)"),
    "a.zip": (b"PK\3\4\x14\0", "a ZIP archive, or a document in one (unpack it)"),
    "lfs.jpg": (
        b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n",
        "a Git LFS pointer in place of the image (fetch it: git lfs pull)",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_file_of_another_kind_is_named(tmp_path: Path, name: str) -> None:
    content, reason = FOREIGN[name]
    for kind, package in (("HEIC", "pillow_heif"), ("JPEG XL", "pillow_jxl")):
        if kind in reason and importlib.util.find_spec(package):
            reason = "a broken "
    (tmp_path / name).write_bytes(content)
    assert (probe(tmp_path / name) or "").startswith(reason)
    with pytest.raises(UnreadableImageError, match=re.escape(f"but got {reason}")):
        decode(tmp_path / name)


def test_the_preview_in_a_raw_photograph_is_not_taken_for_it(tmp_path: Path) -> None:
    noise().save(tmp_path / "a.nef", "TIFF", tiffinfo={254: 1})
    noise().save(tmp_path / "a.tif", tiffinfo={254: 0})
    assert probe(tmp_path / "a.nef") == ("a raw photograph, of which only a preview can be read (export it as JPEG)")
    assert decode(tmp_path / "a.tif").size == (64, 48)


def test_an_avif_image_is_read(tmp_path: Path) -> None:
    if not features.check("avif"):
        pytest.skip("this Pillow reads no AVIF")
    Image.new("RGB", (16, 16), (200, 10, 10)).save(tmp_path / "a.avif", quality=95)
    assert np.abs(np.subtract(color(tmp_path / "a.avif"), (200, 10, 10))).max() <= 8


def test_names_are_told_apart_before_any_image_was_opened() -> None:
    imported = "from cladewise.datasets.files.decoding import is_meant_as_image as meant"
    script = f"{imported}; print(meant('a.HEIC'), meant('a.md'))"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (result.stdout, result.stderr) == ("True False\n", "")


@pytest.mark.parametrize(("package", "name"), [("pillow_heif", "a.heic"), ("pillow_jxl", "a.jxl")])
def test_a_plugin_that_is_installed_is_used(tmp_path: Path, package: str, name: str) -> None:
    plugin = pytest.importorskip(package)
    getattr(plugin, "register_heif_opener", lambda: None)()
    Image.new("RGB", (64, 48), (200, 10, 10)).save(tmp_path / name)
    assert probe(tmp_path / name) is None
    assert np.abs(np.subtract(color(tmp_path / name), (200, 10, 10))).max() <= 16


@pytest.mark.parametrize(
    "name", [b"caf\xe9.png", b"two\nlines.png", b"-rf.png", b" .png", b"=1+1.png", b"\xff\xfe", b"a" * 251 + b".png"]
)
def test_any_file_name_will_do(tmp_path: Path, name: bytes) -> None:
    path = os.path.join(tmp_path, os.fsdecode(name))
    noise().save(path, "PNG")
    assert probe(path) is None
    assert decode(path).size == (64, 48)


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


def test_damaged_bytes_never_crash(tmp_path: Path) -> None:
    decoded = 0
    for ending in ("jpg", "png", "gif", "webp", "tiff", "bmp"):
        noise(16, 12).save(tmp_path / f"whole.{ending}")
        whole = (tmp_path / f"whole.{ending}").read_bytes()
        path = tmp_path / f"damaged.{ending}"
        for seed in range(NUM_DAMAGED):
            random = np.random.default_rng(seed)
            content = bytearray(whole)
            for position in random.integers(0, len(content), random.integers(1, 9)):
                content[position] = random.integers(256)
            path.write_bytes(content[: random.integers(len(content) // 2, len(content) + 1)])
            with suppress(UnreadableImageError):
                assert decode(path).mode == "RGB", f"{ending}, seed {seed}"
                decoded += 1
            probe(path)
    assert 0 < decoded < 6 * NUM_DAMAGED


def test_bytes_decode_as_their_file_does(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    picture = Image.fromarray(rng.integers(0, 256, (90, 120, 3), dtype=np.uint8))
    for name, options in {"a.jpg": {"quality": 90}, "b.png": {}, "c.tif": {}, "d.webp": {"lossless": True}}.items():
        path = tmp_path / name
        picture.save(path, **options)
        for size in (None, 20, (40, 10)):
            assert decode("elsewhere", content=path.read_bytes(), size=size) == decode(path, size=size), (name, size)
    for content, reason in ((b"", "an empty file"), (b"GIF89a", "a broken GIF"), (b"II*\0    CR", "preview|broken")):
        with pytest.raises(UnreadableImageError, match=reason) as raised:
            decode("s3://bucket/x.jpg", content=content)
        assert raised.value.path == "s3://bucket/x.jpg"


def test_threads_that_decode_leave_the_warnings_of_the_process_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (400, 300), "red").save(path, exif=exif)
    with warnings.catch_warnings():
        before = list(warnings.filters)
        with ThreadPoolExecutor(8) as pool:
            sizes = {picture.size for picture in pool.map(lambda _: decode(path), range(200))}
        assert list(warnings.filters) == before
    assert sizes == {(300, 400)}
