"""``cladewise evaluate``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.printing import print_table
from cladewise.cli.settings import TREE_HELP, checked_tree, with_threshold

if TYPE_CHECKING:
    from rich.table import Table

    from cladewise.engine import Scores

COMPARED = ("majority_f1", "leaf_f1", "leaf_top1", "top1", "correct", "info_f1", "severity")
"""Metrics of the table of several evaluations of a run, after the areas of the curve and every recall."""


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    split: Annotated[str, typer.Option(help="Split of the data; several are joined with +.")] = "test",
    decision: Annotated[
        list[str] | None,
        typer.Option(
            help="A decision, as name or name:key=value,...; see: cladewise list decisions. The method's own where "
            "none is given. Given several times, each."
        ),
    ] = None,
    inference: Annotated[
        list[str] | None,
        typer.Option(
            help="An inference, likewise; several in turn are joined with +, none takes the prediction as it is. See: "
            "cladewise list inferences. The method's own where none is given. Given several times, each."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Short for the decision's option threshold, as in threshold:threshold=0.9.")
    ] = None,
    fit_split: Annotated[
        str | None,
        typer.Option(
            help="Split that rules learn from which learn, or 5-fold: the training images, each as a copy says that is "
            "trained without it. Each rule's own split where none is given."
        ),
    ] = None,
    recall_at: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="Another share of correctness whose recall is wanted: 0.99 for R@99."),
    ] = None,
    tree: Annotated[str, typer.Option(help=TREE_HELP)] = "true",
) -> None:
    """Evaluate runs on a split, by every decision after every inference; print and keep the metrics.

    cladewise evaluate runs/hace --inference none --inference diffusion:alpha=0.5 --decision greedy:threshold=0.5
    """
    from cladewise import engine

    decisions = with_threshold(decision or [], threshold) or [None]
    scores = {
        run: engine.evaluate_all(
            run,
            split=split,
            decisions=decisions,
            inferences=inference or [None],
            fit_split=fit_split,
            recall_at=recall_at or (),
            tree=checked_tree(tree),
        )
        for run in runs
    }
    single = all(len(of_run) == 1 for of_run in scores.values())
    first = scores[runs[0]][0]
    table = _every_metric(scores) if single else _every_rule(scores)
    table.title = f"{split}: {first.num_images} images"
    print_table(table, fold=single)
    for score in (score for of_run in scores.values() for score in of_run):
        for warning in score.warnings:
            typer.echo(f"cladewise: {warning}", err=True)
        typer.echo(f"{score.path}")


def _every_metric(scores: dict[Path, list[Scores]]) -> Table:
    """A row a metric, with its interval; a column a run."""
    from rich.table import Table

    from cladewise.records.metric_names import metric_text

    table = Table("metric", title_justify="left")
    for run in scores:
        table.add_column(run.name, justify="right")
    names = dict.fromkeys(name for of_run in scores.values() for name in of_run[0].metrics if _is_printed(name))
    for name in names:
        table.add_row(metric_text(name).title, *(_cell(of_run[0].metrics.get(name)) for of_run in scores.values()))
    return table


def _is_printed(name: str) -> bool:
    """Whether a metric is told on the terminal: of those by level the file has more."""
    return "/" not in name or name.startswith(("level_accuracy/", "ece/"))


def _every_rule(scores: dict[Path, list[Scores]]) -> Table:
    """A row an evaluation; a column each of the metrics that rules are compared by."""
    from rich.table import Table

    from cladewise.records.metric_names import metric_text

    every = [score for of_run in scores.values() for score in of_run]
    recalls = dict.fromkeys(name for score in every for name in score.metrics if name.startswith("r@"))
    compared = ("ap", "ac", *recalls, *COMPARED)
    table = Table("run", "inference", "decision", title_justify="left")
    for name in compared:
        table.add_column(metric_text(name).title, justify="right")
    for run, of_run in scores.items():
        for score in of_run:
            values = [f"{score.metrics[name].value:.4f}" if name in score.metrics else "–" for name in compared]
            table.add_row(run.name, score.inference, score.decision, *values)
    return table


def _cell(interval: object) -> str:
    value, low, high = (getattr(interval, name, math.nan) for name in ("value", "low", "high"))
    return f"{value:.4f}" + ("" if math.isnan(low) else f" [{low:.4f}, {high:.4f}]")
