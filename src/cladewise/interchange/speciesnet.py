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

from cladewise.interchange.json_array import json_array
from cladewise.interchange.whole_images import Answers, WholeImages
from cladewise.interchange.writing import About, Write
from cladewise.taxonomy.formats.species.speciesnet import label_line


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions, one entry per image.

    Raises:
        InputError: The decision gives one node per level, or an image has several rows, such as one per box.
    """
    lines: dict[int, str] = {}
    images = WholeImages(about.taxonomy)
    with json_array(file, before='{"predictions": [', after="]}\n") as append:

        def write(table: pl.DataFrame) -> None:
            append(_entry(path, error, answers, lines, about) for path, error, answers in images.answers(table))

        yield write


def _entry(path: str, error: str | None, answers: Answers, lines: dict[int, str], about: About) -> str:
    entry: dict[str, Any] = {"filepath": path}
    if not answers:
        entry["failures"] = ["CLASSIFIER"]
        return json.dumps(entry | {"error": error or "no answer"}, ensure_ascii=False)
    for node, _ in answers:
        if node not in lines:
            lines[node] = label_line(about.taxonomy, node)
    labels, scores = [lines[node] for node, _ in answers], [score for _, score in answers]
    entry["classifications"] = {"classes": labels, "scores": scores}
    entry |= {"prediction": labels[0], "prediction_score": scores[0], "prediction_source": "classifier"}
    return json.dumps(entry | ({"model_version": about.model} if about.model else {}), ensure_ascii=False)
