"""The run folder: which file lies where."""

from __future__ import annotations

import dataclasses
from pathlib import Path

SCHEMA_VERSION = 1


@dataclasses.dataclass(frozen=True)
class RunFolder:
    """Paths inside one run folder.

    Example:
        >>> RunFolder(Path("runs/hace")).evaluation("test", "bottom-up", "leaf").as_posix()
        'runs/hace/evaluations/test-bottom-up-leaf.json'
    """

    path: Path

    @property
    def config(self) -> Path:
        """Resolved configuration; reruns the run."""
        return self.path / "config.toml"

    @property
    def taxonomy(self) -> Path:
        """The label tree."""
        return self.path / "taxonomy.csv"

    @property
    def model(self) -> Path:
        """Weights of the trained model."""
        return self.path / "model.safetensors"

    @property
    def log(self) -> Path:
        """One JSON object a line: epochs, skipped images, warnings."""
        return self.path / "log.jsonl"

    @property
    def counts(self) -> Path:
        """Images of every node in every split of the data, when training began."""
        return self.path / "counts.csv"

    @property
    def checkpoints(self) -> Path:
        """State that a killed run resumes from."""
        return self.path / "checkpoints"

    def scores(self, split: str) -> Path:
        """What is needed to evaluate again without the model."""
        return self.path / "scores" / f"{split}.safetensors"

    def predictions(self, split: str) -> Path:
        """One row an image: path, true node, the best nodes and their log-probabilities."""
        return self.path / "predictions" / f"{split}.parquet"

    def fitted(self, split: str, rule: str) -> Path:
        """What a rule learnt from the scores of a split."""
        return self.path / "fitted" / f"{split}-{rule}.safetensors"

    def evaluation(self, split: str, inference: str, decision: str) -> Path:
        """Metrics with their intervals."""
        return self.path / "evaluations" / f"{split}-{inference}-{decision}.json"

    def outcomes(self, split: str, inference: str, decision: str) -> Path:
        """The per-image values that the metrics are means of."""
        return self.evaluation(split, inference, decision).with_suffix(".parquet")

    def transitions(self, split: str) -> Path:
        """Transition matrices between levels that were learnt, as means over the images of a split."""
        return self.path / "transitions" / f"{split}.safetensors"

    def explanations(self, split: str) -> Path:
        """Index of the pictures of what a model looked at, which lie beside it."""
        return self.path / "explanations" / split / "index.json"
