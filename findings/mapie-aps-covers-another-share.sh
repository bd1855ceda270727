#!/usr/bin/env bash
# MAPIE: adaptive prediction sets (APS) cover neither the share that was asked for nor, from fit to fit, the same labels.
#
# Expected: on a perfectly calibrated classifier, sets at a confidence level of 0.9 cover about 90% of the labels,
# include_last_label=False gives smaller ones that still do, and fitting twice on the same data gives the same sets.
# Actual: the calibration scores are randomised, whatever the option, but the sets are only for "randomized". The default
# covers 96%, with sets a sixth larger than needed; include_last_label=False covers 79%, below what it promises. Without a
# random_state two fits give different sets.
# Why it matters: on scores of a label tree's leaves the sets are compared with answers at inner nodes at the same coverage.
# With the default a node above looks better than it is; with the other option the promise is broken.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet mapie==1.6.0 scikit-learn==1.9.1 numpy==1.26.4
"$folder/venv/bin/python" -W ignore - <<'PYTHON'
from importlib.metadata import version

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


def sets(p, y, new, seed, **options):
    rule = SplitConformalClassifier(
        Given(), confidence_level=0.9, conformity_score="aps", prefit=True, random_state=seed
    )
    rule.conformalize(p, y)
    return rule.predict_set(new, conformity_score_params=options or None)[1][:, :, 0]


def share_covered(**options):
    shares, sizes = [], []
    for seed in range(10):
        random = np.random.default_rng(seed)
        p = random.dirichlet(np.ones(4), size=4500)
        y = (p.cumsum(1) > random.random((4500, 1))).argmax(1)  # labels drawn from the probabilities themselves
        found = sets(p[:500], y[:500], p[500:], seed, **options)
        shares.append(found[np.arange(4000), y[500:]].mean())
        sizes.append(found.sum(1).mean())
    return float(np.mean(shares)), float(np.mean(sizes))


wanted = share_covered(include_last_label="randomized")
default = share_covered()
without_last = share_covered(include_last_label=False)
for name, (share, size) in (("randomized", wanted), ("default", default), ("False", without_last)):
    print(f"asked for 0.9, include_last_label {name}: covers {share:.3f} with {size:.2f} labels")
random = np.random.default_rng(0)
p = random.dirichlet(np.ones(4), size=40)
y = (p.cumsum(1) > random.random((40, 1))).argmax(1)
several = {sets(p[:20], y[:20], p[20:], None).tobytes() for _ in range(10)}
print(f"ten fits on the same 20 images: {len(several)} different results")
assert abs(wanted[0] - 0.9) < 0.01
assert default[0] > 0.94
assert without_last[0] < 0.81
assert len(several) > 1
PYTHON
