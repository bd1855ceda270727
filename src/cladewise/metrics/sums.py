"""Base class of sums over images, which add up exactly over batches and processes."""

from __future__ import annotations

import dataclasses
import functools
import operator
from collections.abc import Callable, Iterable
from typing import Any, Self, TypeVar

from torch import Tensor

Sum = TypeVar("Sum", bound="Sums")


def combined_by(function: Callable[[Tensor, Tensor], Tensor]) -> Any:
    """A field of :class:`Sums` that is combined by another function than addition, such as ``torch.minimum``."""
    return dataclasses.field(metadata={"combine": function})


@dataclasses.dataclass(frozen=True, eq=False)
class Sums:
    """Whole numbers summed over images. Subclasses are frozen dataclasses of integer tensors.

    Two batches are added field by field, so neither the order of the images nor their batches change a bit of what is
    computed from them.
    """

    def __add__(self, other: Self) -> Self:
        combine = {field.name: field.metadata.get("combine", operator.add) for field in dataclasses.fields(self)}
        return dataclasses.replace(self, **{k: add(getattr(self, k), getattr(other, k)) for k, add in combine.items()})


def total(parts: Iterable[Sum]) -> Sum:
    """The sums over all images of one or more batches."""
    return functools.reduce(operator.add, parts)
