"""A prediction over one tree, read in another."""

from __future__ import annotations

import dataclasses
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.errors import InputError
from cladewise.predictions.prediction import Coherence, Prediction, best_nodes
from cladewise.predictions.taxonomy_cache import cached_for
from cladewise.taxonomy.carry_over import CarryOver


@dataclasses.dataclass(frozen=True, eq=False)
class CarriedPrediction(Prediction):
    r"""A prediction over an old tree as one over a new tree, by the map of a :class:`~cladewise.taxonomy.carry_over`.

    Where parents are at least as probable as their children together, every node has mass of its own, and mass moves:

    .. math:: m'_v = \sum_{u : \text{place}(u) = v} m_u, \qquad p'_v = \sum_{w \in De(v)} m'_w

    Other kinds (a sigmoid per node, a softmax per level) have no mass. There a node has the probability of its
    counterpart, or the sum of those that were merged, at most 1; a node at which something was placed that has no
    counterpart of its own (a node that was split or removed) is at least as probable as that, and so is everything
    above it; an added inner node is as probable as the most probable node under it. A probability at or under a node
    that has a place to itself keeps every bit, unless something more probable was moved under it.

    Args:
        taxonomy: The new tree.
        before: The prediction over the old tree.
        carry_over: The map between them.

    Raises:
        InputError: The prediction or the tree is not that of the map.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> from cladewise.taxonomy.correspondence import Correspondence
        >>> old = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> new = Taxonomy.from_paths([("a", "bc"), ("d1",), ("d2",)])
        >>> found = Correspondence.from_pairs(old, new, [(1, 1), (2, 2), (3, 2), (4, 3), (4, 4)])
        >>> before = LeafSoftmax(old, torch.tensor([[0.25, 0.25, 0.5]]).log())
        >>> CarriedPrediction.of(before, CarryOver.of(found)).log_prob.exp()
        tensor([[1.0000, 0.5000, 0.5000, 0.0000, 0.0000]])
    """

    is_stored: ClassVar[bool] = False

    before: Prediction
    carry_over: CarryOver

    def __post_init__(self) -> None:
        if self.before.taxonomy != self.carry_over.before:
            raise InputError(f"a prediction over {self.carry_over.before}", f"one over {self.before.taxonomy}")

    @classmethod
    def of(cls, before: Prediction, carry_over: CarryOver) -> CarriedPrediction:
        """The prediction in the new tree of a map."""
        return cls(carry_over.after, before, carry_over)

    @property
    def _place(self) -> Int[Tensor, " old_node"]:
        return self._static("place", lambda carried: carried.place)

    def _static(self, name: str, make: Any) -> Tensor:
        """An array that follows from the map, as a tensor that is made once."""
        key = ("carried", name, self.carry_over.fingerprint, self.before.device)
        return cached_for(
            self.carry_over.after, key, lambda: torch.as_tensor(np.array(make(self.carry_over)), device=self.device)
        )

    @property
    def _has_mass(self) -> bool:
        return self.before.coherence in (Coherence.EXACT, Coherence.SUPERADDITIVE)

    @property
    def coherence(self) -> Coherence:
        if self.before.coherence is not Coherence.EXACT:
            return self.before.coherence
        carried = self.carry_over
        at_leaves = bool(carried.after.is_leaf[carried.place[carried.before.leaf_nodes]].all())
        return Coherence.EXACT if at_leaves else Coherence.SUPERADDITIVE

    @property
    def batch_shape(self) -> torch.Size:
        return self.before.batch_shape

    @property
    def device(self) -> torch.device:
        return self.before.device

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        """Log-probabilities, or logs of the mass, of the nodes at which something is placed."""
        values = self.own_log_prob if self._has_mass else self.log_prob
        return values.index_select(-1, self.scored_nodes)

    @property
    def scored_nodes(self) -> Int[Tensor, " out"]:
        if self._has_mass:  # an exact prediction has mass at its leaves alone
            of_leaves = self.before.coherence is Coherence.EXACT
            held = (lambda c: np.unique(c.place[c.before.leaf_nodes])) if of_leaves else (lambda c: np.unique(c.place))
            return self._static(f"places {of_leaves}", held)
        return self._static("places below the root", lambda c: np.setdiff1d(c.place, 0))

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        if not self._has_mass:
            return super().own_log_prob
        return ops.grouped_logsumexp(self.before.own_log_prob, self._place, self.taxonomy.num_nodes)

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        if self._has_mass:
            return ops.subtree_logsumexp(self.own_log_prob, self.taxonomy)
        before, place, size = self.before.log_prob, self._place, self.taxonomy.num_nodes
        known = self._static("known", lambda c: np.flatnonzero(c.identified & ~c.nested))
        held = self._static("held", lambda c: np.flatnonzero(~c.identified))
        of_known = ops.grouped_logsumexp(before.index_select(-1, known), place[known], size).clamp_max(0.0)
        at = place[held].expand(*self.batch_shape, -1)
        least = torch.full_like(of_known, -torch.inf).scatter_reduce(-1, at, before.index_select(-1, held), "amax")
        whole = torch.maximum(of_known, least)
        below = ops.subtree_max(whole, self.taxonomy)
        if self.before.coherence is Coherence.NONE:
            given = self._static("given", lambda c: c.num_sources > 0)
            below = torch.where(given, whole, below)
        return torch.cat([torch.zeros_like(below[..., :1]), below[..., 1:]], -1)

    def ranking(self, k: int) -> Int[Tensor, "*batch k"]:
        """The best of the nodes that hold mass, or of the leaves for kinds without mass."""
        return best_nodes(self.logits, self.scored_nodes, k) if self._has_mass else self.leaf_ranking(k)

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self.log_prob.index_select(-1, ops.tree_index(self.taxonomy, self.device).leaf_nodes)

    # the tensors are those of the old prediction

    def tensors(self) -> dict[str, Tensor]:
        return self.before.tensors()

    def map(self, function: Any) -> Self:
        return dataclasses.replace(self, before=self.before.map(function))

    def _rearranged(self, function: Any) -> Self:
        return dataclasses.replace(self, before=self.before._rearranged(function))  # pyright: ignore[reportPrivateUsage]
