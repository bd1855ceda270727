"""``cladewise predict``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.checking import check_rules, check_runs
from cladewise.cli.naming_images import find_images
from cladewise.cli.printing import say
from cladewise.cli.settings import with_threshold
from cladewise.cli.tables import FORMAT_HELP, OUT_HELP, table_format, table_writer

if TYPE_CHECKING:
    from cladewise.datasets import Skipped


def predict(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    images: Annotated[list[str], typer.Argument(help="Image files, folders, or patterns such as 'new/**/*.jpg'.")],
    decision: Annotated[
        str | None,
        typer.Option(
            help="Decision, as name or name:key=value,...; see cladewise list decisions. Default: the method's own."
        ),
    ] = None,
    inference: Annotated[
        str | None,
        typer.Option(
            help="Inference rule, likewise; chain several with +; none leaves the prediction unchanged. See "
            "cladewise list inferences. Default: the method's own."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Shorthand for the decision's option, as in threshold:threshold=0.9.")
    ] = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMAT_HELP, show_default=False)] = None,
    out: Annotated[Path | None, typer.Option(help=OUT_HELP)] = None,
) -> None:
    """Predict images: write a table with one row per image.

    Columns: the label with its path and probability, the node and probability at every level, the most probable leaf,
    and an error if the image cannot be read. In CSV and TSV, text that a spreadsheet would execute as a formula is
    prefixed with an apostrophe. The exit code is 2 if no image can be read.

    cladewise predict runs/hace new/ --decision majority --out predictions.csv
    """
    format_ = table_format(format_, out)
    rules = with_threshold([decision] if decision else [], threshold)
    check_runs([run])
    check_rules(decisions=rules, inferences=[inference] if inference else [])
    files = find_images(images)

    from cladewise import engine

    with table_writer(format_, out) as write:
        predicted = engine.predict(run, files, inference=inference, decision=rules[0] if rules else None)
        write(predicted.to_frame())
    for warning in predicted.warnings:
        say(f"cladewise: {warning}")
    _tell(predicted.skipped)
    if len(predicted.skipped) == len(predicted.paths):
        raise typer.Exit(2)


def _tell(skipped: Sequence[Skipped]) -> None:
    for image in skipped:
        say(f"cladewise: {image.path} left out: {image.reason}")
