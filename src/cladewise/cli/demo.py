"""``cladewise demo``: the main job on real images, start to end."""

from __future__ import annotations

import statistics
from pathlib import Path
from typing import Annotated

import typer

from cladewise.cli.printing import print_table, tell

METHODS = ("flat-softmax", "hxe", "hace")
SHOWN = ("top1", "level_accuracy", "severity", "hd@1", "full_path")


def demo(
    out: Annotated[Path, typer.Option(help="Folder for the runs and the report.")] = Path("runs/demo"),
    data: Annotated[str, typer.Option(help="Data set; see: cladewise list datasets.")] = "emoji-food-animals",
    seeds: Annotated[int, typer.Option(help="Runs of each method.", min=1)] = 3,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.", min=1)] = 40,
) -> None:
    """Train three methods on drawings of food and animals, test them on a vendor never seen, and write a report."""
    from rich.table import Table

    from cladewise import datasets, engine
    from cladewise.records import Evaluation
    from cladewise.records.metric_names import metric_text
    from cladewise.report import write_page

    dataset = datasets.load(data)
    results: dict[str, list[Evaluation]] = {}
    folders: list[Path] = []
    for name in METHODS:
        for seed in range(seeds):
            folder = out / f"{name}-{seed}"
            folders.append(folder)
            run = engine.train(
                dataset,
                method=name,
                freeze=True,
                crop_ratio=1.0,  # a drawing fills its frame
                out=folder,
                seed=seed,
                epochs=epochs,
                val_split="none",
                reuse=True,
                tell=not folders[1:],
            )
            results.setdefault(name, []).append(engine.evaluate(run, split="test"))
    table = Table(title=f"Test images of a vendor never seen, mean ± sd of {seeds} seeds", title_justify="left")
    table.add_column("method", no_wrap=True)
    for metric in SHOWN:
        table.add_column(metric_text(metric).title, justify="right")
    for name, scores in results.items():
        cells = [_mean_and_sd([score[metric].value for score in scores]) for metric in SHOWN]
        table.add_row(name, *cells)
    print_table(table)
    page = write_page(folders, out / "report.html")
    tell(f"Report: {page.resolve()}")


def _mean_and_sd(values: list[float]) -> str:
    spread = f" ± {statistics.stdev(values):.3f}" if len(values) > 1 else ""
    return f"{statistics.fmean(values):.3f}{spread}"
