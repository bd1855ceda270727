"""Expected costs and metrics of answering each node, for all nodes at once, given the probabilities of the leaves.

A metric of an answer and a leaf depends on the two only through their depth or information and that of their lowest
common ancestor. Its expectation is then a sum down the path to the answer, so that no table of pairs is needed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise import ops
from cladewise.predictions import Coherence, Prediction
from cladewise.taxonomy import Taxonomy


def leaf_mass(prediction: Prediction) -> Float[Tensor, "*batch node"]:
    """Probability on the leaves at or under every node. Mass that a head gives to inner nodes themselves is left out.

    Example:
        >>> from cladewise.predictions import NodeSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> leaf_mass(NodeSoftmax(t, torch.tensor([0.1, 0.4, 0.2, 0.3]).log()))
        tensor([0.5000, 0.5000, 0.2000, 0.3000])
    """
    p = prediction.log_prob.exp()
    if prediction.coherence is Coherence.EXACT:
        return p
    leaf = ops.tree_index(prediction.taxonomy, prediction.device).height == 0
    return ops.subtree_sum(p.masked_fill(~leaf, 0.0), prediction.taxonomy)


def expected_lca_height(mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Expected height of the lowest common ancestor: a step down reduces the cost by the drop in height.

    .. math:: R_v = h(\text{root}) P - \sum_{a \in A(v) \setminus \{\text{root}\}} (h(\pi(a)) - h(a))\, p_a
    """
    index = ops.tree_index(taxonomy, mass.device)
    above = index.height[index.parents]  # what the root's parent, -1, points to is not used
    step = torch.where(index.depth > 0, index.height - above, index.height)
    return ops.path_sum(mass * step.to(mass.dtype), taxonomy)


def expected_path_length(mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Expected number of edges: a step down is one further from the mass elsewhere and one nearer to that below.

    .. math:: R_v = \sum_{u \ne \text{root}} p_u + \sum_{a \in A(v) \setminus \{\text{root}\}} (P - 2 p_a)
    """
    total = mass[..., :1]
    steps = torch.cat([mass[..., 1:].sum(-1, keepdim=True), total - 2 * mass[..., 1:]], dim=-1)
    return ops.path_sum(steps, taxonomy)


RISKS: dict[str, Callable[[Tensor, Taxonomy], Tensor]] = {
    "lca-height": expected_lca_height,
    "path-length": expected_path_length,
}
"""Expected costs by name."""


def expected_info_f(
    mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy, beta: float
) -> Float[Tensor, "*batch node"]:
    r"""Expected F-score of information; as that of a leaf is always :math:`\log_2 L`, one sum down the paths is enough.

    .. math:: \mathbb{E} F_v = \frac{(1 + \beta^2) \sum_{a \in A(v) \setminus \{\text{root}\}} p_a (I(a) - I(\pi(a)))}
        {\beta^2 \log_2 L + I(v)}
    """
    index = ops.tree_index(taxonomy, mass.device)
    information = index.information_bits
    gain = information - information[index.parents.clamp_min(0)]
    shared = ops.path_sum(mass * gain.to(mass.dtype), taxonomy)
    size = beta**2 * information[index.leaf_nodes[0]] + information
    return (1 + beta**2) * _ratio(shared, size, mass[..., :1] / (1 + beta**2))


def expected_depth_f(
    mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy, beta: float, *, with_root: bool = False
) -> Float[Tensor, "*batch node"]:
    r"""Expected F-score of the sets of ancestors of answer and leaf, each with the node itself.

    .. math:: \mathbb{E} F_v = \sum_{\delta} \frac{(1 + \beta^2) \sum_{a \in A(v)} p_a^{(\delta)}}
        {\beta^2 n_\delta + n_v}

    with :math:`p_a^{(\delta)}` the probability on leaves of depth :math:`\delta` under :math:`a`, and :math:`n` the
    number of elements of a set: the depth, plus one if the root counts.
    """
    root = int(with_root)
    index = ops.tree_index(taxonomy, mass.device)
    total = torch.zeros_like(mass)
    for depth, shared in shared_nodes(mass, taxonomy, with_root=with_root):
        size = (beta**2 * (depth + root) + index.depth + root).double()
        total += _ratio(shared, size, mass[..., :1] / (1 + beta**2))
    return (1 + beta**2) * total


def expected_zhao(mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Expected similarity of Zhao et al., :math:`d(\operatorname{lca}(v, j)) / \max(d(v), d(j))`."""
    index = ops.tree_index(taxonomy, mass.device)
    total = torch.zeros_like(mass)
    for depth, shared in shared_nodes(mass, taxonomy):
        total += _ratio(shared, index.depth.clamp_min(depth).double(), mass[..., :1])
    return total


def expected_cpb(mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy) -> Float[Tensor, "*batch node"]:
    r"""Expected correctly predicted bits, :math:`p_v (1 - |B(v)| / L)`, without the subtrahend at a leaf."""
    index = ops.tree_index(taxonomy, mass.device)
    under = index.num_leaves_under
    return mass * (1 - torch.where(under == 1, 0, under).double() / taxonomy.num_leaves).to(mass.dtype)


def by_leaf_depth(
    mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy
) -> Iterator[tuple[int, Float[Tensor, "*batch node"]]]:
    """For every depth at which there are leaves: the probability on those leaves at or under every node."""
    index = ops.tree_index(taxonomy, mass.device)
    depths = sorted(set(taxonomy.depth[taxonomy.leaf_nodes].tolist()))
    if len(depths) == 1:
        yield depths[0], mass
        return
    for depth in depths:
        there = (index.height == 0) & (index.depth == depth)
        yield depth, ops.subtree_sum(mass.masked_fill(~there, 0.0), taxonomy)


def shared_nodes(
    mass: Float[Tensor, "*batch node"], taxonomy: Taxonomy, *, with_root: bool = False
) -> Iterator[tuple[int, Float[Tensor, "*batch node"]]]:
    """For every depth of leaves: expected number of ancestors that each node shares with them, itself included."""
    for depth, under in by_leaf_depth(mass, taxonomy):
        counted = under if with_root else torch.cat([torch.zeros_like(under[..., :1]), under[..., 1:]], -1)
        yield depth, ops.path_sum(counted, taxonomy)


def _ratio(
    shared: Float[Tensor, "*batch node"], size: Float[Tensor, " node"], of_nothing: Tensor
) -> Float[Tensor, "*batch node"]:
    """Expected share; where two sets are empty, and it would be 0/0, a given value."""
    return torch.where(size > 0, shared / torch.where(size > 0, size, 1).to(shared.dtype), of_nothing)
