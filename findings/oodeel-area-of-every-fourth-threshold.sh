#!/usr/bin/env bash
# oodeel: bench_metrics computes the area under the ROC curve from every fourth threshold, so a perfect score of a few images has
# 0.75.
#
# Expected: the AUROC is the share of pairs in which the new image has the larger score: 1 if all new images are above all known.
# Actual: of the sorted scores, only the second, the sixth, the tenth, ... are tried as thresholds (step=4). With two known and two
# new images, or three and three, a perfect score has 0.75 and 0.78. The 20 orders of three and three images have three values in
# all, and the perfect order the same as one that confuses four of the nine pairs. step=1 gives the area.
# Why it matters: with thousands of images the error is in the sixth digit, and no one looks at it. In a label tree the measure
# that is asked for is by node (is something new under this genus?), and a genus has a handful of images.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --no-deps oodeel==0.4.0 2>/dev/null
"$folder/venv/bin/pip" install --quiet numpy==1.26.4 scikit-learn==1.5.2 2>/dev/null
"$folder/venv/bin/python" - <<'PYTHON'
import itertools
from importlib.metadata import version

import numpy as np
from oodeel.eval.metrics import bench_metrics
from sklearn.metrics import roc_auc_score

print("oodeel", version("oodeel"))


def areas(known, new, **options):
    label = [0] * len(known) + [1] * len(new)
    found = bench_metrics((np.array(known, float), np.array(new, float)), metrics=["auroc"], **options)["auroc"]
    return round(float(found), 4), round(float(roc_auc_score(label, [*known, *new])), 4)


for size in (2, 3, 10, 1000):
    found, true = areas(range(size), range(size, 2 * size))
    print(f"{size} known and {size} new images, all new ones above: {found}, and by the pairs {true}")
    assert true == 1
assert areas(range(2), range(2, 4))[0] == 0.75
assert areas(range(3), range(3, 6))[0] < 0.78
assert areas(range(1000), range(1000, 2000))[0] > 0.9999

by_order = {}
for new in itertools.combinations(range(6), 3):
    known = [place for place in range(6) if place not in new]
    by_order.setdefault(areas(known, new)[0], set()).add(areas(known, new)[1])
print("three and three images, its area and the true ones of all 20 orders:")
for found, true in sorted(by_order.items()):
    print(f"  {found}: {sorted(true)}")
assert by_order[0.7778] >= {0.5556, 1.0}
exact = areas(range(3), range(3, 6), step=1)[0]
print("step=1:", exact)
assert exact == 1
PYTHON
