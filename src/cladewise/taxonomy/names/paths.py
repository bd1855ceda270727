r"""A path of names as one text, and back.

Names are joined with ``/``. A ``/`` inside a name is written ``\/``, and a backslash that would read as part of such a
pair is doubled; every other name is written as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

SEPARATOR = "/"
ROOT_NAME = "root"
"""The name that a root without one is shown by, and found by."""
_UNCLEAR = re.compile(r"/|\\(?=[\\/]|\Z)")
_TOKEN = re.compile(r"\\[\\/]|/|\\|[^/\\]+")


def path_text(names: Sequence[str]) -> str:
    r"""The names as one text from which :func:`path_steps` gives them back.

    Example:
        >>> path_text(["Fruit", "Apple"]), path_text(["Bags", "Luggage/Suitcases"])
        ('Fruit/Apple', 'Bags/Luggage\\/Suitcases')
    """
    return SEPARATOR.join(map(_escaped, names))


def path_steps(text: str) -> tuple[str, ...]:
    r"""The names that a text joins.

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
    """The names that a label joins; a slash at either end does not count.

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
