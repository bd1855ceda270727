"""The share of the work that one of several independent processes does."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from typing import TypeVar

from cladewise.errors import InputError

Item = TypeVar("Item")


@dataclasses.dataclass(frozen=True)
class Shard:
    """Every n-th part, for array jobs whose tasks write into one folder.

    Args:
        number: Which of the shards, from 1.
        of: Number of shards.

    Example:
        >>> Shard.parse("2/3").select(["a", "b", "c", "d", "e"])
        ['b', 'e']
    """

    number: int = 1
    of: int = 1

    def __post_init__(self) -> None:
        if not 1 <= self.number <= self.of:
            raise InputError(
                "a shard i/n with i from 1 to n",
                f"{self.number}/{self.of}",
                advice="Number the tasks of an array from 1.",
            )

    @classmethod
    def parse(cls, text: str) -> Shard:
        """The shard that a text such as ``3/8`` names.

        Raises:
            InputError: It is no such text, or the number is not from 1 to n.
        """
        found = re.fullmatch(r"(\d{1,9})/(\d{1,9})", text.strip())
        if found is None:
            raise InputError("a shard i/n, as in 3/8", repr(text))
        return cls(int(found[1]), int(found[2]))

    def select(self, items: Sequence[Item]) -> list[Item]:
        """The items of this shard."""
        return list(items[self.number - 1 :: self.of])
