"""Reading the published class hierarchy of BREEDS."""

from __future__ import annotations

import dataclasses
import json
from os import PathLike

from cladewise.datasets.files.walking import existing_folder
from cladewise.datasets.published.breeds.task_sampling import ClassCandidates, Task
from cladewise.datasets.published.pair_lines import read_pairs
from cladewise.errors import InputError

ROOT = "n00001740"
FILES = ("dataset_class_info.json", "class_hierarchy.txt", "node_names.txt")
"""Files of the published hierarchy: the classes, the edges, and the names of the other nodes."""
FOLDER = "BREEDS"
"""Folder of the hierarchy inside that of the images, used by default."""
WHERE = "They are in the repository MadryLab/BREEDS-Benchmarks, folder imagenet_class_hierarchy/modified."


@dataclasses.dataclass(frozen=True)
class Hierarchy:
    """The published hierarchy, restricted to classes of ImageNet and their ancestors.

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
            InputError: One is missing or malformed.
        """
        root = existing_folder(folder)
        for name in FILES:
            if not (root / name).is_file():
                raise InputError(f"the file {name} of the BREEDS hierarchy", "none", at=str(root), advice=WHERE)
        try:
            leaves = {str(row[1]): str(row[2]) for row in json.loads((root / FILES[0]).read_text(encoding="utf-8"))}
        except (json.JSONDecodeError, IndexError, TypeError) as error:
            raise InputError("rows [number, id, name]", f"{error}", at=str(root / FILES[0]), advice=WHERE) from None
        parents: dict[str, set[str]] = {}
        for parent, child in read_pairs(root / FILES[1], advice=WHERE):
            parents.setdefault(child, set()).add(parent)
        names = dict(read_pairs(root / FILES[2], "\t", advice=WHERE))
        children: dict[str, set[str]] = {}
        todo, seen = list(leaves), set(leaves)
        while todo:  # upwards from the classes, ignoring nodes that are above none of them
            node = todo.pop()
            for parent in parents.get(node, ()):
                children.setdefault(parent, set()).add(node)
                if parent not in seen:
                    seen.add(parent)
                    todo.append(parent)
        return cls(children, leaves, names)

    def depths(self) -> dict[str, int]:
        """Length of the longest path from the root to every node."""
        depth, todo = {ROOT: 0}, [ROOT]
        while todo:
            node = todo.pop()
            for child in self.children.get(node, ()):
                if depth.get(child, -1) < depth[node] + 1:
                    depth[child] = depth[node] + 1
                    todo.append(child)
        return depth

    def below(self, node: str) -> set[str]:
        """The node and its descendants."""
        found, todo = {node}, [node]
        while todo:
            for child in self.children.get(todo.pop(), ()):
                if child not in found:
                    found.add(child)
                    todo.append(child)
        return found

    def candidates(self, task: Task) -> ClassCandidates:
        """Classes of ImageNet under each possible coarse class of a task."""
        depth, inside = self.depths(), self.below(task.ancestor)
        nodes = sorted(node for node in inside if depth.get(node) == task.level)
        classes = {node: sorted(self.below(node) & self.leaves.keys()) for node in nodes}
        return ClassCandidates(classes, {**self.names, **self.leaves})
