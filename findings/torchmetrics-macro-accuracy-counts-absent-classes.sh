#!/usr/bin/env bash
# torchmetrics 1.9.0: the macro accuracy counts a class without any image as missed as soon as one answer names it.
#
# Expected: average="macro" is the mean over the classes of the share of their images that are right, so that classes without
# images cannot count: the balanced accuracy, as in scikit-learn.
# Actual: classes are left out only if they are neither true nor answered. One wrong answer that names a class without images adds
# a recall of 0 to the mean. The same two wrong answers cost 0.05 or 0.21 of 10 classes, depending on what they are called.
# Why it matters: test sets of long-tailed trees lack images of many rare species. A model that names rare species, as the
# remedies for long tails make it, loses macro accuracy by the number of absent species that it names.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torchmetrics==1.9.0 torch==2.14.1 scikit-learn==1.9.1
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|torchmetrics|scikit-learn) '
"$folder/venv/bin/python" - <<'PYTHON'
import warnings

import torch
from sklearn.metrics import balanced_accuracy_score
from torchmetrics.classification import MulticlassAccuracy

warnings.simplefilter("ignore")
target = torch.arange(10).repeat_interleave(4)  # 10 species with four images each, of a list of 100
among_them, absent = target.clone(), target.clone()
among_them[[0, 1]] = torch.tensor([5, 6])  # two wrong answers that name other species of the test
absent[[0, 1]] = torch.tensor([50, 60])  # the same two, naming species without a test image
found = {}
for name, answer in {"species of the test": among_them, "absent species": absent}.items():
    macro = MulticlassAccuracy(num_classes=100, average="macro")(answer, target).item()
    balanced = balanced_accuracy_score(target, answer)
    found[name] = (round(macro, 4), round(float(balanced), 4))
    print(f"two wrong answers that name {name}: macro accuracy {macro:.4f}, balanced accuracy {balanced:.4f}")
assert found == {"species of the test": (0.95, 0.95), "absent species": (0.7917, 0.95)}
PYTHON
echo "Behaviour as described."
