"""Entries of hypernym tables in a suite file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from cladewise.catalogue import from_spec, nearest
from cladewise.embeddings import available
from cladewise.errors import InputError

COLUMNS: Mapping[str, tuple[str, str, str]] = {
    "hypernym_f1": ("F1", "test", "f1"),
    "hypernym_precision": ("Precision", "test", "precision"),
    "hypernym_recall": ("Recall", "test", "recall"),
    "hypernym_tnr": ("TNR of hypernyms", "test", "tnr"),
    "reconstruction_tpr": ("TPR", "reconstruction", "recall"),
    "reconstruction_tnr": ("TNR", "reconstruction", "tnr"),
    "reconstruction_f1": ("Full F1", "reconstruction", "f1"),
}
"""Columns: title, and the place in the results of an embedding."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class HypernymEntry:
    """Label embeddings of one tree: a row per geometry, dimension and margin, columns by the share of the closure.

    Args:
        name: Name of its files.
        title: Heading.
        tree: Name of a dataset or of a tree whose file or folder is given with ``data``.
        under: Only the subtree at this label; the largest one if several nodes have that name. Empty: the whole tree.
        geometries: Geometries, with options.
        dims: Dimensions of the vectors.
        margins: Margins, each a number or several with commas to choose from by F1 on val.
        closures: Shares of the transitive edges to train on.
        columns: Metrics, each for every share.
        epochs: Passes over the edges.
        batch_size: Edges per step.
        lr: Learning rate.
        seeds: Runs of each at most; as many as the suite says by default.
        path: File or folder of the tree, where it is no dataset of the suite.
        source: Table or section of a paper that it repeats.
    """

    name: str
    title: str
    tree: str
    under: str = ""
    geometries: tuple[str, ...] = ("order", "euclidean", "hyperbolic")
    dims: tuple[int, ...] = (10,)
    margins: tuple[str, ...] = ("1",)
    closures: tuple[float, ...] = (0.0, 0.1, 0.25, 0.5)
    columns: tuple[str, ...] = ("hypernym_f1",)
    epochs: int = 500
    batch_size: int = 10
    lr: float = 0.01
    seeds: int = 0
    path: str = ""
    source: str = ""

    @property
    def rows(self) -> tuple[HypernymRow, ...]:
        """The rows of the table."""
        return tuple(
            HypernymRow(geometry, dim, margin)
            for geometry in self.geometries
            for dim in self.dims
            for margin in self.margins
        )


@dataclasses.dataclass(frozen=True)
class HypernymRow:
    """A row of a hypernym table.

    Example:
        >>> HypernymRow("order", 10, "1").label, HypernymRow("order", 10, "0.1,1").label
        ('order, 10 dimensions, margin 1', 'order, 10 dimensions, best margin')
    """

    geometry: str
    dim: int
    margin: str

    @property
    def label(self) -> str:
        """Name in the table."""
        margin = "best margin" if "," in self.margin else f"margin {self.margin}"
        return f"{self.geometry}, {self.dim} dimensions, {margin}"

    @property
    def settings(self) -> dict[str, Any]:
        """Arguments of :func:`cladewise.embeddings.embed`."""
        margin = {"margins": self.margin} if "," in self.margin else {"margin": float(self.margin)}
        return {"geometry": self.geometry, "dim": self.dim, **margin}


def check_hypernyms(entry: HypernymEntry) -> None:
    """Check the names and numbers of an entry.

    Raises:
        InputError: There is no such geometry or column, or a number is out of range.

    Example:
        >>> check_hypernyms(HypernymEntry(name="h", title="", tree="t", columns=("f1",)))  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a column: hypernym_f1, ..., but got 'f1' at columns.
    """
    for geometry in entry.geometries:
        from_spec(available(), "geometry", geometry)
    for name in entry.columns:
        if name not in COLUMNS:
            raise InputError(f"a column: {', '.join(COLUMNS)}", repr(name), at="columns", advice=nearest(name, COLUMNS))
    for share in entry.closures:
        if not 0 <= share <= 1:
            raise InputError("shares of the closure from 0 to 1", share, at="closures")
    for margin in entry.margins:
        try:
            [float(each) for each in margin.split(",")]
        except ValueError as error:
            raise InputError("margins as numbers, several with commas", repr(margin), at="margins") from error
    for name in ("epochs", "batch_size"):
        if getattr(entry, name) < 1:
            raise InputError("at least 1", getattr(entry, name), at=name)
