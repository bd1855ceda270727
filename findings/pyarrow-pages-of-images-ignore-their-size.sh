#!/usr/bin/env bash
# pyarrow 26.0.1: a column of images is written in pages of 1,024 images, whatever page size is asked for.
#
# Expected: data_page_size is 1 MiB by default, so a reader that takes 16 images of 100 kB at a time needs a few megabytes,
# also within a large row group.
# Actual: the size of a page is looked at after every write_batch_size values, 1,024 by default. A page then holds 1,024 images
# (102 MB), and reading 16 of them at a time needs some 40 times the memory that it needs with write_batch_size=16.
# Why it matters: data sets of images are kept and shared as Parquet with the bytes in a column. Whether a laptop can stream one
# depends on an option of the writer whose name says nothing about it, and not on the one that does.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pyarrow==26.0.1
cd "$folder"
cat >write.py <<'PYTHON'
import os

import pyarrow as pa
import pyarrow.parquet as pq

print("pyarrow", pa.__version__)
images = pa.table({"image": [os.urandom(100_000) for _ in range(2000)]})
plain = {"use_dictionary": False, "compression": "none", "row_group_size": 2000, "data_page_size": 1 << 20}
pq.write_table(images, "asked.parquet", **plain)
pq.write_table(images, "looked-at-often.parquet", **plain, write_batch_size=16)
PYTHON
cat >read.py <<'PYTHON'
import sys

import pyarrow as pa
import pyarrow.parquet as pq

with pq.ParquetFile(sys.argv[1], buffer_size=1 << 16, pre_buffer=False) as file:
    rows = sum(batch.num_rows for batch in file.iter_batches(16, use_threads=False))
assert rows == 2000
print(round(pa.default_memory_pool().max_memory() / 1e6))
PYTHON
venv/bin/python write.py
asked=$(venv/bin/python read.py asked.parquet)
often=$(venv/bin/python read.py looked-at-often.parquet)
echo "16 images of 0.1 MB at a time, pages of 1 MiB asked for: $asked MB at most; with write_batch_size=16: $often MB"
[ "$asked" -gt 100 ] && [ "$often" -lt 10 ]
