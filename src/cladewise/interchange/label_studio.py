"""Label Studio tasks with predictions, for annotators to start from.

Each image is a task with a prediction per answer, the best first, as a result of the control ``taxonomy`` of the
configuration that a tree is written as (``format="label-studio"``): a path of aliases, which are the ids of nodes, or
of names where a node has none. An image that has no answer is a task without predictions. Paths are those of files
below the root of Label Studio's local storage; URLs stay as they are.

Format: https://labelstud.io/guide/predictions.html.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any
from urllib.parse import quote

import polars as pl

from cladewise.interchange.json_array import json_array
from cladewise.interchange.whole_images import WholeImages
from cladewise.interchange.writing import About, Write
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.labelling.label_studio import IMAGE, NAME
from cladewise.taxonomy.names.columns import ID

_DIGITS = 6


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions as tasks.

    Raises:
        InputError: The decision gives one node per level, or an image has several rows, such as one per box.
    """
    images, tree = WholeImages(about.taxonomy), about.taxonomy
    steps = _steps(tree)
    with json_array(file) as append:

        def write(table: pl.DataFrame) -> None:
            append(
                json.dumps(
                    {
                        "data": {IMAGE: _url(path)},
                        "predictions": [
                            _prediction([steps[v] for v in tree.path(node) if steps[v]], score, about.model)
                            for node, score in answers
                        ],
                    },
                    ensure_ascii=False,
                )
                for path, _, answers in images.answers(table)
            )

        yield write


def _prediction(path: list[str], score: float, model: str) -> dict[str, Any]:
    value = {"taxonomy": [path]}
    result = {"id": "whole", "from_name": NAME, "to_name": IMAGE, "type": "taxonomy", "value": value}
    return {
        "model_version": model or "cladewise",
        "score": round(score, _DIGITS),
        "result": [result] if path else [],
    }


def _steps(tree: Taxonomy) -> list[str]:
    """The alias or name of every node; blank for a synthetic root."""
    names: list[str] = tree.names.tolist()
    if ID not in tree.columns:
        return names
    ids: list[str] = tree.columns[ID].tolist()
    return [text or name if name else "" for text, name in zip(ids, names, strict=True)]


def _url(path: str) -> str:
    return path if "://" in path else f"/data/local-files/?d={quote(path)}"
