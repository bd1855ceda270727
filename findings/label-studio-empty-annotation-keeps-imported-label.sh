#!/usr/bin/env bash
# label-studio-sdk: in JSON-MIN, an annotation without a result has the label that came with the task.
#
# Expected: a task whose annotator chose nothing has no value for the control, as in the CSV of the same converter, which puts
# data of the same name into a column of its own.
# Actual: results are written over the task's data by the control's name. If the data had a key of that name, such as the
# species a model or a file name suggested, it is what an empty annotation exports, next to the annotator and the date.
# Why it matters: importing a table with a column "species" into a project with a control "species" is the obvious thing to
# do. What the annotator rejected or left open is then indistinguishable from what was confirmed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet label-studio-sdk==2.1.2
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import csv
import json
import logging
from importlib.metadata import version
from pathlib import Path

from label_studio_sdk.converter import Converter

logging.disable(logging.CRITICAL)
print("label-studio-sdk", version("label-studio-sdk"))
CONFIG = """<View>
  <Image name="image" value="$image"/>
  <Choices name="species" toName="image"><Choice value="wren"/><Choice value="robin"/></Choices>
</View>"""
wren = {"from_name": "species", "to_name": "image", "type": "choices", "value": {"choices": ["wren"]}}
tasks = [
    {"id": n, "data": {"image": f"{n}.jpg", "species": "robin"}, "annotations": [{"id": n, "completed_by": 1, "result": found}]}
    for n, found in enumerate(([wren], []), start=1)
]
Path("tasks.json").write_text(json.dumps(tasks))
for form in ("JSON_MIN", "CSV"):
    Converter(CONFIG, ".").convert("tasks.json", form, form, is_dir=False)
rows = json.loads(Path("JSON_MIN/result.json").read_text())
table = list(csv.DictReader(Path("CSV/result.csv").open()))
for row in rows:
    print(row["image"], row["species"], "by annotator", row["annotator"])
assert [row["species"] for row in rows] == ["wren", "robin"]
assert [row["species"] for row in table] == ["wren", ""]
assert [row["_data_species"] for row in table] == ["robin", "robin"]
PYTHON
