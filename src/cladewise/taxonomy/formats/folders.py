"""Nested folders as a tree: each folder is a node, files are ignored."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from cladewise.errors import InputError
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.tree import Taxonomy

_OF_RUN = ("config.toml", "taxonomy.csv")
"""Files by which the folder of a run is known, whose subfolders are no labels."""


def read_folders(path: Path) -> Taxonomy:
    """Read the subfolders of a folder as a tree; the folder itself is the synthetic root.

    Children are sorted by name, and hidden folders are skipped. Links to folders are followed, except back to a folder
    that contains them.

    Raises:
        InputError: The path is not a folder, contains no folder, or is the folder of a run.
    """
    if not path.is_dir():
        raise InputError("a folder", "something else", at=str(path))
    if all((path / name).is_file() for name in _OF_RUN):
        advice = f"Its label tree is {path / _OF_RUN[1]}."
        raise InputError("a folder with one subfolder per label", "the folder of a run", at=str(path), advice=advice)
    tree = Sprout()
    waiting = [(0, path, frozenset([os.path.realpath(path)]))]
    while waiting:
        node, folder, above = waiting.pop()
        with os.scandir(folder) as entries:
            names = sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))
        for name in names:
            place = folder / name
            real = os.path.realpath(place)
            if real not in above:
                waiting.append((tree.add(node, name), place, above | {real}))
    if len(tree.parents) == 1:
        raise InputError("a folder with one subfolder per label", "none", at=str(path))
    return tree.grown(str(path))


def write_folders(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as empty folders, all or none. ``path`` is the synthetic root; a root with a name is a folder in it.

    Folders do not keep the order of children, levels or further columns.

    Raises:
        InputError: The path exists, a name is not valid for a folder, or two children of a node have the same name.
    """
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise InputError("a new or empty folder", "one that is not empty", at=str(path))
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    try:
        for node in range(1 if taxonomy.synthetic_root else 0, taxonomy.num_nodes):
            names = taxonomy.path_names(node)
            if names[-1].startswith(".") or any(c in names[-1] for c in "/\\\0"):
                raise InputError("a valid folder name", repr(names[-1]), at=taxonomy.path_name(node))
            _make(temporary.joinpath(*names), taxonomy.path_name(node))
        temporary.chmod(0o755)
        os.replace(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _make(folder: Path, label: str) -> None:
    try:
        folder.mkdir()
    except FileExistsError as error:
        raise InputError("children of a node with different names", f"two of {label!r}") from error
    except OSError as error:
        raise InputError("a valid folder name", error.strerror or "an error", at=label) from error
