#!/usr/bin/env bash
# BirdNET-Analyzer: its CSV is joined with commas and never quoted, so a comma in a path shifts or breaks the rows.
#
# Expected: a program that writes CSV quotes cells that contain a comma, as every CSV writer does.
# Actual: a recording in "site 4, pond/dawn.wav" gives rows of seven cells under a header of six. pandas does not refuse them:
# where all rows have one cell more than the header, it takes the first column for an index and shifts the others by one, so
# that "Start (s)" holds the end, "Scientific name" the common name, "Common name" the confidence, and "Confidence" a piece
# of the path.
# Why it matters: names are then looked up in the wrong column, and common names are no keys of a label tree.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet birdnet-analyzer==2.4.0 pandas==3.1.1
venv/bin/python - 2>/dev/null <<'PYTHON'
import importlib.metadata
import io
from pathlib import Path

import birdnet_analyzer.config as cfg
import pandas as pd
from birdnet_analyzer.analyze import utils

print("birdnet-analyzer", importlib.metadata.version("birdnet-analyzer"), "pandas", pd.__version__)
cfg.LABELS = cfg.TRANSLATED_LABELS = ["Turdus merula_Eurasian Blackbird"]
found = {"3.0-6.0": [("Turdus merula_Eurasian Blackbird", 0.9123)]}
utils.generate_csv(list(found), found, "site 4, pond/dawn.wav", "./dawn.csv")
text = Path("dawn.csv").read_text()
print(text)
header, row = text.splitlines()
assert (len(header.split(",")), len(row.split(","))) == (6, 7)
read = pd.read_csv(io.StringIO(text))
print(read.reset_index(drop=True).to_dict("records")[0])
assert read["Scientific name"].tolist() == ["Eurasian Blackbird"]
assert read["Start (s)"].tolist() == [6.0]
assert read["Confidence"].tolist() == ["site 4"]
PYTHON
echo "Behaviour as described."
