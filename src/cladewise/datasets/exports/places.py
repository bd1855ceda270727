"""Where the images of an export are on this machine."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path


def first_existing(root: Path | str, candidates: Sequence[str]) -> str:
    """The first of several relative paths that exists in a folder; the first one if none does.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "b.png").touch()
        >>> first_existing(folder, ["train/b.png", "b.png"])
        'b.png'
    """
    for path in candidates:
        try:
            if os.path.lexists(os.path.join(root, path)):
                return path
        except ValueError:  # a null character
            continue
    return candidates[0]


def listed(option: str | Sequence[str] | None) -> list[str]:
    """An option that is a list of names, also as one text with commas.

    Example:
        >>> listed("kind, colour"), listed(["kind"]), listed(None)
        (['kind', 'colour'], ['kind'], [])
    """
    if option is None:
        return []
    return [name.strip() for name in option.split(",")] if isinstance(option, str) else [str(name) for name in option]
