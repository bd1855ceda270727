"""Answers of a prediction table as nodes with probabilities, whichever columns the decision gave."""

from __future__ import annotations

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.paths import ROOT_NAME

_LISTS = (("top_labels", "top_probabilities"), ("labels", "probabilities"))


def scored_nodes(table: pl.DataFrame, taxonomy: Taxonomy) -> pl.DataFrame:
    """The nodes that answer each row of a prediction table, with their probabilities.

    A row has as many answers as ``top`` asked for, otherwise the node of its decision or, for a decision with sets of
    labels, all nodes of its set. A row with an error has none.

    Args:
        table: Rows of a prediction.
        taxonomy: The tree whose nodes the table names.

    Returns:
        Columns ``row`` (position in the table), ``node`` and ``probability``, in the order of the rows.

    Raises:
        InputError: The decision gives one node per level, or a path is not one of the tree.

    Example:
        >>> tree = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin")])
        >>> table = pl.DataFrame({"path": ["a.jpg", "b.jpg"], "node": [2, None], "probability": [0.75, None]})
        >>> scored_nodes(table, tree).rows()
        [(0, 2, 0.75)]
        >>> sets = pl.DataFrame({"labels": [["bird", "bird/wren"]], "probabilities": [[1.0, 0.75]]})
        >>> scored_nodes(sets, tree).rows()
        [(0, 1, 1.0), (0, 2, 0.75)]
    """
    rows = table.with_row_index("row")
    lists = next((pair for pair in _LISTS if set(pair) <= set(table.columns)), None)
    if lists is not None:
        labels, probabilities = lists
        found = pl.concat([_at(place, rows, labels, probabilities) for place in range(_longest(table[labels]))])
        found = found.filter(pl.col("label").is_not_null()).sort("row", maintain_order=True)
        paths = found["label"].unique(maintain_order=True)
        nodes = [0 if path == ROOT_NAME and taxonomy.synthetic_root else taxonomy.find(path) for path in paths]
        node = found["label"].replace_strict(paths, pl.Series(nodes, dtype=pl.Int64), return_dtype=pl.Int64)
        return found.select(pl.col("row").cast(pl.Int64), node=node, probability="probability")
    if not {"node", "probability"} <= set(table.columns):
        raise InputError(
            "one node per image, or sets of labels",
            "one node per level",
            advice='Choose another decision, as in decision="leaf", or list the best nodes with top=1.',
        )
    kept = rows.filter(pl.col("node").is_not_null())
    return kept.select(pl.col("row", "node").cast(pl.Int64), "probability")


def _longest(lists: pl.Series) -> int:
    """Length of the longest list, at least 1."""
    return max(1, int(lists.list.len().fill_null(0).max() or 0))  # pyright: ignore[reportArgumentType]


def _at(place: int, rows: pl.DataFrame, labels: str, probabilities: str) -> pl.DataFrame:
    """The answer at a place of each row's list; null where a list is shorter."""
    return rows.select(
        "row",
        label=pl.col(labels).list.get(place, null_on_oob=True),
        probability=pl.col(probabilities).list.get(place, null_on_oob=True),
    )
