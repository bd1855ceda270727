"""Incremental construction of a tree, for parsers of nested formats."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import placed_at
from cladewise.taxonomy.tree import Taxonomy


class Sprout:
    """A tree under construction: nodes in any order with parents first; node 0 is the root, synthetic without a name.

    Example:
        >>> tree = Sprout()
        >>> _ = tree.add(0, "fruit")
        >>> tree.grown("here")
        Taxonomy(2 nodes, 1 leaves, 1 levels, synthetic root)
    """

    def __init__(self, root: str = "") -> None:
        self.parents: list[int] = [-1]
        self.names: list[str] = [root]

    def add(self, parent: int, name: str) -> int:
        """Add a node and return its index."""
        self.parents.append(parent)
        self.names.append(name)
        return len(self.parents) - 1

    def path(self, node: int) -> str:
        """Path of a node, for messages."""
        names: list[str] = []
        while node >= 0:
            names.append(self.names[node])
            node = self.parents[node]
        return "/".join(reversed(names)).strip("/")

    def grown(
        self,
        source: str,
        *,
        level: Sequence[int] | None = None,
        level_names: Sequence[str] | None = None,
        columns: Mapping[str, Sequence[str]] | None = None,
        further_parents: Sequence[tuple[int, int]] = (),
    ) -> Taxonomy:
        """The finished tree, with pairs of a node and a further parent.

        Raises:
            InputError: A node below the root has no name, or a text is not valid Unicode.
        """
        blank = next((node for node, name in enumerate(self.names) if node and not name.strip()), None)
        if blank is not None:
            above = self.path(self.parents[blank]) or "the root"
            raise InputError("a name for every node", f"a blank under {above}", at=source)
        for texts in (self.names, level_names or (), *(columns or {}).values(), list(columns or {})):
            _refuse_halves(texts, source)
        with placed_at(source):
            return Taxonomy.from_parents(
                self.parents,
                self.names,
                level=level,
                level_names=level_names,
                columns=columns,
                synthetic_root=not self.names[0].strip(),
                further_parents=np.array(further_parents, dtype=np.int64).reshape(-1, 2),
            )


def without_index_ids(tree: Taxonomy) -> Taxonomy:
    """The tree without its ids if they are the node indices, as they are written for trees without ids.

    Example:
        >>> without_index_ids(Taxonomy([-1, 0], ["a", "b"], columns={"id": ["0", "1"]})).columns
        {}
    """
    ids = tree.columns.get("id")
    if ids is None or not (ids == np.arange(tree.num_nodes).astype(np.dtypes.StringDType())).all():
        return tree
    return tree.with_columns({key: values for key, values in tree.columns.items() if key != "id"})


def _refuse_halves(texts: Iterable[str], source: str) -> None:
    """Refuse lone surrogates, which JSON's escapes can produce and no file or terminal accepts."""
    for text in texts:
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError("Unicode text", f"half of a surrogate pair in {text!a:.60}", at=source) from error
