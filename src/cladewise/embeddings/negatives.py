"""Negative sampling: edges with one end replaced, so that the first label is not an ancestor of the second."""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

Strategy = Literal["pick-per-level", "uniform"]


class Negatives(NamedTuple):
    """Negative pairs of every edge: first those with another parent, then those with another child."""

    general: Int[Tensor, "edge pair"]
    special: Int[Tensor, "edge pair"]
    valid: Bool[Tensor, "edge pair"]
    """False where no label qualifies, because all are ancestors or all are descendants, and where the drawn one is an
    ancestor or descendant through a further parent."""


class NegativeSampler:
    """Draws labels uniformly from outside a subtree or off a path, without a table of pairs and without rejection.

    A subtree is a range in pre-order. So a random number below the number of labels outside is a label before the
    range, or becomes one after it by adding the length of the range; the same holds within the sorted labels of a
    level. A path excludes one label per level.

    Args:
        taxonomy: The label tree; its root is no label.
        strategy: ``uniform`` over all labels that qualify. ``pick-per-level``: draws cycle through the levels,
            continuing from edge to edge so that all levels of a deep tree get their turn; uniform if a level has no
            label that qualifies. Most labels are on the last level, and labels on an edge's own level are the hard
            negatives.
        device: Device of the pairs.

    Raises:
        InputError: No such strategy.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
        >>> draw = NegativeSampler(t, "uniform")
        >>> pairs = draw(torch.tensor([1]), torch.tensor([2]), 50, torch.Generator().manual_seed(0))
        >>> sorted(set(pairs.general[0, :50].tolist())), sorted(set(pairs.special[0, 50:].tolist()))
        ([3, 4, 5], [4, 5])

    References: Dhall et al., CVPR Workshops 2020, section 4.2.2.
    """

    def __init__(
        self, taxonomy: Taxonomy, strategy: Strategy = "pick-per-level", *, device: torch.device | str = "cpu"
    ) -> None:
        if strategy not in get_args(Strategy):
            raise InputError(f"negatives among {', '.join(get_args(Strategy))}", repr(strategy))
        self.taxonomy, self.index = taxonomy, ops.tree_index(taxonomy, device)
        self.by_level = strategy == "pick-per-level"
        level, num_nodes = self.index.level[1:], taxonomy.num_nodes
        self._levels, rank = torch.unique(level, return_inverse=True)
        # labels by level, then by node; a level's labels are searched by adding its rank times the number of nodes
        self._sorted = (rank * num_nodes + torch.arange(1, num_nodes, device=level.device)).sort().values
        self._count = torch.bincount(rank, minlength=len(self._levels))
        self._first = self._count.cumsum(0) - self._count

    def __call__(
        self,
        general: Int[Tensor, " edge"],
        special: Int[Tensor, " edge"],
        per_side: int,
        generator: torch.Generator,
        *,
        first: int = 0,
    ) -> Negatives:
        """Draw pairs for edges.

        Args:
            general: Ancestors.
            special: Descendants.
            per_side: Pairs with another parent, and as many with another child.
            generator: A CPU generator, so that draws do not depend on the device.
            first: Index of the first edge, if these edges continue earlier ones.
        """
        shape = (2, len(general), per_side)
        chance = torch.rand(shape, generator=generator, dtype=torch.float64).to(self.index.device)
        again = torch.rand(shape, generator=generator, dtype=torch.float64).to(self.index.device)
        parents, some_parent = self._off_path(special, again[0])
        children, some_child = self._outside(general, again[1])
        if self.by_level and len(self._levels):
            turn = first * per_side + torch.arange(shape[1] * per_side, device=self.index.device)
            rank = (turn % len(self._levels)).view(shape[1:])
            found, here = self._off_path_at(special, rank, chance[0])
            parents = torch.where(here, found, parents)
            found, here = self._outside_at(general, rank, chance[1])
            children = torch.where(here, found, children)
        if self.taxonomy.has_further_parents:
            some_parent, some_child = self._apart(general, special, parents, children, some_parent, some_child)
        last = self.taxonomy.num_nodes - 1  # if no label qualifies, the count runs past it
        parents, children = parents.clamp(max=last), children.clamp(max=last)
        same = (len(general), per_side)
        return Negatives(
            torch.cat([parents, general[:, None].expand(same)], 1),
            torch.cat([special[:, None].expand(same), children], 1),
            torch.cat([some_parent.expand(same), some_child.expand(same)], 1),
        )

    def _apart(
        self,
        general: Tensor,
        special: Tensor,
        parents: Tensor,
        children: Tensor,
        some_parent: Tensor,
        some_child: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Whether the drawn pairs are valid, which edges through further parents are not."""
        last = self.taxonomy.num_nodes - 1
        above = ops.covers(parents.clamp(max=last), special[:, None].expand_as(parents), self.taxonomy)
        under = ops.covers(general[:, None].expand_as(children), children.clamp(max=last), self.taxonomy)
        return some_parent & ~above, some_child & ~under

    def _outside(self, node: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Labels outside the subtree of a node."""
        node, end = node[:, None], self.index.end[node][:, None]
        count = self.taxonomy.num_nodes - 1 - (end - node)
        drawn = 1 + _below(count, chance)
        return torch.where(drawn >= node, drawn + (end - node), drawn), count > 0

    def _off_path(self, node: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Labels that are neither a node nor above it."""
        count = self.taxonomy.num_nodes - 1 - self.index.depth[node][:, None]
        drawn = 1 + _below(count, chance)
        for step in ops.ancestors(node, self.taxonomy)[:, 1:].unbind(1):  # ascending, so each is passed in turn
            drawn += ((step > 0)[:, None] & (drawn >= step[:, None])).long()
        return drawn, count > 0

    def _outside_at(self, node: Tensor, rank: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Labels of a level outside the subtree of a node."""
        low = self._place(rank, node[:, None])
        inside = self._place(rank, self.index.end[node][:, None]) - low
        count = self._count[rank] - inside
        drawn = _below(count, chance)
        return self._label(rank, torch.where(drawn >= low, drawn + inside, drawn)), count > 0

    def _off_path_at(self, node: Tensor, rank: Tensor, chance: Tensor) -> tuple[Tensor, Tensor]:
        """Labels of a level that are neither a node nor above it: all but the one that the path has there, if any."""
        level, above = self._levels[rank], node[:, None].expand_as(rank)
        for _ in range(self.index.max_depth):
            above = torch.where(self.index.level[above] > level, self.index.parents[above], above)
        passed = (self.index.level[above] == level).long()
        count = self._count[rank] - passed
        drawn = _below(count, chance)
        return self._label(rank, drawn + passed * (drawn >= self._place(rank, above))), count > 0

    def _place(self, rank: Tensor, node: Tensor) -> Tensor:
        """Number of labels of a level before a node."""
        return torch.searchsorted(self._sorted, rank * self.taxonomy.num_nodes + node) - self._first[rank]

    def _label(self, rank: Tensor, place: Tensor) -> Tensor:
        """The label at a position of a level; an arbitrary one if there is none."""
        where = (self._first[rank] + place).clamp(max=len(self._sorted) - 1)
        return self._sorted[where] % self.taxonomy.num_nodes


def _below(count: Tensor, chance: Tensor) -> Tensor:
    """Integers below a count, from random numbers in [0, 1)."""
    return torch.minimum((chance * count).long(), (count - 1).clamp(min=0))
