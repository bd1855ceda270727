r"""Conversion between paths of names and texts such as ``Fruit/Apple``.

Names are joined with ``/``, and a ``/`` inside a name is written ``\/``.
"""

from __future__ import annotations

from collections.abc import Sequence

from cladewise.taxonomy.names.joining import Joiner

SEPARATOR = "/"
ROOT_NAME = "root"
"""Name by which a root without a name is shown and looked up."""
_STEPS = Joiner(SEPARATOR)


def path_text(names: Sequence[str]) -> str:
    r"""The names as one text, the inverse of :func:`path_steps`.

    Example:
        >>> path_text(["Fruit", "Apple"]), path_text(["Bags", "Luggage/Suitcases"])
        ('Fruit/Apple', 'Bags/Luggage\\/Suitcases')
    """
    return _STEPS.join(names)


def path_steps(text: str) -> tuple[str, ...]:
    r"""The names in a path text.

    Example:
        >>> path_steps(r"Bags/Luggage\/Suitcases")
        ('Bags', 'Luggage/Suitcases')
    """
    return tuple(_STEPS.split(text))


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
