"""When two names are probably meant to be one."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence


def folded(name: str) -> str:
    """The name without what the eye skips: Unicode composition, case, and stray white space.

    Example:
        >>> folded("  Pink   Lady") == folded("pink lady")
        True
    """
    text = name if name.isascii() else unicodedata.normalize("NFC", name)
    return " ".join(text.casefold().split())


def tidy(name: str) -> bool:
    """Whether the name has no white space at its ends and no runs of it inside."""
    return " ".join(name.split(" ")) == name == name.strip() and "  " not in name


def near_duplicates(groups: Iterable[object], names: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of positions, first and later, whose names differ within one group but fold to the same text.

    Example:
        >>> near_duplicates([0, 0, 0, 1], ["apple", "Apple", "apple", "APPLE"])
        [(0, 1)]
    """
    first_by_key: dict[tuple[object, str], int] = {}
    seen: set[tuple[object, str]] = set()
    pairs: list[tuple[int, int]] = []
    for position, (group, name) in enumerate(zip(groups, names, strict=True)):
        if (group, name) in seen:
            continue
        seen.add((group, name))
        first = first_by_key.setdefault((group, folded(name)), position)
        if first != position:
            pairs.append((first, position))
    return pairs
