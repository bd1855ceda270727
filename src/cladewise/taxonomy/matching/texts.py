"""Texts by which nodes of two trees are compared: ids, names, synonyms, names in languages, further columns."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import polars as pl

from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.names.columns import FORMER_IDS, ID, SYNONYMS, VERNACULAR, languages, split_names
from cladewise.taxonomy.names.sameness import composed, loose
from cladewise.taxonomy.tree import Taxonomy

OWN_KIND = (ID, SYNONYMS, FORMER_IDS)
"""Columns that are compared in a way of their own, like those of names in languages."""


def labels(tree: Taxonomy) -> pl.DataFrame:
    """Columns ``node`` and ``text`` of the names of all nodes, without a root that has none."""
    first = 1 if tree.synthetic_root else 0
    return _frame(range(first, tree.num_nodes), tree.names[first:].tolist())


def names(tree: Taxonomy) -> pl.DataFrame:
    """The names, with the ``key`` by which they are compared."""
    return _with_keys(labels(tree))


def paths(tree: Taxonomy) -> pl.DataFrame:
    """Columns ``node`` and ``key``: the composed path of each node."""
    first = 1 if tree.synthetic_root else 0
    texts = [composed(text) for text in path_texts(tree)[first:].tolist()]
    return _frame(range(first, tree.num_nodes), texts).rename({"text": "key"})


def ids(tree: Taxonomy) -> pl.DataFrame:
    """The ids that one node alone has, as ``key``."""
    return _cells(tree, ID).rename({"text": "key"}).filter(pl.len().over("key") == 1)


def former_ids(tree: Taxonomy) -> pl.DataFrame:
    """The former ids of nodes, as ``key``."""
    return _split(tree, FORMER_IDS).rename({"text": "key"})


def synonyms(tree: Taxonomy) -> pl.DataFrame:
    """The synonyms of nodes, with their keys."""
    return _with_keys(_split(tree, SYNONYMS))


def in_languages(tree: Taxonomy) -> dict[str, pl.DataFrame]:
    """Names of nodes in each language, with their keys."""
    return {code: _with_keys(_split(tree, column)) for code, column in languages(tree).items()}


def further_texts(tree: Taxonomy) -> dict[str, pl.DataFrame]:
    """Texts of each further column that one node alone has, as ``key``."""
    return {
        column: _cells(tree, column).rename({"text": "key"}).filter(pl.len().over("key") == 1)
        for column in tree.columns
        if column not in OWN_KIND and not column.startswith(VERNACULAR)
    }


def _with_keys(frame: pl.DataFrame) -> pl.DataFrame:
    keys = pl.Series("key", list(map(loose, frame["text"].to_list())), dtype=pl.String)
    return frame.with_columns(keys).filter(pl.col("key") != "")


def _cells(tree: Taxonomy, column: str) -> pl.DataFrame:
    """The cells of a column that are not blank; none if there is no such column, and none of a root without a name."""
    if column not in tree.columns:
        return _frame([], [])
    texts = tree.columns[column]
    filled = np.flatnonzero(texts != "")
    filled = filled[filled >= int(tree.synthetic_root)]
    return _frame(filled.tolist(), texts[filled].tolist())


def _split(tree: Taxonomy, column: str) -> pl.DataFrame:
    """The names in the cells of a column, one per row."""
    parts = [(node, part) for node, cell in _cells(tree, column).iter_rows() for part in split_names(cell)]
    return _frame([node for node, _ in parts], [part for _, part in parts]).unique(maintain_order=True)


def _frame(nodes: Iterable[int], texts: list[str]) -> pl.DataFrame:
    return pl.DataFrame({"node": pl.Series(list(nodes), dtype=pl.Int64), "text": pl.Series(texts, dtype=pl.String)})
