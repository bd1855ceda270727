"""The tables of an audit as files."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from cladewise.atomic import replacing
from cladewise.auditing.result import Audit
from cladewise.drawing.tables import write_csv
from cladewise.parquet import write_parquet
from cladewise.records.audit import write_audit

RECORD = "audit.json"


def write_tables(found: Audit) -> None:
    """Write the tables of an audit."""
    frame = found.to_frame()
    with replacing(found.folder / "labels.parquet") as temporary:
        write_parquet(frame, temporary)
    order = pl.Series(found.suspects, dtype=pl.Int64)
    write_csv(frame[order].drop("reviewed", "gain_bits"), found.folder / "suspects.csv")
    finer = pl.Series(found.finer, dtype=pl.Int64)
    write_csv(frame[finer].select("path", "label", "proposal", "gain_bits"), found.folder / "finer.csv")
    write_csv(_duplicate_rows(found), found.folder / "duplicates.csv")
    write_csv(_class_rows(found), found.folder / "classes.csv")
    write_audit(found.folder / RECORD, found.record)


def _duplicate_rows(found: Audit) -> pl.DataFrame:
    """One row per pair of duplicates, those with contradicting labels first."""
    data, pairs = found.dataset, found.duplicates
    contradict, splits = found.contradict, found.splits
    order = np.argsort(~contradict, kind="stable")
    first, second = pairs.first[order].tolist(), pairs.second[order].tolist()
    return pl.DataFrame(
        {
            "first": [data.paths[i] for i in first],
            "second": [data.paths[i] for i in second],
            "first_label": [data.taxonomy.path_name(int(data.nodes[i])) for i in first],
            "second_label": [data.taxonomy.path_name(int(data.nodes[i])) for i in second],
            "contradict": contradict[order],
            "first_split": [splits[i] for i in first],
            "second_split": [splits[i] for i in second],
            "same_content": pairs.same_content[order],
            "distance": pairs.distance[order],
            "hash_bits": pairs.bits[order],
        }
    )


def _class_rows(found: Audit) -> pl.DataFrame:
    """One row per finding about classes."""
    name = found.taxonomy.path_name
    rows = [("one", name(one.first), name(one.second), one.area, one.upper, one.p_value) for one in found.one_class]
    rows += [("two", name(two.node), "", two.separation, two.explained, two.p_value) for two in found.two_kinds]
    schema: dict[str, Any] = {"kind": pl.String, "class": pl.String, "other": pl.String}
    return pl.DataFrame(
        rows, {**schema, "effect": pl.Float64, "bound": pl.Float64, "p_value": pl.Float64}, orient="row"
    )
