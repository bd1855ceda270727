"""Every method under the main rules, exported from features on, beside torch: the table of equal answers.

    python benchmarks/export_parity.py RUN [RUN ...] [--decision majority] [--to onnx]

Runs are of frozen encoders. Each is exported under its method's own decision and under those given, and answers all
images of its test split, or its validation split, from cached features: 16 one by one, then all at once. A row has the
share of the run's (rule, image) pairs with the same answer, how many lie on the threshold of a fitted rule (see
`cladewise export`; these are not among the equal ones), and the largest difference of a log-probability in nats.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise.engine.feeding.features import cached_features
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.exporting import RunGraph, format_of
from cladewise.exporting.checking import Checked, Reference, compared

RULES = ("leaf", "threshold:threshold=0.8", "majority", "hedging")
ONE_BY_ONE = 16
HEADER = """\
| run | own rule | images | equal answers | on a threshold | largest difference, nats | not exported | CPU s per file |
|---|---|---|---|---|---|---|---|"""


class OnFeatures(Reference):
    """The run in torch, whose images are rows of features of the frozen encoder."""

    @torch.inference_mode()
    def features(self, pictures: Sequence[NDArray[np.generic]]) -> Tensor:
        return self.classifier.encode(torch.from_numpy(np.stack(pictures)))

    def input(self, pictures: Sequence[NDArray[np.generic]]) -> NDArray[np.generic]:
        return np.stack(pictures)


def features_of(run: Run) -> NDArray[np.float32]:
    """Features of the images of the test split, or of the validation split."""
    if run.classifier.end_to_end:
        raise InputError("a run of a frozen encoder", "one that was trained", at=str(run.path))
    split = "test" if "test" in run.dataset.splits else run.config.training.val_split
    indices = run.dataset.indices(split)
    features = cached_features(run.dataset, indices, run.backbone, progress=False)
    return np.array(features.rows(features.usable(indices)))


def answered(run: Run, rule: str, rows: NDArray[np.float32], to: str, folder: Path) -> list[Checked]:
    """One exported file beside torch: images one by one, and all together."""
    graph, form = RunGraph.of(run, decision=rule, start="features"), format_of(to)
    file = folder / f"model{form.suffix}"
    form.write(graph, file, {})
    session, reference = form.open(file), OnFeatures(run, graph)
    batches = [*rows[:ONE_BY_ONE, None], rows]
    return [compared(reference, session, list(batch), "cached features") for batch in batches]


def row_of(run: Run, rules: Sequence[str], rows: NDArray[np.float32], to: str, folder: Path) -> str:
    """A row of the table."""
    own, found, refused = str(run.decision.handle), list[Checked](), list[str]()
    tried, start = list(dict.fromkeys([own, *rules])), time.process_time()
    for rule in tried:
        try:
            found += answered(run, rule, rows, to, folder)
        except InputError as error:
            refused.append(f"{rule}: {error}")
    files = max(1, len(tried) - len(refused))
    answers = sum(checked.images for checked in found)
    near, other = (sum(getattr(checked, name) for checked in found) for name in ("at_threshold", "different"))
    largest = max((checked.largest for checked in found), default=0.0)
    cells = [run.method.name, f"`{own}`", f"{len(rows):,}", f"{answers - near - other:,} of {answers:,}", f"{near:,}"]
    cells += [f"{largest:.1e}", "; ".join(refused), f"{(time.process_time() - start) / files:.1f}"]
    return "| " + " | ".join(cells) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--decision", action="append")
    parser.add_argument("--to", default="onnx")
    given = parser.parse_args()
    torch.set_num_threads(1)
    print(HEADER)
    rows: dict[str, NDArray[np.float32]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for path in given.runs:
            run = Run.open(path)
            data = str(run.config.data)
            if data not in rows:
                rows[data] = features_of(run)
            print(row_of(run, given.decision or RULES, rows[data], given.to, Path(folder)), flush=True)


if __name__ == "__main__":
    main()
