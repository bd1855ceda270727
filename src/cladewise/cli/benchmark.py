"""``cladewise benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.printing import say, tell


def benchmark(
    suite: Annotated[str, typer.Argument(help="A suite file, or the name of a bundled suite.")],
    seeds: Annotated[int | None, typer.Option(help="Runs per method. Default: as in the suite.", min=1)] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for all output. Default: runs/<suite>.")] = None,
    jobs: Annotated[int, typer.Option(help="Number of processes that train in parallel.", min=1)] = 1,
    data: Annotated[str | None, typer.Option(help="Path of the images, if the dataset of the suite needs one.")] = None,
) -> None:
    """Search settings, train, evaluate and compare every method of a suite. Repeating the command resumes it.

    cladewise benchmark scores-and-curves-emoji --seeds 5 --jobs 2
    """
    from cladewise.suites import benchmark, read_suite

    read = read_suite(suite)
    folder = out or Path("runs") / read.name
    for path in benchmark(read, out=folder, seeds=seeds, jobs=jobs, data=data):
        tell(path)
    for entry in read.data:
        left_out = folder / entry.name / "left_out.txt"
        if count := len(left_out.read_text(encoding="utf-8").splitlines()):
            say(f"cladewise: left out of the tables, one reason per line ({count}): {left_out}")
