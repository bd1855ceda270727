"""The demo: three methods on drawings of food and animals, from images to a report in a few minutes."""

from __future__ import annotations

import dataclasses
from os import PathLike
from pathlib import Path

from cladewise import datasets, engine
from cladewise.records import Evaluation
from cladewise.report import compare

METHODS = ("flat-softmax", "hxe", "hace")


@dataclasses.dataclass(frozen=True)
class Demo:
    """Results of the demo.

    Args:
        evaluations: Evaluations of each method on the test images, one per seed.
        page: The report.
    """

    evaluations: dict[str, list[Evaluation]]
    page: Path


def demo(
    *, out: str | PathLike[str] = "runs/demo", data: str = "emoji-food-animals", seeds: int = 3, epochs: int = 40
) -> Demo:
    """Train three methods on drawings of food and animals, test them on an unseen vendor, and write a report.

    Runs that are finished already are kept.

    Args:
        out: Folder for the runs and the report.
        data: Name of a dataset.
        seeds: Runs of each method.
        epochs: Passes over the training images.
    """
    dataset, folder = datasets.load(data), Path(out)
    evaluations: dict[str, list[Evaluation]] = {method: [] for method in METHODS}
    runs: list[Path] = []
    for method in METHODS:
        for seed in range(seeds):
            runs.append(folder / f"{method}-{seed}")
            run = engine.train(
                dataset,
                method=method,
                freeze=True,
                crop_ratio=1.0,  # a drawing fills its frame
                out=runs[-1],
                seed=seed,
                epochs=epochs,
                val_split="none",
                reuse=True,
                tell=len(runs) == 1,
            )
            evaluations[method].append(engine.evaluate(run, split="test"))
    return Demo(evaluations, compare(runs, folder / "report.html"))
