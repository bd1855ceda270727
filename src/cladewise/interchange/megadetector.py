"""Results in MegaDetector's batch format: detections per image, each with its classifications.

Format: https://lila.science/megadetector-output-format (version 1.4). Categories are the nodes of the tree, by number;
their descriptions are label lines as SpeciesNet writes them, if the tree has ranks. A row without a box is one of the
whole image.
"""

from __future__ import annotations

import json
from collections.abc import Generator
from contextlib import contextmanager
from typing import IO, Any

import polars as pl

from cladewise.interchange.answered_nodes import scored_nodes
from cladewise.interchange.json_array import json_array
from cladewise.interchange.writing import About, Write
from cladewise.taxonomy.formats.species.speciesnet import RANKS, label_line
from cladewise.taxonomy.names.paths import ROOT_NAME

CATEGORIES = {"animal": "1", "person": "2", "vehicle": "3"}
"""MegaDetector's categories of detections."""
_WHOLE = {"box_left": 0.0, "box_top": 0.0, "box_width": 1.0, "box_height": 1.0}
_DIGITS = 4


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions as images with classified detections.

    Rows of one image that follow each other are one entry, also across tables.

    Raises:
        InputError: The decision gives one node per level.
    """
    used: set[int] = set()
    waiting: dict[str, Any] | None = None
    categories = dict(CATEGORIES)
    with json_array(file, before='{"images": [', after="]") as append:

        def write(table: pl.DataFrame) -> None:
            nonlocal waiting
            done: list[dict[str, Any]] = []
            for path, error, detection in _detections(table, about, categories, used):
                if waiting is None or waiting["file"] != path:
                    done += [waiting] if waiting is not None else []
                    waiting = {"file": path, "detections": []}
                if error is not None:
                    waiting = {"file": path, "detections": None, "failure": error}
                elif waiting["detections"] is not None:
                    waiting["detections"].append(detection)
            append(json.dumps(image, ensure_ascii=False) for image in done)

        yield write
        append([json.dumps(waiting, ensure_ascii=False)] if waiting is not None else [])
    file.write(_rest(about, categories, used).encode())


def _detections(
    table: pl.DataFrame, about: About, categories: dict[str, str], used: set[int]
) -> list[tuple[str, str | None, dict[str, Any]]]:
    found = scored_nodes(table, about.taxonomy)
    used.update(found["node"].unique().to_list())
    answers = found.group_by("row", maintain_order=True).agg("node", "probability")
    rows = table.with_row_index("row").with_columns(pl.col("row").cast(pl.Int64))
    rows = rows.join(answers.rename({"node": "_nodes", "probability": "_scores"}), on="row", how="left")
    entries: list[tuple[str, str | None, dict[str, Any]]] = []
    for row in rows.sort("row").iter_rows(named=True):
        category = str(row.get("category") or "animal")
        detection = {
            "category": categories.setdefault(category, str(len(categories) + 1)),
            "conf": float(row.get("detection_confidence") or 1.0),
            "bbox": [
                round(whole if row.get(name) is None else float(row[name]), _DIGITS) for name, whole in _WHOLE.items()
            ],
            "classifications": [
                [str(node), round(score, _DIGITS)]
                for node, score in zip(row["_nodes"] or (), row["_scores"] or (), strict=True)
            ],
        }
        entries.append((row["path"], row.get("error"), detection))
    return entries


def _rest(about: About, categories: dict[str, str], used: set[int]) -> str:
    """The keys after the images, without the brace that opens the object."""
    tree = about.taxonomy
    rest: dict[str, Any] = {
        "detection_categories": {number: name for name, number in categories.items()},
        "classification_categories": {str(v): str(tree.names[v]) or ROOT_NAME for v in sorted(used)},
    }
    if set(RANKS) & set(tree.level_names):
        rest["classification_category_descriptions"] = {str(v): label_line(tree, v) for v in sorted(used)}
    rest["info"] = {"format_version": "1.4", "detector": "unknown", "classifier": about.model or "cladewise"}
    return "," + json.dumps(rest, ensure_ascii=False)[1:] + "\n"
