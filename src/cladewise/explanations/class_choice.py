"""The classes that a picture of a feature space shows: named ones, or those with the most images."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels

IntArray = NDArray[np.int64]
MOST_LEVELS = 3


@dataclasses.dataclass(frozen=True)
class ClassChoice:
    """Levels to colour by, and the classes to show.

    Args:
        levels: One to three levels, 1 for the coarsest.
        roots: Nodes; only images at or below one of them are shown. All images if empty.
        most: Numbers of classes: at the first of the levels the classes with the most images, at the second the
            classes with the most in each of those, and so on. All classes if empty.
    """

    levels: tuple[int, ...]
    roots: tuple[int, ...] = ()
    most: tuple[int, ...] = ()

    @classmethod
    def of(
        cls, taxonomy: Taxonomy, levels: str = "", classes: Sequence[str] = (), most: Sequence[int] = ()
    ) -> ClassChoice:
        """The choice as it is stated: levels by number or name, classes by name or path.

        Raises:
            InputError: There is no such level or class, more than three levels, or a number for more levels than there
                are.

        Example:
            >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
            >>> ClassChoice.of(t, classes=["a"], most=[1])
            ClassChoice(levels=(1, 2), roots=(1,), most=(1,))
        """
        chosen = chosen_levels(levels, taxonomy) if levels else tuple(sorted({1, taxonomy.num_levels}))
        if not 0 < len(chosen) <= MOST_LEVELS or not taxonomy.num_levels:
            raise InputError(f"one to {MOST_LEVELS} levels to colour by", len(chosen) if taxonomy.num_levels else 0)
        if len(most) > len(chosen) or any(number < 1 for number in most):
            expected = f"numbers of classes of 1 or more, for at most {len(chosen)} levels"
            raise InputError(expected, ", ".join(map(str, most)))
        return cls(chosen, tuple(taxonomy.find(name, at="classes") for name in classes), tuple(most))

    @property
    def is_all(self) -> bool:
        """Whether all classes are shown."""
        return not self.roots and not self.most

    def shown(self, taxonomy: Taxonomy, labels: IntArray) -> NDArray[np.bool_]:
        """Whether each image is shown, by its label. Of classes with equally many images, the first in the tree wins.

        Example:
            >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
            >>> ClassChoice((1, 2), most=(1, 1)).shown(t, np.array([2, 3, 3, 5, 5, 1]))
            array([False,  True,  True, False, False, False])
        """
        kept = np.ones(len(labels), dtype=np.bool_)
        if self.roots:
            kept = np.any([taxonomy.covers(root, labels) for root in self.roots], axis=0)
        group = np.zeros(taxonomy.num_nodes, dtype=np.int64)
        for level, number in zip(self.levels, self.most, strict=False):
            of_node = taxonomy.at_level(level)
            kept &= taxonomy.speaks(level)[labels]
            counts = np.bincount(of_node[labels[kept]], minlength=taxonomy.num_nodes)
            found = np.flatnonzero(counts)
            order = found[np.lexsort((found, -counts[found], group[found]))]
            begins = np.searchsorted(group[order], group[order], side="left")
            best = np.zeros(taxonomy.num_nodes, dtype=np.bool_)
            best[order[np.arange(len(order)) - begins < number]] = True
            kept &= best[of_node[labels]]
            group = of_node
        return kept

    def text_nodes(self, taxonomy: Taxonomy, labels: IntArray) -> IntArray:
        """Nodes whose texts are drawn: all below the root, or those of the chosen levels above the labels shown."""
        if self.is_all:
            return np.arange(1, taxonomy.num_nodes)
        of_levels = [taxonomy.at_level(level)[labels[taxonomy.speaks(level)[labels]]] for level in self.levels]
        nodes = np.unique(np.concatenate(of_levels))
        return nodes[nodes > 0]
