"""Result tables of BirdNET-Analyzer: its CSV, Raven selection tables and Kaleidoscope tables.

A row is a sound in an interval of a recording, and lists the species above a least confidence. The confidences are
those of independent sigmoids. A recording without any has, in selection tables, a row ``nocall`` of confidence 1.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.scores.classes import ScoredClass
from cladewise.scores.formats.listing import from_entries
from cladewise.scores.formats.long import whole
from cladewise.scores.formats.seen import Seen
from cladewise.scores.tables import ListedTable

CSV = {"Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File"}
RAVEN = {"Begin Time (s)", "End Time (s)", "Common Name", "Species Code", "Confidence", "Begin Path"}
KALEIDOSCOPE = {"INDIR", "FOLDER", "IN FILE", "OFFSET", "DURATION", "scientific_name", "common_name", "confidence"}
NO_CALL = "nocall"
KEY, RECORDING = "segment", "file"


def is_birdnet(names: Collection[str]) -> bool:
    """Whether a table has the columns of one of BirdNET's results.

    Example:
        >>> is_birdnet(["Start (s)", "End (s)", "Scientific name", "Common name", "Confidence", "File"])
        True
    """
    return any(known <= set(names) for known in (CSV, RAVEN, KALEIDOSCOPE))


def read(seen: Seen) -> ListedTable:
    """Read results of BirdNET-Analyzer. Rows are named by recording and interval, as in ``dawn.wav|3.0-6.0``.

    Raises:
        InputError: The table has none of their headers.
    """
    frame, notes = whole(seen), list[str]()
    if frame.columns and not is_birdnet(frame.columns):
        raise InputError("a result table of BirdNET-Analyzer", ", ".join(frame.columns[:8]), at=str(seen.path))
    names = set(frame.columns)
    if names >= CSV:
        start, end, recording = pl.col("Start (s)"), pl.col("End (s)"), pl.col("File")
        scientific, common, confidence = "Scientific name", "Common name", "Confidence"
        used = CSV
    elif names >= RAVEN:
        start, end, recording = pl.col("Begin Time (s)"), pl.col("End Time (s)"), pl.col("Begin Path")
        scientific, common, confidence = "Common Name", "Species Code", "Confidence"
        used = RAVEN | {"Selection", "View", "Channel", "Low Freq (Hz)", "High Freq (Hz)", "File Offset (s)"}
        calls = frame.filter(pl.col(scientific) != NO_CALL)
        if calls.height < frame.height:
            silent = frame.height - calls.height
            notes.append(f"Recordings in which BirdNET found nothing ({NO_CALL}), which have no row: {silent:,}.")
        frame = calls
    else:
        start, recording = pl.col("OFFSET"), pl.concat_str("INDIR", "FOLDER", "IN FILE", separator="/")
        end = (pl.col("OFFSET").cast(pl.Float64) + pl.col("DURATION").cast(pl.Float64)).cast(pl.String)
        scientific, common, confidence = "scientific_name", "common_name", "confidence"
        used = KALEIDOSCOPE
    text = (start, end, recording)
    start, end, recording = (expression.cast(pl.String) for expression in text)
    frame = frame.with_columns(
        recording.alias(RECORDING),
        start.cast(pl.Float64).alias("start"),
        end.cast(pl.Float64).alias("end"),
    ).with_columns(
        pl.concat_str(
            pl.col(RECORDING), pl.lit("|"), pl.col("start").cast(pl.String), pl.lit("-"), pl.col("end").cast(pl.String)
        ).alias(KEY),
        pl.col(confidence).cast(pl.Float64).alias("__score"),
    )
    taxa = [scientific, common]
    distinct = frame.select(taxa).unique(maintain_order=True)
    classes = [_class(*row) for row in distinct.iter_rows()]
    place = distinct.with_columns(__class=pl.Series(np.arange(distinct.height)))
    class_of = frame.join(place, on=taxa, how="left", maintain_order="left")["__class"].to_numpy()
    kept = frame.drop(name for name in used if name in frame.columns)
    return from_entries(
        kept,
        KEY,
        classes,
        class_of,
        "__score",
        source=str(seen.path),
        values="probabilities",
        over="independent",
        notes=notes,
    )


def _class(name: str, other: str) -> ScoredClass:
    """A species by the label of BirdNET's list, its names, or the eBird code in place of one of them."""
    labels = (f"{name}_{other}", name, other, *other.split("_")[:1])
    return ScoredClass(name, tuple(dict.fromkeys(label for label in labels if label)))
