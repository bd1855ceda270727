"""Distances between leaves, from the tree or from a file, for soft labels."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

LcaDistance = Literal["lca-height", "hace"]
"""Distances that depend only on the lowest common ancestor."""

PICKLES = (".pkl", ".pickle", ".p")


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


def check_distances(values: ArrayLike, taxonomy: Taxonomy, at: str = "") -> NDArray[np.float64]:
    """Check a matrix of distances between leaf positions and divide it by its maximum.

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
    return matrix / (matrix.max(initial=0.0) or 1.0)


def read_distances(path: str | Path, taxonomy: Taxonomy) -> NDArray[np.float64]:
    """Read distances between leaf positions from a file, normalised to a maximum of 1.

    A ``.npy`` file holds the matrix, with rows in the order of the taxonomy's leaves. A ``.csv``, ``.tsv`` or
    ``.parquet`` table names the leaves, by path or short name, in its first column and in its header, in any order.

    Raises:
        InputError: The file cannot be read as one of these, a leaf is missing or named twice, or the numbers are not
            distances.
    """
    file = Path(path)
    suffix = file.suffix.lower()
    if suffix in PICKLES:
        raise InputError(
            "distances as .npy, .csv, .tsv or .parquet",
            "a pickle, which can run any code when it is loaded",
            at=str(file),
            advice="If you trust it, load it yourself and write the matrix with numpy.save, one row per leaf in order.",
        )
    if suffix not in (".npy", ".csv", ".tsv", ".parquet"):
        raise InputError("distances as .npy, .csv, .tsv or .parquet", repr(str(path)))
    if not file.is_file():
        raise InputError("a file of distances", "none", at=str(file))
    values = _read_array(file) if suffix == ".npy" else _read_table(file, taxonomy)
    return check_distances(values, taxonomy, at=str(file))


def _read_array(file: Path) -> NDArray[np.float64]:
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
