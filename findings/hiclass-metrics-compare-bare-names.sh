#!/usr/bin/env bash
# hiclass.metrics: hierarchical precision, recall and F1 compare sets of bare names and ignore their position.
#
# Expected: a prediction with swapped levels scores 0, and "sp." under the wrong genus shares nothing with "sp." under the
# right one.
# Actual: the first scores 1.0 and the second 0.5. A leaf repeated on the next level counts once, so ["moth", "moth"] equals
# ["moth", ""].
# Why it matters: names repeat in real trees (other, sp., a class named like its only child), so scores computed with names
# are too high. Compare ids, or full paths, in every cell.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet hiclass==5.0.8 scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from hiclass.metrics import f1

print("hiclass", version("hiclass"))


def score(true, predicted):
    return float(f1(np.array([true], dtype=object), np.array([predicted], dtype=object)))


swapped = score(["bird", "wren"], ["wren", "bird"])
wrong_branch = score(["Cortinarius", "sp."], ["Inocybe", "sp."])
by_path = score(["Cortinarius", "Cortinarius/sp."], ["Inocybe", "Inocybe/sp."])
repeated = score(["moth", "moth"], ["moth", ""])
print(f"levels swapped {swapped}, 'sp.' of the wrong genus {wrong_branch}, the same as paths {by_path}")
print(f"['moth', 'moth'] against ['moth', '']: {repeated}")
assert swapped == 1.0
assert wrong_branch == 0.5
assert by_path == 0.0
assert repeated == 1.0
PYTHON
