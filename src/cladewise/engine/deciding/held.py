"""Scores that are in memory as a prediction."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Sequence

import numpy as np
import polars as pl
import torch

from cladewise.engine.answering.scored_images import CELLS_AT_ONCE
from cladewise.errors import InputError
from cladewise.predictions import Prediction
from cladewise.scores import Scores


@dataclasses.dataclass(frozen=True, eq=False)
class HeldScores(Scores):
    """The scores of a prediction, one row per image.

    Attributes:
        prediction: The prediction.
    """

    prediction: Prediction

    @classmethod
    def of(cls, prediction: Prediction, keys: Sequence[str] | None = None) -> HeldScores:
        """The scores of a prediction.

        Args:
            prediction: With one batch axis.
            keys: Name of each row, all different; their numbers by default.

        Raises:
            InputError: There are as many names as rows only if each row has one of its own.
        """
        prediction = prediction.flat().settled()
        number = prediction.batch_shape[0]
        names = pl.Series("key", [str(row) for row in range(number)] if keys is None else list(keys), dtype=pl.String)
        if names.len() != number or names.is_duplicated().any():
            raise InputError(f"a different name for each of {number} rows", f"{names.n_unique()} names", at="keys")
        return cls(prediction.taxonomy, (), names, pl.DataFrame(), None, None, _digest(prediction), prediction)

    @property
    def bytes_per_row(self) -> int:
        tensors = self.prediction.tensors().values()
        return sum(tensor[0].numel() * tensor.element_size() for tensor in tensors if len(tensor))

    def parts(self, rows_at_once: int | None = None) -> Iterator[tuple[slice, Prediction]]:
        size = rows_at_once or max(1, CELLS_AT_ONCE // self.taxonomy.num_nodes)
        for start in range(0, self.num_rows, size):
            rows = slice(start, min(start + size, self.num_rows))
            yield rows, self.prediction[rows]

    @property
    def _source(self) -> str:
        return "the scores"


def _digest(prediction: Prediction) -> str:
    digest = hashlib.sha256(json.dumps([prediction.taxonomy.fingerprint, type(prediction).__name__]).encode())
    digest.update(json.dumps(prediction.settings(), default=str, sort_keys=True).encode())
    for name, tensor in sorted(prediction.tensors().items()):
        values = tensor.detach().cpu().contiguous()
        digest.update(f"{name} {values.dtype} {list(values.shape)}".encode())
        digest.update(np.ascontiguousarray(values.view(torch.uint8) if values.ndim else values.numpy()).data)
    return digest.hexdigest()[:32]
