#!/usr/bin/env bash
# Parquet with a column per class: a reader needs memory for every column of every row group before it reads a value.
#
# Expected: Parquet is columnar, so opening a file and reading one column of one row group costs about that column.
# Actual: the footer describes each column in each row group, and is decoded whole. With 10,000 columns of scores and 40 row
# groups of 100 rows, 413 MB are needed to read 100 numbers, and 35 MB with a single row group: it grows with classes times
# row groups, not with what is read.
# Why it matters: score tables of large label trees have a column per class and are written batch by batch; a million rows in
# groups of 1,000 by 15,000 classes would have a footer of more than a gigabyte.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet pyarrow==24.0.0 numpy==2.4.6
venv/bin/python - <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

print("pyarrow", pa.__version__)
classes, rows = 10_000, 100
names = [f"class {k}" for k in range(classes)]
schema = pa.schema([(name, pa.float32()) for name in names])
scores = np.random.default_rng(0).random((classes, rows), dtype=np.float32)
batch = pa.Table.from_arrays([pa.array(column) for column in scores], schema=schema)
READ = """
import sys
import pyarrow.parquet as pq
def resident():
    return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS"))
before = resident()
with pq.ParquetFile(sys.argv[1]) as file:
    column = file.read_row_group(0, columns=["class 7"])
    print(resident() - before, column.nbytes)
"""
needed = {}
for groups in (1, 40):
    path = Path(f"{groups}.parquet")
    with pq.ParquetWriter(path, schema, use_dictionary=False, compression="none") as writer:
        for _ in range(groups):
            writer.write_table(batch)
    footer = pq.read_metadata(path).serialized_size
    kilobytes, read = map(int, subprocess.check_output([sys.executable, "-c", READ, path]).split())
    needed[groups] = kilobytes / 1000
    share = footer / path.stat().st_size
    print(f"{groups} row groups: footer {footer / 1e6:.1f} MB, {share:.0%} of the file")
    print(f"  {needed[groups]:.0f} MB of memory to read {read} bytes of values")
assert needed[40] > 4 * needed[1], needed
assert needed[40] > 100, needed
PYTHON
echo "Behaviour as described."
