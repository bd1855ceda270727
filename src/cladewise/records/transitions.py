"""Mean label transition matrices between levels, as stored by an evaluation: reading and writing. No torch."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, cast, get_args

import numpy as np
import safetensors.numpy
from jaxtyping import Float, Int
from safetensors import SafetensorError, safe_open

from cladewise.atomic import write_bytes
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.tensor_files import reproducible

Order = Literal["f2c", "c2f"]


@dataclasses.dataclass(frozen=True)
class Transitions:
    """Mean label transition matrices of a head over some images.

    Args:
        order: ``"f2c"`` from fine to coarse: the columns of a matrix, one per finer class, sum to 1. ``"c2f"`` from
            coarse to fine: its rows, one per coarser class, sum to 1.
        levels: The levels used, ascending, 1 for the coarsest.
        means: The matrix of each coarser level, ``[coarse, fine]`` in single precision: its extended level against that
            of the next finer level used, both in node order. Matrices that were too large are omitted.
        num_images: Number of images averaged over.
        about: Further entries of the header: ``model`` and ``taxonomy``, their hashes.
    """

    order: Order
    levels: tuple[int, ...]
    means: Mapping[int, Float[np.ndarray, "coarse fine"]]
    num_images: int = 0
    about: Mapping[str, str] = dataclasses.field(default_factory=dict[str, str])

    def finer(self, level: int) -> int:
        """The next finer level that is used.

        Example:
            >>> Transitions("f2c", (1, 3), {}).finer(1)
            3
        """
        return self.levels[self.levels.index(level) + 1]


def naive_parents(taxonomy: Taxonomy, coarse: int, fine: int) -> Int[np.ndarray, " fine"]:
    """Row of the coarser class above each finer class: where a column of the tree's own transition matrix has its 1.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> naive_parents(t, 1, 2).tolist()
        [0, 0, 1]
    """
    return np.searchsorted(taxonomy.level_nodes(coarse), taxonomy.at_level(coarse)[taxonomy.level_nodes(fine)])


def naive_transition(
    taxonomy: Taxonomy, coarse: int, fine: int, order: Order = "f2c"
) -> Float[np.ndarray, "coarse fine"]:
    """The dense transition matrix implied by the tree.

    From fine to coarse, a class leads to the class above it; from coarse to fine, equally to all classes under it.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> naive_transition(t, 1, 2)
        array([[1., 1., 0.],
               [0., 0., 1.]], dtype=float32)
        >>> naive_transition(t, 1, 2, "c2f")
        array([[0.5, 0.5, 0. ],
               [0. , 0. , 1. ]], dtype=float32)
    """
    parents = naive_parents(taxonomy, coarse, fine)
    matrix = np.zeros((taxonomy.level_nodes(coarse).size, parents.size), dtype=np.float32)
    matrix[parents, np.arange(parents.size)] = 1
    return matrix if order == "f2c" else matrix / matrix.sum(axis=1, keepdims=True)


def write_transitions(path: Path, transitions: Transitions, taxonomy: Taxonomy) -> None:
    """Write means as a safetensors file.

    ``level_<k>`` is the matrix of the coarser level ``k``, float32 ``[coarse, fine]``, and ``parent_<k>`` its
    counterpart in the tree, int64 ``[fine]``: the row in which each column has its 1. The header's ``about`` is a JSON
    object with ``order``, ``levels``, ``num_images``, and the entries of ``about``.
    """
    tensors: dict[str, Any] = {}
    for level, mean in transitions.means.items():
        tensors[f"level_{level}"] = np.ascontiguousarray(mean, dtype=np.float32)
        tensors[f"parent_{level}"] = naive_parents(taxonomy, level, transitions.finer(level))
    of_all = {"order": transitions.order, "levels": transitions.levels, "num_images": transitions.num_images}
    header = {"about": json.dumps({**transitions.about, **of_all})}
    write_bytes(path, reproducible(safetensors.numpy.save(tensors, metadata=header)))


def read_transitions(path: Path) -> Transitions:
    """Read a file written by :func:`write_transitions`.

    Raises:
        InputError: The file was not written by it.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> path = getfixture("tmp_path") / "test.safetensors"
        >>> write_transitions(path, Transitions("f2c", (1, 2), {1: np.full((2, 3), 0.5)}, 7), t)
        >>> again = read_transitions(path)
        >>> again.order, again.levels, again.means[1].shape, again.num_images
        ('f2c', (1, 2), (2, 3), 7)
    """
    try:
        with safe_open(str(path), framework="numpy") as file:  # type: ignore[no-untyped-call]
            about: Any = json.loads((file.metadata() or {}).get("about", "{}"))
            names = [name for name in file.keys() if name.startswith("level_")]  # noqa: SIM118
            means = {int(name.removeprefix("level_")): file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError, RecursionError) as error:
        raise InputError("a file of mean transitions", f"{error}", at=str(path), advice=_ADVICE) from None
    if not isinstance(about, dict) or not {"order", "levels", "num_images"} <= about.keys():
        raise InputError("a file of mean transitions", "a different file", at=str(path), advice=_ADVICE)
    order, levels = about.pop("order"), tuple(about.pop("levels"))
    if order not in get_args(Order):
        raise InputError(f"an order: {' or '.join(get_args(Order))}", repr(order), at=str(path))
    if not means.keys() <= set(levels[:-1]):
        raise InputError(f"matrices of the levels {levels[:-1]}", f"matrices of {tuple(means)}", at=str(path))
    return Transitions(cast(Order, order), levels, dict(sorted(means.items())), about.pop("num_images"), about)


_ADVICE = "Remove this file and the stored scores of the split; evaluating the run writes both again."
