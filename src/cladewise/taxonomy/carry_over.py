"""A map that places each node of an old tree in a new one; migration rests on it."""

from __future__ import annotations

import dataclasses
import hashlib
from functools import cached_property
from pathlib import Path

import numpy as np
import polars as pl

from cladewise.atomic import replacing
from cladewise.errors import InputError
from cladewise.taxonomy.all_paths import path_texts
from cladewise.taxonomy.arrays import BoolArray, IntArray, frozen
from cladewise.taxonomy.correspondence import Correspondence
from cladewise.taxonomy.tree import Taxonomy

__all__ = ["CarryOver"]

COLUMNS = ("node", "identified", "before", "after")


@dataclasses.dataclass(frozen=True, eq=False)
class CarryOver:
    r"""A place in a new tree for every node of an old one.

    Labels, probability mass and answers at a node of the old tree move to its place. Mass is conserved:

    .. math:: m'_v = \sum_{u : \text{place}(u) = v} m_u, \qquad p'_v = \sum_{w \in De(v)} m'_w

    where :math:`m_u` is the probability of being at u itself and :math:`p'_v` that of being at or under v. The place of
    a node is its counterpart. A node that was split is placed at the deepest common ancestor of its daughters, since
    nothing is known about them, and one that was removed at the place of its parent. Several nodes that were merged
    share a place, and nothing is placed at an added node.

    Args:
        before: The old tree.
        after: The new tree.
        place: Node of the new tree for each node of the old one, ``[old node]``.
        identified: Whether the place is the node's counterpart rather than a node above, ``[old node]``.

    Raises:
        InputError: A place is not in the new tree, or there is not one for each node.

    Example:
        >>> old = Taxonomy.from_paths([("owl", "barn owl"), ("owl", "tawny owl"), ("moa",)])
        >>> new = Taxonomy.from_paths([("owl", "American barn owl"), ("owl", "Western barn owl"), ("owl", "tawny owl")])
        >>> pairs = [(1, 1), (2, 2), (2, 3), (3, 4)]
        >>> carried = CarryOver.of(Correspondence.from_pairs(old, new, pairs))
        >>> carried.place, carried.identified
        (array([0, 1, 1, 4, 0]), array([ True,  True, False,  True, False]))

    References: The map is the stochastic matrix with a single 1 per column. Pooling the probabilities of classes that
        were merged is exact for any model, whereas :math:`\log(e^a + e^b)` is not a linear function of features.
    """

    before: Taxonomy
    after: Taxonomy
    place: IntArray
    identified: BoolArray

    def __post_init__(self) -> None:
        size = (self.before.num_nodes,)
        inside = (self.place >= 0) & (self.place < self.after.num_nodes)
        if self.place.shape != size or self.identified.shape != size or not inside.all():
            raise InputError(f"a node of {self.after} for each node of {self.before}", "others")

    @classmethod
    def of(cls, correspondence: Correspondence) -> CarryOver:
        """The map that follows from correspondences.

        Raises:
            InputError: Some rows are left for a person to decide.
        """
        if not correspondence.decided:
            number = int(correspondence.ask.sum())
            raise InputError(
                "correspondences that are all decided",
                f"{number} with ask",
                advice="Decide them in the table that `cladewise taxonomy match OLD NEW --out matched.csv` writes.",
            )
        identified = correspondence.num_counterparts == 1
        return cls(correspondence.old, correspondence.new, correspondence.containing, frozen(identified))

    @classmethod
    def none(cls, taxonomy: Taxonomy) -> CarryOver:
        """The identity.

        Example:
            >>> CarryOver.none(Taxonomy.from_paths([("a",)])).place
            array([0, 1])
        """
        return cls(taxonomy, taxonomy, np.arange(taxonomy.num_nodes), np.ones(taxonomy.num_nodes, dtype=np.bool_))

    def then(self, later: CarryOver) -> CarryOver:
        """This map followed by another.

        Raises:
            InputError: The other begins at another tree.
        """
        if later.before != self.after:
            raise InputError(f"a map from {self.after}", f"one from {later.before}")
        identified = self.identified & later.identified[self.place]
        return CarryOver(self.before, later.after, later.place[self.place], identified)

    # ---------------------------------------------------------------- properties

    @cached_property
    def num_sources(self) -> IntArray:
        """Number of old nodes that are placed at each new node, ``[new node]``."""
        return frozen(np.bincount(self.place, minlength=self.after.num_nodes))

    @cached_property
    def keeps_content(self) -> BoolArray:
        """Whether all that was at or under a node is at or under its place, ``[old node]``; true for every leaf."""
        first, last = self.place.copy(), self.place.copy()
        for nodes in self.before.nodes_by_depth[:0:-1]:
            np.minimum.at(first, self.before.parents[nodes], first[nodes])
            np.maximum.at(last, self.before.parents[nodes], last[nodes])
        return frozen((first >= self.place) & (last < self.after.end[self.place]))

    @cached_property
    def untouched(self) -> BoolArray:
        """Whether a node has a place to itself, which is its counterpart and holds all that was under it.

        ``[old node]``. Answers and labels at such nodes are told apart from all others exactly as before.
        """
        return frozen(self.identified & (self.num_sources[self.place] == 1) & self.keeps_content)

    @cached_property
    def same_content(self) -> BoolArray:
        """Whether exactly what was at or under a node is at or under its counterpart, ``[old node]``.

        Its probability is then the same in both trees.
        """
        placed = np.concatenate([[0], np.cumsum(self.num_sources)])
        there = placed[self.after.end[self.place]] - placed[self.place]
        size = self.before.end - np.arange(self.before.num_nodes)
        return frozen(self.identified & self.keeps_content & (there == size))

    @cached_property
    def nested(self) -> BoolArray:
        """Whether a node shares its place with one of its ancestors as a counterpart of both, ``[old node]``.

        Its probability is part of that of the ancestor.
        """
        found = np.zeros(self.place.size, dtype=np.bool_)
        several = np.flatnonzero(self.identified & (self.num_sources[self.place] > 1))
        order = several[np.lexsort((several, self.place[several]))]
        if order.size > 1:
            group = self.place[order] * (self.before.num_nodes + 1)  # so that one group's ends stay below the next's
            reached = np.maximum.accumulate(group + self.before.end[order])
            found[order[1:]] = reached[:-1] > group[1:] + order[1:]
        return frozen(found)

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the map and both trees."""
        digest = hashlib.sha256(f"{self.before.fingerprint} {self.after.fingerprint}".encode())
        digest.update(self.place.astype("<i8").tobytes())
        digest.update(self.identified.astype("<u1").tobytes())
        return digest.hexdigest()[:32]

    # ---------------------------------------------------------------- files

    def write(self, path: Path) -> None:
        """Write the map as a table with one row per old node, in the old tree's order.

        Columns: ``node``, the place; ``identified``, 1 or 0; and for people the paths ``before`` and ``after``.
        """
        paths = path_texts(self.after)
        table = pl.DataFrame(
            {
                "node": pl.Series(np.asarray(self.place)),
                "identified": pl.Series(self.identified.astype(np.int64)),
                "before": path_texts(self.before).tolist(),
                "after": paths[self.place].tolist(),
            },
            schema_overrides={"before": pl.String, "after": pl.String},
        )
        with replacing(path) as temporary:
            table.write_csv(temporary)

    @classmethod
    def read(cls, path: Path, before: Taxonomy, after: Taxonomy) -> CarryOver:
        """Read what :meth:`write` wrote for two trees.

        Raises:
            InputError: It is no such table, or that of other trees.
        """
        advice = "Restore the file, or migrate again."
        types = {"node": pl.Int64, "identified": pl.Int64, "before": pl.String, "after": pl.String}
        try:
            table = pl.read_csv(path, schema=types).with_columns(pl.col(pl.String).fill_null(""))
        except (pl.exceptions.PolarsError, OSError) as error:
            got = str(error).splitlines()[0]
            raise InputError(f"the columns {', '.join(COLUMNS)}", got, at=str(path), advice=advice) from None
        if table["before"].to_list() != path_texts(before).tolist() or table["node"].has_nulls():
            raise InputError(f"a row for each node of {before}", "others", at=str(path), advice=advice)
        place, identified = table["node"].to_numpy(), table["identified"].to_numpy() == 1
        inside = bool(((place >= 0) & (place < after.num_nodes)).all())
        if not inside or path_texts(after)[place].tolist() != table["after"].to_list():
            raise InputError(f"places in {after}", "others", at=str(path), advice=advice)
        return cls(before, after, frozen(place), frozen(identified))
