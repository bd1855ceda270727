"""FiftyOne samples with predictions, which ``fiftyone.Dataset.from_json`` loads.

Each image is a sample. Its field ``prediction`` is a ``Classification`` of the best answer: ``label`` is the path of
the node, as in ``Fruit/Apple``, since names may repeat; ``node``, ``path`` and ``predicted`` (the label that was
predicted, whatever it is changed to) are attributes. For each level of the tree there is a field with the node of the
path at this level by its name, and ``further`` holds the answers after the best one. An image with an error has the
field ``error``. ``default_classes`` are the paths of all nodes, from which a person chooses another label.

Format: https://docs.voxel51.com/api/fiftyone.core.dataset.html#fiftyone.core.dataset.Dataset.from_json.
"""

from __future__ import annotations

import json
import re
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import polars as pl

from cladewise.interchange.json_array import json_array
from cladewise.interchange.whole_images import Answers, WholeImages
from cladewise.interchange.writing import About, Write
from cladewise.taxonomy import Taxonomy

PREDICTION, FURTHER, ERROR, PREDICTED = "prediction", "further", "error", "predicted"
_FIELDS = "fiftyone.core.fields"
_TEXT = f"{_FIELDS}.StringField"
_LABEL = f"{_FIELDS}.EmbeddedDocumentField(fiftyone.core.labels.Classification)"
_LABELS = f"{_FIELDS}.EmbeddedDocumentField(fiftyone.core.labels.Classifications)"
_RESERVED = ("id", "filepath", "tags", "metadata", "created_at", "last_modified_at", PREDICTION, FURTHER, ERROR)
_MOST_CLASSES = 20_000
"""Largest number of paths that are offered as labels."""
_DIGITS = 6


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions as samples.

    Raises:
        InputError: The decision gives one node per level, or an image has several rows, such as one per box.
    """
    images, samples = WholeImages(about.taxonomy), _Samples(about.taxonomy)
    head = json.dumps(samples.head(about.model or "cladewise"), ensure_ascii=False).removesuffix("}")
    with json_array(file, before=f'{head}, "samples": [', after="]}\n") as append:

        def write(table: pl.DataFrame) -> None:
            append(
                json.dumps(samples.sample(path, error, answers), ensure_ascii=False)
                for path, error, answers in images.answers(table)
            )

        yield write


def level_fields(taxonomy: Taxonomy) -> list[str]:
    """Name of a field for each level, coarse to fine: its name with what FiftyOne does not accept replaced.

    Example:
        >>> tree = Taxonomy.from_paths([("a", "b", "c")], level_names=["sub family", "tags", "_x"])
        >>> level_fields(tree)
        ['sub_family', 'tags_2', 'x']
    """
    found: list[str] = []
    for number, name in enumerate(taxonomy.level_names, start=1):
        field = re.sub(r"\W+", "_", name).strip("_") or f"level_{number}"
        field = f"level_{field}" if field[0].isdigit() else field
        while field in (*_RESERVED, *found):
            field = f"{field}_{number}"
        found.append(field)
    return found


class _Samples:
    """Documents of FiftyOne for the nodes of a tree."""

    def __init__(self, tree: Taxonomy) -> None:
        self._tree, self._levels = tree, level_fields(tree)

    def head(self, name: str) -> dict[str, Any]:
        """All of the dataset but its samples."""
        tree = self._tree
        first = 1 if tree.synthetic_root else 0
        listed = range(first, tree.num_nodes) if tree.num_nodes <= _MOST_CLASSES else ()
        fields = {"filepath": _TEXT, PREDICTION: _LABEL, **dict.fromkeys(self._levels, _LABEL)}
        return {
            "name": name,
            "media_type": "image",
            "sample_fields": {**fields, FURTHER: _LABELS, ERROR: _TEXT},
            "info": {"written_by": "cladewise"},
            "default_classes": [tree.path_name(node) for node in listed],
        }

    def sample(self, path: str, error: str | None, answers: Answers) -> dict[str, Any]:
        """The document of an image."""
        found: dict[str, Any] = {"filepath": path, "tags": []}
        if error:
            return {**found, ERROR: error}
        if answers:
            (node, score), *others = answers
            found[PREDICTION] = self._label(node, score)
            found |= {
                self._levels[level - 1]: _classification(str(self._tree.names[above]), {"node": above})
                for above in self._tree.path(node)
                if (level := int(self._tree.level[above])) > 0
            }
            if others:
                labels = [self._label(*answer) for answer in others]
                found[FURTHER] = {"_cls": "Classifications", "classifications": labels}
        return found

    def _label(self, node: int, score: float) -> dict[str, Any]:
        names = list(self._tree.path_names(node))
        label = self._tree.path_name(node)
        about = {"confidence": round(score, _DIGITS), "node": node, "path": names, PREDICTED: label}
        return _classification(label, about)


def _classification(label: str, attributes: dict[str, Any]) -> dict[str, Any]:
    return {"_cls": "Classification", "tags": [], "label": label, **attributes}
