#!/usr/bin/env bash
# hierarchicalsoftmax: threshold= has a different scale in two functions of the same module, and neither accepts the other's input.
#
# Expected: greedy_predictions and greedy_lineage_probabilities take the same scores, and threshold=0.9 means a probability of
# 0.9 in both.
# Actual: the first compares the raw scores: with logits (5.0, 4.9), i.e. p = 0.52, it descends, and with (0.5, -9.0), i.e.
# p = 0.9999, it stops at the root. Its help says that the threshold applies to probabilities. The second, whose help says the
# same, applies a softmax to whatever it is given: for the module's own probabilities it turns p = 0.9999 into 0.73, and stops
# as well.
# Why it matters: stopping early is what such a library is used for. A threshold on logits seems to work because trained logits
# are large, but it measures their scale, and calibrating probabilities has no effect on it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet hierarchicalsoftmax==1.4.4 torch==2.14.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

import torch
from hierarchicalsoftmax import SoftmaxNode, inference

print("hierarchicalsoftmax", version("hierarchicalsoftmax"))
root = SoftmaxNode("root")
bird, moth = SoftmaxNode("bird", parent=root), SoftmaxNode("moth", parent=root)
root.set_indexes()


def answer(*logits):
    scores = torch.tensor([logits])
    found = inference.greedy_predictions(scores, root=root, threshold=0.9)[0].name
    top = float(inference.node_probabilities(scores, root=root).max())
    print(f"logits {logits}: the best child has p = {top:.4f}; the answer at threshold 0.9 is {found}")
    return top, found


coin, certain, shifted = answer(5.0, 4.9), answer(0.5, -9.0), answer(10.5, 1.0)
assert coin[0] < 0.6
assert coin[1] == "bird"
assert certain[0] > 0.999
assert certain[1] == "root"
assert abs(shifted[0] - certain[0]) < 1e-6
assert shifted[1] == "bird"

probabilities = inference.node_probabilities(torch.tensor([[0.5, -9.0]]), root=root)
(_, seen), = inference.greedy_lineage_probabilities(probabilities, root=root)[0]
stopped = inference.greedy_lineage_probabilities(probabilities, root=root, threshold=0.9)[0]
print(f"greedy_lineage_probabilities, given p = {float(probabilities.max()):.4f}, says {seen:.2f}; path at 0.9: {stopped}")
assert abs(seen - 0.73) < 0.01
assert stopped == []
PYTHON
