#!/usr/bin/env bash
# datasets (Hugging Face): a split whose images are all of one class has null labels, although other splits name the class.
#
# Expected: train/wren next to validation/wren and validation/hawk gives the label "wren" in both splits.
# Actual: the labels of train are null, because each split checks separately whether its folders differ; the feature is there
# and declares two classes.
# Why it matters: splits by region, season or camera often have a single class at the coarse level. Training code that maps
# null to an index, or drops such rows, fails far from the cause.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet datasets==5.2.0 pillow==12.3.0
HF_HUB_OFFLINE=1 "$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import datasets
from PIL import Image

datasets.disable_progress_bars()
print("datasets", version("datasets"))


def load(*folders):
    """Splits of a folder with two images in each of the folders: number of images, class names and labels."""
    with TemporaryDirectory() as root, TemporaryDirectory() as cache:
        for name in folders:
            (Path(root) / name).mkdir(parents=True, exist_ok=True)
            for number in range(2):
                Image.new("RGB", (8, 8)).save(Path(root) / name / f"{number}.jpg")
        found = datasets.load_dataset("imagefolder", data_dir=root, cache_dir=cache)
        names = {split: rows.features["label"].names if "label" in rows.features else None for split, rows in found.items()}
        labels = {split: list(rows["label"]) if names[split] else None for split, rows in found.items()}
        print(folders, {split: (len(rows), names[split], labels[split]) for split, rows in found.items()})
        return {split: len(rows) for split, rows in found.items()}, names, labels


_, names, labels = load("train/wren", "validation/wren", "validation/hawk")
assert names == {"train": ["hawk", "wren"], "validation": ["hawk", "wren"]}
assert labels["train"] == [None, None]
assert sorted(labels["validation"]) == [0, 0, 1, 1]
PYTHON
