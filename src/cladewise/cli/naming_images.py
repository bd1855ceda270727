"""Images named on the command line."""

from __future__ import annotations

from collections.abc import Sequence

from cladewise.cli.printing import say


def find_images(words: Sequence[str]) -> tuple[str, ...]:
    """The images on this machine that words stand for; what is left out or counted once is told on standard error.

    Raises:
        InputError: A word matches nothing, or no image.
    """
    from cladewise import sources
    from cladewise.errors import InputError

    remote = next((word for word in words if "://" in word), None)
    if remote is not None:
        raise InputError("images on this machine", repr(remote))
    paths, notes = sources.find_images(words)
    for note in notes:
        say(f"cladewise: {note}")
    return paths
