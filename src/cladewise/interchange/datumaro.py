"""Datumaro's own format: items with their labels, each with a score, next to the tree with its groups.

An item's id is the path of its image without the suffix. Images with an error are left out.

Format: https://github.com/openvinotoolkit/datumaro.
"""

from __future__ import annotations

import json
import posixpath
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import polars as pl

from cladewise.interchange.json_array import json_array
from cladewise.interchange.whole_images import Answers, WholeImages
from cladewise.interchange.writing import About, Write
from cladewise.taxonomy.formats.labelling.datumaro import document_of

_DIGITS = 6


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions as items.

    Raises:
        InputError: The decision gives one node per level, an image has several rows, such as one per box, or a name of
            the tree is also the path of another node.
    """
    images = WholeImages(about.taxonomy)
    first = 1 if about.taxonomy.synthetic_root else 0
    head = json.dumps(document_of(about.taxonomy, (), "the predictions"), ensure_ascii=False).removesuffix("]}")
    with json_array(file, before=head, after="]}\n") as append:

        def write(table: pl.DataFrame) -> None:
            append(
                json.dumps(_item(path, answers, first), ensure_ascii=False)
                for path, error, answers in images.answers(table)
                if not error
            )

        yield write


def _item(path: str, answers: Answers, first: int) -> dict[str, Any]:
    labels = [
        {
            "id": number,
            "type": "label",
            "attributes": {"score": round(score, _DIGITS)},
            "group": 0,
            "label_id": node - first,
        }
        for number, (node, score) in enumerate(answers)
        if node >= first
    ]
    return {"id": posixpath.splitext(path)[0], "annotations": labels, "image": {"path": path}}
