#!/usr/bin/env bash
# pandas: a column with an array of scores per image is written to CSV without the scores, once there are more than 1,000 classes.
#
# Expected: to_csv writes what a cell holds; an array of 1,001 scores becomes a long text, or an error.
# Actual: the cell becomes NumPy's abbreviated text: three scores, "...", three scores. The other 995 are not in the file, and
# nothing is said. With 1,000 classes every score is there, rounded to 8 digits and broken over lines. to_json and to_parquet
# write all of them in full.
# Why it matters: a classifier of 1,000 classes (ImageNet) exports well, and the same script for a larger label tree loses all
# scores but six per image.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pandas==3.0.3 numpy==2.4.6 pyarrow==24.0.0
venv/bin/python - <<'PYTHON'
import numpy as np
import pandas as pd

print("pandas", pd.__version__, "numpy", np.__version__)
for classes in (1000, 1001):
    scores = list(np.random.default_rng(0).dirichlet(np.ones(classes), 2).astype(np.float32))
    frame = pd.DataFrame({"filename": ["a.jpg", "b.jpg"], "prob": scores})
    frame.to_csv("scores.csv", index=False)
    frame.to_json("scores.json")
    frame.to_parquet("scores.parquet")
    cell = pd.read_csv("scores.csv")["prob"][0]
    numbers = [word for word in cell.strip("[]").split() if word != "..."]
    kept = len(pd.read_json("scores.json")["prob"][0]), len(pd.read_parquet("scores.parquet")["prob"][0])
    print(f"{classes} classes: {len(numbers)} scores in the CSV, {kept[0]} in the JSON, {kept[1]} in the Parquet file")
    if classes == 1001:
        print(cell)
    assert len(numbers) == (1000 if classes == 1000 else 6)
    assert kept == (classes, classes)
PYTHON
echo "Behaviour as described."
