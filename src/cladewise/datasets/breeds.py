"""BREEDS: coarse classes of ImageNet with some of its classes under each."""

from __future__ import annotations

import dataclasses
import json
from os import PathLike
from pathlib import Path

import numpy as np

from cladewise.datasets.dataset import Dataset
from cladewise.datasets.listing import existing_folder, some_usable, usable
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

_ROOT = "n00001740"
_SEED = 2  # of the published tasks
_FILES = ("dataset_class_info.json", "class_hierarchy.txt", "node_names.txt")
_WHERE = "They are in the repository MadryLab/BREEDS-Benchmarks, folder imagenet_class_hierarchy/modified."
_SPLITS = {"train": "train", "val": "test"}  # ImageNet's validation images are what is tested on


@dataclasses.dataclass(frozen=True)
class Task:
    """A published task: coarse classes at a depth of the hierarchy, below a node, with so many classes each."""

    level: int
    subclasses: int
    ancestor: str
    num_coarse: int


TASKS = {
    "living-17": Task(5, 4, "n00004258", 17),
    "nonliving-26": Task(5, 4, "n00021939", 26),
    "entity-13": Task(3, 20, _ROOT, 13),
    "entity-30": Task(4, 8, _ROOT, 30),
}


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """The published hierarchy, as far as it is above classes of ImageNet.

    Args:
        children: Children of every node.
        leaves: Name of every class of ImageNet, by its id.
        names: Name of every other node.
    """

    children: dict[str, set[str]]
    leaves: dict[str, str]
    names: dict[str, str]

    @classmethod
    def read(cls, folder: str | PathLike[str]) -> Hierarchy:
        """Read the three files.

        Raises:
            InputError: One is missing, or not as it is published.
        """
        root = existing_folder(folder)
        for name in _FILES:
            if not (root / name).is_file():
                raise InputError(f"the file {name} of the BREEDS hierarchy", "none", at=str(root), advice=_WHERE)
        try:
            leaves = {str(row[1]): str(row[2]) for row in json.loads((root / _FILES[0]).read_text(encoding="utf-8"))}
        except (json.JSONDecodeError, IndexError, TypeError) as error:
            raise InputError("rows [number, id, name]", f"{error}", at=str(root / _FILES[0]), advice=_WHERE) from None
        parents: dict[str, set[str]] = {}
        for parent, child in _rows(root / _FILES[1], None):
            parents.setdefault(child, set()).add(parent)
        names = dict(_rows(root / _FILES[2], "\t"))
        children: dict[str, set[str]] = {}
        todo, seen = list(leaves), set(leaves)
        while todo:  # upwards from the classes: what is above none of them does not count
            node = todo.pop()
            for parent in parents.get(node, ()):
                children.setdefault(parent, set()).add(node)
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return cls(children, leaves, names)

    def depths(self) -> dict[str, int]:
        """Length of the longest way from the root to every node."""
        depth, todo = {_ROOT: 0}, [_ROOT]
        while todo:
            node = todo.pop()
            for child in self.children.get(node, ()):
                if depth.get(child, -1) < depth[node] + 1:
                    depth[child] = depth[node] + 1
                    todo.append(child)
        return depth

    def below(self, node: str) -> set[str]:
        """The node and everything under it."""
        found, todo = {node}, [node]
        while todo:
            for child in self.children.get(todo.pop(), ()):
                if child not in found:
                    found.add(child)
                    todo.append(child)
        return found

    def classes_of(self, task: Task) -> dict[str, list[str]]:
        """Classes of ImageNet under each coarse class of a task, by their ids, drawn as published.

        Raises:
            InputError: There are not as many coarse classes as the task has.
        """
        depth, inside = self.depths(), self.below(task.ancestor)
        random = np.random.RandomState(_SEED)  # the old generator, with which the published classes were drawn
        drawn: dict[str, list[str]] = {}
        for node in sorted(node for node in inside if depth.get(node) == task.level):
            classes = sorted(self.below(node) & self.leaves.keys())
            if len(classes) >= task.subclasses:
                drawn[node] = [str(one) for one in random.choice(classes, task.subclasses, replace=False)]
        if len(drawn) != task.num_coarse:
            raise InputError(f"{task.num_coarse} coarse classes", len(drawn), at="the BREEDS hierarchy", advice=_WHERE)
        return drawn


def from_breeds(name: str, path: str | PathLike[str], hierarchy: str | PathLike[str]) -> Dataset:
    """Read a BREEDS task from ImageNet's images: its training images, and to test on its validation images.

    | task | coarse classes | classes of ImageNet |
    |---|---|---|
    | `living-17` | 17 | 68 |
    | `nonliving-26` | 26 | 104 |
    | `entity-13` | 13 | 260 |
    | `entity-30` | 30 | 240 |

    Args:
        name: The task.
        path: A folder with ``train/<id>/`` and ``val/<id>/`` of ImageNet's classes (``n01440764``).
        hierarchy: A folder with the published files of the hierarchy (``class_hierarchy.txt``,
            ``dataset_class_info.json``, ``node_names.txt``), from which the classes follow.

    Raises:
        InputError: There is no such task, a file or a class's folder is missing, or the hierarchy is another.

    References:
        Santurkar, Tsipras, Madry, BREEDS: Benchmarks for subpopulation shift, ICLR 2021, arXiv:2008.04859. Both halves
        of each coarse class (source and target) are taken together, as in work on learning from coarse labels.
    """
    if name not in TASKS:
        raise InputError(f"a task: {', '.join(TASKS)}", repr(name))
    known = Hierarchy.read(hierarchy)
    root, drawn = existing_folder(path), known.classes_of(TASKS[name])
    path_of = _paths(known, drawn)
    taxonomy = Taxonomy.from_paths(path_of.values(), level_names=("coarse", "fine"))
    node_by_path = {taxonomy.path_names(node): node for node in taxonomy}
    listed: list[tuple[str, str, str]] = []  # split, image, class
    for folder, split in _SPLITS.items():
        for one in path_of:
            where = root / folder / one
            if not where.is_dir():
                raise InputError(f"a folder of {known.leaves[one]} images", "none", at=str(where))
            files = sorted(entry.name for entry in where.iterdir() if not entry.name.startswith("."))
            listed += [(split, f"{folder}/{one}/{file}", one) for file in files]
    images, skipped = usable(root, [image for _, image, _ in listed])
    some_usable(images, skipped, root)
    unusable = {skip.path for skip in skipped}
    kept = [row for row in listed if row[1] not in unusable]
    splits = np.array([split for split, _, _ in kept])
    return Dataset(
        name=name,
        taxonomy=taxonomy,
        root=root,
        paths=tuple(images),
        nodes=np.array([node_by_path[path_of[one]] for _, _, one in kept], dtype=np.int64),
        splits={split: np.flatnonzero(splits == split) for split in _SPLITS.values()},
        skipped=tuple(skipped),
        source={"kind": name, "path": str(root), "hierarchy": str(Path(hierarchy).expanduser().absolute())},
        credit="ImageNet, for research and education that is not commercial",
    )


def _paths(known: Hierarchy, drawn: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
    """Coarse and fine name of each class; where two would be called alike, they are told apart by their ids."""
    short = {one: known.leaves[one].split(",")[0].strip() for classes in drawn.values() for one in classes}
    coarse = {node: known.names.get(node, node).split(",")[0].strip() for node in drawn}
    repeated = {name for name in coarse.values() if list(coarse.values()).count(name) > 1}
    found: dict[str, tuple[str, str]] = {}
    for node, classes in drawn.items():
        above = f"{coarse[node]} {node}" if coarse[node] in repeated else coarse[node]
        names = [short[one] for one in classes]
        for one in classes:
            found[one] = (above, f"{short[one]} {one}" if names.count(short[one]) > 1 else short[one])
    return found


def _rows(file: Path, separator: str | None) -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        parts = line.strip().split(separator, 1)
        if len(parts) == 2:
            rows.append((parts[0], parts[1].strip()))
        elif line.strip():
            raise InputError("two entries a line", repr(line), at=f"{file}:{number}", advice=_WHERE)
    return rows
