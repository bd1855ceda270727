r"""Conversion between paths of names and texts such as ``Fruit/Apple``.

Names are joined with ``/``. A ``/`` inside a name is written ``\/``, and a backslash that would read as part of such a
pair is doubled; all other names are written unchanged.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SEPARATOR = "/"
ROOT_NAME = "root"
"""Name by which a root without a name is shown and looked up."""
_UNCLEAR = re.compile(r"/|\\(?=[\\/]|\Z)")
_TOKEN = re.compile(r"\\[\\/]|/|\\|[^/\\]+")


def path_text(names: Sequence[str]) -> str:
    r"""The names as one text, the inverse of :func:`path_steps`.

    Example:
        >>> path_text(["Fruit", "Apple"]), path_text(["Bags", "Luggage/Suitcases"])
        ('Fruit/Apple', 'Bags/Luggage\\/Suitcases')
    """
    return SEPARATOR.join(map(_escaped, names))


def path_steps(text: str) -> tuple[str, ...]:
    r"""The names in a path text.

    Example:
        >>> path_steps(r"Bags/Luggage\/Suitcases")
        ('Bags', 'Luggage/Suitcases')
    """
    if "\\" not in text:
        return tuple(text.split(SEPARATOR))
    steps = [""]
    for token in _TOKEN.findall(text):
        if token == SEPARATOR:
            steps.append("")
        else:
            steps[-1] += token[1] if len(token) == 2 and token in (r"\/", r"\\") else token
    return tuple(steps)


def label_steps(label: str) -> tuple[str, ...]:
    """The names in a label; a slash at either end is ignored.

    Example:
        >>> label_steps("/Fruit/Apple/"), label_steps("Fruit")
        (('Fruit', 'Apple'), ('Fruit',))
    """
    steps = path_steps(label)
    if len(steps) > 1 and not steps[0]:
        steps = steps[1:]
    return steps[:-1] if len(steps) > 1 and not steps[-1] else steps


def _escaped(name: str) -> str:
    return _UNCLEAR.sub(r"\\\g<0>", name) if SEPARATOR in name or "\\" in name else name
