"""Predictions in the format of SpeciesNet's ``predictions.json``: per image a label line and its score.

Format: https://github.com/google/cameratrapai#output-format. Each label is the line ``id;class;order;family;genus;
species;common name`` of its node; see :mod:`~cladewise.taxonomy.formats.species.speciesnet`.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import polars as pl

from cladewise.errors import InputError
from cladewise.interchange.answered_nodes import scored_nodes
from cladewise.interchange.json_array import json_array
from cladewise.interchange.writing import About, Write
from cladewise.taxonomy.formats.species.speciesnet import label_line


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions, one entry per image.

    Raises:
        InputError: The decision gives one node per level, or an image has several rows, such as one per box.
    """
    lines: dict[int, str] = {}
    last = None
    with json_array(file, before='{"predictions": [', after="]}\n") as append:

        def write(table: pl.DataFrame) -> None:
            nonlocal last
            paths = pl.concat([pl.Series("path", [last], dtype=pl.String), table["path"]])
            again = (paths == paths.shift()).fill_null(False)
            if again.any():
                advice = 'Predict whole images: crop="images".'
                raise InputError("one row per image", f"several of {paths.filter(again)[0]!r}", advice=advice)
            last = paths[-1]
            found = scored_nodes(table, about.taxonomy)
            lines.update({v: label_line(about.taxonomy, v) for v in found["node"].unique() if v not in lines})
            label = found["node"].replace_strict(lines, return_dtype=pl.String) if found.height else pl.Series([""])[:0]
            answers = found.select("row", label=label, score="probability").group_by("row", maintain_order=True)
            by_row = {row: (labels, scores) for row, labels, scores in answers.agg("label", "score").iter_rows()}
            errors = table["error"] if "error" in table.columns else [None] * table.height
            append(
                _entry(path, error, by_row.get(row), about.model)
                for row, (path, error) in enumerate(zip(table["path"], errors, strict=True))
            )

        yield write


def _entry(path: str, error: str | None, answer: tuple[list[str], list[float]] | None, model: str) -> str:
    entry: dict[str, Any] = {"filepath": path}
    if answer is None:
        entry["failures"] = ["CLASSIFIER"]
        return json.dumps(entry | {"error": error or "no answer"}, ensure_ascii=False)
    labels, scores = answer
    entry["classifications"] = {"classes": labels, "scores": scores}
    entry |= {"prediction": labels[0], "prediction_score": scores[0], "prediction_source": "classifier"}
    return json.dumps(entry | ({"model_version": model} if model else {}), ensure_ascii=False)
