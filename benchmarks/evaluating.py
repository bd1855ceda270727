"""Peak memory and time of the evaluation of many images on a large tree, from cached features.

The features are written straight into the cache, near the weights of the head, so that answers are mostly right. Time
is relative to the head's product with the features alone, and memory to the scores of all images, which earlier
versions held. Every stage is a process of its own.

    python benchmarks/evaluating.py --images 1000000 --tree inat21 --folder /var/tmp/evaluating
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import torch
from PIL import Image

import cladewise as cw
from cladewise.datasets.dataset import Dataset
from cladewise.engine import Run
from cladewise.engine.feeding import features
from cladewise.engine.feeding.contents import file_marks, marks
from losses import LEVEL_SIZES, synthetic_tree

FILES = 1000
"""Files and links to their folder: their product is the number of paths."""
ROWS = 1 << 14
GOAL = 2000
"""Megabytes."""


def data(folder: Path, images: int, tree: str) -> Dataset:
    """Images that all have a path, of which few are files: features are looked up by path, size and time."""
    taxonomy = synthetic_tree(LEVEL_SIZES[tree])
    paths = [f"{number // FILES:04}/{number % FILES:03}.png" for number in range(images)]
    leaves = np.random.default_rng(0).choice(taxonomy.leaf_nodes, images)
    return Dataset(
        "many", taxonomy, folder / "images", paths, leaves, {"train": np.arange(64), "test": np.arange(images)}
    )


def make(folder: Path, images: int, tree: str, method: str) -> None:
    """The images, a run with the weights that its head began with, and features."""
    (folder / "images" / "files").mkdir(parents=True)
    for number in range(FILES):
        colour = tuple(np.random.default_rng(number).integers(0, 256, 3).tolist())
        Image.new("RGB", (32, 32), colour).save(folder / "images" / "files" / f"{number:03}.png")
        os.utime(folder / "images" / "files" / f"{number:03}.png", (1.7e9, 1.7e9))
    for number in range(-(-images // FILES)):
        (folder / "images" / f"{number:04}").symlink_to("files")
    dataset = data(folder, images, tree)
    run = cw.train(
        dataset,
        method=method,
        out=folder / "run",
        backbone="test_resnet",
        pretrained=False,
        image_size=32,
        freeze=True,
        scaling="none",
        epochs=0,
        val_split="none",
        progress=False,
    )
    store = features.cached_features(dataset, np.arange(1), run.backbone, progress=False)
    written = features.FeatureStore(
        store.folder, store.num_features, "f4", {"recipe": store.folder.name.rpartition("-")[2]}
    )
    weight = next(p for p in run.classifier.head.parameters() if p.ndim == 2).detach().numpy()
    files, random = file_marks(features.cache_folder() / features.FILES), np.random.default_rng(1)
    logit_nodes = run.classifier(torch.zeros(1, store.num_features)).settled().scored_nodes.numpy()
    row = np.zeros(dataset.taxonomy.num_nodes, dtype=np.int64)
    row[logit_nodes] = np.arange(len(logit_nodes))
    for start in range(0, images, ROWS):
        index = np.arange(start, min(start + ROWS, images))
        near = weight[row[dataset.nodes[index]]]
        near = near / np.square(near).sum(1, keepdims=True) * random.uniform(6, 16, (len(index), 1))
        rows = (near + random.normal(0, 0.1, near.shape)).astype(np.float32)
        keys = random.integers(0, 1 << 63, (2, len(index)), dtype=np.uint64)
        written.write(keys, rows)
        files.write(marks(dataset, index), keys.T.copy())


def evaluate(folder: Path, images: int, tree: str, decision: str) -> None:
    """Evaluate, and print the peak of the process and the seconds."""
    dataset = data(folder, images, tree)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    start = time.perf_counter()
    found = cw.evaluate(folder / "run", data=dataset, decision=decision, progress=False)
    seconds, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    run = Run.open(folder / "run")
    inputs, head = torch.randn(ROWS, run.backbone.num_features), run.classifier
    with torch.inference_mode():
        start = time.perf_counter()
        width = sum(len(head(part).logits) * head(part).logits.shape[1] for part in inputs.split(512)) / ROWS
        product = (time.perf_counter() - start) / 2 / ROWS * images
    scores = images * width * 4 / 1e6
    print(f"{found.num_images:,} images x {dataset.taxonomy.num_nodes:,} nodes, {decision}: top1 {found.top1:.3f}")
    print(f"  peak {peak:,.0f} MB (goal {GOAL:,}), {before:,.0f} MB before; scores of all {scores:,.0f} MB")
    print(f"  {seconds:.0f} s, {seconds / product:.1f} times the head alone")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=1_000_000)
    parser.add_argument("--tree", default="inat21", choices=LEVEL_SIZES)
    parser.add_argument("--method", default="flat-softmax")
    parser.add_argument(
        "--decisions", nargs="+", default=["leaf", "leaf"], help="the second one finds the table of predictions"
    )
    parser.add_argument("--folder", type=Path, help="kept, and used again if it is there")
    parser.add_argument("--stage", help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary) / "evaluating"
        os.environ["CLADEWISE_CACHE"] = str(folder / "cache")
        if options.stage == "make":
            make(folder, options.images, options.tree, options.method)
        elif options.stage:
            evaluate(folder, options.images, options.tree, options.stage)
        else:
            stages = [*([] if folder.exists() else ["make"]), *options.decisions]
            for stage in stages:
                words = [*sys.argv, "--folder", str(folder), "--stage", stage]
                subprocess.run([sys.executable, *words], check=True)


if __name__ == "__main__":
    main()
