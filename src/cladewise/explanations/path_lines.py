"""Wraps the names on a path into a few short lines, for captions of photographs."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

LETTERS, LINES = 26, 3
"""Limits of a caption: characters per line, and lines."""
FIRM = "\u00a0"
"""A space at which no line ends."""


def path_lines(path: Sequence[str]) -> list[str]:
    """The names of a path as a few short lines that end between names; of many the first ones are left out.

    Example:
        >>> [line.replace(FIRM, " ") for line in path_lines(("Fruit", "Apple", "Golden Delicious"))]
        ['Fruit › Apple ›', 'Golden Delicious']
        >>> path_lines(())
        ['the root']
    """
    text = f"{FIRM}› ".join(name.replace(" ", FIRM) for name in path)
    lines = textwrap.wrap(text, LETTERS, break_on_hyphens=False) or ["the root"]
    return lines if len(lines) <= LINES else ["…", *lines[1 - LINES :]]
