#!/usr/bin/env bash
# timm: the folder reader names a class by its last folder only, so equal names in two branches are one class.
#
# Expected: as in torchvision's ImageFolder the top-level folder is the class, or else the whole path is.
# Actual: for bird/other, moth/other and images in moth/ itself, the classes are "moth" and "other": two branches are merged, and
# an image of an internal node has a class that competes with its own descendants.
# Why it matters: nested folders are often passed to a timm script for a baseline. The baseline then solves a different task
# with fewer classes, and its accuracy is not comparable.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet timm==1.0.31 torch==2.14.1 torchvision==0.29.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from timm.data import create_dataset
from torchvision.datasets import ImageFolder

print("timm", version("timm"), "torchvision", version("torchvision"))
with TemporaryDirectory() as root:
    for name in ("bird/other", "bird/wren", "moth/other", "moth"):
        (Path(root) / name).mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (8, 8)).save(Path(root) / name / "1.jpg")
    reader = create_dataset("", root=root).reader
    labels = {Path(path).relative_to(root).as_posix(): label for path, label in reader.samples}
    print("timm:", reader.class_to_idx, labels)
    print("torchvision:", ImageFolder(root).class_to_idx)
    assert reader.class_to_idx == {"moth": 0, "other": 1, "wren": 2}
    assert labels["bird/other/1.jpg"] == labels["moth/other/1.jpg"] == 1
    assert labels["moth/1.jpg"] == 0
    assert ImageFolder(root).class_to_idx == {"bird": 0, "moth": 1}
PYTHON
