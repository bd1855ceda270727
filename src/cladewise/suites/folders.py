"""Folders and files of a suite's results."""

from __future__ import annotations

import re
from pathlib import Path

from cladewise.suites.suite import Suite

LEFT_OUT = "left_out.txt"
"""File in a dataset's folder with what is missing in the tables and figures, one reason per line."""


def default_folder(suite: Suite, *, smoke: bool = False, features: bool = False) -> Path:
    """Folder of a suite's results: ``runs/<suite>``; a lighter form of it has a folder of its own.

    Example:
        >>> from cladewise.suites import read_suite
        >>> default_folder(read_suite("levels-grocery"), features=True).as_posix()
        'runs/levels-grocery-features'
    """
    return Path("runs") / "-".join([suite.name, *["features"] * features, *["smoke"] * smoke])


def folder_name(label: str) -> str:
    """A method's spec or a variant's name as a name for folders.

    Example:
        >>> folder_name("hxe:alpha=0.5"), folder_name("hace, 20% wrong parents")
        ('hxe-alpha=0.5', 'hace-20-wrong-parents')
    """
    return re.sub(r"[^\w.=-]+", "-", label)


def data_folder(name: str) -> str:
    """Folder of a dataset's results, below that of the suite, also where the data is named by a path elsewhere.

    Example:
        >>> data_folder("cifar-100"), data_folder("mine/photos/"), data_folder("/data/photos"), data_folder("../photos")
        ('cifar-100', 'mine/photos', 'data-photos', 'photos')
    """
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        return folder_name(name).strip("-.") or "data"
    return path.as_posix()
