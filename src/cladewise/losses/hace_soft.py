"""Hierarchy-aware cross-entropy with soft labels."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.hace import HACELoss, Support, node_cross_entropy
from cladewise.losses.soft_labels import Distance, RingTargets, soft_targets
from cladewise.ops import leaf_subtree_sum, tree_index
from cladewise.ops.log_mass import RingWeights, ring_log_mass
from cladewise.ops.rings import path_to
from cladewise.taxonomy import Taxonomy


def dilute(
    leaf_mass: Float[Tensor, "batch leaf"], taxonomy: Taxonomy, *, dilution: float, with_root: bool = True
) -> Float[Tensor, "batch node"]:
    r"""Spread the mass of each leaf up its path: :math:`d (1-d)^k` of it stays ``k`` steps up, the rest at the top.

    The top is the root, or the node below it if the root takes no part. For a target at a single node this equals
    :func:`~cladewise.losses.ancestral_weights`.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> dilute(torch.tensor([[0.5, 0.5]]), t, dilution=0.5)
        tensor([[0.3750, 0.1250, 0.2500, 0.2500]])
    """
    mass = leaf_subtree_sum(leaf_mass, taxonomy, share=1.0 - dilution)
    return mass * _kept(taxonomy, dilution, with_root).to(mass)


def _kept(taxonomy: Taxonomy, dilution: float, with_root: bool) -> Float[Tensor, " node"]:
    """Share that every node keeps of the mass that arrives there."""
    depth, top = tree_index(taxonomy, "cpu").depth, 0 if with_root else 1
    kept = torch.ones(taxonomy.num_nodes, dtype=torch.float64).masked_fill_(depth > top, dilution)
    return kept.masked_fill_(depth < top, 0.0)


class _DilutedRings:
    r"""Diluted soft targets whose distance depends on the lowest common ancestor, without a vector over the nodes.

    In the ring around a label's ancestor every leaf has the same mass :math:`c` (:class:`RingTargets`), so diluted mass
    is :math:`c` times a number per node: :math:`U(v) = \sum_{l \in B(v)} (1-d)^{d(l) - d(v)}` times the share that the
    node keeps. Mass arriving on the path comes from its ring and from the next node below. Under an internal label the
    mass of a leaf is the difference of one number per leaf and one per label, and so is that of a node.
    """

    def __init__(self, targets: RingTargets, taxonomy: Taxonomy, dilution: float, with_root: bool) -> None:
        self.targets, self.taxonomy, self.step = targets, taxonomy, 1.0 - dilution
        *_, met = targets.held_on(torch.device("cpu"))
        each = leaf_subtree_sum(torch.stack([torch.ones_like(met), met]), taxonomy, share=self.step)
        self._held = each, _kept(taxonomy, dilution, with_root)

    def __call__(self, target: Int[Tensor, " batch"]) -> RingWeights:
        self._held = tuple(x.to(target.device) for x in self._held)
        (each, met), kept = self._held
        far, inverse, met_above, _ = self.targets.held_on(target.device)
        index, path = tree_index(self.taxonomy, target.device), path_to(target, self.taxonomy)
        factor = far[path] * inverse[target, None]
        by_ring, on_path = torch.stack([factor, torch.zeros_like(factor)], dim=-1), torch.zeros_like(factor)
        count = index.num_leaves_under[target].double()
        internal = index.height[target] > 0
        by_ring[:, -1, 0] = torch.where(internal, -met_above[target] / count, factor[:, -1])
        by_ring[:, -1, 1] = torch.where(internal, 1.0 / count, 0.0)
        arriving = by_ring[:, -1, 0] * each[target] + by_ring[:, -1, 1] * met[target]
        for k in range(path.shape[1] - 2, -1, -1):
            above, below, around = path[:, k], path[:, k + 1], factor[:, k] * each[path[:, k]]
            outside = around - self.step * factor[:, k] * each[below]
            arriving = torch.where(above == below, arriving, outside + self.step * arriving)
            on_path[:, k] = torch.where(above == below, 0.0, kept[above] * (arriving - around))
        return RingWeights(path, by_ring, torch.stack([each * kept, met * kept]), on_path)


class HACESoftLoss(HACELoss):
    r"""Hierarchy-aware cross-entropy whose target is first spread over the leaves by distance.

    .. math:: \ell = -\sum_v (T s)_v \log q_v

    with the soft labels :math:`s` of :class:`~cladewise.losses.soft_labels.SoftTargets`, each leaf's share diluted up
    its own path by :math:`T` (:func:`dilute`) and :math:`q` as in :func:`~cladewise.losses.hace_loss`. At an infinite
    ``beta`` and a leaf label this is :class:`~cladewise.losses.HACELoss`. The soft label of an internal node
    is the mean over the leaves under it.

    Args:
        taxonomy: The label tree.
        dilution: Share of its mass that a node keeps, in (0, 1].
        beta: Hardness of the soft labels, dimensionless, >= 0.
        distance: ``"hace"``, ``"lca-height"``, a file or a matrix; see
            :func:`~cladewise.losses.soft_labels.soft_targets`.
        domain: Domain of the softmax: ``"nodes"``, or ``"leaves"`` for the variant.
        with_root: Whether the root takes part. By default, if it is a label of the input rather than synthetic.
        eps: Added to the mass before the logarithm; 1e-6 in the authors' code.

    Raises:
        InputError: A setting is outside its range, or no node has a score.

    Example:
        >>> loss = HACESoftLoss(Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)]), dilution=1.0, beta=0.0)
        >>> loss(torch.zeros(1, 4), torch.tensor([2])).exp().round()
        tensor([4.])

    References: Hierarchy-Aware Cross-Entropy (HACE), as the authors' released code combines it with the soft labels of
        Bertinetto et al., CVPR 2020, arXiv:1912.09393.
    """

    def __init__(
        self,
        taxonomy: Taxonomy,
        dilution: float = 0.5,
        beta: float = 10.0,
        distance: Distance = "hace",
        domain: Support = "nodes",
        with_root: bool | None = None,
        eps: float = 0.0,
    ) -> None:
        super().__init__(taxonomy, dilution, domain=domain, with_root=with_root, eps=eps)
        self.targets = targets = soft_targets(taxonomy, beta, distance)
        self.beta = beta
        self._rings: _DilutedRings | None = None
        if isinstance(targets, RingTargets) and not eps:
            self._rings = _DilutedRings(targets, taxonomy, dilution, self.with_root)

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        scores = logits.reshape(-1, logits.shape[-1])
        if self._rings is not None:
            ring = self._rings(target.reshape(-1))
            return -ring_log_mass(scores, ring, self.taxonomy, self.scored).reshape(target.shape)
        leaf_mass = self.targets(target.reshape(-1), scores.dtype)
        wanted = dilute(leaf_mass, self.taxonomy, dilution=self.dilution, with_root=self.with_root)
        return node_cross_entropy(scores, wanted, self.taxonomy, self.scored, eps=self.eps).reshape(target.shape)
