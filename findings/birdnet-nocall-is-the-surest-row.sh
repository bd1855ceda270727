#!/usr/bin/env bash
# BirdNET-Analyzer: a recording in which nothing was found is the most confident row of its selection tables.
#
# Expected: a table of detections has no row for a recording without any, as in the CSV of the same program; a placeholder, if
# there is one, has no confidence.
# Actual: the Raven selection table of such a recording has one row, the species "nocall" with confidence 1.0 from 0 to 3 s.
# The CSV and the Kaleidoscope table of the same results have no row.
# Why it matters: tables of many recordings, joined and sorted or thresholded by confidence, begin with the silent ones; read
# as scores over a label tree, "nocall" is a class in no tree, or a certain detection of one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet birdnet-analyzer==2.4.0
venv/bin/python - 2>/dev/null <<'PYTHON'
import importlib.metadata
import wave
from pathlib import Path

import birdnet_analyzer.config as cfg
from birdnet_analyzer.analyze import utils

print("birdnet-analyzer", importlib.metadata.version("birdnet-analyzer"))
with wave.open("night.wav", "wb") as sound:
    sound.setnchannels(1)
    sound.setsampwidth(2)
    sound.setframerate(48000)
    sound.writeframes(bytes(2 * 48000 * 6))
cfg.OUTPUT_PATH = "."
cfg.LABELS = cfg.TRANSLATED_LABELS = ["Turdus merula_Eurasian Blackbird"]
utils.generate_raven_table([], {}, "night.wav", "./night.txt")
utils.generate_csv([], {}, "night.wav", "./night.csv")
utils.generate_kaleidoscope([], {}, "night.wav", "./night.kaleidoscope.csv")
header, *rows = [line.split("\t") for line in Path("night.txt").read_text().splitlines()]
for row in rows:
    print("selection table:", {name: row[header.index(name)] for name in ("Common Name", "End Time (s)", "Confidence")})
print("rows in the CSV:", len(Path("night.csv").read_text().splitlines()) - 1)
print("rows in the Kaleidoscope table:", len(Path("night.kaleidoscope.csv").read_text().splitlines()) - 1)
assert [(row[header.index("Common Name")], row[header.index("Confidence")]) for row in rows] == [("nocall", "1.0")]
assert len(Path("night.csv").read_text().splitlines()) == 1
assert len(Path("night.kaleidoscope.csv").read_text().splitlines()) == 1
PYTHON
echo "Behaviour as described."
