"""Open Images' tables of labels as datasets: ``validation-annotations-human-imagelabels-boxable.csv`` and others.

A row says how sure it is that an image has a class: 1 for one that people confirmed, 0 for one that they denied, and a
probability for a machine's. Tables of boxes have such rows too.
"""

from __future__ import annotations

import os
from pathlib import Path

import polars as pl

from cladewise.datasets.exports.image_places import folder_with
from cladewise.datasets.exports.kinds import export_called, files_of
from cladewise.datasets.exports.labelled import Labelled
from cladewise.datasets.split_names import split_name
from cladewise.errors import InputError

_IMAGE, _LABEL, _CONFIDENCE = "ImageID", "LabelName", "Confidence"


def read(path: Path, root: Path | None, *, confidence: float = 1.0) -> Labelled:
    """Images with the machine ids (MIDs) of their classes.

    Args:
        path: A table, or a folder with one per split.
        root: Folder of the images, or of folders called after the splits; by default beside the tables.
        confidence: Least confidence of a label that counts.

    Raises:
        InputError: A table cannot be read, has no such labels, or its images are not found.
    """
    export = export_called("open-images")
    listed = files_of(path, export.files) if path.is_dir() else [path]
    tables = [table for table in listed if len(listed) == 1 or export.fits(table)]
    if not tables:
        raise InputError(f"a table with {_IMAGE}, {_LABEL} and {_CONFIDENCE}", "none", at=str(path))
    parts: list[pl.DataFrame] = []
    folders: list[Path] = []
    for table in tables:
        part = _positive(table, confidence)
        split = next((name for word in table.name.replace("oidv6-", "").split("-") if (name := split_name(word))), "")
        raw = table.name.replace("oidv6-", "").split("-")[0]
        tops = [root] if root is not None else [table.parent, table.parent.parent]
        names = [f"{name}/{end}".strip("/") for name in (raw, split, "", "images") for end in ("", "data")]
        images = [f"{image}.jpg" for image in part[_IMAGE].unique(maintain_order=True).head(20).to_list()]
        folders.append(folder_with(images, tops, names, str(table)))
        parts.append(part.with_columns(split=pl.lit(split)))
    top = Path(os.path.commonpath(folders))
    prefixes = ["" if folder == top else f"{folder.relative_to(top).as_posix()}/" for folder in folders]
    path_of = [pl.lit(prefix) + pl.col(_IMAGE) + ".jpg" for prefix in prefixes]
    rows = pl.concat([part.with_columns(path=text) for part, text in zip(parts, path_of, strict=True)])
    images = rows.unique("path", keep="first", maintain_order=True).select("path", "split").with_row_index("image")
    labels = rows.unique(_LABEL, keep="first", maintain_order=True).select(_LABEL).with_row_index("label")
    pairs = rows.join(images.select("path", "image"), on="path", maintain_order="left")
    pairs = pairs.join(labels, on=_LABEL, maintain_order="left").unique(["image", "label"], maintain_order=True)
    return Labelled(
        root=top,
        paths=images["path"].to_list(),
        labels=[(label,) for label in labels[_LABEL].to_list()],
        image=pairs["image"].cast(pl.Int64).to_numpy(),
        label=pairs["label"].cast(pl.Int64).to_numpy(),
        splits=images["split"].to_list() if images["split"].n_unique() > 1 else [],
    )


def _positive(table: Path, confidence: float) -> pl.DataFrame:
    """Images and labels of the rows that are sure enough."""
    try:
        rows = pl.read_csv(
            table, columns=[_IMAGE, _LABEL, _CONFIDENCE], schema_overrides={_IMAGE: pl.String, _CONFIDENCE: pl.Float64}
        )
    except (pl.exceptions.PolarsError, OSError) as error:
        got = str(error).splitlines()[0]
        raise InputError(f"a table with {_IMAGE}, {_LABEL} and {_CONFIDENCE}", got, at=str(table)) from error
    found = rows.filter(pl.col(_CONFIDENCE) >= confidence).select(_IMAGE, _LABEL)
    if not found.height:
        raise InputError(f"labels with a confidence of at least {confidence:g}", "none", at=str(table))
    return found
