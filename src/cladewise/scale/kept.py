"""Features and scores that a prediction kept, as the input of another one that needs neither images nor encoder."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import polars as pl
import safetensors.torch
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError
from torch import Tensor

from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.predictions import Prediction, storage
from cladewise.scale.job import Kept
from cladewise.scale.parts import DELETE, Parts, kept_name
from cladewise.tensor_files import metadata, reproducible

IntArray = NDArray[np.int64]


def encoder_identity(run: Run) -> dict[str, str]:
    """Identity of the features of an image: the weights of the encoder, and the transform."""
    return {"backbone": run.backbone.fingerprint, "transform": repr(run.backbone.transform())}


def half(features: Tensor) -> Tensor:
    """Features in half precision; those beyond its range become the largest that it has."""
    largest = torch.finfo(torch.float16).max
    return features.clamp(-largest, largest).half()


def features_file(
    kept: list[tuple[IntArray, Tensor]], encoder: Mapping[str, str], precision: str, num_features: int
) -> bytes:
    """Features of a part, with the rows that they belong to.

    Args:
        kept: Rows and their features in half precision.
        encoder: Its :func:`encoder_identity`.
        precision: Arithmetic of the encoder.
        num_features: Width of the features.
    """
    nothing = torch.zeros(0, num_features, dtype=torch.float16)
    tensors = {
        "features": torch.cat([features for _, features in kept]) if kept else nothing,
        "row": torch.from_numpy(np.concatenate([np.zeros(0, np.int64), *(rows for rows, _ in kept)])),
    }
    about = {**encoder, "precision": precision}
    return reproducible(safetensors.torch.save(tensors, metadata=about))


@dataclasses.dataclass(frozen=True)
class KeptRows:
    """The rows of an earlier prediction, with what it kept of them.

    Scores are used if they are those of the same weights; otherwise features, if the encoder is the same.

    Args:
        parts: The earlier prediction.
    """

    parts: Parts

    def __post_init__(self) -> None:
        if not self.parts.job.keep:
            raise InputError(
                "a prediction that kept features or scores",
                "one that kept neither",
                at=self.parts.folder.place,
                advice='Predict with keep=["features"] or keep=["scores"].',
            )
        if not self.parts.is_complete:
            raise InputError(
                f"a finished prediction, with {self.parts.job.num_parts} of {self.parts.job.num_parts} parts",
                str(len(self.parts.numbers)),
                at=self.parts.folder.place,
                advice="Repeat its command first.",
            )

    @property
    def columns(self) -> dict[str, Any]:
        """Name and type of the columns that are passed through."""
        schema = self.parts.table(0).schema if self.parts.numbers else {}
        return {given: schema[shown] for given, shown in self.parts.job.columns.items()}

    def shown(self, given: str) -> str:
        """Name in the earlier prediction of a column that its source called ``given``."""
        return self.parts.job.columns[given]

    @property
    def identity(self) -> dict[str, Any]:
        """The earlier job, whose parts have a row for each of its images."""
        job = dataclasses.asdict(self.parts.job)
        return {"kept": {name: job[name] for name in ("model", "source", "precision", "keep", "part_rows")}}

    def num_rows(self, numbers: Sequence[int]) -> int:
        """Number of rows of some parts."""
        return dataclasses.replace(self.parts, numbers=tuple(numbers)).counts()[0]

    def read(
        self, number: int, run: Run, encoder: Mapping[str, str]
    ) -> tuple[pl.DataFrame, IntArray, Tensor | Prediction]:
        """The table of a part, the rows that have features or scores, and these.

        Args:
            number: The part.
            run: The run that answers.
            encoder: The :func:`encoder_identity` of the run.

        Raises:
            InputError: What was kept is of another encoder, or damaged.
        """
        table, job = self.parts.table(number), self.parts.job
        if "scores" in job.keep and job.model == run.model_hash:
            return table, *self._scores(number, run)
        if "features" not in job.keep:
            raise InputError(
                "features, or scores of this run", "scores of another run alone", at=self.parts.folder.place
            )
        content = self.parts.kept(number, "features")
        try:
            tensors, about = safetensors.torch.load(content), metadata(content)
        except (SafetensorError, ValueError) as error:
            at = self._at(number, "features")
            raise InputError("features in safetensors", str(error), at=at, advice=DELETE) from error
        different = [name for name, value in encoder.items() if about.get(name) != value]
        if different:
            raise InputError(
                f"features of the encoder of {run.path}",
                f"those of another {' and '.join(different)}",
                at=self._at(number, "features"),
                advice="Predict the images again.",
            )
        return table, tensors["row"].numpy(), tensors["features"].float()

    def _scores(self, number: int, run: Run) -> tuple[IntArray, Prediction]:
        content, at = self.parts.kept(number, "scores"), self._at(number, "scores")
        try:
            prediction, extra, _ = storage.from_bytes(content, run.own_taxonomy, at=at)
        except InputError as error:
            raise InputError(error.expected, error.got, at=at, advice=DELETE) from error
        return extra["row"].numpy(), prediction

    def _at(self, number: int, kept: Kept) -> str:
        return self.parts.folder.at(kept_name(number, kept))
