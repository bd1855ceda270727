"""From features to the table of a part: head, inference, decision, columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Iterator
from functools import cached_property
from typing import Any

import numpy as np
import polars as pl
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.backbones import Towers
from cladewise.decisions import Decision
from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.forward import NOT_FINITE, has_scores
from cladewise.engine.answering.prediction_table import answer_table, top_columns, whole_table
from cladewise.engine.run import Run
from cladewise.inference import Inference
from cladewise.predictions import Prediction, storage
from cladewise.sources import Row
from cladewise.taxonomy.arrays import StrArray

IntArray = NDArray[np.int64]

CELLS_AT_ONCE = 1 << 23
"""Number of (image, node) cells that are worked on at a time, 32 MB in single precision."""


@dataclasses.dataclass(frozen=True)
class Answered:
    """Answers of some rows of a part.

    Args:
        rows: Their positions in the part.
        table: The columns of their answers.
        scores: The settled prediction, if scores are kept.
    """

    rows: IntArray
    table: pl.DataFrame
    scores: Prediction | None


@dataclasses.dataclass(frozen=True)
class Answerer:
    """Answers for features, or for scores that were kept.

    Args:
        run: The run.
        inference: Its inference, fitted.
        decision: Its decision, fitted.
        tree: The tree that answers are in.
        top: Number of best nodes to list per image.
        keep_scores: Whether to keep the scores.
        names: Language of the names in the table; blank for the nodes' own.
    """

    run: Run
    inference: Inference | None
    decision: Decision
    tree: AnswerTree
    top: int = 0
    keep_scores: bool = False
    names: str = ""

    @cached_property
    def shown_names(self) -> StrArray | None:
        """The name of every node in the language; ``None`` for their own.

        Raises:
            InputError: The tree has no names in the language.
        """
        return self.tree.taxonomy.names_in(self.names) if self.names else None

    @property
    def rows_at_once(self) -> int:
        """Rows to answer together, so that memory does not grow with the tree."""
        return max(1, min(2048, CELLS_AT_ONCE // self.run.own_taxonomy.num_nodes))

    def score(self, features: Float[Tensor, "image feature"]) -> Prediction:
        """The settled prediction of the head for the encoder's features, over the network's own tree."""
        classifier = self.run.classifier
        given = features.to(next(classifier.head.parameters()).device)
        with torch.inference_mode():
            return (classifier.head(given) if classifier.end_to_end else classifier(given)).settled().to("cpu")

    def answer(self, rows: IntArray, scores: Prediction) -> Answered:
        """Answers from scores; rows whose scores are not finite have none."""
        good = has_scores(scores).cpu()
        if not bool(good.all()):
            scores, rows = scores[good], rows[good.numpy()]
        with torch.inference_mode():
            inferred = self.tree.prediction(scores if self.inference is None else self.inference(scores))
            seen = self.decision.decided_on(inferred)
            table = answer_table(self.decision.final(seen), seen, self.shown_names)
            if self.top:
                table = table.hstack(top_columns(seen, self.top, self.shown_names))
        return Answered(rows, table, scores if self.keep_scores else None)

    def nothing(self) -> Answered:
        """The answers of no rows, for the types of the columns."""
        encoder = self.run.classifier.encoder
        towers = (len(encoder.backbones),) if isinstance(encoder, Towers) else ()
        empty = torch.zeros(0, *towers, self.run.backbone.num_features)
        return self.answer(np.zeros(0, dtype=np.int64), self.score(empty))


def part_table(
    names: list[str],
    errors: list[str | None],
    passed: pl.DataFrame,
    answered: Iterable[Answered],
) -> pl.DataFrame:
    """One row per input row: its name, the columns passed through, its answer or its error."""
    found = list(answered)
    rows = np.concatenate([part.rows for part in found])
    told: list[str | None] = [error or NOT_FINITE for error in errors]
    for row in rows.tolist():
        told[row] = None
    table = whole_table(names, told, rows, pl.concat([part.table for part in found]))
    return pl.DataFrame([table["path"], *passed, *table.drop("path")])


def passed_columns(rows: list[Row], types: dict[str, Any], renamed: dict[str, str]) -> pl.DataFrame:
    """The columns of input rows that are passed through, under their names in the output."""
    return pl.DataFrame(
        {
            renamed[name]: pl.Series(renamed[name], [row.columns.get(name) for row in rows], dtype=kind)
            for name, kind in types.items()
        }
    )


def kept_scores(answered: Iterable[Answered], model: str) -> bytes:
    """Scores of a part, with the rows that they belong to."""
    found = list(answered)
    prediction = storage.concatenate([part.scores for part in found if part.scores is not None])
    rows = torch.from_numpy(np.concatenate([part.rows for part in found]))
    return storage.to_bytes(prediction, extra={"row": rows}, about={"model": model})


def batched(rows: IntArray, values: Tensor, size: int) -> Iterator[tuple[IntArray, Tensor]]:
    """Rows and their values in slices of a size."""
    for start in range(0, len(rows), size):
        yield rows[start : start + size], values[start : start + size]
