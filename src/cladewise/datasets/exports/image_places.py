"""The folder of an export's images, which exports rarely name."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from cladewise.datasets.files.same_files import existing
from cladewise.errors import InputError

_TRIED = 20
"""Number of images that are looked for."""


def folder_with(paths: Sequence[str], tops: Iterable[Path], names: Iterable[str], at: str) -> Path:
    """The first folder that has one of the first images.

    Args:
        paths: Paths of the images below that folder.
        tops: Folders to look in.
        names: Folders below these to look in, with forward slashes; blank for the folder itself.
        at: The export, for messages.

    Raises:
        InputError: None has any.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> (folder / "images").mkdir()
        >>> (folder / "images" / "1.jpg").touch()
        >>> folder_with(["1.jpg"], [folder], ["", "images"], "labels.json").name
        'images'
    """
    first, every = paths[:_TRIED], list(tops)
    for top in every:
        for name in dict.fromkeys(names):
            if any((top / name / existing(top / name, path)).is_file() for path in first):
                return top / name
    raise InputError(
        "images at the file names of the annotations",
        f"none of the first {len(first)}, such as {first[0] if first else ''!r}, below {every[0]}",
        at=at,
        advice='Pass root="..." with the folder that the file names start from.',
    )
