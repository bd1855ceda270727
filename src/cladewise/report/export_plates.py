"""Plates of run folders as files of the comparison: the pictures as they are, the numbers of all runs in one table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from cladewise.atomic import write_bytes
from cladewise.drawing.tables import file_name, write_csv
from cladewise.records.layout import RunFolder
from cladewise.report.groups import Group
from cladewise.report.plates import kinds_of, plates_of


def write_plate_files(groups: Sequence[Group], folder: Path) -> list[Path]:
    """Copy what the page shows of plates, and write each table over all groups and seeds.

    Args:
        groups: What is compared.
        folder: Where the files go.

    Returns:
        The files written.
    """
    written: list[Path] = []
    for kind in kinds_of(groups):
        rows: dict[str, list[dict[str, Any]]] = {}
        for group, runs in plates_of(groups, kind):
            run, first = runs[0]
            source = RunFolder(run.folder).plates(kind, first.split).parent
            for name in sorted(first.files):
                if (source / Path(name).name).is_file():
                    target = folder / f"{kind}-{file_name(group.label)}-{Path(name).name}"
                    write_bytes(target, (source / Path(name).name).read_bytes())
                    written.append(target)
            for run, content in runs:
                for table in content.tables:
                    names = [measure.name for measure in table.measures]
                    rows.setdefault(table.name, []).extend(
                        {"group": group.label, "seed": run.seed, "basis": table.basis, table.heading: row}
                        | dict(zip(names, values, strict=True))
                        for row, values in zip(table.rows, table.values, strict=True)
                    )
        for name, of_all in rows.items():
            frame = pl.DataFrame(of_all, infer_schema_length=None)
            written.append(write_csv(frame, folder / f"{kind}-{file_name(name)}.csv"))
    return written
