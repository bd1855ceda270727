#!/usr/bin/env bash
# usearch: a search of several vectors for more neighbours than there are fills the rest with key 0, the key of a real image.
#
# Expected: a missing neighbour has a key that none has (faiss gives -1), or the rows are shorter.
# Actual: `keys` are 0, at a distance of nan; only the separate array `counts` says how many are real. A search with a single
# vector returns an object of another type, without `counts` and without filling.
# Why it matters: labels of neighbours are looked up by key, so images near a small class get votes for the label of image 0,
# whatever that is: labels[matches.keys] runs without an error, and the first class of the tree wins.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet usearch==2.26.6 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from usearch.index import Index

print("usearch", version("usearch"))
labels = np.array(["moth", "wren", "robin"])
vectors = np.array([[0, 1], [1, 0], [1, 0.1]], dtype=np.float32)
index = Index(ndim=2, metric="l2sq", dtype="f32")
index.add(np.arange(3), vectors)
several, single = index.search(vectors[1:], 5), index.search(vectors[1], 5)
print("labels of the 5 nearest images of two birds:", labels[several.keys].tolist())
print("distances:", several.distances.round(2).tolist(), "counts:", several.counts.tolist())
print("of one bird:", labels[single.keys].tolist(), type(single).__name__, "counts" if hasattr(single, "counts") else "no counts")
assert (several.keys[:, 3:] == 0).all() and np.isnan(several.distances[:, 3:]).all()
assert several.counts.tolist() == [3, 3]
assert len(single.keys) == 3 and not hasattr(single, "counts")
PYTHON
