#!/usr/bin/env bash
# torchvision: INaturalist's targets above the species merge taxa of different kingdoms that share a name.
#
# Expected: target_type="genus" numbers genera, so every genus has one kingdom.
# Actual: names are numbered rank by rank, ignoring the ranks above: the wheatears and the water-dropworts, both Oenanthe, get
# one genus index, with two kingdoms.
# Why it matters: the indices of the ranks do not form a tree. Parent tables made from target_type=["kingdom", ..., "full"] give
# a node two parents, and level accuracies count a bird as correct for a plant.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.14.1 torchvision==0.29.1 pillow
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image
from torchvision.datasets import INaturalist

print("torchvision", version("torchvision"))
FOLDERS = [
    "00000_Animalia_Chordata_Aves_Passeriformes_Muscicapidae_Oenanthe_oenanthe",
    "00001_Plantae_Tracheophyta_Magnoliopsida_Apiales_Apiaceae_Oenanthe_crocata",
    "00002_Animalia_Chordata_Mammalia_Primates_Aotidae_Aotus_trivirgatus",
]
with TemporaryDirectory() as root:
    for name in FOLDERS:
        folder = Path(root) / "2021_train_mini" / name
        folder.mkdir(parents=True)
        Image.new("RGB", (8, 8)).save(folder / "1.jpg")
    data = INaturalist(root, version="2021_train_mini", target_type=["kingdom", "genus", "full"])
    targets = [target for _, target in data]
    print("kingdom, genus, species of each image:", targets)
    assert targets[0][1] == targets[1][1]
    assert targets[0][0] != targets[1][0]
    assert [target[2] for target in targets] == [0, 1, 2]
PYTHON
