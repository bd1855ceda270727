#!/usr/bin/env bash
# safetensors: the same tensors with the same metadata give different bytes from call to call.
#
# Expected: a file without timestamps or pickled objects is a function of its content, so its hash identifies it.
# Actual: with two or more metadata keys, the keys are in the order of a randomly seeded hash map: one key gives one file,
# three keys give up to six.
# Why it matters: models, cached features and scores are keyed by file hashes. A run retrained to identical weights looks
# different, and everything cached for it is recomputed. Sort the header before hashing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet safetensors==0.8.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import numpy as np
from safetensors.numpy import save

print("safetensors", version("safetensors"))
tensors = {"weight": np.zeros(2)}
one = {save(tensors, metadata={"taxonomy": "birds"}) for _ in range(100)}
three = {save(tensors, metadata={"taxonomy": "birds", "encoder": "lite0", "data": "2026"}) for _ in range(100)}
print(f"100 saves: {len(one)} file with one metadata key, {len(three)} files with three")
assert len(one) == 1
assert len(three) == 6
PYTHON
