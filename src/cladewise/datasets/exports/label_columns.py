"""Columns of a table that label its rows, as paths of names from coarse to fine."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.documents.coco_categories import RANKS
from cladewise.taxonomy.names.paths import label_steps

_LABELS = ("label", "labels", "class", "category", "species", "class_name", "class_label", "label_name", "target")
_FINEST = ("species", "scientific_name", "scientificName")
Names = tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class LabelColumns:
    """Columns that label the rows of a table.

    Attributes:
        columns: Their names, coarse to fine.
        classes: Names of the classes of columns that hold their numbers.
        chosen: Whether the user named them, so that they need not nest.
    """

    columns: Sequence[str]
    classes: Mapping[str, Sequence[str]]
    chosen: bool

    def labels(self, row: Mapping[str, Any]) -> list[Names]:
        """The labels of a row: one, or any number from a column of lists; with a blank for each empty level.

        Example:
            >>> columns = LabelColumns(["coarse", "fine"], {"fine": ["wren", "robin"]}, True)
            >>> columns.labels({"coarse": "bird", "fine": 1}), columns.labels({"coarse": None, "fine": -1})
            ([('bird', 'robin')], [])
            >>> LabelColumns(["tags"], {}, True).labels({"tags": ["bird/wren", "tree"]})
            [('bird', 'wren'), ('tree',)]
        """
        if len(self.columns) > 1:
            steps = tuple(self._name(column, row[column]) for column in self.columns)
            return [steps] if any(steps) else []
        (column,) = self.columns
        value = row[column]
        names = [self._name(column, one) for one in (value if isinstance(value, list) else [value])]
        return [(name,) if column in self.classes else label_steps(name) for name in names if name]

    def _name(self, column: str, value: Any) -> str:
        """The name of a class; blank if there is none."""
        if column not in self.classes:
            return "" if value is None else str(value).strip()
        if value is None or value == -1 or value != value:  # -1 for images without a label, as in test sets
            return ""
        if not isinstance(value, int | float):
            raise InputError(f"numbers of classes in {column!r}", repr(value))
        classes = self.classes[column]
        if not 0 <= int(value) < len(classes):
            raise InputError(f"a class from 0 to {len(classes) - 1} in {column!r}", value)
        return classes[int(value)]


def label_columns(columns: Sequence[str], classes: Mapping[str, Sequence[str]], chosen: str, at: str) -> LabelColumns:
    """The columns named by the user, coarse to fine with commas between, or those that are labels by their kind.

    These are columns of classes, those with fewer classes first; otherwise two or more ranks; otherwise a column with
    a name such as ``label``.

    Args:
        columns: The columns of the table, without those of images.
        classes: Names of the classes of columns that hold their numbers.
        chosen: Names of columns, with commas between; blank for a choice by kind.
        at: The table, for messages.

    Raises:
        InputError: There is no such column, or it is unclear which ones are labels.

    Example:
        >>> classes = {"fine": ["cod", "wren", "eel"], "coarse": ["fish", "bird"]}
        >>> label_columns(["fine", "coarse"], classes, "", "").columns
        ['coarse', 'fine']
        >>> label_columns(["id", "genus", "family", "species"], {}, "", "").columns
        ['family', 'genus', 'species']
    """
    if chosen:
        names = [name.strip() for name in chosen.split(",")]
        for name in names:
            if name not in columns:
                raise InputError(
                    f"a column among {some(columns, 20)}", repr(name), at=at, advice=nearest(name, columns)
                )
        return LabelColumns(names, classes, True)
    if classes:
        return LabelColumns(sorted(classes, key=lambda name: len(classes[name])), classes, False)
    ranks = [rank for rank in RANKS if rank in columns]
    if len(ranks) > 1:
        return LabelColumns([*ranks, *[name for name in _FINEST if name in columns][:1]], classes, False)
    named = [name for name in columns if name.lower() in _LABELS]
    if len(named) == 1:
        return LabelColumns(named, classes, False)
    advice = 'Name them, coarse to fine: label="family,species".'
    raise InputError("columns with labels", some(columns, 20) if columns else "no column", at=at, advice=advice)


def tree_of_labels(
    labels: Sequence[Names], columns: LabelColumns, at: str
) -> tuple[Taxonomy | None, list[int], list[Names]]:
    """The tree of labels of several columns, with the columns as levels, the node of each, and the labels without
    blanks; no tree for a single column.

    Raises:
        InputError: Columns of classes do not nest, and nobody named them.
    """
    if len(columns.columns) == 1:
        return None, [], list(labels)
    coarse: dict[str, Names] = {}
    for names in labels if columns.classes and not columns.chosen else ():
        above = coarse.setdefault(names[-1], names[:-1])
        if above != names[:-1]:
            shown = ", ".join(columns.columns)
            got = f"{names[-1]!r} with {'/'.join(above)!r} and with {'/'.join(names[:-1])!r}"
            advice = f'If they are levels, name them: label="{",".join(columns.columns)}"; otherwise name one.'
            raise InputError(f"classes of {shown} that nest", got, at=at, advice=advice)
    tree = Taxonomy.from_paths(labels, level_names=columns.columns)
    by_path = {(tree.path_names(node), int(tree.level[node])): node for node in range(tree.num_nodes)}
    short = [tuple(name for name in names if name) for names in labels]
    levels = [max(level for level, name in enumerate(names, start=1) if name) for names in labels]
    return tree, [by_path[path] for path in zip(short, levels, strict=True)], short
