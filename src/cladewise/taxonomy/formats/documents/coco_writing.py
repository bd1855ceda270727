"""Trees as COCO ``categories``, and the numbers that nodes have as categories."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from cladewise.atomic import write_text
from cladewise.errors import InputError, warn
from cladewise.taxonomy.arrays import BoolArray, IntArray
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.documents.plain_levels import has_plain_levels
from cladewise.taxonomy.further_edges import COLUMN as FURTHER
from cladewise.taxonomy.names.columns import ID, SYNONYMS, split_names, vernacular_column
from cladewise.taxonomy.tree import Taxonomy

_WHOLE = r"^(0|[1-9]\d{0,17})$"
_TOP = "none"
"""Supercategory of a category at the top."""
_KEYS = {vernacular_column("en"): "common_name"}
"""Keys of columns that have another name in these files."""


@dataclasses.dataclass(frozen=True)
class CategoryIds:
    """Ids of a tree's nodes as categories, which are whole numbers in COCO.

    Attributes:
        ids: A different number for every node.
        own: Whether it is the node's own ``id``.
    """

    ids: IntArray
    own: BoolArray


def category_ids(taxonomy: Taxonomy) -> CategoryIds:
    """The number of every node as a category.

    A node's own ``id`` if it is a whole number. Nodes with another id or none are counted on from the largest, in the
    order of the tree. If no id is a number, or numbers repeat, the nodes have their own numbers.

    Example:
        >>> tree = Taxonomy([-1, 0, 1, 1], ["", "bird", "wren", "robin"], columns={"id": ["", "bird", "7", "3"]})
        >>> category_ids(tree).ids.tolist()
        [8, 9, 7, 3]
    """
    nodes = np.arange(taxonomy.num_nodes)
    texts = pl.Series(taxonomy.columns[ID].tolist() if ID in taxonomy.columns else [""] * nodes.size, dtype=pl.String)
    are_numbers = texts.str.contains(_WHOLE)
    numbers = texts.filter(are_numbers).cast(pl.Int64)
    if not numbers.len() or numbers.is_duplicated().any():
        return CategoryIds(nodes, np.zeros(nodes.size, dtype=bool))
    own = are_numbers.to_numpy()
    ids = np.empty(nodes.size, dtype=np.int64)
    ids[own] = numbers.to_numpy()
    ids[~own] = ids[own].max() + 1 + np.arange((~own).sum())
    return CategoryIds(ids, own)


def write_categories(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as COCO categories: every node with its id, the name of its parent as ``supercategory``, and the id
    of its ``parent``.

    Tools that know supercategories alone see a node and its parent, two levels of the tree. Cladewise reads the
    parents, and with them the whole tree with its levels, columns and, as ``further_parents``, several parents of a
    node. Lost are ids that are no numbers (see :func:`category_ids`).

    Raises:
        InputError: A column of the tree has the name of a key.
    """
    keys = ("name", "parent", "level", FURTHER)
    if taken := [column for column in taxonomy.columns if column in keys]:
        raise InputError(f"further columns with other names than {', '.join(keys)}", some(taken))
    ids, first = category_ids(taxonomy), int(taxonomy.synthetic_root)
    _tell_renumbered(taxonomy, ids, str(path))
    with_levels = not has_plain_levels(taxonomy) or bool(first and taxonomy.num_children[0] == 1)
    names, columns = taxonomy.names.tolist(), {k: v.tolist() for k, v in taxonomy.columns.items() if k != ID}
    parents, numbers, level = taxonomy.parents.tolist(), ids.ids.tolist(), taxonomy.level.tolist()
    further: dict[int, list[int]] = {}
    for node, above in taxonomy.further_parents.tolist():
        further.setdefault(node, []).append(numbers[above])
    rows: list[dict[str, Any]] = []
    for node in range(first, taxonomy.num_nodes):
        is_top = parents[node] < first
        row: dict[str, Any] = {
            "id": numbers[node],
            "name": names[node],
            "supercategory": _TOP if is_top else names[parents[node]],
            "parent": None if is_top else numbers[parents[node]],
        }
        if node in further:
            row[FURTHER] = further[node]
        if with_levels and level[node]:
            row["level"] = taxonomy.level_names[level[node] - 1]
        given = {_KEYS.get(key, key): texts[node] for key, texts in columns.items() if texts[node]}
        if SYNONYMS in given:
            given[SYNONYMS] = split_names(given[SYNONYMS])
        rows.append(row | given)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    levels = f'"levels": {json.dumps(taxonomy.level_names, ensure_ascii=False)},\n' if with_levels else ""
    write_text(path, f'{{{levels}"categories": [\n{lines}\n]}}\n')


def _tell_renumbered(taxonomy: Taxonomy, ids: CategoryIds, source: str) -> None:
    """Warn about ids of nodes that categories cannot have."""
    if ID not in taxonomy.columns:
        return
    first = int(taxonomy.synthetic_root)
    if not ids.own[first:].any():
        warn("Ids that are no whole numbers, or repeat: the categories have the numbers of their nodes", at=source)
        return
    texts = taxonomy.columns[ID][first:]
    lost = texts[~ids.own[first:] & (texts != "")].tolist()
    if lost:
        noun = "1 id is" if len(lost) == 1 else f"{len(lost):,} ids are"
        warn(f"{noun} no whole number as written, and replaced by a new one: {some(lost)}", at=source)
