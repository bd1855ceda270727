#!/usr/bin/env bash
# pycocotools 2.0.11: results for whole images, as iNaturalist's, cannot be loaded unless each has an id.
#
# Expected: loadRes takes a list of {"image_id", "category_id", "score"}, since it numbers results with boxes, masks,
# keypoints and captions itself.
# Actual: only those four kinds get an id; for labels of images it is a KeyError: 'id', and with an id they load. One
# result with a box at the front makes it read a box of every other one.
# Why it matters: predictions of classes in the results format cannot be evaluated against the COCO file that they are
# for, and the message does not say that the id, which the format does not have, is missing.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q pycocotools==2.0.11
cd "$work"
"$work/venv/bin/python" - <<'PY'
import contextlib
import io
import json
import sys
from importlib.metadata import version

from pycocotools.coco import COCO

print("Python", sys.version.split()[0], "pycocotools", version("pycocotools"))
images = [{"id": 1, "file_name": "a.jpg"}, {"id": 2, "file_name": "b.jpg"}]
truth = {"images": images, "categories": [{"id": 7, "name": "wren", "supercategory": "bird"}]}
truth["annotations"] = [{"id": n, "image_id": n, "category_id": 7} for n in (1, 2)]
with open("truth.json", "w") as file:
    json.dump(truth, file)


def loaded(results):
    with contextlib.redirect_stdout(io.StringIO()):
        try:
            return COCO("truth.json").loadRes(results).anns
        except Exception as error:
            return repr(error)


labels = [{"image_id": n, "category_id": 7, "score": 0.5} for n in (1, 2)]
with_box = {**labels[0], "bbox": [0, 0, 4, 4]}
found = {
    "labels": loaded([dict(label) for label in labels]),
    "labels with ids": loaded([{"id": n, **label} for n, label in enumerate(labels, 1)]),
    "a box, without an id": loaded([dict(with_box)]),
    "a box, then a label": loaded([dict(with_box), dict(labels[1])]),
}
for kind, result in found.items():
    print(f"{kind}: {result}")
assert found["labels"] == "KeyError('id')"
assert sorted(found["labels with ids"]) == [1, 2]
assert sorted(found["a box, without an id"]) == [1]
assert found["a box, then a label"] == "KeyError('bbox')"
PY
echo "Behaviour as described."
