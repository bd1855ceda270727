"""Observations of a camera-trap data package (Camtrap DP 1.0): ``observations.csv`` at the level of media files.

Format: https://camtrap-dp.tdwg.org/data/#observations. The predictions are those of the package's ``media.csv``, whose
identifiers pass through. A node called *blank*, *human* or *vehicle*, and *Homo sapiens*, give the observation its
type; an answer at a root without a name is ``unknown``; all other nodes are animals.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import IO

import polars as pl

from cladewise.interchange.answered_nodes import scored_nodes
from cladewise.interchange.writing import About, Write

TYPE_BY_NAME = {"blank": "blank", "human": "human", "homo sapiens": "human", "person": "human", "vehicle": "vehicle"}
"""``observationType`` of nodes that are no animals, by name in lower case."""
COLUMNS = (
    *("observationID", "deploymentID", "mediaID", "eventID", "eventStart", "eventEnd", "observationLevel"),
    *("observationType", "cameraSetupType", "scientificName", "count", "lifeStage", "sex", "behavior", "individualID"),
    *("individualPositionRadius", "individualPositionAngle", "individualSpeed"),
    *("bboxX", "bboxY", "bboxWidth", "bboxHeight", "classificationMethod", "classifiedBy"),
    *("classificationTimestamp", "classificationProbability", "observationTags", "observationComments"),
)
"""Columns of the table, in the order of its schema."""
_PASSED = {
    "eventID": "eventID",
    "bboxX": "box_left",
    "bboxY": "box_top",
    "bboxWidth": "box_width",
    "bboxHeight": "box_height",
}


@contextmanager
def writer(file: IO[bytes], about: About) -> Generator[Write]:
    """A function that appends predictions as observations.

    Raises:
        InputError: The decision gives one node per level.
    """
    file.write((",".join(COLUMNS) + "\n").encode())
    names = pl.Series(about.taxonomy.names.tolist(), dtype=pl.String)
    types = names.str.to_lowercase().replace_strict(TYPE_BY_NAME, default="animal")
    types = types.scatter(0, "unknown") if about.taxonomy.synthetic_root else types
    written = 0

    def write(table: pl.DataFrame) -> None:
        nonlocal written
        found = scored_nodes(table, about.taxonomy)
        rows = table[found["row"]]
        kind = types.gather(found["node"])
        name = names.gather(found["node"])
        is_taxon = (kind == "animal") | (name.str.to_lowercase() == "homo sapiens")
        filled = {
            "observationID": rows["mediaID"].cast(pl.String) + pl.format("-{}", pl.int_range(pl.len()) + written + 1),
            "deploymentID": rows["deploymentID"],
            "mediaID": rows["mediaID"],
            "eventStart": rows["timestamp"],
            "eventEnd": rows["timestamp"],
            "observationLevel": pl.lit("media"),
            "observationType": kind,
            "scientificName": name.zip_with(is_taxon, pl.Series([None], dtype=pl.String).new_from_index(0, name.len())),
            "classificationMethod": pl.lit("machine"),
            "classifiedBy": pl.lit(about.model or None),
            "classificationProbability": found["probability"],
            **{name: rows[column] for name, column in _PASSED.items() if column in rows.columns},
        }
        blank = pl.lit(None, dtype=pl.String)
        texts = rows.select(*(filled.get(name, blank).alias(name) for name in COLUMNS))
        file.write(texts.write_csv(include_header=False).encode())
        written += found.height

    yield write
