"""Read a Darwin Core archive of five million rows in the shape of GBIF's backbone: CPU time and peak memory.

The archive is made by ``synthetic_checklist.py``, unless one is given. Each measurement runs in its own process. Times
include opening and unpacking the archive and exclude starting Python; the peak is that of the whole process. For
comparison, ``rows`` unpacks the core and parses the same columns without building a tree.

    python benchmarks/checklist_read.py [ROWS | ARCHIVE]
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

from synthetic_checklist import write_checklist

ROWS = 5_000_000


def tree(path: Path) -> str:
    from cladewise.taxonomy import read

    taxonomy = read(path)
    return f"{taxonomy}, columns {', '.join(taxonomy.columns)}"


def one_language(path: Path) -> str:
    from cladewise.taxonomy import read

    return str(read(path, columns=["name:en"]))


def rows(path: Path) -> str:
    from cladewise.taxonomy.formats.archives.descriptor import read_descriptor
    from cladewise.taxonomy.formats.members import members_of

    names = ["taxonID", "parentNameUsageID", "acceptedNameUsageID", "canonicalName", "scientificName", "taxonRank"]
    with members_of(path) as members:
        table = read_descriptor(members).core.table(members, [*names, "taxonomicStatus"])
    return f"{table.frame.height} rows"


TASKS = {"rows": rows, "tree": tree, "one language": one_language}


def measure(task: str, path: Path) -> dict[str, float | str]:
    import numpy  # noqa: F401  (imports are not timed)
    import polars  # noqa: F401

    import cladewise.taxonomy  # noqa: F401

    warnings.simplefilter("ignore")  # doubtful names are left out
    start, cpu = time.perf_counter(), time.process_time()
    text = TASKS[task](path)
    return {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "text": text,
    }


def main(path: Path) -> None:
    print(f"{'task':14}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}")
    for task in TASKS:
        done = subprocess.run([sys.executable, __file__, task, str(path)], check=True, capture_output=True)
        now = json.loads(done.stdout)
        print(f"{task:14}{now['seconds']:9.1f}{now['cpu']:8.1f}{now['peak']:9.0f}   {now['text']}")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], Path(sys.argv[2]))))
    elif len(sys.argv) == 2 and not sys.argv[1].replace("_", "").isdecimal():
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as folder:
            archive = Path(folder) / "checklist.zip"
            print(write_checklist(int(sys.argv[1]) if len(sys.argv) > 1 else ROWS, archive))
            main(archive)
