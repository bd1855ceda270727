"""``cladewise compare``: one page from several runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.printing import tell
from cladewise.cli.settings import NAMES_HELP, TREE_HELP, checked_tree


def compare(
    runs: Annotated[
        list[Path], typer.Argument(help="Run folders, already evaluated on the split; seeds are averaged.")
    ],
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("report.html"),
    split: Annotated[str, typer.Option(help="Split whose evaluations to show.")] = "test",
    decision: Annotated[
        str | None, typer.Option(help="Decision whose evaluations to show. Default: the method's own.")
    ] = None,
    inference: Annotated[
        str | None, typer.Option(help="Inference rule whose evaluations to show. Default: the method's own.")
    ] = None,
    baseline: Annotated[
        str | None, typer.Option(help="Method, group or folder to compare with. Default: the first flat-softmax.")
    ] = None,
    tree: Annotated[str, typer.Option(help=TREE_HELP)] = "true",
    names: Annotated[str | None, typer.Option(help=NAMES_HELP, show_default=False)] = None,
    title: Annotated[str | None, typer.Option(help="Heading of the page. Default: the methods and the data.")] = None,
    figures: Annotated[
        Path | None, typer.Option(help="Also write the figures and tables to this folder: PNG, SVG, CSV, Markdown.")
    ] = None,
) -> None:
    """Compare runs on one self-contained HTML page."""
    from cladewise import report

    page = report.compare(
        runs,
        out,
        split=split,
        title=title,
        baseline=baseline,
        decision=decision,
        inference=inference,
        tree=checked_tree(tree),
        figures=figures,
        names=names,
    )
    tell(page)
