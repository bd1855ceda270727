"""Classes to make a tree of: from a list of names, a file, the leaves of a tree, or a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from cladewise.errors import InputError
from cladewise.hub_access import is_on_hub
from cladewise.induction.proposal import CERTAINTY, EVIDENCE, ClassList
from cladewise.records import RunFolder
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions
from cladewise.taxonomy.formats.reading import read_with

NOT_OF_CLASSES = (CERTAINTY, EVIDENCE, "further_parents")
"""Columns that describe a place in a tree rather than a class."""


def is_run(path: Path) -> bool:
    """Whether a path is the folder of a run, or the address of one on the hub."""
    return is_on_hub(path) or RunFolder(path).config.is_file()


def listed_classes(
    classes: Taxonomy | str | Path | Sequence[str], reading: ReadOptions = PLAIN
) -> Taxonomy | list[str]:
    """A tree whose leaves are the classes, or their names.

    Args:
        classes: A tree; a file of names, one per line; any taxonomy file or folder; or the names themselves.
        reading: Options for reading a taxonomy file.

    Raises:
        InputError: There is no such file.

    Example:
        >>> listed_classes(["wren", "robin"])
        ['wren', 'robin']
    """
    if isinstance(classes, Taxonomy):
        return classes
    if not isinstance(classes, str | Path):
        return list(classes)
    path = Path(classes)
    if path.suffix.lower() == ".txt" and path.is_file() and reading == PLAIN:
        text = read_text(path)
        if "\t" not in text and " > " not in text:
            return [line.strip() for line in text.split("\n") if line.strip()]
    return read_with(path, reading)


def class_list(classes: Taxonomy | Sequence[str]) -> ClassList:
    """The classes in the order of their names, so that no result depends on the order given.

    Leaves of equal names are told apart by their parents: ``Apple (Juice)``.

    Raises:
        InputError: A name is blank or occurs twice in a list, or there are no classes.

    Example:
        >>> class_list(Taxonomy.from_paths([("Juice", "Apple"), ("Fruit", "Apple"), ("Fruit", "Fig")])).names
        ('Apple (Fruit)', 'Apple (Juice)', 'Fig')
    """
    columns: dict[str, list[str]] = {}
    if isinstance(classes, Taxonomy):
        leaves = classes.leaf_nodes
        if classes.num_nodes == 1:
            raise InputError("a tree with classes", "a root alone")
        names = [str(name) for name in classes.names[leaves].tolist()]
        twice = {name for name, count in Counter(names).items() if count > 1}
        names = [
            f"{name} ({classes.names[classes.parents[leaf]]})" if name in twice else name
            for name, leaf in zip(names, leaves.tolist(), strict=True)
        ]
        still = {name for name, count in Counter(names).items() if count > 1}
        names = [
            classes.path_name(leaf) if name in still else name
            for name, leaf in zip(names, leaves.tolist(), strict=True)
        ]
        columns = {
            key: [str(text) for text in texts[leaves].tolist()]
            for key, texts in classes.columns.items()
            if key not in NOT_OF_CLASSES
        }
    else:
        names = [str(name).strip() for name in classes]
        twice = {name for name, count in Counter(names).items() if count > 1}
        if not names or twice or "" in names:
            got = "none" if not names else "a blank one" if "" in names else f"{some(sorted(twice))} twice"
            raise InputError("a list of classes, each once", got)
    order = np.array(sorted(range(len(names)), key=names.__getitem__), dtype=np.int64)
    return ClassList(
        tuple(names[i] for i in order.tolist()),
        {key: [texts[i] for i in order.tolist()] for key, texts in columns.items()},
        order,
    )
