"""``cladewise audit``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.checking import check_runs, check_runtime
from cladewise.cli.context import GroupBy
from cladewise.cli.printing import say, tell
from cladewise.cli.settings import RUNTIME_HELP

if TYPE_CHECKING:
    from cladewise.auditing import Audit


def audit(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    split: Annotated[str, typer.Option(help="Split whose labels are audited; join several with +.")] = "train",
    folds: Annotated[
        int, typer.Option(min=2, help="Heads to fit, each without the part of the images that it scores.")
    ] = 5,
    group_by: GroupBy = None,
    expected_errors: Annotated[
        float, typer.Option(min=0, max=1, help="Share of the labels that is assumed to be wrong.")
    ] = 0.05,
    most: Annotated[int, typer.Option(min=1, help="Largest number of images on each list of the page.")] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the folds.")] = 0,
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Serve the page on this machine alone, and write each decision to corrections.csv at once."
        ),
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of --serve; 0 for a free one.")] = 0,
    runtime: Annotated[str | None, typer.Option(help=RUNTIME_HELP, show_default="auto")] = None,
) -> None:
    """Find labels worth a second look, and write a page to walk through them by keyboard.

    cladewise audit runs/hace --serve

    cp runs/hace/audit/train/corrections.csv corrections-1.csv

    cladewise train photos/ --corrections corrections-1.csv --out runs/corrected
    """
    check_runs([run])
    check_runtime(runtime)

    from cladewise import auditing

    found = auditing.audit(
        run,
        split=split,
        folds=folds,
        group_by=group_by,
        expected_errors=expected_errors,
        most=most,
        seed=seed,
        runtime=runtime,
    )
    _tell(found)
    if serve:
        _serve(found, port)


def _tell(found: Audit) -> None:
    record = found.record
    tell(f"{record.suspects:,} of {record.num_images:,} labels are not where the evidence ends; see suspects.csv")
    if record.unknown:
        tell(
            f"{record.unknown:,} labels cannot be judged, since no head has learnt from an image at or under them"
            + (f": are groups by {record.group_by} whole classes?" if 2 * record.unknown > record.num_images else "")
        )
    tell(f"{record.finer:,} labels could be finer")
    tell(
        f"{record.same_content + record.near_duplicates:,} pairs of images show the same picture: "
        f"{record.conflicting:,} with labels that contradict each other, {record.across_splits:,} in different splits"
    )
    tell(f"{record.one_class:,} pairs of classes are not told apart, {record.two_kinds:,} classes have two groups")
    tell(found.page)


def _serve(found: Audit, port: int) -> None:
    """Serve the page until Ctrl-C."""
    with found.serve(port=port) as server:
        tell(server.address)
        say(f"cladewise: decisions are written to {server.table}. Ctrl-C ends the server.")
        server.serve_forever()
