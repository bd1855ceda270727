"""Distances between leaves, from the tree or from a file, for soft labels."""

from __future__ import annotations

import lzma
from pathlib import Path
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    import polars as pl

LcaDistance = Literal["lca-height", "hace"]
"""Distances that depend only on the lowest common ancestor."""

PICKLES = (".pkl", ".pickle", ".p")
SUFFIXES = (".npy", ".csv", ".tsv", ".parquet", ".txt", ".txt.xz")
_LISTED = f"{', '.join(SUFFIXES[:-1])} or {SUFFIXES[-1]}"


def distance_by_lca(taxonomy: Taxonomy, kind: LcaDistance = "lca-height") -> NDArray[np.float64]:
    r"""Distance between two leaves by their lowest common ancestor: one number per node, normalised to a maximum of 1.

    ``"lca-height"`` is the ancestor's height in edges, ``"hace"`` is :math:`1 - d / d_{max}` with its depth and that of
    the deepest leaf. They differ if leaves have different depths. The distance of a leaf to itself is 0.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> distance_by_lca(t).tolist(), distance_by_lca(t, "hace").tolist()
        ([1.0, 0.5, 0.0, 0.0, 0.0], [1.0, 0.5, 0.0, 0.0, 0.0])

    References: Bertinetto et al., Making Better Mistakes, CVPR 2020, arXiv:1912.09393 (the height). The second is the
        released code of Hierarchy-Aware Cross-Entropy.
    """
    if kind not in get_args(LcaDistance):
        raise InputError(f"a distance among {', '.join(get_args(LcaDistance))}, or a file", repr(kind))
    if kind == "lca-height":
        distance = taxonomy.height.astype(np.float64)
    else:
        distance = 1.0 - taxonomy.depth / max(1, taxonomy.max_depth)
    distance[taxonomy.is_leaf] = 0.0
    meets = taxonomy.num_children >= 2  # the parent of an only child is no two leaves' lowest common ancestor
    largest = float(distance[meets].max(initial=0.0))
    return distance / largest if largest else distance


def check_distances(
    values: ArrayLike, taxonomy: Taxonomy, at: str = "", *, normalised: bool = True
) -> NDArray[np.float64]:
    """Check a matrix of distances between leaf positions and divide it by its maximum.

    Args:
        values: The matrix.
        taxonomy: The label tree.
        at: The file, for messages.
        normalised: Whether to divide.

    Raises:
        InputError: It is not square with one row per leaf, not symmetric, or its diagonal is not 0.
    """
    matrix = np.asarray(values, dtype=np.float64)
    size = taxonomy.num_leaves
    if matrix.shape != (size, size):
        raise InputError(f"distances [{size}, {size}], one row per leaf", f"shape {list(matrix.shape)}", at=at)
    if not (np.isfinite(matrix).all() and (matrix >= 0).all()):
        raise InputError("distances that are numbers >= 0", "others", at=at)
    if np.diagonal(matrix).any() or not np.allclose(matrix, matrix.T, rtol=1e-5, atol=0.0):
        raise InputError("symmetric distances that are 0 between a leaf and itself", "others", at=at)
    return matrix / (matrix.max(initial=0.0) or 1.0) if normalised else matrix


def read_distances(path: str | Path, taxonomy: Taxonomy, *, normalised: bool = True) -> NDArray[np.float64]:
    """Read distances between leaf positions from a file, normalised to a maximum of 1.

    A ``.npy`` file holds the matrix, with rows in the order of the taxonomy's leaves. A ``.csv``, ``.tsv`` or
    ``.parquet`` table names the leaves, by path or short name, in its first column and in its header, in any order. A
    ``.txt`` file, or ``.txt.xz``, has two names and their distance per line, separated by blanks; each pair of leaves
    occurs in it, and pairs with inner nodes or of other trees are left out. The published distances of
    tieredImageNet-H and iNaturalist 2019 are such files (``data/*_ilsvrc_distances.txt.xz`` of
    ``fiveai/making-better-mistakes``).

    Args:
        path: The file.
        taxonomy: The label tree.
        normalised: Whether to divide by the largest distance; otherwise they stay in the unit of the file, as metrics
            of severity need them (:func:`cladewise.metrics.hierarchical_distance`).

    Raises:
        InputError: The file cannot be read as one of these, a leaf is missing or named twice, or the numbers are not
            distances.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> file = getfixture("tmp_path") / "distances.txt"
        >>> _ = file.write_text("b c 1\\nb d 4\\nc d 4\\n")
        >>> read_distances(file, t).tolist()
        [[0.0, 0.25, 1.0], [0.25, 0.0, 1.0], [1.0, 1.0, 0.0]]
    """
    file = Path(path)
    suffix = "".join(file.suffixes[-2:]).lower() if file.suffix.lower() == ".xz" else file.suffix.lower()
    if PICKLES[0] in suffix or suffix in PICKLES:
        raise InputError(
            f"distances as {_LISTED}",
            "a pickle, which can run any code when it is loaded",
            at=str(file),
            advice="If you trust it, load it yourself and write the matrix with numpy.save, one row per leaf in order.",
        )
    if suffix not in SUFFIXES:
        raise InputError(f"distances as {_LISTED}", repr(str(path)))
    if not file.is_file():
        raise InputError("a file of distances", "none", at=str(file))
    read = {".npy": _read_array, ".txt": _read_pairs, ".txt.xz": _read_pairs}.get(suffix, _read_table)
    return check_distances(read(file, taxonomy), taxonomy, at=str(file), normalised=normalised)


def _read_array(file: Path, taxonomy: Taxonomy) -> NDArray[np.float64]:
    del taxonomy
    try:
        return np.asarray(np.load(file, allow_pickle=False), dtype=np.float64)
    except (ValueError, EOFError) as error:
        raise InputError("an array of numbers", str(error), at=str(file)) from error


def _read_table(file: Path, taxonomy: Taxonomy) -> NDArray[np.float64]:
    import polars as pl

    from cladewise.parquet import read_parquet

    try:
        if file.suffix.lower() == ".parquet":
            frame = read_parquet(file)
        else:
            frame = pl.read_csv(file, separator="\t" if file.suffix.lower() == ".tsv" else ",", infer_schema=False)
        names = frame.to_series(0).cast(pl.String).to_list()
        matrix = frame[:, 1:].cast(pl.Float64).to_numpy()
    except (pl.exceptions.PolarsError, IndexError) as error:
        raise InputError("a table of distances", str(error), at=str(file)) from error
    rows = _positions([str(name) for name in names], taxonomy, f"{file}, first column")
    columns = _positions(frame.columns[1:], taxonomy, f"{file}, header")
    ordered = np.empty_like(matrix)
    ordered[np.ix_(rows, columns)] = matrix
    return ordered


def _read_pairs(file: Path, taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Distances by pairs of names; each pair in one order or in both."""
    frame = _pairs(file)
    names = frame["first"].append(frame["second"]).unique(maintain_order=True)
    place = np.array([_leaf_position(name, taxonomy, str(file)) for name in names.to_list()], dtype=np.int64)
    order = {name: k for k, name in enumerate(names)}
    first, second = (place[frame[side].replace_strict(order).to_numpy()] for side in ("first", "second"))
    kept = (first >= 0) & (second >= 0)
    first, second, value = first[kept], second[kept], frame["distance"].to_numpy()[kept]
    matrix = np.full((taxonomy.num_leaves, taxonomy.num_leaves), np.nan)
    np.fill_diagonal(matrix, 0.0)
    matrix[second, first] = value
    matrix[first, second] = value
    missing = np.argwhere(np.isnan(matrix))
    if missing.size:
        a, b = (taxonomy.path_name(int(taxonomy.leaf_nodes[k])) for k in missing[0])
        raise InputError("a distance for every pair of leaves", f"none of {a} and {b}", at=str(file))
    if not (np.array_equal(matrix[second, first], value) and np.array_equal(matrix[first, second], value)):
        raise InputError("one distance for every pair of leaves", "several that differ", at=str(file))
    return matrix


def _leaf_position(name: str, taxonomy: Taxonomy, at: str) -> int:
    """Position of the leaf with a name or id; -1 for an inner node and for a name that the tree does not have."""
    leaves = [node for node in taxonomy.matches(name) if taxonomy.is_leaf[node]]
    if len(leaves) > 1:
        raise InputError("names or ids of one leaf each", f"{name!r} for {len(leaves)}", at=at)
    return int(taxonomy.leaf_start[leaves[0]]) if leaves else -1


def _pairs(file: Path) -> pl.DataFrame:
    """Lines of two names and a number as a table."""
    import polars as pl

    try:
        content = file.read_bytes()
        content = lzma.decompress(content) if file.suffix.lower() == ".xz" else content
        text = content.decode("utf-8")
    except (lzma.LZMAError, EOFError, UnicodeDecodeError) as error:
        raise InputError("a text, or one compressed by xz", str(error), at=str(file)) from error
    lines = pl.DataFrame({"line": text.splitlines()}, schema={"line": pl.String}).with_row_index("number_of_line", 1)
    lines = lines.filter(pl.col("line").str.strip_chars() != "")
    if lines.is_empty():
        raise InputError("two names and their distance per line", "an empty file", at=str(file))
    parts = lines.select(pl.col("line").str.extract_groups(r"^\s*(?<first>\S+)\s+(?<second>\S+)\s+(?<number>\S+)\s*$"))
    frame = parts.unnest("line").with_columns(pl.col("number").cast(pl.Float64, strict=False).alias("distance"))
    wrong = frame["distance"].is_null()
    if wrong.any():
        place = int(wrong.arg_true()[0])
        raise InputError(
            "two names and their distance",
            repr(lines["line"][place]),
            at=f"{file}, line {lines['number_of_line'][place]}",
        )
    return frame.drop("number")


def _positions(names: list[str], taxonomy: Taxonomy, at: str) -> NDArray[np.int64]:
    """Leaf position of each name; every leaf must occur exactly once."""
    nodes = taxonomy.find(names, at=at)
    for name, node in zip(names, nodes, strict=True):
        if not taxonomy.is_leaf[node]:
            raise InputError("a leaf", repr(name), at=at)
    missing = np.setdiff1d(taxonomy.leaf_nodes, nodes)
    if missing.size:
        raise InputError("every leaf once", f"no {taxonomy.path_name(int(missing[0]))}", at=at)
    if nodes.size != taxonomy.num_leaves:
        raise InputError("every leaf once", f"{nodes.size} names for {taxonomy.num_leaves} leaves", at=at)
    return taxonomy.leaf_start[nodes]
