#!/usr/bin/env bash
# label-studio-sdk: JSON-MIN and CSV write the choice made for a box like a choice made for the whole image.
#
# Expected: the results of regions keep the place of their region, as they do for boxes, and for Taxonomy results.
# Actual: a Choices result with one choice becomes the plain text of the choice. Two birds in two boxes are a list of two
# texts, which is how an image with two labels looks; the full JSON has both places.
# Why it matters: species chosen per box are the usual way to label camera-trap images. Read from the small export, the
# images train an image classifier, those with two boxes as if they had two labels.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet label-studio-sdk==2.1.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import json
import logging
from importlib.metadata import version
from pathlib import Path

from label_studio_sdk.converter import Converter

logging.disable(logging.CRITICAL)
print("label-studio-sdk", version("label-studio-sdk"))
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <RectangleLabels name="box" toName="image"><Label value="animal"/></RectangleLabels>
  <Choices name="species" toName="image" perRegion="true"><Choice value="wren"/><Choice value="robin"/></Choices>
</View>"""
BOX = {"x": 1, "y": 2, "width": 10, "height": 20, "rotation": 0}


def region(number, species):
    shared = {"id": f"r{number}", "to_name": "image"}
    box = {"from_name": "box", "type": "rectanglelabels", "value": {**BOX, "rectanglelabels": ["animal"]}}
    return [{**shared, **box}, {**shared, "from_name": "species", "type": "choices", "value": {**BOX, "choices": [species]}}]


whole = {"from_name": "species", "to_name": "image", "type": "choices", "value": {"choices": ["wren"]}}
results = [region(1, "wren") + region(2, "robin"), region(1, "wren"), [whole]]
tasks = [
    {"id": n, "data": {"image": f"{n}.jpg"}, "annotations": [{"id": n, "result": found}]}
    for n, found in enumerate(results, start=1)
]
Path("tasks.json").write_text(json.dumps(tasks))
Converter(CONFIG, ".").convert("tasks.json", "min", "JSON_MIN", is_dir=False)
rows = json.loads(Path("min/result.json").read_text())
for row in rows:
    print(row["image"], row["species"], len(row.get("box", [])), "boxes")
assert rows[0]["species"] == ["wren", "robin"]
assert rows[1]["species"] == rows[2]["species"] == "wren"
PYTHON
