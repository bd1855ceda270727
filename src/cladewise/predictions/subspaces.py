"""A softmax over how much of an image's vector lies in each leaf's subspace, with a basis vector for each node."""

from __future__ import annotations

import dataclasses
from functools import cached_property

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise import ops
from cladewise.predictions.prediction import BestLeaf, Coherence, Prediction, check_width
from cladewise.predictions.softmax import LeafSoftmax


@dataclasses.dataclass(frozen=True, eq=False)
class SubspaceNorms(Prediction):
    r"""A softmax over the norms of a vector's projections to the subspaces of the leaves.

    .. math:: z_l = \lVert P_l\, x \rVert_2 = \sqrt{\sum_{v \in A(l)} x_v^2}

    where :math:`x_v` is the coordinate of the basis vector of node :math:`v`, and :math:`A(l)` are the leaf and its
    ancestors without the root. A leaf has no descendants, whose basis vectors the subspace of an internal node also
    contains. The logits are the coordinates, by depth and in node order within a depth; :meth:`settled` has only the
    norms.

    Args:
        taxonomy: The label tree.
        coordinates: The vectors :math:`x` in the frame, one number for each node but the root.

    Example:
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> SubspaceNorms(t, torch.tensor([[3.0, 1.0, 4.0, 0.0]])).leaf_scores()  # coordinates of a, d, b, c
        tensor([[5., 3., 1.]])

    References: Sani and Anand, Hier-COS, CVPR 2026, arXiv:2503.07853: the class is that of the largest norm. A softmax
        over the norms is what the released evaluation takes for probabilities (``MBM/scripts/crm_eval.py``).
    """

    coordinates: Float[Tensor, "*batch out"]

    def __post_init__(self) -> None:
        check_width(self.coordinates, self.taxonomy.num_nodes - 1, "node below the root")

    @property
    def coherence(self) -> Coherence:
        return Coherence.EXACT

    @property
    def logits(self) -> Float[Tensor, "*batch out"]:
        return self.coordinates

    @property
    def logit_nodes(self) -> Int[Tensor, "out role"]:
        return ops.tree_index(self.taxonomy, self.device).frame_nodes[:, None]

    @cached_property
    def _norms(self) -> LeafSoftmax:
        x = ops.at_least_float(self.coordinates)
        place = ops.tree_index(self.taxonomy, self.device).frame_place[1:]
        energy = ops.leaf_path_sum(x.square().index_select(-1, place), self.taxonomy)
        return LeafSoftmax(self.taxonomy, (energy + torch.finfo(x.dtype).tiny).sqrt())  # a finite slope at 0

    def settled(self) -> LeafSoftmax:
        return self._norms

    @property
    def scored_nodes(self) -> Int[Tensor, " score"]:
        return self._norms.scored_nodes

    @cached_property
    def scores(self) -> Float[Tensor, "*batch node"]:
        return self._norms.scores

    @cached_property
    def log_prob(self) -> Float[Tensor, "*batch node"]:
        return self._norms.log_prob

    @cached_property
    def own_log_prob(self) -> Float[Tensor, "*batch node"]:
        return self._norms.own_log_prob

    def best_leaf_and_rivals(
        self, nodes: Int[Tensor, " k"]
    ) -> tuple[Int[Tensor, "*batch"], Float[Tensor, "*batch"], Float[Tensor, "*batch k"]]:
        return self._norms.best_leaf_and_rivals(nodes)

    def leaf_order(self) -> Float[Tensor, "*batch leaf"]:
        return self._norms.leaf_order()

    def best_leaf(self) -> BestLeaf:
        return self._norms.best_leaf()

    def leaf_scores(self) -> Float[Tensor, "*batch leaf"]:
        return self._norms.leaf_scores()
