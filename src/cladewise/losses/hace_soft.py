"""Hierarchy-aware cross-entropy with soft labels."""

from __future__ import annotations

from jaxtyping import Float, Int
from torch import Tensor

from cladewise.losses.hace import HACELoss, Support, node_cross_entropy
from cladewise.losses.soft_labels import Distance, soft_targets
from cladewise.ops import leaf_subtree_sum, tree_index
from cladewise.taxonomy import Taxonomy


def dilute(
    leaf_mass: Float[Tensor, "batch leaf"], taxonomy: Taxonomy, *, dilution: float, with_root: bool = True
) -> Float[Tensor, "batch node"]:
    r"""Spread the mass of each leaf up its path: :math:`d (1-d)^k` of it stays ``k`` steps up, the rest at the top.

    The top is the root, or the node below it if the root takes no part. For a target at a single node this equals
    :func:`~cladewise.losses.ancestral_weights`.

    Example:
        >>> import torch
        >>> t = Taxonomy.from_paths([("a", "b"), ("c",)])
        >>> dilute(torch.tensor([[0.5, 0.5]]), t, dilution=0.5)
        tensor([[0.3750, 0.1250, 0.2500, 0.2500]])
    """
    index = tree_index(taxonomy, leaf_mass.device)
    mass = leaf_subtree_sum(leaf_mass, taxonomy, share=1.0 - dilution)
    top = 0 if with_root else 1
    kept = mass.new_ones(taxonomy.num_nodes).masked_fill_(index.depth > top, dilution)
    return mass * kept.masked_fill_(index.depth < top, 0.0)


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
        >>> import torch
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
        self.targets = soft_targets(taxonomy, beta, distance)
        self.beta = beta

    def per_image(self, logits: Float[Tensor, "*batch out"], target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch"]:
        scores = logits.reshape(-1, logits.shape[-1])
        leaf_mass = self.targets(target.reshape(-1), scores.dtype)
        wanted = dilute(leaf_mass, self.taxonomy, dilution=self.dilution, with_root=self.with_root)
        return node_cross_entropy(scores, wanted, self.taxonomy, self.scored, eps=self.eps).reshape(target.shape)
