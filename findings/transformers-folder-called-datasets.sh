#!/usr/bin/env bash
# transformers 5.24.0: a folder called "datasets" beside the training script makes every Trainer fail.
#
# Expected: a folder of image folders has no effect on the trainer, which does not need the package "datasets".
# Actual: Python takes a folder without code for a package. The trainer finds "datasets" installed and asks it for a class that
# it lacks: AttributeError, before the first step.
# Why it matters: folders of classes are commonly kept in "datasets/", and the message speaks of a package that was never
# installed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 accelerate==1.15.0 torch==2.14.1 numpy==2.4.6
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|transformers|accelerate|datasets) '
mkdir "$folder/work"
cd "$folder/work"
cat >train.py <<'PYTHON'
import torch
import transformers
from torch import nn


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(4, 3)

    def forward(self, features, labels):
        logits = self.linear(features)
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


arguments = transformers.TrainingArguments(
    output_dir="out", max_steps=1, report_to="none", save_strategy="no", disable_tqdm=True, use_cpu=True
)
rows = [{"features": torch.randn(4), "labels": 1} for _ in range(8)]
transformers.Trainer(Linear(), arguments, train_dataset=rows).train()
print("trained")
PYTHON
"$folder/venv/bin/python" train.py 2>/dev/null | grep '^trained$'
mkdir -p "datasets/birds/Troglodytes troglodytes"
if "$folder/venv/bin/python" train.py >out.txt 2>&1; then
    echo "The behaviour has changed."
    exit 1
fi
grep "AttributeError: module 'datasets' has no attribute 'Dataset'" out.txt
echo "Behaviour as described."
