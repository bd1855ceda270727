#!/usr/bin/env bash
# MAPIE: the smallest calibration sets for which conformal prediction works are refused, and low confidence levels too.
#
# Expected: 9 calibration images are enough for a confidence level of 0.9, as the (9 + 1) x 0.9 = 9th smallest score exists,
# and 19 for 0.95. Any number is enough for 0.1, where the sets are smallest.
# Actual: a level needs at least 1 / (1 - level) images, so 10 for 0.9 and 20 for 0.95, and also at least 1 / level: with 8
# images a level of 0.1 is "too low" a number of samples.
# Why it matters: branches of a label tree are calibrated by themselves, and rare ones have just so many images.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mapie==1.6.0 scikit-learn==1.9.1 numpy==1.26.4
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version
from math import ceil

import numpy as np
from mapie.classification import SplitConformalClassifier
from sklearn.base import BaseEstimator, ClassifierMixin

print("mapie", version("mapie"))


class Given(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose inputs are its probabilities."""

    def __init__(self):
        self.classes_, self.n_features_in_, self.is_fitted_ = np.arange(4), 4, True

    def fit(self, X, y):
        return self

    def predict_proba(self, X):
        return X

    def predict(self, X):
        return X.argmax(1)

    def __sklearn_is_fitted__(self):
        return True


def works(count, level):
    p = np.random.default_rng(count).dirichlet(np.ones(4), size=count)
    rule = SplitConformalClassifier(Given(), confidence_level=level, conformity_score="lac", prefit=True)
    rule.conformalize(p, np.arange(count) % 4)
    try:
        rule.predict_set(p)
    except ValueError as error:
        assert "too low" in str(error)
        return False
    return True


found = {(count, level): works(count, level) for count, level in ((9, 0.9), (10, 0.9), (19, 0.95), (20, 0.95), (8, 0.1))}
for (count, level), enough in found.items():
    rank = ceil(round((count + 1) * level, 9))
    print(f"{count} images, level {level}: rank {rank} of {count} exists, {'accepted' if enough else 'refused'}")
assert found == {(9, 0.9): False, (10, 0.9): True, (19, 0.95): False, (20, 0.95): True, (8, 0.1): False}
PYTHON
