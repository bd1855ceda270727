"""Predictions of a run for any images."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from torch import Tensor

from cladewise.datasets import Dataset, Skipped
from cladewise.decisions import Answer, Decision, LabelSets, LevelNodes, Nodes
from cladewise.engine.fitted import ready
from cladewise.engine.forward import predict_rows
from cladewise.engine.rules import decision_of, inference_of
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.engine.run import Run

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """What a run says of some images.

    Args:
        paths: The images that could be read, in the order given.
        prediction: Prediction over the nodes of the true tree after the inference, ``[image, node]``.
        skipped: The others, with reasons.
        default: The decision of the run's method.
        prepare: Makes a decision that learns from scores ready for use.
        warnings: What rules that learn from scores said of it; those of a decision are added when it is used.
    """

    paths: tuple[str, ...]
    prediction: Prediction
    skipped: tuple[Skipped, ...]
    default: Decision
    prepare: Callable[[Decision], Decision] = lambda rule: rule
    warnings: list[str] = dataclasses.field(default_factory=list[str])

    @property
    def log_prob(self) -> Tensor:
        """Log-probability at or under every node, ``[image, node]``."""
        return self.prediction.log_prob

    def decide(self, decision: str | Decision | None = None, **parameters: Any) -> Answer:
        """Apply a rule, its name or its spec; the method's own by default."""
        return self.prepare(decision_of(decision, self.default, **parameters))(self.prediction)

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
        """A row an image: path, label, its whole path, and the probability at or under every step of it.

        By a rule that answers with one node a level, each level's label and its probability; by one that answers with
        any set of labels, their paths and their probabilities, in the order of the taxonomy.
        """
        answer = self.decide(decision, **parameters)
        taxonomy = self.prediction.taxonomy
        if isinstance(answer, LevelNodes):
            return self._level_frame(answer, taxonomy)
        if isinstance(answer, LabelSets):
            return self._set_frame(answer, taxonomy)
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

    def _set_frame(self, answer: LabelSets, taxonomy: Taxonomy) -> pl.DataFrame:
        sets = [row.nonzero().squeeze(-1) for row in answer.chosen]
        probabilities = [row[found].exp().double().tolist() for row, found in zip(answer.log_prob, sets, strict=True)]
        columns = {
            "path": pl.Series(self.paths, dtype=pl.String),
            "labels": pl.Series([[taxonomy.path_name(v) for v in s.tolist()] for s in sets], dtype=pl.List(pl.String)),
            "probabilities": pl.Series(probabilities, dtype=pl.List(pl.Float64)),
        }
        return pl.DataFrame(columns)


def predict(
    run: Run, paths: Sequence[Path], *, inference: str | Inference | None = None, progress: bool = True
) -> Predicted:
    """Predict for image files with a trained run; ``inference`` as for :func:`~cladewise.engine.evaluate`."""
    before = ready(run, inference_of(inference, run.method.inference()), progress=progress)
    infer, told = before.rule, list(before.warnings)
    images = of_files(paths, run.taxonomy)
    prediction, kept, skipped = predict_rows(run, images, np.arange(len(paths)), cache=False, progress=progress)
    inferred = run.terms().prediction(prediction if infer is None else infer(prediction))
    names = tuple(images.paths[i] for i in map(int, kept))

    def prepare(rule: Decision) -> Decision:
        made = ready(run, rule, before=infer, progress=progress)
        told.extend(text for text in made.warnings if text not in told)
        return made.rule

    return Predicted(names, inferred, skipped, run.method.decision(), prepare, told)


def of_files(paths: Sequence[Path], taxonomy: Taxonomy) -> Dataset:
    """Image files as a data set without labels or splits."""
    return Dataset(
        name="images",
        taxonomy=taxonomy,
        root=Path(),
        paths=[p.as_posix() for p in paths],
        nodes=np.zeros(len(paths), dtype=np.int64),
        splits={},
    )
