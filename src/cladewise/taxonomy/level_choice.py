"""Parsing of a user's choice of levels, such as ``genus,species`` or ``2-3``."""

from __future__ import annotations

import re
from collections.abc import Iterable

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.taxonomy.tree import Taxonomy


def chosen_levels(choice: str, taxonomy: Taxonomy) -> tuple[int, ...]:
    """Levels by number or name, ascending: ``"all"``, ``"7"``, ``"6,7"``, ``"6-7"``, ``"genus,species"``.

    Raises:
        InputError: There is no such level.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b", "c")], level_names=["family", "genus", "species"])
        >>> chosen_levels("all", t), chosen_levels("2-3", t), chosen_levels("family,3", t)
        ((1, 2, 3), (2, 3), (1, 3))
    """
    if choice == "all":
        return tuple(range(1, taxonomy.num_levels + 1))
    parts = [choice] if choice in taxonomy.level_names else re.split(r"[,;\s]+", choice.strip())
    return tuple(sorted({level for part in parts for level in _levels(part, taxonomy)}))


def one_level(word: str, taxonomy: Taxonomy, *, options: Iterable[str] = ()) -> int:
    """A level by name or number.

    Args:
        word: A name of a level, or its number from 1 on.
        taxonomy: The label tree.
        options: Other words that may have been meant, for the message.

    Raises:
        InputError: There is no such level.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b")], level_names=["family", "genus"])
        >>> one_level("genus", t), one_level("1", t)
        (2, 1)
    """
    if word in taxonomy.level_names:
        return taxonomy.level_names.index(word) + 1
    if word.isascii() and word.isdigit() and 1 <= int(word) <= taxonomy.num_levels:
        return int(word)
    known = [*taxonomy.level_names, *options]
    raise InputError(f"a level: {', '.join(taxonomy.level_names) or 'none'}", repr(word), advice=nearest(word, known))


def _levels(part: str, taxonomy: Taxonomy) -> range:
    if part in taxonomy.level_names:
        level = taxonomy.level_names.index(part) + 1
        return range(level, level + 1)
    numbers = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
    if numbers:
        first, last = int(numbers[1]), int(numbers[2] or numbers[1])
        if 1 <= first <= last <= taxonomy.num_levels:
            return range(first, last + 1)
    raise InputError(
        f"levels among 1 to {taxonomy.num_levels} or {', '.join(taxonomy.level_names)}, or all",
        repr(part),
        advice=nearest(part, taxonomy.level_names),
    )
