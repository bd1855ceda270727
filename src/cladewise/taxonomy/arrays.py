"""Array types of a tree, read-only arrays, and the test for depth-first pre-order."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IntArray = NDArray[np.int64]
BoolArray = NDArray[np.bool_]
StrArray = np.ndarray[Any, Any]  # numpy's variable-width StringDType has no scalar type to annotate with


def strings(values: Sequence[str] | StrArray) -> StrArray:
    """The values as a StringDType array, not copied if they are one already (NumPy's conversion always copies)."""
    if isinstance(values, np.ndarray) and isinstance(values.dtype, np.dtypes.StringDType):
        return values
    return np.asarray(values, dtype=np.dtypes.StringDType())


def frozen(array: Any) -> Any:
    """A read-only array, copied unless it owns its data and is read-only already."""
    if array.flags.owndata and not array.flags.writeable:
        return array
    return sealed(array.copy())


def sealed(array: Any) -> Any:
    """The array itself, made read-only; for arrays without another reference."""
    array.flags.writeable = False
    return array


def is_preorder(parents: IntArray, end: IntArray) -> bool:
    """Whether each node is inside its parent's range, directly after the parent or after the end of a subtree."""
    nodes, above = np.arange(1, parents.size), parents[1:]
    inside = (above < nodes) & (end[1:] <= end[above])
    closes = np.zeros(parents.size + 1, dtype=np.bool_)
    closes[end[1:]] = True
    return bool(inside.all()) and bool(((above == nodes - 1) | closes[nodes]).all())


class OnDemand(Mapping[str, StrArray]):
    """Columns that are created on access, so that a large tree is built with one of them in memory at a time.

    Example:
        >>> columns = OnDemand({"id": lambda: strings(["a", "b"])})
        >>> [(name, values.tolist()) for name, values in columns.items()]
        [('id', ['a', 'b'])]
    """

    def __init__(self, makers: Mapping[str, Callable[[], StrArray]]) -> None:
        self._makers = makers

    def __getitem__(self, name: str) -> StrArray:
        return self._makers[name]()

    def __iter__(self) -> Iterator[str]:
        return iter(self._makers)

    def __len__(self) -> int:
        return len(self._makers)
