"""``cladewise demo``."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.printing import print_table, tell

SHOWN = ("top1", "level_accuracy", "severity", "hd@1", "full_path")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the runs and the report.")] = Path("runs/demo"),
    data: Annotated[str, typer.Option(help="Dataset; see cladewise list datasets.")] = "emoji-food-animals",
    seeds: Annotated[int, typer.Option(help="Number of runs per method.", min=1)] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.", min=1)] = 40,
) -> None:
    """Train three methods on drawings of food and animals, test them on an unseen vendor, and write a report."""
    from rich.table import Table

    from cladewise import suites
    from cladewise.records.metric_names import metric_text

    made = suites.demo(out=out, data=data, seeds=seeds, epochs=epochs)
    table = Table(title=f"Test images of a vendor never seen, mean ± sd of {seeds} seeds", title_justify="left")
    table.add_column("method", no_wrap=True)
    for metric in SHOWN:
        table.add_column(metric_text(metric).title, justify="right")
    for method, evaluations in made.evaluations.items():
        cells = [_mean_and_sd([one[metric].value for one in evaluations]) for metric in SHOWN]
        table.add_row(method, *cells)
    print_table(table)
    tell(f"Report: {made.page.resolve()}")


def _mean_and_sd(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}"
