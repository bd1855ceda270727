"""A suite that is killed again and again gives the tables that it gives undisturbed, byte for byte."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from shared_runs import write_squares
from suites.small_suites import DATA, ENCODER

KILLS = 10

SUITE = (
    """
title = "Colours"
seeds = 2
methods = ["lht", "hace:dilution=0.5"]
"""
    + DATA
    + ENCODER
    + """
[training]
epochs = 3
batch_size = 8
workers = 0
checkpoint_seconds = 0.0

[search]
metric = "top1"
lr = [0.01, 0.1]
refine = []
options = "default"

[[variant]]
name = "end to end"
method = "lht"
backbone = { freeze = false }

[[variant]]
name = "confusion 0"
method = "lht:confusion=0.0"
settings = "lht"

[[table]]
name = "table-1"
title = "Methods"
methods = ["lht", "hace:dilution=0.5", "end to end"]
decisions = ["own", "majority"]
columns = ["ap", "level_accuracy", "few_shot/2"]

[[table.published]]
row = "lht"
decision = "own"
values = [61.5, 87.25, nan]

[[few_shot]]
ways = ["2"]
episodes = 4
queries = 2

[[figure]]
name = "figure-1"
title = "Weight of the confusion loss"
kind = "curve"
x = "confusion"
methods = ["lht", "confusion 0"]
columns = ["level_accuracy"]
"""
)


@pytest.mark.slow
def test_killed_at_random_the_tables_are_the_same(tmp_path: Path) -> None:
    colours = {"warm/red": (200, 30, 30), "warm/orange": (220, 130, 20), "cold/blue": (20, 20, 160)}
    write_squares(tmp_path / "photos", colours, 10, noise=40)
    (tmp_path / "paper.toml").write_text(SUITE)

    whole = start(tmp_path, "whole")
    assert whole.wait() == 0
    chance, kills = random.Random(0), 0
    while kills < KILLS:
        attempt = start(tmp_path, "killed")
        enough = count_files(tmp_path / "killed") + chance.randint(1, 5)
        while attempt.poll() is None and count_files(tmp_path / "killed") < enough:
            time.sleep(chance.uniform(0.0, 0.02))
        assert attempt.poll() is None, "the suite was finished before it was killed often enough"
        attempt.send_signal(signal.SIGKILL)
        assert attempt.wait() == -signal.SIGKILL
        kills += 1
    assert not (tmp_path / "killed" / "photos" / "table-1.csv").exists()
    last = start(tmp_path, "killed")
    assert last.wait() == 0

    tables = sorted(path.name for path in (tmp_path / "whole" / "photos").glob("*.*") if path.suffix != ".html")
    assert {"table-1.md", "table-1.csv", "few-shot.md", "figure-1.svg", "figure-1.png", "chosen.json"} < set(tables)
    for name in tables:
        found = [(tmp_path / out / "photos" / name).read_bytes() for out in ("whole", "killed")]
        assert found[0] == found[1], name
    assert "(61.50; " in (tmp_path / "killed" / "photos" / "table-1.md").read_text()


def start(folder: Path, out: str) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-m", "cladewise", "benchmark", "paper.toml", "--out", out]
    environment = {**os.environ, "CLADEWISE_CACHE": str(folder / f"cache-{out}"), "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, cwd=folder, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def count_files(folder: Path) -> int:
    return sum(len(files) for _, _, files in os.walk(folder))
