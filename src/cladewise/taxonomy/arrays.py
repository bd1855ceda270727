"""Arrays of a tree: read-only, with texts of variable width, in depth-first pre-order."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
StrArray = np.ndarray[Any, Any]  # numpy's variable-width StringDType has no scalar type to annotate with


def strings(values: Sequence[str] | StrArray) -> StrArray:
    """Variable-width strings; an array that has them already is not copied, as NumPy's own conversion would."""
    if isinstance(values, np.ndarray) and isinstance(values.dtype, np.dtypes.StringDType):
        return values
    return np.asarray(values, dtype=np.dtypes.StringDType())


def frozen(array: Any) -> Any:
    """A read-only array that nobody else can write through."""
    if array.flags.owndata and not array.flags.writeable:
        return array
    return sealed(array.copy())


def sealed(array: Any) -> Any:
    """The array itself, read-only from now on: for one that nobody else holds."""
    array.flags.writeable = False
    return array


def is_preorder(parents: IntArray, end: IntArray) -> bool:
    """In pre-order every node lies inside its parent's range, right after its parent or where a subtree ends."""
    nodes, above = np.arange(1, parents.size), parents[1:]
    inside = (above < nodes) & (end[1:] <= end[above])
    closes = np.zeros(parents.size + 1, dtype=np.bool_)
    closes[end[1:]] = True
    return bool(inside.all()) and bool(((above == nodes - 1) | closes[nodes]).all())
