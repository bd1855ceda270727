"""Evaluation: a run and a split to scores, and everything that a report reads."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from cladewise import inference as inferences
from cladewise import metrics
from cladewise.atomic import replacing, write_bytes, write_text
from cladewise.datasets import Dataset
from cladewise.decisions import Decision, LevelNodes, Nodes
from cladewise.engine.predicting import predict_rows, resolve_decision
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.predictions import Prediction, store
from cladewise.records import SCHEMA_VERSION
from cladewise.statistics import Interval, mean_intervals
from cladewise.taxonomy import Taxonomy

CELLS_AT_ONCE = 1 << 25
"""Images are taken in parts of about this many (image, node) cells, 128 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class Scores:
    """Metrics of one evaluation, each with its 95% bootstrap interval.

    ``scores["hd@1"]`` is an interval, ``scores.top1`` its value.
    """

    metrics: Mapping[str, Interval]
    num_images: int
    num_skipped: int
    path: Path

    def __getitem__(self, metric: str) -> Interval:
        return self.metrics[metric]

    def __getattr__(self, metric: str) -> float:
        if metric.startswith("_") or metric not in self.metrics:
            raise AttributeError(f"no metric {metric!r}; there are {', '.join(self.metrics)}")
        return self.metrics[metric].value


def evaluate(
    run: Run | str | Path,
    *,
    split: str = "test",
    decision: str | Decision | None = None,
    inference: str | Inference | None = None,
    data: Dataset | None = None,
    progress: bool = True,
    **parameters: Any,
) -> Scores:
    """Evaluate a run on a split and write the result into its folder, beside earlier evaluations.

    The head's scores are kept, so another decision or inference later needs neither images nor model.

    Args:
        run: A run, or its folder.
        split: Split of the data; several are joined with ``+``.
        decision: A rule or its name; the method's own by default.
        inference: A rule or its name; none by default.
        data: Other data than the run's, with the same taxonomy.
        progress: Show progress bars.
        parameters: Parameters of a decision given by name: ``threshold=0.9``.

    Raises:
        InputError: There is no such split, no image of it can be read, or a rule does not exist.
    """
    run = run if isinstance(run, Run) else Run.open(run)
    rule = resolve_decision(decision, run.method.decision(), **parameters)
    infer = inferences.make(inference) if isinstance(inference, str) else inference
    scored = _scored(run, split, data, progress=progress)
    prediction = scored.prediction if infer is None else infer(scored.prediction)
    columns = outcome_columns(prediction, rule, scored.targets, scored.paths)
    intervals = metric_intervals(columns, run.taxonomy)

    handles = (split, "none" if infer is None else infer.handle, rule.handle)
    path = run.folder.evaluation(*handles)
    summary = {
        "schema_version": SCHEMA_VERSION,
        "split": split,
        "inference": handles[1],
        "decision": handles[2],
        "num_images": len(scored.paths),
        "num_skipped": scored.num_skipped,
        "fingerprint": run.taxonomy.fingerprint,
        "metrics": {k: {f: _finite(v) for f, v in dataclasses.asdict(i).items()} for k, i in intervals.items()},
        "curves": {},
    }
    with replacing(run.folder.outcomes(*handles)) as temporary:
        columns.write_parquet(temporary)
    write_text(path, json.dumps(summary, indent=1) + "\n")
    return Scores(intervals, len(scored.paths), scored.num_skipped, path)


@dataclasses.dataclass(frozen=True)
class _Scored:
    prediction: Prediction
    targets: torch.Tensor
    paths: list[str]
    num_skipped: int


def _scored(run: Run, split: str, data: Dataset | None, *, progress: bool) -> _Scored:
    """The head's prediction for a split, from the run folder where it is there already."""
    scores_path, rows_path = run.folder.scores(split), run.folder.predictions(split)
    if data is None and scores_path.is_file() and rows_path.is_file():
        prediction, rest, about = store.load(scores_path, run.taxonomy)
        if about["model"] == _hash(run.folder.model):
            paths = pl.read_parquet(rows_path, columns=["path"])["path"].to_list()
            return _Scored(prediction, rest["target"], paths, int(about["num_skipped"]))
    dataset = data if data is not None else run.dataset
    if dataset.taxonomy != run.taxonomy:
        raise InputError(
            "data with the taxonomy that the run was trained on",
            f"{dataset.taxonomy} instead of {run.taxonomy}",
            at=dataset.name,
            advice="Compare them: cladewise taxonomy diff.",
        )
    indices = dataset.indices(split)
    prediction, kept, skipped = predict_rows(run, dataset, indices, progress=progress)
    if kept.size == 0:
        raise InputError("images to evaluate on", "none that can be read", at=f"split {split} of {dataset.name}")
    targets = torch.from_numpy(dataset.nodes[kept])
    paths: list[str] = [dataset.paths[i] for i in map(int, kept)]
    about = {"model": _hash(run.folder.model), "num_skipped": str(len(skipped))}
    with replacing(rows_path) as temporary:
        prediction_rows(prediction, targets, paths).write_parquet(temporary)
    write_bytes(scores_path, store.to_bytes(prediction, extra={"target": targets}, about=about))
    return _Scored(prediction, targets, paths, len(skipped))


def prediction_rows(prediction: Prediction, targets: torch.Tensor, paths: list[str]) -> pl.DataFrame:
    """A row an image: path, true node, the best nodes and the log-probability at or under each."""
    nodes: list[NDArray[np.int64]] = []
    log_probs: list[NDArray[np.float32]] = []
    for part in _parts(prediction):
        best = part.ranking(metrics.RANKING_LENGTH)
        nodes.append(best.cpu().numpy())
        log_probs.append(part.log_prob_of(best).float().cpu().numpy())
    width = nodes[0].shape[1]
    return pl.DataFrame(
        {
            "path": pl.Series(paths, dtype=pl.String),
            "target": targets.cpu().numpy(),
            "top_nodes": pl.Series(np.concatenate(nodes), dtype=pl.Array(pl.Int64, width)).cast(pl.List(pl.Int64)),
            "top_log_probs": pl.Series(np.concatenate(log_probs), dtype=pl.Array(pl.Float32, width)).cast(
                pl.List(pl.Float32)
            ),
        }
    )


def outcome_columns(
    prediction: Prediction, decision: Decision, targets: torch.Tensor, paths: list[str]
) -> pl.DataFrame:
    """A row an image: what was decided, and the value of every metric that is a mean over images."""
    taxonomy = prediction.taxonomy
    frames: list[pl.DataFrame] = []
    start = 0
    for part in _parts(prediction):
        target = targets[start : start + part.batch_shape[0]].to(part.device)
        start += len(target)
        answer = decision(part)
        if isinstance(answer, Nodes):
            predicted, confidence, extra = answer.node, answer.log_prob, {}
        elif isinstance(answer, LevelNodes):
            predicted, confidence = answer.node[:, -1], answer.log_prob[:, -1]
            extra = {f"predicted_{name}": answer.node[:, k] for k, name in enumerate(taxonomy.level_names)}
        else:
            raise InputError("a decision with one node, or one a level", type(answer).__name__)
        values = metrics.evaluate(answer, decision.ranking(part, metrics.RANKING_LENGTH), target, taxonomy)
        tensors = {"target": target, "predicted": predicted, **extra}
        lca = taxonomy.lca(target.cpu().numpy(), predicted.cpu().numpy())
        frames.append(
            pl.DataFrame(
                {k: v.cpu().numpy() for k, v in tensors.items()}
                | {"lca": lca, "confidence": confidence.double().cpu().numpy()}
                | {k: v.double().cpu().numpy() for k, v in values.items()}
            )
        )
    return pl.concat(frames).insert_column(0, pl.Series("path", paths, dtype=pl.String))


def metric_intervals(columns: pl.DataFrame, taxonomy: Taxonomy) -> dict[str, Interval]:
    """Every metric with its bootstrap interval over images; ``level_accuracy`` is the mean of the levels' means."""
    first = columns.columns.index("confidence") + 1
    names = columns.columns[first:]
    levels = [f"level_accuracy/{name}" for name in taxonomy.level_names]
    series: dict[str, Any] = {}
    for name in names:
        if name == levels[0]:  # their mean goes before them
            series["level_accuracy"] = columns.select(levels).to_numpy().T
        series[name] = columns[name].to_numpy()
    return mean_intervals(series)


def _parts(prediction: Prediction) -> list[Prediction]:
    num_images = prediction.batch_shape[0]
    size = max(1, CELLS_AT_ONCE // prediction.taxonomy.num_nodes)
    return [prediction[i : i + size] for i in range(0, num_images, size)]


def _hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None  # JSON has no NaN
