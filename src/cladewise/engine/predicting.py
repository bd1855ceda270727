"""Predictions of a run for any images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise import decisions
from cladewise.datasets import Dataset, Skipped
from cladewise.decisions import Answer, Decision, LevelNodes, Nodes
from cladewise.engine.features import cached_features
from cladewise.engine.images import loader
from cladewise.errors import InputError
from cladewise.predictions import Prediction
from cladewise.predictions.store import concatenate
from cladewise.progress import track
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.engine.run import Run

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What a run says of some images.

    Args:
        paths: The images that could be read, in the order given.
        prediction: Prediction over the nodes, ``[image, node]``.
        skipped: The others, with reasons.
        default: The decision of the run's method.
    """

    paths: tuple[str, ...]
    prediction: Prediction
    skipped: tuple[Skipped, ...]
    default: Decision

    @property
    def log_prob(self) -> Tensor:
        """Log-probability at or under every node, ``[image, node]``."""
        return self.prediction.log_prob

    def decide(self, decision: str | Decision | None = None, **parameters: Any) -> Answer:
        """Apply a rule; the method's own by default."""
        return resolve_decision(decision, self.default, **parameters)(self.prediction)

    def node(self, decision: str | Decision | None = None, **parameters: Any) -> IntArray:
        """Node of each image by a rule that gives one.

        Raises:
            InputError: The rule gives several nodes an image.
        """
        answer = self.decide(decision, **parameters)
        if not isinstance(answer, Nodes):
            raise InputError("a decision with one node an image", type(answer).__name__, advice="Use decide().")
        return answer.node.cpu().numpy()

    def to_frame(self, decision: str | Decision | None = None, **parameters: Any) -> pl.DataFrame:
        """A row an image: path, label, its whole path, and the probability at or under every step of it."""
        answer = self.decide(decision, **parameters)
        taxonomy = self.prediction.taxonomy
        if isinstance(answer, LevelNodes):
            return self._level_frame(answer, taxonomy)
        if not isinstance(answer, Nodes):
            raise InputError("a decision with one node, or one a level", type(answer).__name__)
        rows: list[dict[str, Any]] = []
        for path, node, log_prob in zip(self.paths, answer.node.tolist(), self.log_prob.cpu(), strict=True):
            steps = [v for v in taxonomy.path(node) if v or not taxonomy.synthetic_root]
            rows.append(
                {
                    "path": path,
                    "node": node,
                    "label": str(taxonomy.names[node]),
                    "label_path": taxonomy.path_name(node),
                    "probability": float(log_prob[node].exp()),
                    "path_names": [str(taxonomy.names[v]) for v in steps],
                    "path_probabilities": [float(log_prob[v].exp()) for v in steps],
                }
            )
        schema = {
            "path": pl.String,
            "node": pl.Int64,
            "label": pl.String,
            "label_path": pl.String,
            "probability": pl.Float64,
            "path_names": pl.List(pl.String),
            "path_probabilities": pl.List(pl.Float64),
        }
        return pl.DataFrame(rows, schema=schema)

    def _level_frame(self, answer: LevelNodes, taxonomy: Taxonomy) -> pl.DataFrame:
        columns: dict[str, Any] = {"path": list(self.paths)}
        for level, name in enumerate(taxonomy.level_names):
            nodes = answer.node[:, level].tolist()
            columns[name] = [taxonomy.path_name(v) for v in nodes]
            columns[f"{name}_probability"] = answer.log_prob[:, level].exp().double().tolist()
        return pl.DataFrame(columns)


def resolve_decision(decision: str | Decision | None, default: Decision, **parameters: Any) -> Decision:
    """A decision by name, as it is, or the default.

    Raises:
        InputError: There is no such decision, or parameters come without a name.
    """
    if parameters and not isinstance(decision, str):
        raise InputError("the name of a decision with its parameters", f"only {', '.join(parameters)}")
    if decision is None:
        return default
    return decisions.make(decision, **parameters) if isinstance(decision, str) else decision


def predict(run: Run, paths: Sequence[Path], *, progress: bool = True) -> Predicted:
    """Predict for image files with a trained run."""
    images = Dataset(
        name="images",
        taxonomy=run.taxonomy,
        root=Path(),
        paths=[p.as_posix() for p in paths],
        nodes=np.zeros(len(paths), dtype=np.int64),
        splits={},
    )
    prediction, kept, skipped = predict_rows(run, images, np.arange(len(paths)), cache=False, progress=progress)
    return Predicted(tuple(images.paths[i] for i in map(int, kept)), prediction, skipped, run.method.decision())


def predict_rows(
    run: Run, dataset: Dataset, indices: IntArray, *, cache: bool = True, progress: bool = True
) -> tuple[Prediction, IntArray, tuple[Skipped, ...]]:
    """Prediction of some images of a data set, the indices of those that could be read, and the others.

    With a frozen backbone features come from the cache, and go there (unless ``cache`` is false).
    """
    device = preferred_device(run.config.training.accelerator)
    classifier = run.classifier.to(device)
    size = run.config.training.batch_size
    if run.config.backbone.freeze and cache:
        features = cached_features(dataset, indices, run.backbone, device=device, progress=progress)
        kept = features.usable(indices)
        with torch.inference_mode():
            parts = [
                classifier(torch.from_numpy(features.values[kept[i : i + size]]).to(device).float())
                for i in range(0, len(kept), size)
            ]
        return _joined(parts, run), kept, features.skipped
    backbone = run.backbone.to(device)
    batches = loader(dataset, indices, backbone.transform(train=False), batch_size=size, workers=None)
    parts, rows, skipped = [], [], []
    with torch.inference_mode():
        for batch in track(batches, "predicting", shown=progress):
            skipped += [image for _, image in batch.skipped]
            if len(batch.nodes):
                inputs = batch.images.to(device)
                parts.append(classifier(inputs if classifier.end_to_end else backbone(inputs)).to("cpu"))
                rows.append(batch.index.numpy())
    kept = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    return _joined(parts, run), kept, tuple(skipped)


def _joined(parts: list[Prediction], run: Run) -> Prediction:
    if parts:
        return concatenate(parts).to("cpu")
    head = run.classifier.head  # no image could be read: a prediction for no image
    device = next(head.parameters()).device
    return head(torch.zeros(0, run.backbone.num_features, device=device)).detach().to("cpu")


def preferred_device(accelerator: str) -> torch.device:
    """The device that an accelerator's name stands for here."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
