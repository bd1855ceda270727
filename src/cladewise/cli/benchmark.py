"""``cladewise benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.printing import say, tell


def benchmark(
    suite: Annotated[str, typer.Argument(help="A suite file, or the name of a bundled suite.")],
    table: Annotated[
        list[str] | None,
        typer.Option(help="Table or figure to make, with the runs that it needs; repeatable. Default: all."),
    ] = None,
    data: Annotated[
        list[str] | None,
        typer.Option(
            help="Path of the suite's dataset; for one of several, NAME=PATH. NAME.OPTION=VALUE gives another option "
            "of its reader. Repeatable."
        ),
    ] = None,
    seeds: Annotated[int | None, typer.Option(help="Runs per method. Default: as in the suite.", min=1)] = None,
    smoke: Annotated[
        bool,
        typer.Option(
            "--smoke", help="Run everything once, with a tiny untrained encoder on made-up files: does it work?"
        ),
    ] = False,
    features: Annotated[
        bool,
        typer.Option(
            "--features", help="The same rows and tables as linear probes on a frozen encoder, with searched rates."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="Folder for all output. Default: runs/<suite>, with -features or -smoke.")
    ] = None,
    jobs: Annotated[int, typer.Option(help="Number of processes that train in parallel.", min=1)] = 1,
) -> None:
    """Search settings, train, evaluate and compare every method of a suite. Repeating the command resumes it.

    cladewise benchmark scores-and-curves-emoji --seeds 5 --jobs 2
    """
    from cladewise.suites import benchmark, read_suite
    from cladewise.suites.folders import LEFT_OUT, data_folder, default_folder

    read = read_suite(suite)
    folder = out or default_folder(read, smoke=smoke, features=features)
    written = benchmark(
        read,
        out=folder,
        seeds=seeds,
        jobs=jobs,
        data=data,
        tables=table or (),
        smoke=smoke,
        features=features,
    )
    for path in written:
        tell(path)
    for name in ("", *(data_folder(entry.name) for entry in read.data)):
        left_out = folder / name / LEFT_OUT
        if left_out.is_file() and (lines := left_out.read_text(encoding="utf-8").splitlines()):
            say(f"cladewise: left out of the tables, one reason per line ({len(lines)}): {left_out}")
