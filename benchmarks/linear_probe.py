"""Linear probes of every method on one data set: tuned with equal effort, then several seeds, paired with the baseline.

Hyper-parameters are chosen by top-1 on 20% of the training images, held out; each method tries the same number of
configurations. The chosen one is trained on all training images with several seeds and tested once each.

    python benchmarks/linear_probe.py emoji-food-animals --test openmoji --crop-ratio 1
    python benchmarks/linear_probe.py emoji-food-animals --test noto --exclude noto-v1 --crop-ratio 1
    python benchmarks/linear_probe.py path/to/grocery-store --train-split train+val
"""

from __future__ import annotations

import itertools
import json
import logging
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import polars as pl
import typer
from rich.console import Console
from rich.table import Table

import cladewise as cw
from cladewise import datasets
from cladewise.cli.data import open_data
from cladewise.engine import Run
from cladewise.progress import track
from cladewise.records.metric_names import metric_text
from cladewise.statistics import mean_and_sd, paired_difference

RATES = (1e-2, 3e-2, 1e-1, 3e-1)
FINE_RATES = (3e-3, 5e-3, 7e-3, 1e-2, 1.5e-2, 2e-2, 3e-2, 5e-2, 7e-2, 1e-1, 1.5e-1, 3e-1)
GRIDS: dict[str, list[dict[str, Any]]] = {  # twelve configurations each
    "flat-softmax": [{"lr": lr} for lr in FINE_RATES],
    "hxe": [{"lr": lr, "alpha": a} for lr, a in itertools.product(RATES, (0.1, 0.3, 0.5))],
    "hace": [{"lr": lr, "dilution": d} for lr, d in itertools.product(RATES, (0.2, 0.5, 0.7))],
    "hace-smooth": [{"lr": lr, "dilution": d} for lr, d in itertools.product(RATES, (0.2, 0.5, 0.7))],
}
BASELINE = "flat-softmax"
SHOWN = ("top1", "level_accuracy", "severity", "hd@1", "hd@5", "full_path")


def main(
    data: Annotated[str, typer.Argument(help="Data set's name, folder or manifest.")],
    out: Annotated[Path, typer.Option(help="Folder for the runs.")] = Path("runs/linear-probe"),
    test: Annotated[list[str] | None, typer.Option(help="Test vendors of the emoji.")] = None,
    exclude: Annotated[list[str] | None, typer.Option(help="Vendors of the emoji to leave out.")] = None,
    train_split: Annotated[str, typer.Option(help="Split to train on in the end.")] = "train",
    seeds: Annotated[int, typer.Option(help="Runs of each tuned method.")] = 5,
    crop_ratio: Annotated[float, typer.Option(help="Share of an image looked at; 0: as the encoder was trained.")] = 0,
    epochs: Annotated[int, typer.Option(help="Passes over the training images.")] = 40,
) -> None:
    """Tune, train, test and compare."""
    logging.getLogger("lightning").setLevel(logging.ERROR)
    options = {"test": test, "exclude": exclude or []} if test else {}
    dataset = open_data(data, None, seed=0, **options)
    fixed: dict[str, Any] = {"freeze": True, "epochs": epochs, "val_split": "none", "progress": False}
    fixed["crop_ratio"] = crop_ratio
    chosen = {name: tune(dataset, name, out / "tuning", fixed) for name in GRIDS}
    runs: dict[str, list[Run]] = {}
    for name, seed in track(list(itertools.product(GRIDS, range(seeds))), "final runs"):
        folder, settings = out / f"{name}-{seed}", dict(chosen[name])
        runs.setdefault(name, []).append(
            train(dataset, name, settings, folder, seed=seed, train_split=train_split, **fixed)
        )
    report(dataset, runs, chosen)


def tune(dataset: datasets.Dataset, name: str, out: Path, fixed: dict[str, Any]) -> dict[str, Any]:
    """The configuration of the grid that is right most often on the held-out fifth."""
    held = datasets.hold_out(dataset, "train", 0.2, into="tune")
    results: list[tuple[float, float, dict[str, Any]]] = []
    for settings in track(GRIDS[name], f"tuning {name}"):
        folder = out / "-".join([name, *(f"{key}={value:g}" for key, value in settings.items())])
        run = train(held, name, settings, folder, seed=0, train_split="train", **fixed)
        scores = cw.evaluate(run, split="tune", progress=False)
        results.append((scores.top1, scores.level_accuracy, settings))
    best = max(results, key=lambda result: result[:2])
    typer.echo(f"{name}: {json.dumps(best[2])} with {best[0]:.4f} of the held-out fifth, worst {min(results)[0]:.4f}")
    return best[2]


def train(
    dataset: datasets.Dataset, name: str, settings: dict[str, Any], folder: Path, *, seed: int, **fixed: Any
) -> Run:
    """One run, or the finished one of an earlier call."""
    options = {k: v for k, v in settings.items() if k != "lr"}
    return cw.train(
        dataset, method=name, options=options, lr=settings["lr"], seed=seed, out=folder, reuse=True, **fixed
    )


def report(dataset: datasets.Dataset, runs: dict[str, list[Run]], chosen: dict[str, dict[str, Any]]) -> None:
    """Means and deviations over seeds, and what of the differences is larger than its paired interval."""
    scores = {name: [cw.evaluate(run, split="test", progress=False) for run in group] for name, group in runs.items()}
    outcomes = {
        name: [pl.read_parquet(score.path.with_suffix(".parquet")) for score in group] for name, group in scores.items()
    }
    levels = [f"level_accuracy/{name}" for name in dataset.taxonomy.level_names]
    table = Table("method", "chosen", *(metric_text(m).title for m in (*SHOWN, *levels)), title=dataset.name)
    paired = Table("method", *(metric_text(m).title for m in SHOWN), title=f"Difference from {BASELINE}, paired")
    for name, group in scores.items():
        spreads = [mean_and_sd([score[m].value for score in group]) for m in (*SHOWN, *levels)]
        table.add_row(name, json.dumps(chosen[name]), *(f"{s.mean:.4f} ± {s.sd:.4f}" for s in spreads))
        if name == BASELINE:
            continue
        cells: list[str] = []
        for metric in SHOWN:
            columns = levels if metric == "level_accuracy" else [metric]
            first, second = (_values(outcomes[n], columns) for n in (name, BASELINE))
            difference = paired_difference(first, second)
            mark = " *" if difference.excludes(0.0) else ""
            cells.append(f"{difference.value:+.4f} [{difference.low:+.4f}, {difference.high:+.4f}]{mark}")
        paired.add_row(name, *cells)
    console = Console(width=260)
    console.print(table)
    console.print(paired)


def _values(frames: list[pl.DataFrame], columns: list[str]) -> np.ndarray:
    return np.concatenate([frame.select(columns).to_numpy().T for frame in frames])


if __name__ == "__main__":
    typer.run(main)
