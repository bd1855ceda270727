"""Images of every format, damaged in every way: each is read, or listed with one line; memory stays bounded."""

from __future__ import annotations

import os
import resource
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from cladewise import Taxonomy, backbones
from cladewise.datasets import Skipped, probe
from cladewise.datasets.dataset import Dataset
from cladewise.datasets.files.decoding import MAX_BYTES
from cladewise.engine.feeding.images import ImageRows

COUNT = int(os.environ.get("CLADEWISE_MUTATIONS", "250"))
"""How many damaged files are tried."""

Mutation = Callable[[bytearray, np.random.Generator], bytes]


def photograph(random: np.random.Generator) -> Image.Image:
    coarse = Image.fromarray(random.integers(0, 256, (5, 7, 3), dtype=np.uint8))
    return coarse.resize((112, 80), Image.Resampling.BICUBIC)


def originals(folder: Path) -> dict[str, bytes]:
    """Whole files: those of cameras, of scanners, of the web."""
    image = photograph(np.random.default_rng(0))
    clear, grey = image.copy(), image.convert("L")
    clear.putalpha(grey)
    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [photograph(np.random.default_rng(n)) for n in range(3)]
    deep = Image.fromarray(np.asarray(grey, dtype=np.uint16) * 200)
    made: dict[str, tuple[Image.Image, dict[str, object]]] = {
        "camera.jpg": (image, {"exif": exif, "quality": 90}),
        "progressive.jpg": (image, {"progressive": True, "optimize": True}),
        "print.jpg": (image.convert("CMYK"), {}),
        "plain.png": (image, {}),
        "clear.png": (clear, {"exif": exif}),
        "palette.png": (image.quantize(40), {"transparency": 3}),
        "deep.png": (deep, {}),
        "moving.gif": (frames[0], {"save_all": True, "append_images": frames[1:]}),
        "plain.tiff": (image, {}),
        "strips.tiff": (clear, {"compression": "tiff_lzw", "tiffinfo": {278: 5}}),
        "fax.tiff": (image.convert("1"), {"compression": "group4"}),
        "float.tiff": (grey.convert("F"), {"compression": "tiff_adobe_deflate"}),
        "web.webp": (image, {}),
        "moving.webp": (frames[0], {"save_all": True, "append_images": frames[1:], "lossless": True}),
        "plain.bmp": (image, {}),
        "palette.bmp": (image.quantize(16), {}),
        "plain.ppm": (image, {}),
        "run.tga": (image, {"compression": "tga_rle"}),
        "icon.ico": (clear, {}),
        "page.pcx": (image, {}),
        "plain.sgi": (image, {}),
    }
    if features.check("jpg_2000"):
        made["scan.jp2"] = (image, {})
    if features.check("avif"):
        made["phone.avif"] = (image, {})
    for name, (picture, options) in made.items():
        picture.save(folder / name, **options)
    return {name: (folder / name).read_bytes() for name in made}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    return originals(tmp_path_factory.mktemp("whole"))


def flip_bits(content: bytearray, random: np.random.Generator) -> bytes:
    for place in random.integers(0, len(content), random.integers(1, 12)):
        content[place] ^= 1 << int(random.integers(8))
    return bytes(content)


def edit_header(content: bytearray, random: np.random.Generator) -> bytes:
    for place in random.integers(0, min(len(content), 96), random.integers(1, 4)):
        content[place] = int(random.integers(256))
    return bytes(content)


def declare_huge(content: bytearray, random: np.random.Generator) -> bytes:
    """Sizes, offsets and counts of 2 and 4 bytes in both orders, at their largest and beside it."""
    width = int(random.choice([2, 4]))
    place = int(random.integers(0, min(len(content), 200) - width))
    value = int(random.choice([2 ** (8 * width) - 1, 2 ** (8 * width - 1) - 1, 2 ** (8 * width - 1), 20_000]))
    content[place : place + width] = value.to_bytes(width, "big" if random.random() < 0.5 else "little")
    return bytes(content)


def truncate(content: bytearray, random: np.random.Generator) -> bytes:
    return bytes(content[: random.integers(0, len(content))])


def drop_a_part(content: bytearray, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(content), 2))
    return bytes(content[:first] + content[last:])


def repeat_a_part(content: bytearray, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(content), 2))
    return bytes(content[:last] + content[first:last] * int(random.integers(1, 4)) + content[last:])


def append_garbage(content: bytearray, random: np.random.Generator) -> bytes:
    return bytes(content) + random.bytes(int(random.integers(1, 400)))


def zero_a_part(content: bytearray, random: np.random.Generator) -> bytes:
    first, last = sorted(random.integers(0, len(content), 2))
    return bytes(content[:first]) + bytes(last - first) + bytes(content[last:])


MUTATIONS: tuple[Mutation, ...] = (
    *(flip_bits, edit_header, declare_huge, truncate, drop_a_part, repeat_a_part, append_garbage, zero_a_part),
)


def test_damaged_images_are_read_or_listed_in_bounded_memory(tmp_path: Path, whole: dict[str, bytes]) -> None:
    random = np.random.default_rng(14)
    names, paths = list(whole), list[str]()
    for number in range(COUNT):
        name = names[number % len(names)]
        content = MUTATIONS[random.integers(len(MUTATIONS))](bytearray(whole[name]), random)
        suffix = Path(random.choice(names) if random.random() < 0.2 else name).suffix
        paths.append(f"{number}{suffix}")
        (tmp_path / paths[-1]).write_bytes(content)

    nodes = np.ones(COUNT, dtype=np.int64)
    dataset = Dataset("damaged", Taxonomy([-1, 0], ["all", "a"]), tmp_path, paths, nodes, {})
    transform = backbones.load("test_resnet", pretrained=False, image_size=32).transform()
    rows = ImageRows(dataset, np.arange(COUNT), transform)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    outcomes: Counter[str] = Counter()
    for number in range(COUNT):
        told = probe(tmp_path / paths[number])
        image = rows[number].image
        if isinstance(image, Skipped):
            assert image.path == paths[number]
            assert image.reason
            assert "\n" not in image.reason
            assert len(image.reason) < 300
            assert told in (None, image.reason)
            outcomes[image.reason.partition(" (")[0]] += 1
        else:
            assert told is None
            assert image.shape == (3, 32, 32)
            assert image.isfinite().all()
            outcomes["read"] += 1
    grown = 1024 * (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)
    print(f"{outcomes.total()} files, {grown / 1e6:.0f} MB: {dict(outcomes)}")
    assert outcomes["read"] > COUNT / 10
    assert outcomes.total() - outcomes["read"] > COUNT / 10
    assert grown < 1.2 * MAX_BYTES


def test_every_mutation_changes_something(whole: dict[str, bytes]) -> None:
    for mutation in MUTATIONS:
        random = np.random.default_rng(3)
        changed = [mutation(bytearray(content), random) != content for content in whole.values()]
        assert sum(changed) > len(changed) / 2, mutation.__name__
