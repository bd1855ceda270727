#!/usr/bin/env bash
# datasets (Hugging Face): nested class folders lose their branch, and with images at two depths all labels are dropped.
#
# Expected: bird/other and moth/other are two classes, or an error.
# Actual: they are one class "other". If a class has images of its own next to subfolders (moth/), the folders have different
# depths and no "label" column is created, without a warning; drop_labels=False brings back the merged class.
# Why it matters: repeated names and labels at internal nodes are normal in label trees, and exactly what this loader cannot
# represent. Pass paths as metadata instead.
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


counts, names, labels = load("bird/other", "bird/wren", "moth/other", "moth/hawk")
assert names == {"train": ["hawk", "other", "wren"]}
assert labels["train"].count(1) == 4
counts, names, _ = load("bird/other", "bird/wren", "moth/other", "moth")
assert counts == {"train": 8}
assert names == {"train": None}
PYTHON
