"""Time and peak memory of a zero-shot run: its texts, and the scores of images over all leaves.

The model is a random one in open_clip's format with a tiny text tower (64 wide, one layer) and a tiny image tower, in a
space of 512 dimensions. Texts are ``{taxonomic}``. The tree has the seven ranks, with as many species as
asked for. Every command runs in its own process; seconds are of the processor, since other work may be running.

    python benchmarks/zero_shot.py FOLDER [--species 800000] [--images 1000] [--precision float16]
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import polars as pl
import safetensors.torch
import torch
from PIL import Image

CONFIG: dict[str, Any] = {
    "embed_dim": 512,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 64, "head_width": 32, "patch_size": 16},
    "text_cfg": {"vocab_size": 49408, "width": 64, "heads": 2, "layers": 1},
}
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
SYLLABLES = ("ba", "co", "du", "fe", "gi", "lo", "mi", "nu", "pa", "ra", "se", "ti", "vo", "xe")


def write_model(folder: Path, context: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    torch.manual_seed(0)
    config = {**CONFIG, "text_cfg": {**CONFIG["text_cfg"], "context_length": context}}
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": config, "preprocess_cfg": {}}))
    tensors = {name: value.contiguous() for name, value in open_clip.CLIP(**config).state_dict().items()}
    safetensors.torch.save_file(tensors, folder / "open_clip_model.safetensors")


def write_tree(file: Path, species: int) -> None:
    """A table of ranks; names are made of syllables and a number in that alphabet, so that they differ."""
    random = np.random.default_rng(0)
    sizes = [max(1, round(species ** (level / 6.6))) for level in range(1, 7)]
    of = np.arange(species) % sizes[-1]  # the genus of each species
    columns, above = {}, of
    for level in range(5, -1, -1):
        columns[RANKS[level]] = np.array([word(number, level).capitalize() for number in range(sizes[level])])[above]
        if level:
            parent = np.concatenate(
                [np.arange(sizes[level - 1]), random.integers(0, sizes[level - 1], sizes[level] - sizes[level - 1])]
            )
            above = parent[above]
    epithets = np.array([word(number, 6) for number in range(species)])
    columns["species"] = np.char.add(np.char.add(columns["genus"], " "), epithets)
    pl.DataFrame({rank: columns[rank] for rank in RANKS}).write_csv(file)


def word(number: int, level: int) -> str:
    """A pronounceable name for a number."""
    found, base = [SYLLABLES[level]], len(SYLLABLES)
    while True:
        number, rest = divmod(number, base)
        found.append(SYLLABLES[rest])
        if not number:
            return "".join(found)


def write_photos(folder: Path, count: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    for number in range(count):
        pixels = random.integers(0, 255, (32, 32, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{number:05d}.png")


def measured(what: str, *words: str) -> None:
    """Run a command, and print its time of the processor and its peak memory."""
    begin = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-m", "cladewise", *words], stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    assert status == 0, words
    cpu, wall = used.ru_utime + used.ru_stime, time.perf_counter() - begin
    print(
        f"{what}: {cpu:.0f} s of processor, {wall:.0f} s of wall clock, peak {used.ru_maxrss / 2**20:.2f} GB",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--species", type=int, default=800_000)
    parser.add_argument("--images", type=int, default=1_000)
    parser.add_argument("--context", type=int, default=77, help="tokens of a text")
    parser.add_argument("--precision", default="float16", choices=("float16", "float32"))
    given = parser.parse_args()
    folder: Path = given.folder
    tree, model, photos, run = (folder / name for name in ("tree.csv", "model", "photos", "run"))
    write_model(model, given.context)
    write_tree(tree, given.species)
    write_photos(photos, given.images)
    os.environ["CLADEWISE_CACHE"] = str(folder / "cache")
    words = ("zero-shot", str(tree), "--model", str(model), "--texts", "bioclip", "--precision", given.precision)
    measured(f"{given.species:,} species, all texts encoded", *words, "--out", str(run))
    measured("the same again, all vectors kept", *words, "--out", str(run), "--overwrite")
    answers = ("predict", str(run), str(photos), "--decision", "majority", "--out", str(folder / "answers.csv"))
    measured(f"{given.images:,} images × {given.species:,} leaves", *answers)
    size = (run / "model.safetensors").stat().st_size / 2**30
    print(f"model.safetensors: {size:.2f} GB")


if __name__ == "__main__":
    main()
