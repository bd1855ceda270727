"""Label trees of hypernym tables: of a dataset or from a file, whole or in part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cladewise import datasets
from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.suites.hypernym_entries import HypernymEntry
from cladewise.taxonomy import Taxonomy


def tree_of(entry: HypernymEntry) -> Taxonomy:
    """The label tree of an entry: that of a dataset, or one in a file or folder.

    Raises:
        InputError: There is no path, or no tree in it.
    """
    if entry.tree in datasets.available():
        options: dict[str, Any] = {"path": entry.path} if entry.path else {}
        tree = datasets.load(entry.tree, **options).taxonomy
    elif not entry.path:
        advice = f'Pass data="{entry.tree}=the/folder".'
        raise InputError(f"the tree {entry.tree}", "no path", at=entry.name, advice=advice)
    else:
        tree = Taxonomy.read(entry.path, parents="first") if Path(entry.path).is_dir() else Taxonomy.read(entry.path)
    return part_of(tree, entry)


def part_of(tree: Taxonomy, entry: HypernymEntry) -> Taxonomy:
    """The part of a tree that an entry is about."""
    return subtree(tree, entry.under) if entry.under else tree


def subtree(taxonomy: Taxonomy, label: str) -> Taxonomy:
    """The tree at a label, with a root of its own above it; the largest one if several nodes have that name.

    Raises:
        InputError: No node has that name.

    Example:
        >>> t = Taxonomy.from_paths([("animal", "bird", "wren"), ("plant", "moss")])
        >>> subtree(t, "bird").names.tolist()
        ['', 'bird', 'wren']
    """
    found = taxonomy.matches(label)
    if not len(found):
        raise InputError("a label of the tree", repr(label), at="under", advice=nearest(label, taxonomy.names.tolist()))
    top = max(found, key=lambda node: int(taxonomy.end[node]) - node)
    nodes = range(top, int(taxonomy.end[top]))
    parents = [-1, *(0 if node == top else int(taxonomy.parents[node]) - top + 1 for node in nodes)]
    return Taxonomy.from_parents(parents, ["", *(str(taxonomy.names[node]) for node in nodes)])
