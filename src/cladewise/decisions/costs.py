"""User-defined costs of answering one node when another is true, from files or tensors."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from cladewise.errors import InputError
from cladewise.ops import tree_index
from cladewise.taxonomy import Taxonomy

SUFFIXES = (".npy", ".csv", ".parquet")


def cost_table(cost: str | Tensor, taxonomy: Taxonomy, *, all_nodes: bool) -> Float[Tensor, "row leaf"]:
    """Cost of each answer for each true leaf: one row per leaf, or per node.

    Args:
        cost: The table, or a file that holds it.

            A tensor and a ``.npy`` file have a column for every leaf, ascending, and a row for every leaf or every
            node. A ``.csv`` or ``.parquet`` file has names or paths of the leaves in its header, and of leaves or nodes
            in its first column, in any order.
        taxonomy: The label tree.
        all_nodes: Whether every node may be answered; otherwise only the rows of leaves are needed.

    Raises:
        InputError: The file cannot be read, a row or column is missing or unknown, or a cost is not finite.
    """
    at = "" if isinstance(cost, Tensor) else str(cost)
    table = cost if isinstance(cost, Tensor) else _read(str(cost), _modified(cost), taxonomy)
    nodes, leaves = taxonomy.num_nodes, taxonomy.num_leaves
    wanted = nodes if all_nodes else leaves
    if table.ndim != 2 or table.shape[1] != leaves or table.shape[0] not in (nodes, wanted):
        advice = "over=nodes needs a row for every node." if all_nodes and table.shape == (leaves, leaves) else ""
        shape = f"shape {list(table.shape)}"
        raise InputError(f"costs [{wanted}, {leaves}], one column per leaf", shape, at=at, advice=advice)
    if not bool(table.isfinite().all()):
        row, column = (int(place) for place in (~table.isfinite()).nonzero()[0])
        answer = row if table.shape[0] == nodes else int(taxonomy.leaf_nodes[row])
        truth = taxonomy.path_name(int(taxonomy.leaf_nodes[column]))
        place = f"for the answer {taxonomy.path_name(answer)!r} where {truth!r} is true"
        raise InputError("finite costs", f"an infinite, missing or NaN cost {place}", at=at)
    return table if table.shape[0] == wanted else table[tree_index(taxonomy, table.device).leaf_nodes]


def _modified(path: str) -> float:
    if Path(path).suffix.lower() not in SUFFIXES:
        raise InputError(
            "lca-height, path-length or a file of costs", repr(path), advice=f"Files end in {', '.join(SUFFIXES)}."
        )
    try:
        return Path(path).stat().st_mtime
    except OSError as error:
        raise InputError("a file of costs", error.strerror or str(error), at=path) from None


@lru_cache(maxsize=2)
def _read(path: str, modified: float, taxonomy: Taxonomy) -> Tensor:
    """The table of a file, cached until the file changes."""
    try:
        if Path(path).suffix.lower() == ".npy":
            return torch.from_numpy(np.load(path, allow_pickle=False).astype(np.float32, casting="same_kind"))
        return torch.from_numpy(_named(path, taxonomy))
    except InputError:
        raise
    except Exception as error:  # each format's library has its own
        raise InputError("a table of costs", str(error).splitlines()[0], at=path) from None


def _named(path: str, taxonomy: Taxonomy) -> NDArray[np.float32]:
    import polars as pl

    from cladewise.parquet import read_parquet

    frame = pl.read_csv(path, infer_schema=False) if path.lower().endswith(".csv") else read_parquet(Path(path))
    first, *columns = frame.columns
    leaf_of_column = _nodes(columns, taxonomy, path)
    inside = next(
        (name for name, node in zip(columns, leaf_of_column, strict=True) if not taxonomy.is_leaf[node]), None
    )
    if inside is not None:
        raise InputError("one column per leaf and no others", f"a column {inside!r}", at=path)
    node_of_row = _nodes(frame[first].cast(pl.String).fill_null("").to_list(), taxonomy, path)
    column_of_leaf = _all_of(taxonomy.leaf_nodes, leaf_of_column, taxonomy, "a column", path)
    inner = set(node_of_row) - set(taxonomy.leaf_nodes.tolist())
    rows = np.arange(taxonomy.num_nodes) if inner else taxonomy.leaf_nodes
    row_of_node = _all_of(rows, node_of_row, taxonomy, "a row", path)
    values = frame.select(columns).cast(pl.Float32).to_numpy()
    return values[np.ix_(row_of_node, column_of_leaf)]


def _nodes(names: list[str], taxonomy: Taxonomy, path: str) -> list[int]:
    """Nodes of names, each once; an empty name is the root's."""
    named = np.array([name != "" for name in names], dtype=np.bool_)
    found = np.zeros(len(names), dtype=np.int64)
    found[named] = taxonomy.find([name for name in names if name], at=path)
    nodes: list[int] = found.tolist()
    unique, count = np.unique(nodes, return_counts=True)
    if (count > 1).any():
        raise InputError("every label once", f"{taxonomy.path_name(int(unique[count > 1][0]))!r} twice", at=path)
    return nodes


def _all_of(nodes: NDArray[np.int64], given: list[int], taxonomy: Taxonomy, what: str, path: str) -> NDArray[np.int64]:
    """Position of each node among the given ones."""
    place = np.full(taxonomy.num_nodes, -1)
    place[given] = np.arange(len(given))
    missing = nodes[place[nodes] < 0]
    if missing.size:
        label = taxonomy.path_name(int(missing[0])) or "the root"
        raise InputError(f"{what} for each of {nodes.size} labels", f"none for {label!r}", at=path)
    return place[nodes]
