"""``cladewise evaluate``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.settings import chosen_decision


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    split: Annotated[str, typer.Option(help="Split of the data; several are joined with +.")] = "test",
    decision: Annotated[
        str | None, typer.Option(help="See: cladewise list decisions. The method's own where none is given.")
    ] = None,
    inference: Annotated[str | None, typer.Option(help="See: cladewise list inferences.")] = None,
    threshold: Annotated[float | None, typer.Option(help="Probability for --decision threshold.")] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="Another parameter of the decision, key=value.")
    ] = None,
) -> None:
    """Evaluate runs on a split, and print and keep the metrics with their 95% intervals."""
    from rich.console import Console
    from rich.table import Table

    from cladewise import engine
    from cladewise.records.metric_names import metric_text

    rule = chosen_decision(decision, set_, threshold)
    scores = {run: engine.evaluate(run, split=split, decision=rule, inference=inference) for run in runs}
    table = Table(title=f"{split}: {next(iter(scores.values())).num_images} images", title_justify="left")
    table.add_column("metric")
    for run in runs:
        table.add_column(run.name, justify="right")
    for metric in next(iter(scores.values())).metrics:
        cells = [_cell(scores[run].metrics.get(metric)) for run in runs]
        table.add_row(metric_text(metric).title, *cells)
    Console().print(table)
    for run in runs:
        typer.echo(f"{scores[run].path}")


def _cell(interval: object) -> str:
    value, low, high = (getattr(interval, name, float("nan")) for name in ("value", "low", "high"))
    return f"{value:.4f} [{low:.4f}, {high:.4f}]"
