"""Hierarchy-aware cross-entropy: a softmax over all nodes, with targets diluted towards the root."""

from __future__ import annotations

import math
from typing import Literal, get_args

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import pad

from cladewise.errors import InputError
from cladewise.losses.loss import Loss, check_between
from cladewise.ops import (
    Domain,
    at_least_float,
    leaf_logsumexp,
    path_logsumexp,
    subtree_logsumexp,
    tree_index,
)
from cladewise.ops.log_mass import RingWeights, ring_log_mass
from cladewise.ops.rings import path_to
from cladewise.predictions import LeafSoftmax, NodeSoftmax
from cladewise.taxonomy import Taxonomy

Support = Literal["leaves", "nodes"]


def ancestral_weights(
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    dilution: float = 0.5,
    with_root: bool = True,
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "*batch depth"]:
    r"""Target mass of every node on the target's path, root first; 0 below the target.

    The node ``k`` steps above the target gets :math:`d (1-d)^k`, and the top of the path gets the remainder. The top is
    the root, or the node below it if the root takes no part.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> ancestral_weights(torch.tensor([2, 3]), t, dilution=0.5)
        tensor([[0.2500, 0.2500, 0.5000],
                [0.5000, 0.5000, 0.0000]])
        >>> ancestral_weights(torch.tensor([2, 3]), t, dilution=0.5, with_root=False)
        tensor([[0.0000, 0.5000, 0.5000],
                [0.0000, 1.0000, 0.0000]])
    """
    depth = tree_index(taxonomy, target.device).depth[target][..., None]
    place = torch.arange(taxonomy.max_depth + 1, device=target.device)
    top = 0 if with_root else 1
    arriving = (1.0 - dilution) ** (depth - place).clamp(min=0).to(dtype)
    kept = torch.where(place == top, arriving, dilution * arriving)
    return torch.where((place >= top) & (place <= depth), kept, 0.0)


def hace_loss(
    logits: Float[Tensor, "*batch out"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    dilution: float = 0.5,
    with_root: bool = True,
    domain: Support = "nodes",
    eps: float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy between the target's diluted path and the mass at or under each node of it.

    .. math:: \ell = -\sum_{k} T_k \log q_{a_k(t)}, \qquad
        \log q_v = \operatorname{LSE}_{u \in De(v)} z_u - \operatorname{LSE}_u z_u

    with :math:`T` from :func:`ancestral_weights`. The softmax runs over all nodes, not only the leaves. With a root,
    :math:`q_{root} = 1` and its share has no effect. The minimum is 0 for every dilution.

    Args:
        logits: Score of every node; of all but the root if not ``with_root``.
        target: Node of every image; for an internal node the weights start there. The loss of the root is 0.
        taxonomy: The label tree.
        dilution: Share of its mass that a node keeps, in (0, 1]. At 1 the loss is the cross-entropy of the target's
            subtree.
        with_root: Whether the root has a score and takes the remainder.
        domain: ``"leaves"`` for a variant with the softmax over the leaves.
        eps: Added to :math:`q` before the logarithm; 1e-6 in the authors' code.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> hace_loss(torch.zeros(1, 4), torch.tensor([2]), t, dilution=1.0).exp().round()
        tensor([4.])

    References: Hierarchy-Aware Cross-Entropy (HACE), as the authors' released code computes it.
    """
    path = path_logsumexp(at_least_float(logits), target, taxonomy, _scored(domain, with_root))
    weights = ancestral_weights(target, taxonomy, dilution=dilution, with_root=with_root, dtype=path.dtype)
    return (_surprise(path, eps) * weights).sum(-1)


def node_cross_entropy(
    logits: Float[Tensor, "*batch out"],
    wanted: Float[Tensor, "*batch node"],
    taxonomy: Taxonomy,
    domain: Domain = "nodes",
    *,
    eps: float = 0.0,
) -> Float[Tensor, "*batch"]:
    r"""Cross-entropy between target masses at all nodes and the mass at or under each: HACE's loss for any target.

    .. math:: \ell = -\sum_v T_v \log q_v

    Args:
        logits: Scores of the nodes of the domain.
        wanted: Target mass :math:`T` of every node; without gradient.
        taxonomy: The label tree.
        domain: Which nodes have scores.
        eps: Added to :math:`q` before the logarithm.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> node_cross_entropy(torch.zeros(1, 4), torch.tensor([[0.0, 0.0, 0.5, 0.5]]), t).exp().round()
        tensor([4.])
    """
    log_mass = _log_mass(at_least_float(logits), taxonomy, domain)
    weights = wanted.to(log_mass.dtype).contiguous()  # the memory layout of the log-masses: mixed layouts are slow
    if eps:
        return (_surprise(log_mass, eps) * weights).sum(-1)
    top = weights.sum(-1)  # subtracts the root's log-mass from every term
    return top * log_mass[..., 0] - (log_mass * weights).sum(-1)


def _log_mass(scores: Tensor, taxonomy: Taxonomy, domain: Domain) -> Float[Tensor, "*batch node"]:
    """Log-sum-exp of the scores at or under every node."""
    if domain == "leaves":
        return leaf_logsumexp(scores, taxonomy)
    return subtree_logsumexp(scores if domain == "nodes" else pad(scores, (1, 0), value=-torch.inf), taxonomy)


def _scored(domain: Support, with_root: bool) -> Domain:
    return "leaves" if domain == "leaves" else "nodes" if with_root else "nodes-without-root"


def _surprise(log_mass: Tensor, eps: float) -> Tensor:
    """-log q from log-sum-exps, the first of which is the root's."""
    surprise = log_mass[..., :1] - log_mass
    return surprise if eps == 0.0 else -torch.log(torch.exp(-surprise) + eps)


class HACELoss(Loss):
    r"""Hierarchy-aware cross-entropy, with horizontal smoothing as an option (HACE-smooth: ``smoothing=0.1``).

    See :func:`hace_loss` for the loss on one path. Smoothing first gives each other label ``smoothing / (M - 1)`` of
    the target's mass, where :math:`M` is the number of leaves (or nodes), and then dilutes each share up its own path.
    For an internal target and smoothing over leaves, all ``M`` leaves get such a share.

    Args:
        taxonomy: The label tree.
        dilution: Share of its mass that a node keeps, in (0, 1].
        smoothing: Share of the mass moved away from the target, in [0, 1).
        smoothing_over: Where it goes: the ``"leaves"``, or all ``"nodes"`` that take part.
        domain: Domain of the softmax: ``"nodes"``, or ``"leaves"`` for the variant.
        with_root: Whether the root takes part. By default, if it is a label of the input rather than synthetic.
        eps: Added to the mass before the logarithm; 1e-6 in the authors' code.

    Raises:
        InputError: A setting is outside its range, or no node has a score.

    Example:
        >>> loss = HACELoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), dilution=0.5)
        >>> loss.num_outputs
        3
        >>> loss(torch.zeros(1, 3), torch.tensor([2])).exp().round(decimals=2)
        tensor([1.7300])

    References: Hierarchy-Aware Cross-Entropy (HACE), as the authors' released code computes it: on trees with a root it
        is a node like any other; on CIFAR-100 there is none.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        dilution: float = 0.5,
        smoothing: float = 0.0,
        smoothing_over: Support = "leaves",
        domain: Support = "nodes",
        with_root: bool | None = None,
        eps: float = 0.0,
    ) -> None:
        super().__init__(taxonomy)
        if not 0.0 < dilution <= 1.0:
            raise InputError("a dilution in (0, 1]", dilution)
        if not 0.0 <= smoothing < 1.0:
            raise InputError("a smoothing in [0, 1)", smoothing)
        for name, value in (("smoothing_over", smoothing_over), ("domain", domain)):
            if value not in get_args(Support):
                raise InputError(f"{name} among {', '.join(get_args(Support))}", repr(value))
        check_between(eps, 0.0, 1.0, "an eps")
        self.dilution, self.smoothing, self.smoothing_over = dilution, smoothing, smoothing_over
        self.domain: Support = domain
        self.with_root = not taxonomy.synthetic_root if with_root is None else with_root
        self.eps = eps
        if self.num_outputs == 0:
            raise InputError("a taxonomy with a node below its synthetic root", repr(taxonomy))
        others = int(self._receivers().sum()) - 1
        self._share = smoothing / others if others > 0 else 0.0  # a single label has no other to give mass to
        self._spread = self._spread_by_node() if self._share else None

    @property
    def num_outputs(self) -> int:
        if self.domain == "leaves":
            return self.taxonomy.num_leaves
        return self.taxonomy.num_nodes - (not self.with_root)

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> LeafSoftmax | NodeSoftmax:
        if self.domain == "leaves":
            return LeafSoftmax(self.taxonomy, logits)
        return NodeSoftmax(self.taxonomy, logits, self.with_root)

    @property
    def lower_bound(self) -> float:
        return -math.log1p(self.eps)  # a probability of 1 costs this

    @property
    def scored(self) -> Domain:
        """The nodes that have a score."""
        return _scored(self.domain, self.with_root)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        if self._spread is None:
            return hace_loss(
                logits,
                target,
                self.taxonomy,
                dilution=self.dilution,
                with_root=self.with_root,
                domain=self.domain,
                eps=self.eps,
            )
        return self._smoothed(logits, target)

    def _smoothed(self, logits: Tensor, target: Tensor) -> Tensor:
        node = target.reshape(-1)
        weights = ancestral_weights(
            node, self.taxonomy, dilution=self.dilution, with_root=self.with_root, dtype=torch.float64
        )
        spread = torch.as_tensor(self._spread, device=logits.device)
        own, path = (1.0 - self.smoothing - self._share) * weights, path_to(node, self.taxonomy)
        ring = RingWeights(path, torch.ones_like(own)[..., None], spread[None], own)
        scores = logits.reshape(node.numel(), logits.shape[-1])
        if self.eps:
            wanted = ring.dense(self.taxonomy, logits.dtype)
            loss = node_cross_entropy(scores, wanted, self.taxonomy, self.scored, eps=self.eps)
        else:
            loss = -ring_log_mass(scores, ring, self.taxonomy, self.scored)
        return loss.reshape(target.shape)

    def _receivers(self) -> NDArray[np.bool_]:
        """The nodes that receive mass in horizontal smoothing."""
        if self.smoothing_over == "leaves":
            return self.taxonomy.is_leaf
        receivers = np.ones(self.taxonomy.num_nodes, dtype=np.bool_)
        receivers[0] = self.with_root
        return receivers

    def _spread_by_node(self) -> NDArray[np.float64]:
        """Diluted mass at every node if each receiver, including the target, gets its share."""
        taxonomy = self.taxonomy
        mass = np.where(self._receivers(), self._share, 0.0)
        for nodes in taxonomy.nodes_by_depth[: 0 if self.with_root else 1 : -1]:
            np.add.at(mass, taxonomy.parents[nodes], (1.0 - self.dilution) * mass[nodes])
            mass[nodes] *= self.dilution
        return mass
