#!/usr/bin/env bash
# torchmetrics 1.9.0: importing a running mean loads torchvision, torch._dynamo, sympy, SciPy and matplotlib if installed.
#
# Expected: "from torchmetrics.aggregation import MeanMetric" loads torch; packages that other metrics can use load with them.
# Actual: the import runs the whole package, whose image, detection, audio and text metrics import what they find. Installing
# torchvision, SciPy and matplotlib, none of which a mean uses, adds over a thousand modules and multiplies the time of the
# import.
# Why it matters: classifiers of images have torchvision installed. Every start of a command line, and every worker process
# that unpickles a metric, pays for compilers and plotting.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
cat >"$folder/modules.py" <<'PYTHON'
import sys
import time

import torch

before, start = set(sys.modules), time.perf_counter()
from torchmetrics.aggregation import MeanMetric

seconds, added = time.perf_counter() - start, set(sys.modules) - before
mean = MeanMetric()
mean.update(torch.tensor([1.0, 3.0]))
assert mean.compute() == 2
heavy = [name for name in ("torchvision", "torch._dynamo", "sympy", "scipy.stats", "matplotlib.pyplot") if name in added]
print(f"{len(added)} modules in {seconds:.1f} s; heavy ones: {heavy}", file=sys.stderr)
print(len(added), *heavy)
PYTHON
"$folder/venv/bin/pip" install --quiet torchmetrics==1.9.0 torch==2.14.1
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(torch|torchmetrics) '
"$folder/venv/bin/python" "$folder/modules.py" >/dev/null 2>&1  # The first run compiles; the next are measured.
alone=$("$folder/venv/bin/python" "$folder/modules.py")
"$folder/venv/bin/pip" install --quiet torchvision==0.29.1 scipy==1.17.1 matplotlib==3.11.2 torch==2.14.1
"$folder/venv/bin/pip" list 2>/dev/null | grep -iE '^(torchvision|scipy|matplotlib) '
"$folder/venv/bin/python" "$folder/modules.py" >/dev/null 2>&1
beside=$("$folder/venv/bin/python" "$folder/modules.py")
[[ "$beside" == *" torchvision torch._dynamo sympy scipy.stats matplotlib.pyplot" && "$alone" != *" "* ]]
[ $((${beside%% *} - alone)) -gt 1000 ]
echo "Behaviour as described."
