#!/usr/bin/env bash
# hiclass: two FlatClassifiers with default settings share one model: fitting the second changes the answers of the first.
#
# Expected: every estimator has a model of its own, as scikit-learn's clone gives it, and as hiclass' three local
# classifiers have.
# Actual: the default LogisticRegression() is made once, in the signature, and is fitted without being cloned. After a second
# fit the first answers with the classes of the second. The local classifiers leave theirs alone.
# Why it matters: the flat classifier is the baseline of every comparison of label trees, fitted once per fold, per split or
# per data set. Whoever keeps the fitted ones and predicts afterwards gets the last one's answers from all of them.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet hiclass==5.0.8 scikit-learn==1.9.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
import logging
from importlib.metadata import version

import numpy as np
from hiclass import FlatClassifier, LocalClassifierPerNode
from sklearn.linear_model import LogisticRegression

logging.disable(logging.CRITICAL)
print("hiclass", version("hiclass"))
features = np.repeat(np.eye(3), 10, axis=0)
animals = np.repeat([["bird", "wren"], ["bird", "robin"], ["moth", "hawk"]], 10, axis=0)
things = np.repeat([["tool", "saw"], ["tool", "axe"], ["toy", "ball"]], 10, axis=0)
first = FlatClassifier().fit(features, animals)
before = first.predict(np.eye(3)).tolist()
FlatClassifier().fit(features, things)
after = first.predict(np.eye(3)).tolist()
print("the classifier of animals answers", before)
print("after another was fitted to tools and toys it answers", after)
assert before == [["bird", "wren"], ["bird", "robin"], ["moth", "hawk"]]
assert after == [["tool", "saw"], ["tool", "axe"], ["toy", "ball"]]
own = LogisticRegression()
LocalClassifierPerNode(local_classifier=own).fit(features, animals)
assert not hasattr(own, "coef_")
PYTHON
