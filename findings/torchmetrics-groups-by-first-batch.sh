#!/usr/bin/env bash
# torchmetrics 1.9.0: metrics of a collection that agree on the first batch share their value from then on.
#
# Expected: compute groups join metrics that need the same sums, which their classes and settings decide.
# Actual: groups are formed by comparing the sums after the first update. Two thresholds that give the same answers there are
# joined, and only the first is updated afterwards: the second reports the value of the first, without a warning.
# Why it matters: a label tree is evaluated with several thresholds, levels and decisions at once, and easy images often come
# first. Without compute_groups=False the comparison that one wanted is a column of equal numbers.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchmetrics==1.9.0 torch==2.14.1
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|torchmetrics) '
"$folder/venv/bin/python" - <<'PYTHON'
import torch
from torchmetrics import MetricCollection
from torchmetrics.classification import BinaryPrecision

BATCHES = [
    (torch.tensor([0.9, 0.1]), torch.tensor([1, 0])),  # both thresholds answer alike
    (torch.tensor([0.6, 0.6, 0.9]), torch.tensor([0, 0, 1])),
]


def precision(compute_groups: bool) -> dict[str, float]:
    metrics = {f"{percent}%": BinaryPrecision(threshold=percent / 100) for percent in (50, 80)}
    collection = MetricCollection(metrics, compute_groups=compute_groups)
    for probability, target in BATCHES:
        collection.update(probability, target)
    return {name: value.item() for name, value in collection.compute().items()}


grouped, apart = precision(compute_groups=True), precision(compute_groups=False)
print("with groups, the default:", grouped)
print("without:                 ", apart)
assert grouped == {"50%": 0.5, "80%": 0.5}
assert apart == {"50%": 0.5, "80%": 1.0}
PYTHON
echo "Behaviour as described."
