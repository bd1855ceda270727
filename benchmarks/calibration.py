"""Calibration error by level before and after calibration, for any number of runs.

    python benchmarks/calibration.py runs/hace runs/lht ...

Every rule is fitted on the split ``val`` of each run and judged on ``test``. Rows are runs, with the share of right
leaves (top-1); columns are the expected calibration errors in points, averaged over the levels, before and after
calibration. ``--levels`` prints the errors at every level instead of their means.
"""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Sequence
from pathlib import Path

import torch

from cladewise.engine import Run
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.answering.scoring import scored
from cladewise.engine.rules import inference_of
from cladewise.errors import InputError
from cladewise.inference import chain
from cladewise.metrics import ReliabilitySums
from cladewise.metrics.sums import total
from cladewise.predictions import Prediction

RULES = (
    "",
    "bottom-up",
    "calibrate",
    "calibrate:by=level",
    "calibrate:kind=isotonic,by=level",
    "calibrate:kind=beta,by=level",
)
NAMES = ("none", "bottom-up", "T", "T by level", "isotonic", "beta")
BINS = 15


def errors(run: Run, rule: str) -> list[float]:
    """Expected calibration error at every level, in points, after the method's own inference and a rule."""
    own, then = run.inference, inference_of(rule or "none", None)
    both = chain([part for part in (own, then) if part is not None]) if own or then else None
    infer = ready(run, both, progress=False).rule
    seen = scored(run, "test", progress=False)
    sums = []
    for part, target in seen.parts():
        prediction: Prediction = part if infer is None else infer(part)
        sums.append(ReliabilitySums.of(prediction, target, BINS))
    return [100 * curve.ece for curve in total(sums).curves(run.taxonomy).values()]


def accuracy(run: Run) -> float:
    """Share of images whose most probable leaf is the label."""
    right = [part.best_leaf().node == target for part, target in scored(run, "test", progress=False).parts()]
    return float(torch.cat(right).double().mean())


def main(folders: Sequence[Path], *, levels: bool) -> None:
    """Print the table, in Markdown."""
    print("| run | top-1 | " + " | ".join(NAMES) + " |")
    print("|---|---|" + "---|" * len(NAMES))
    for folder in folders:
        run = Run.open(folder)
        cells: list[str] = []
        for rule in RULES:
            try:
                found = errors(run, rule)
                cells.append(" ".join(f"{e:.1f}" for e in found) if levels else f"{sum(found) / len(found):.1f}")
            except InputError:
                cells.append("–")
        row = [run.path.name, f"{accuracy(run):.1%}", *cells]
        print("| " + " | ".join(row) + " |", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--levels", action="store_true")
    given = parser.parse_args()
    warnings.simplefilter("ignore")
    main(given.runs, levels=given.levels)
