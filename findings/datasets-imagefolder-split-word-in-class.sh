#!/usr/bin/env bash
# datasets (Hugging Face): a class folder whose name contains the word of a split becomes that split, and all other classes vanish.
#
# Expected: the folders bird/wren and lab/test tubes give four images of two classes; a split is a top-level folder called
# train or test.
# Actual: a word such as "test" or "evaluation" anywhere in a path is enough: the two test tubes become the split "test" and
# the wrens are dropped without a warning. If the remaining images are of one class, the labels are dropped too.
# Why it matters: class folders have several words (test tubes, training shoes, evaluation board), and nested folders have
# many names that may contain one. Count images and classes after loading.
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


counts, names, _ = load("bird/wren", "lab/test tubes")
assert counts == {"test": 2}
assert names == {"test": None}
counts, names, _ = load("bird/wren", "lab/glass tubes")
assert counts == {"train": 4}
assert names == {"train": ["glass tubes", "wren"]}
PYTHON
