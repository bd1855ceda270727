"""Time and peak memory of answers for somebody's scores, relative to reading the scores alone.

The tree is a synthetic checklist. Scores are either lists of the best classes of every row (a long table), or a wide
table with a column per leaf, both in Parquet. Every stage is a process of its own: ``read`` opens the scores and makes
every prediction; ``decide`` writes the answers of one decision to a Parquet file; ``folder`` writes a run folder with
labels for half of the rows, answers and an evaluation. Times are those of the stage without imports, by the clock and
of all processors; on a machine with other work only the second can be compared. Memory is the peak of the process, with
Python, torch and the names of the rows.

    python benchmarks/deciding.py --rows 1000000 --folder /var/tmp/deciding
    python benchmarks/deciding.py --form wide --rows 50000 --folder /var/tmp/deciding
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import polars as pl
from synthetic_checklist import DOUBTFUL, SYNONYMS, write_checklist

from cladewise import Taxonomy
from cladewise.parquet import ParquetRows

ROWS = 1 << 15
"""Rows of the scores that are made at once."""
GOAL = 2000
"""Megabytes."""
STAGES = ("read", "decide", "folder")


def make(folder: Path, form: str, rows: int, nodes: int, top: int) -> None:
    """The tree, the scores and labels for half of the rows."""
    write_checklist(round(nodes / (1 - SYNONYMS - DOUBTFUL)), folder / "checklist.zip")
    taxonomy = Taxonomy.read(folder / "checklist.zip")
    taxonomy.write(folder / "tree.csv")
    taxonomy = Taxonomy.read(folder / "tree.csv")
    print(f"{taxonomy}, {rows:,} rows")
    random = np.random.default_rng(0)
    names = pl.Series([taxonomy.path_name(int(node)) for node in taxonomy.leaf_nodes])
    true = random.integers(0, taxonomy.num_leaves, rows)
    number = pl.Series(np.arange(rows)).cast(pl.String)
    paths = pl.select(pl.concat_str(pl.lit("photos/"), number, pl.lit(".jpg"))).to_series()
    labelled = np.arange(0, rows, 2)
    labels = pl.DataFrame({"path": paths[labelled], "label": names.gather(true[labelled])})
    labels.write_parquet(folder / "labels.parquet")
    with (folder / "scores.parquet").open("wb") as file, ParquetRows(file) as table:
        for start in range(0, rows, ROWS if form == "lists" else 2048):
            here = true[start : start + (ROWS if form == "lists" else 2048)]
            key = paths[start : start + len(here)]
            if form == "lists":
                table.append(_lists(key, here, names, top, random))
                continue
            logits = random.normal(size=(len(here), taxonomy.num_leaves)).astype(np.float32)
            logits[np.arange(len(here)), here] += 10
            table.append(pl.DataFrame({"path": key, **dict(zip(names, logits.T, strict=True))}))


def _lists(key: pl.Series, true: np.ndarray, names: pl.Series, top: int, random: np.random.Generator) -> pl.DataFrame:
    """The best classes of some rows: the true one and its neighbours in the tree, with falling probabilities."""
    near = (true[:, None] + np.arange(top) * random.integers(1, 4, (len(true), 1))) % len(names)
    scores = random.dirichlet(np.arange(top, 0, -1) * 2.0, len(true)) * random.uniform(0.6, 1, (len(true), 1))
    repeated = key.gather(np.repeat(np.arange(len(true)), top))
    return pl.DataFrame({"path": repeated, "class": names.gather(near.reshape(-1)), "score": scores.reshape(-1)})


def measure(stage: str, folder: Path, decision: str) -> tuple[float, float, float]:
    """Seconds of a stage in this process, by the clock and of its processors, and its peak memory in MB."""
    import cladewise as cw
    import cladewise.engine.deciding.deciding
    from cladewise.atomic import replacing
    from cladewise.parquet import write_parquet_parts
    from cladewise.scores import open_scores

    values = {"values": "probabilities" if (folder / "lists").exists() else "logits"}
    taxonomy = Taxonomy.read(folder / "tree.csv")
    started, worked = time.perf_counter(), time.process_time()
    if stage == "read":
        scores = open_scores(folder / "scores.parquet", taxonomy, **values)
        count = sum(rows.stop - rows.start for rows, _ in scores.parts())
        assert count == scores.num_rows
    elif stage == "decide":
        decided = cw.decide(folder / "scores.parquet", taxonomy, decision=decision, progress=False, **values)
        with replacing(folder / "answers.parquet") as temporary:
            write_parquet_parts(decided.tables(), temporary)
    else:
        out = Path(tempfile.mkdtemp(dir=folder)) / "run"
        labels = folder / "labels.parquet"
        decided = cw.decide(
            folder / "scores.parquet",
            taxonomy,
            labels=labels,
            decision=decision,
            out=out,
            progress=False,
            **values,
        )
        decided.write_answers()
        decided.evaluate()
    seconds, processor = time.perf_counter() - started, time.process_time() - worked
    return seconds, processor, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--form", choices=("lists", "wide"), default="lists")
    parser.add_argument("--rows", type=int, default=None, help="100,000 of lists, 5,000 of a wide table by default")
    parser.add_argument("--nodes", type=int, default=16_344)
    parser.add_argument("--top", type=int, default=5, help="length of the lists")
    parser.add_argument("--decision", default="majority")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=["read", "decide"])
    parser.add_argument("--folder", type=Path, default=None, help="to keep the scores for another call")
    parser.add_argument("--stage", choices=STAGES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.stage:
        print(*measure(given.stage, given.folder, given.decision))
        return
    rows = given.rows or {"lists": 100_000, "wide": 5_000}[given.form]
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder = folder / f"{given.form}-{rows}-{given.nodes}-{given.top}"
        if not (folder / "done").exists():
            folder.mkdir(parents=True, exist_ok=True)
            make(folder, given.form, rows, given.nodes, given.top)
            if given.form == "lists":
                (folder / "lists").touch()
            (folder / "done").touch()
        size = (folder / "scores.parquet").stat().st_size / 1e6
        print(f"{rows:,} rows, {size:,.0f} MB of scores; {given.decision}")
        reading = (0.0, 0.0)
        for stage in given.stages:
            words = [sys.executable, __file__, "--stage", stage, "--folder", str(folder), "--decision", given.decision]
            out = subprocess.run(words, check=True, capture_output=True, text=True).stdout.split()
            seconds, processor, peak = map(float, out[-3:])
            reading = reading if reading[0] else (seconds, processor)
            clock = f"{seconds:7.1f} s ({seconds / reading[0]:4.1f} x reading)"
            work = f"{processor:7.1f} s of processors ({processor / reading[1]:4.1f} x)"
            over = " (above the goal)" if peak > GOAL else ""
            print(f"{stage:>7}: {clock}, {work}, peak {peak:6,.0f} MB{over}", flush=True)


if __name__ == "__main__":
    main()
