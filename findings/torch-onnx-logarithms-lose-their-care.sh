#!/usr/bin/env bash
# torch 2.14.1, onnxscript 0.7.2: functions that exist to avoid overflow and rounding are exported as the formulas that overflow and round.
#
# Expected: logsigmoid, logaddexp, log1p and expm1 keep in an ONNX file what they are used for in torch; softplus and log_softmax do.
# Actual: they become Log(Sigmoid(x)), Log(Exp(x) + Exp(y)), Log(x + 1) and Exp(x) - 1, without a warning: -inf in place of -90,
# inf in place of 90, 0 in place of 2e-9.
# Why it matters: probabilities of nodes of a label tree are products along paths, or sums over leaves, and are computed in
# logarithms by these very functions. Exported, a branch that is ruled out with certainty makes -inf, and the difference of two
# such nodes NaN, for scores that are usual for a head with sigmoids; a test on a few moderate scores sees nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet torch==2.14.1 numpy==2.4.2 onnx==1.23.2 onnxscript==0.7.2 onnxruntime==1.32.0
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|onnx|onnxscript|onnxruntime) '
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import logging
import math
import warnings

import onnx
import onnxruntime
import torch
from torch import Tensor, nn
from torch.nn import functional as F

warnings.simplefilter("ignore")
logging.disable(logging.WARNING)
FUNCTIONS = {
    "logsigmoid": F.logsigmoid,
    "logaddexp": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
    "log1p": lambda x: torch.log1p(x.exp()),
    "expm1": torch.expm1,
    "softplus": F.softplus,
    "log_softmax": lambda x: F.log_softmax(torch.stack([x, torch.zeros_like(x)], -1), -1)[:, 0],
}


class All(nn.Module):
    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        return tuple(function(x) for function in FUNCTIONS.values())


x = torch.tensor([-90.0, -20.0, 1e-8, 1.0, 90.0])
torch.onnx.export(All(), (x,), "model.onnx", dynamo=True, verbose=False)
print(*(node.op_type for node in onnx.load("model.onnx").graph.node))
session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
found = dict(zip(FUNCTIONS, session.run(None, {session.get_inputs()[0].name: x.numpy()}), strict=True))
for name, function in FUNCTIONS.items():
    print(f"{name:12} torch {function(x).tolist()}\n{'':12} file  {found[name].tolist()}")

assert F.logsigmoid(x)[0] == -90 and found["logsigmoid"][0] == -math.inf
assert FUNCTIONS["logaddexp"](x)[4] == 90 and found["logaddexp"][4] == math.inf
assert FUNCTIONS["log1p"](x)[1] > 2e-9 and found["log1p"][1] == 0
assert torch.expm1(x)[2] > 9e-9 and found["expm1"][2] == 0
assert abs(found["softplus"][4] - 90) < 1e-3 and abs(found["log_softmax"][0] + 90) < 1e-3
PYTHON
echo "Behaviour as described."
