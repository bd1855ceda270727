"""Images per second of `cladewise.datasets.decode` and of `Image.open(path).convert("RGB")`, in one process.

    python benchmarks/image_decoding.py [folder]

Without a folder it generates JPEG files of the size of photographs, and PNG files of the size of drawings. The loops
alternate on every file, so that other load affects all of them; the fastest of several rounds counts.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image, ImageFilter

from cladewise.datasets import decode
from cladewise.datasets.files.decoding import UnreadableImageError
from cladewise.datasets.files.walking import usable, walk

ROUNDS = 5
SIZE = 224
LIMIT = 500


def bare(path: Path) -> Image.Image:
    with Image.open(path) as image:
        return image.convert("RGB")


def whole(path: Path) -> Image.Image:
    return decode(path)


def reduced(path: Path) -> Image.Image:
    return decode(path, size=SIZE)


def seconds(read: Callable[[Path], Image.Image], path: Path) -> float:
    start = time.perf_counter()
    read(path)
    return time.perf_counter() - start


def readable(path: Path) -> bool:
    try:
        decode(path)
    except UnreadableImageError:
        return False
    return True


def made_up(folder: Path, ending: str, width: int, height: int, count: int) -> list[Path]:
    """Smooth noise, which compresses about as well as a photograph."""
    paths: list[Path] = []
    for number in range(count):
        pixels = np.random.default_rng(number).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
        picture = Image.fromarray(pixels).resize((width, height)).filter(ImageFilter.UnsharpMask(2))
        paths.append(folder / f"{ending}-{number}.{ending}")
        picture.save(paths[-1])
    return paths


def compare(title: str, paths: list[Path]) -> None:
    loops = {"bare Pillow": bare, "decode": whole, f"decode, size={SIZE}": reduced}
    times = dict.fromkeys(loops, 0.0)
    for path in paths:
        fastest = dict.fromkeys(loops, float("inf"))
        for _ in range(ROUNDS):
            for name, read in loops.items():
                fastest[name] = min(fastest[name], seconds(read, path))
        for name, time_taken in fastest.items():
            times[name] += time_taken
    print(f"{title} ({len(paths)} files)")
    for name, time_taken in times.items():
        rate, ratio = len(paths) / time_taken, times["bare Pillow"] / time_taken
        print(f"  {name:<20} {rate:8.0f} images/s   {ratio:5.2f} x")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", nargs="?", type=Path)
    folder: Path | None = parser.parse_args().folder
    if folder is not None:
        images, _ = usable(folder, list(walk(folder)))
        chosen = [folder / name for name in images[:: max(1, len(images) // LIMIT)]]
        compare(str(folder), [path for path in chosen if readable(path)])
        return
    with tempfile.TemporaryDirectory() as name:
        compare("photographs, JPEG 640 x 480", made_up(Path(name), "jpg", 640, 480, 60))
        compare("drawings, PNG 96 x 96", made_up(Path(name), "png", 96, 96, 200))


if __name__ == "__main__":
    main()
