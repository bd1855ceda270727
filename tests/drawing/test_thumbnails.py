"""Thumbnails for pages and figures."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from cladewise import Taxonomy
from cladewise.datasets import Dataset
from cladewise.drawing.thumbnails import thumbnail, thumbnail_pixels


def opened(address: str) -> Image.Image:
    assert address.startswith("data:image/jpeg;base64,")
    return Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "LA", "P", "CMYK", "1", "I;16", "I", "F"])
def test_every_kind_of_picture_becomes_a_small_one(tmp_path, mode):
    samples = Image.new("L", (400, 200), 128)
    if mode in ("I", "F", "I;16"):
        picture = Image.fromarray(
            (np.arange(400 * 200).reshape(200, 400) % 60000).astype({"I": "i4", "F": "f4", "I;16": "u2"}[mode])
        )
    else:
        picture = samples.convert("RGB").convert(mode) if mode != "LA" else samples.convert("LA")
    file = tmp_path / "picture.tiff"
    picture.save(file)
    small = opened(thumbnail(file))
    assert small.size == (128, 64)
    assert small.mode == "RGB"


def test_transparency_lies_over_white_and_rotation_is_undone(tmp_path):
    clear = Image.new("RGBA", (64, 64), (0, 0, 0, 0))
    clear.save(tmp_path / "clear.png")
    assert opened(thumbnail(tmp_path / "clear.png")).getpixel((5, 5)) == (255, 255, 255)
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 30)).save(tmp_path / "turned.jpg", exif=exif)
    assert opened(thumbnail(tmp_path / "turned.jpg")).size == (30, 60)


def test_what_cannot_be_opened_has_no_picture(tmp_path):
    (tmp_path / "text.jpg").write_text("not a picture")
    Image.new("RGB", (300, 300), (9, 200, 40)).save(tmp_path / "whole.png")
    (tmp_path / "cut.png").write_bytes((tmp_path / "whole.png").read_bytes()[:60])
    assert [thumbnail(tmp_path / name) for name in ("text.jpg", "cut.png", "missing.png", ".")] == [None] * 4


def test_a_photograph_that_is_gone_is_grey(tmp_path: Path) -> None:
    data = Dataset("d", Taxonomy.from_paths([("a",), ("b",)]), tmp_path, ["gone.jpg"], np.array([2]), {})
    pixels = thumbnail_pixels(data, 0, 8)
    assert pixels.shape == (8, 8, 3)
    assert (pixels == 225).all()
