"""Tables of weights of nodes by key: which species occur in a region or a month, and how often."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.errors import InputError
from cladewise.inference.keys import Key, as_texts
from cladewise.inference.node_files import version
from cladewise.records.counts import COLUMNS as COUNTS
from cladewise.records.counts import read_counts
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.tables.side_table import read_side_table
from cladewise.taxonomy.leaf_counts import images_by_leaf

LABELS = ("label", "node")
WEIGHT = "weight"
SHOWN = 5
CELLS = 1 << 25
"""Number of (key, node) cells up to which the weights of all keys are held."""


@dataclasses.dataclass(frozen=True, eq=False)
class PriorTable:
    """Weights of the leaves by key. Made by :func:`read_prior`.

    Args:
        taxonomy: The label tree.
        at: The file, for messages.
        keys: The keys.
        rows: Distinct values of the keys, one column per key; without keys there is one row without columns.
        starts: First entry of each of these rows; one more at the end.
        nodes: Node of each entry.
        weights: Weight of each entry.
        unlisted: Weight of leaves of which no ancestor-or-self is listed.
    """

    taxonomy: Taxonomy
    at: str
    keys: tuple[Key, ...]
    rows: pl.DataFrame
    starts: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray
    unlisted: float | None

    def find(self, columns: pl.DataFrame) -> np.ndarray:
        """Row of the table for each image; -1 where it has none.

        Where the table lacks a cell of H3, the smallest cell around it counts that the table has.
        """
        values = [key.of_images(columns) for key in self.keys]
        found = self._exactly(values)
        for place, key in enumerate(self.keys):
            wider = key.coarser(values[place])
            while wider is not None and (found < 0).any():
                found = np.where(found < 0, self._exactly([*values[:place], wider, *values[place + 1 :]]), found)
                wider = key.coarser(wider)
        return found

    def _exactly(self, values: Sequence[pl.Series]) -> np.ndarray:
        names = self.rows.columns
        asked = pl.DataFrame(dict(zip(names, values, strict=True)))
        numbered = self.rows.with_row_index("number")
        joined = asked.join(numbered, on=names, how="left", maintain_order="left")
        return joined["number"].cast(pl.Int64).fill_null(-1).to_numpy()

    def log_weights(self, rows: np.ndarray) -> np.ndarray:
        """Logarithm of the weight of each leaf in some rows of the table, ``[row, leaf]``; -inf for a weight of 0.

        A leaf has the weight of its nearest listed ancestor-or-self.

        Raises:
            InputError: A leaf has none, and the weight of what is not listed was not stated.
        """
        if self.num_rows * self.taxonomy.num_nodes <= CELLS:
            return self._every[rows]
        return self._of(rows)

    @cached_property
    def _every(self) -> np.ndarray:
        return self._of(np.arange(self.num_rows))

    @property
    def num_rows(self) -> int:
        """Number of distinct keys; 1 without keys."""
        return len(self.starts) - 1

    def _of(self, rows: np.ndarray) -> np.ndarray:
        tree = self.taxonomy
        entries = [np.arange(int(self.starts[row]), int(self.starts[row + 1])) for row in rows.tolist()]
        place = np.repeat(np.arange(len(rows)), [len(part) for part in entries])
        chosen = np.concatenate([np.zeros(0, np.int64), *entries])
        table = np.full((len(rows), tree.num_nodes), np.nan, dtype=np.float32)
        table[place, self.nodes[chosen]] = _log(self.weights[chosen])
        for nodes in tree.nodes_by_depth[1:]:  # parents before children
            own = table[:, nodes]
            table[:, nodes] = np.where(np.isnan(own), table[:, tree.parents[nodes]], own)
        leaves = table[:, tree.leaf_nodes]
        missing = np.isnan(leaves)
        if missing.any() and self.unlisted is None:
            row, leaf = np.argwhere(missing)[0]
            raise InputError(
                "a weight for every leaf, at it or at a node above it",
                f"none for {int(missing[row].sum())} leaves{self._told(int(rows[row]))}, such as "
                f"{tree.path_name(int(tree.leaf_nodes[leaf]))}",
                at=self.at,
                advice="Give unlisted=0 to rule them out, or their weight.",
            )
        leaves[missing] = -np.inf if self.unlisted is None else _log(np.array(self.unlisted))
        nothing = np.flatnonzero((leaves == -np.inf).all(1))
        if nothing.size:
            where = self._told(int(rows[nothing[0]]))
            raise InputError("a leaf with a weight above 0", f"none{where}", at=self.at)
        return leaves

    def _told(self, row: int) -> str:
        cells = self.rows.row(row) if self.keys else ()
        values = ", ".join(f"{key.name} {cell}" for key, cell in zip(self.keys, cells, strict=True))
        return f" for {values}" if values else ""

    @property
    def only_cuts(self) -> bool:
        """Whether weights other than 0 are all the same."""
        given = self.weights if self.unlisted is None else np.append(self.weights, self.unlisted)
        return len(np.unique(given[given > 0])) <= 1


def read_prior(
    path: str | Path, taxonomy: Taxonomy, keys: Sequence[Key] = (), *, unlisted: float | None = None
) -> PriorTable:
    """Read a table of weights, as CSV, TSV or Parquet.

    A long table has a column for each key, then ``label`` (or ``node``: a name, id or path) and ``weight``; a wide one
    has a column for each key and one for each node, whose name is the label and whose blank cells are not listed.

    Args:
        path: The file.
        taxonomy: The label tree.
        keys: The keys.
        unlisted: Weight of leaves that the table does not list, neither them nor a node above them.

    Raises:
        InputError: A column is missing, a label names no node or several, a weight is not a number of at least 0, a key
            is blank, or a node is listed twice for one key.

    Example:
        >>> path = getfixture("tmp_path") / "prior.csv"
        >>> _ = path.write_text("region,label,weight\\nnorth,bird,3\\nnorth,wren,1\\nsouth,moth,1\\n")
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth",)])
        >>> from cladewise.inference.keys import parse_key
        >>> table = read_prior(path, t, [parse_key("region")], unlisted=0.5)
        >>> table.find(pl.DataFrame({"region": ["south", "west", "north"]})).tolist()
        [1, -1, 0]
        >>> np.exp(table.log_weights(np.array([0, 1]))).round(3).tolist()
        [[1.0, 3.0, 0.5], [0.5, 0.5, 1.0]]
    """
    at, frame = str(path), _read(Path(path))
    names = [key.name for key in keys]
    for name in names:
        if name not in frame.columns:
            raise InputError(f"a column {name}", f"the columns {', '.join(frame.columns)}", at=at)
    label = next((name for name in LABELS if name in frame.columns), None)
    values = {f"key {k}": key.of_table(frame[key.name], at) for k, key in enumerate(keys)}
    if label is not None and WEIGHT in frame.columns:
        long = pl.DataFrame({**values, "label": as_texts(frame[label]), WEIGHT: as_texts(frame[WEIGHT])})
        if unused := [name for name in frame.columns if name not in {*names, label, WEIGHT}]:
            raise InputError(
                f"the columns {', '.join([*names, label, WEIGHT])} alone",
                f"{', '.join(unused)} too",
                at=at,
                advice="Name the columns of keys: key=NAME.",
            )
    else:
        others = frame.drop(names)
        wide = pl.DataFrame({**values, **{name: as_texts(others[name]) for name in others.columns}})
        long = wide.unpivot(index=list(values), variable_name="label", value_name=WEIGHT).drop_nulls(WEIGHT)
    return _table(long, list(values), taxonomy, at, tuple(keys), unlisted)


def _table(
    long: pl.DataFrame, names: list[str], taxonomy: Taxonomy, at: str, keys: tuple[Key, ...], unlisted: float | None
) -> PriorTable:
    blank = [name for name in [*names, "label"] if long[name].null_count()]
    if blank:
        row = long[blank[0]].is_null().arg_true()[0] + 1
        raise InputError("a key and a label in every row", f"a blank one in row {row}", at=at)
    weights = long[WEIGHT].cast(pl.Float64, strict=False)
    wrong = ~(weights.is_finite() & (weights >= 0)).fill_null(False)
    if wrong.any():
        row = wrong.arg_true()[0]  # not the row of the file if that is wide
        got = "a blank cell" if long[WEIGHT][row] is None else repr(long[WEIGHT][row])
        where = ", ".join(
            [long["label"][row], *(f"{key.name} {long[name][row]}" for key, name in zip(keys, names, strict=True))]
        )
        raise InputError("weights that are numbers of at least 0", f"{got} for {where}", at=at)
    labels = long["label"].unique(maintain_order=True)
    found = taxonomy.find(labels.to_list(), at=at)
    nodes = long["label"].replace_strict(labels, pl.Series(found, dtype=pl.Int64), return_dtype=pl.Int64)
    rows = long.select(names).unique(maintain_order=True) if names else pl.DataFrame()
    number = pl.zeros(len(long), pl.Int64, eager=True)
    if names:
        number = long.select(names).join(rows.with_row_index("n"), on=names, how="left", maintain_order="left")["n"]
    entries = pl.DataFrame({"row": number.cast(pl.Int64), "node": nodes, WEIGHT: weights}).sort("row", "node")
    twice = entries.select("row", "node").is_duplicated()
    if twice.any():
        node = int(entries["node"][twice.arg_true()[0]])
        raise InputError("each node once for each key", f"{taxonomy.path_name(node)!r} twice", at=at)
    starts = np.searchsorted(entries["row"].to_numpy(), np.arange((len(rows) if names else 1) + 1))
    return PriorTable(
        taxonomy,
        at,
        keys,
        rows,
        starts,
        entries["node"].to_numpy().astype(np.int64),
        entries[WEIGHT].to_numpy(),
        unlisted,
    )


def training_shares(path: str | Path, taxonomy: Taxonomy, split: str = "train") -> np.ndarray:
    """How often each leaf occurred in training, from ``counts.csv`` of a run or a table of labels and weights.

    Images with a label at an internal node count for all leaves under it alike, and a leaf without images as one, since
    a weight relative to nothing is not defined.

    Args:
        path: The file.
        taxonomy: The label tree.
        split: Split of the counts.

    Raises:
        InputError: The file is neither, or the run has no such split.

    Example:
        >>> path = getfixture("tmp_path") / "counts.csv"
        >>> _ = path.write_text("node,split,images\\n1,train,4\\n2,train,6\\n")
        >>> training_shares(path, Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])).tolist()
        [8.0, 2.0, 1.0]
    """
    if _header(Path(path)) != COUNTS:
        logs = read_prior(path, taxonomy).log_weights(np.zeros(1, np.int64))[0]
        if (logs == -np.inf).any():
            raise InputError("weights in training above 0", "a weight of 0", at=str(path))
        return np.exp(logs.astype(np.float64))
    by_split = read_counts(Path(path), taxonomy.num_nodes)
    if split not in by_split:
        raise InputError(f"images of the split {split}", f"only {', '.join(by_split) or 'none'}", at=str(path))
    return images_by_leaf(by_split[split], taxonomy)


def _log(weights: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore"):
        return np.log(weights)


def _header(path: Path) -> tuple[str, ...]:
    return tuple(_read(path).columns)


def _read(path: Path) -> pl.DataFrame:
    version(path)
    return read_side_table(path, "a table with a header, as CSV, TSV or Parquet")
