"""Trees from the labels of labelling tools, which name the parent of each label or none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.order import cycle_text, cycles
from cladewise.taxonomy.tree import Taxonomy


def label_tree(
    names: Sequence[str], parents: Sequence[int], source: str, columns: Mapping[str, Sequence[str]] | None = None
) -> Taxonomy:
    """A tree of labels. A single label at the top is the root if it has labels below it.

    Args:
        names: Name of every label.
        parents: Parent of every label, as a position in ``names``; -1 at the top.
        source: The file, for messages.
        columns: Further texts of the labels; those that are all blank are left out.

    Raises:
        InputError: A name is blank, or there is no label.

    Example:
        >>> label_tree(["wren", "bird"], [1, -1], "labels.json").names.tolist()
        ['bird', 'wren']
        >>> label_tree(["bird", "moth"], [-1, -1], "labels.json")
        Taxonomy(3 nodes, 2 leaves, 1 levels, synthetic root)
    """
    if not names:
        raise InputError("at least one label", "none", at=source)
    tree = Sprout()
    kept = {key: list(texts) for key, texts in (columns or {}).items() if any(texts)}
    if sum(parent < 0 for parent in parents) == 1 and len(names) > 1:
        tree.parents, tree.names = list(parents), list(names)
        top = tree.parents.index(-1)
        if not names[top].strip():
            raise InputError("a name for every label", "a blank one at the top", at=source)
        return tree.grown(source, columns=kept)
    tree.parents = [-1, *(parent + 1 for parent in parents)]
    tree.names = ["", *names]
    return tree.grown(source, columns={key: ["", *texts] for key, texts in kept.items()})


def refuse_cycles(names: Sequence[str], parents: Sequence[int], source: str) -> None:
    """Refuse labels that are their own ancestors.

    Raises:
        InputError: There are some.

    Example:
        >>> refuse_cycles(["a", "b"], [1, 0], "labels.json")
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected labels below other ones, but got a cycle: a → b → a at labels.json.
    """
    for cycle in cycles(np.array(parents, dtype=np.int64)):
        raise InputError("labels below other ones", f"a cycle: {cycle_text([names[v] for v in cycle])}", at=source)
