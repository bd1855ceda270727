"""Weighted sums of the log-masses of all nodes, for targets that spread over the whole tree.

The weights of a spread target follow its path: in each ring around it (see :mod:`cladewise.ops.rings`) they are a
pattern over the nodes, the same for all images, times one number. So neither the weights nor the log-masses are stored:
several images at a time are summed up the tree, and once more, then down, for the gradient.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.functional import pad

from cladewise.ops.index import TreeIndex, tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.path import Domain
from cladewise.ops.rings import fill_rings, node_ranges
from cladewise.ops.subtree import leaf_logsumexp, subtree_logsumexp, sum_down, sum_up
from cladewise.taxonomy import Taxonomy

RANGE = 80.0
"""Difference between the scores of an image up to which plain sums of exponentials are exact to rounding."""
CHUNK = 16
"""Images that go through a tree together in plain torch, so that they stay in the cache."""


class RingWeights(NamedTuple):
    r"""Weights of all nodes per image, :math:`w_v = \sum_s c_{ks} D_{sv}` in ring :math:`k`, with more on the path."""

    path: Int[Tensor, "batch depth"]
    """Ancestors of each target, root first; positions below it repeat it (:func:`~cladewise.ops.rings.path_to`)."""
    by_ring: Float[Tensor, "batch depth pattern"]
    """Factor of each pattern in the ring of each ancestor, :math:`c`; double precision."""
    patterns: Float[Tensor, "pattern node"]
    """Weights of the nodes that all images share, :math:`D`; double precision."""
    on_path: Float[Tensor, "batch depth"]
    """Added to the weight of each ancestor; double precision."""

    def dense(self, taxonomy: Taxonomy, dtype: torch.dtype) -> Float[Tensor, "batch node"]:
        """The weight of every node."""
        ranges, device = node_ranges(self.path, taxonomy), self.path.device
        if has_kernels(torch.empty(0, dtype=dtype, device=device)):
            rows = torch.empty(len(self.path), taxonomy.num_nodes, dtype=dtype)
            by_rows("ring_weights_rows", rows, *ranges, *self[1:])
            return rows
        first, *others = self.by_ring.unbind(2)
        weight = fill_rings(first.to(dtype), ranges, taxonomy.num_nodes) * self.patterns[0].to(dtype)
        weight.scatter_add_(1, self.path, self.on_path.to(dtype))
        for factor, pattern in zip(others, self.patterns[1:], strict=True):  # in double: their sum may nearly cancel
            some = torch.nonzero((factor != 0).any(1))[:, 0]
            if some.numel():
                parts = [(first, self.patterns[0]), (factor, pattern)]
                of_some = ranges[0][some], ranges[1][some]
                both = sum(fill_rings(x[some], of_some, taxonomy.num_nodes) * y for x, y in parts)
                weight[some] = torch.as_tensor(both).scatter_add_(1, self.path[some], self.on_path[some]).to(dtype)
        return weight

    def of(self, images: slice | Tensor) -> RingWeights:
        """The weights of some of the images."""
        return RingWeights(self.path[images], self.by_ring[images], self.patterns, self.on_path[images])


def ring_log_mass(
    scores: Float[Tensor, "batch out"], weights: RingWeights, taxonomy: Taxonomy, domain: Domain = "nodes"
) -> Float[Tensor, " batch"]:
    r"""Weighted sum of the log-probabilities of all nodes under a softmax over the scored ones.

    .. math:: y_b = \sum_v w_{bv} \log q_{bv}, \qquad
        \log q_v = \operatorname{LSE}_{u \in De(v)} z_u - \operatorname{LSE}_u z_u

    Nothing of the size of the scores is stored but the scores, unless those of an image are further apart than
    :data:`RANGE`.

    Args:
        scores: Scores of the nodes of the domain.
        weights: The weights :math:`w`, without gradient.
        taxonomy: The label tree.
        domain: Which nodes have scores.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c")])
        >>> ones = torch.ones(1, 3, 1, dtype=torch.float64)
        >>> each = torch.ones(1, 4, dtype=torch.float64)
        >>> weights = RingWeights(torch.tensor([[0, 1, 2]]), ones, each, torch.zeros(1, 3, dtype=torch.float64))
        >>> ring_log_mass(torch.zeros(1, 4), weights, t).exp()  # 3/4 at a, 1/4 at b and at c
        tensor([0.0469])
    """
    if taxonomy.num_nodes == 1:
        return 0.0 * scores.sum(1)  # the root is certain
    if scores.device.type != "cpu":
        return _in_logs(scores, weights, taxonomy, domain)
    values = scores.detach()
    high = values.amax(1)
    wide = ~(high - values.amin(1) <= RANGE)
    if not bool(wide.any()):
        return _narrow(scores, high, weights, taxonomy, domain)
    images = torch.nonzero(~wide)[:, 0], torch.nonzero(wide)[:, 0]
    narrow, rest = (scores[some] for some in images)
    parts = [
        _narrow(narrow, high[images[0]], weights.of(images[0]), taxonomy, domain),
        _in_logs(rest, weights.of(images[1]), taxonomy, domain),
    ]
    return torch.cat(parts)[torch.cat(images).argsort()]


def _narrow(
    scores: Tensor, high: Tensor, weights: RingWeights, taxonomy: Taxonomy, domain: Domain
) -> Float[Tensor, " batch"]:
    """For scores within a range in which plain sums are exact, given the largest of each image."""
    function = _CompiledRingLogMass if has_kernels(scores) else _RingLogMass
    return function.apply(scores.contiguous(), high, weights, taxonomy, domain)


def _in_logs(scores: Tensor, weights: RingWeights, taxonomy: Taxonomy, domain: Domain) -> Float[Tensor, " batch"]:
    """For any scores; log-masses and weights are stored."""
    weight = weights.dense(taxonomy, scores.dtype)
    weight[:, 0] -= weight.sum(1)  # subtracts the root's log-mass from every term
    return (_log_mass(scores, taxonomy, domain) * weight).sum(1)


def _log_mass(scores: Tensor, taxonomy: Taxonomy, domain: Domain) -> Float[Tensor, "batch node"]:
    if domain == "leaves":
        return leaf_logsumexp(scores, taxonomy)
    return subtree_logsumexp(scores if domain == "nodes" else pad(scores, (1, 0), value=-torch.inf), taxonomy)


def _scored(index: TreeIndex, domain: Domain) -> Tensor:
    if domain == "leaves":
        return index.leaf_nodes
    return torch.arange(domain == "nodes-without-root", index.parents.numel())


class _CompiledRingLogMass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, high: Tensor, weights: RingWeights, taxonomy: Taxonomy, domain: Domain
    ) -> Tensor:
        index = tree_index(taxonomy, scores.device)
        ranges = node_ranges(weights.path, taxonomy)
        ctx.arrays = high, _scored(index, domain), index.parents, *ranges, *weights[1:]
        out = scores.new_empty(scores.shape[0])
        by_rows("ring_log_mass_rows", scores, *ctx.arrays, out)
        ctx.save_for_backward(scores)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        (scores,) = ctx.saved_tensors
        grad = torch.empty_like(scores)
        by_rows("ring_log_mass_gradient_rows", scores, *ctx.arrays, grads[0], grad)
        return grad, None, None, None, None


class _RingLogMass(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, high: Tensor, weights: RingWeights, taxonomy: Taxonomy, domain: Domain
    ) -> Tensor:
        index = tree_index(taxonomy, scores.device)
        ctx.rest = weights, taxonomy, _scored(index, domain), index
        ctx.save_for_backward(scores, high)
        out = scores.new_empty(scores.shape[0])
        for images in _chunks(scores):
            weight = weights.of(images).dense(taxonomy, scores.dtype)
            log_mass = sum_up(_exp(scores[images], high[images], *ctx.rest[2:]), index).log_()
            out[images] = log_mass.sub_(log_mass[:1].clone()).mul_(weight.t()).sum(0)
        return out

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        scores, high = ctx.saved_tensors
        weights, taxonomy, nodes, index = ctx.rest
        grad = torch.empty_like(scores)
        for images in _chunks(scores):
            weight = weights.of(images).dense(taxonomy, scores.dtype).mul_(grads[0][images, None])
            weight[:, 0] -= weight.sum(1)
            exps = _exp(scores[images], high[images], nodes, index)
            flow = sum_down(weight.t() / sum_up(exps.clone(), index), index).mul_(exps)
            grad[images] = (flow if nodes.numel() == index.parents.numel() else flow[nodes]).t()
        return grad, None, None, None, None


def _exp(scores: Tensor, high: Tensor, nodes: Tensor, index: TreeIndex) -> Float[Tensor, "node batch"]:
    """Exponentials relative to the largest score of each image, node by node; 0 for nodes without a score."""
    exps = torch.sub(scores, high[:, None]).t().contiguous().exp_()
    if nodes.numel() == index.parents.numel():
        return exps
    return exps.new_zeros(index.parents.numel(), exps.shape[1]).index_copy_(0, nodes, exps)


def _chunks(scores: Tensor) -> list[slice]:
    return [slice(first, first + CHUNK) for first in range(0, scores.shape[0], CHUNK)]
