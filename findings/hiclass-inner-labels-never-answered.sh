#!/usr/bin/env bash
# hiclass: labels at internal nodes can be trained on but are never predicted, however frequent they are.
#
# Expected: if nine of ten images in a region are labelled ["moth", ""], that is the prediction there.
# Actual: all three local classifiers (per node, per parent node, per level) predict ["moth", "hawk"], the only named leaf
# below: at prediction time each of them descends to a leaf.
# Why it matters: experts label what they cannot distinguish at the genus. A library that accepts such labels seems comparable
# with a method that may stop early, but is not: all of its predictions are leaves.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet hiclass==5.0.8 scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import numpy as np
from hiclass import LocalClassifierPerLevel, LocalClassifierPerNode, LocalClassifierPerParentNode
from sklearn.linear_model import LogisticRegression

logging.disable(logging.CRITICAL)
print("hiclass", version("hiclass"))
labels = np.array([["bird", "wren"], ["bird", "robin"]] * 10 + [["moth", ""]] * 18 + [["moth", "hawk"]] * 2, dtype=object)
corner = {"wren": (0, 0), "robin": (0, 1), "": (1, 0), "hawk": (1, 1)}
features = np.array([corner[name] for _, name in labels], dtype=float)
features += np.random.default_rng(0).normal(0, 0.05, features.shape)
for kind in (LocalClassifierPerNode, LocalClassifierPerParentNode, LocalClassifierPerLevel):
    answers = kind(local_classifier=LogisticRegression()).fit(features, labels).predict(features)
    moths = answers[labels[:, 1] == ""]
    print(kind.__name__, "answers for 18 images labelled ['moth', '']:", np.unique(moths, axis=0).tolist())
    assert (moths == ["moth", "hawk"]).all()
PYTHON
