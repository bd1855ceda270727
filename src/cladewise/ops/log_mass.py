"""Weighted sums of the log-masses of all nodes, for targets that spread over the whole tree.

The weights of a spread target follow its path: in each ring around it (see :mod:`cladewise.ops.rings`) they are a
pattern over the nodes, the same for all images, times one number. So neither the weights nor the log-masses are stored:
several images at a time are summed up the tree, and once more, then down, for the gradient.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn.functional import pad

from cladewise.ops.index import TreeIndex, tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.path import Domain
from cladewise.ops.rings import fill_rings, node_ranges
from cladewise.ops.row_gradient import ValueAndGradient, with_row_gradient
from cladewise.ops.subtree import leaf_logsumexp, node_major_chunks, subtree_logsumexp, sum_down, sum_up
from cladewise.taxonomy import Taxonomy

RANGE = {torch.float32: 80.0, torch.float64: 600.0}
"""Difference between the scores of an image up to which plain sums of exponentials are exact to rounding."""


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

    Neither weights nor log-masses are stored, but in training the gradient, one number per score. Exceptions are other
    devices and, in plain torch, images whose scores are further apart than the largest :data:`RANGE`.

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
    if has_kernels(scores):
        return with_row_gradient(scores.contiguous(), _compiled(weights, taxonomy, domain))
    return _by_range(scores, weights, taxonomy, domain)


def _by_range(scores: Tensor, weights: RingWeights, taxonomy: Taxonomy, domain: Domain) -> Float[Tensor, " batch"]:
    """In plain torch: each image by the cheapest arithmetic that is exact for the range of its scores."""
    values, dtypes = scores.detach(), list(RANGE)
    high = values.amax(1)
    spread = high - values.amin(1)
    kind = torch.stack([~(spread <= most) for most in RANGE.values()]).sum(0)  # the last one also for nan
    kind.clamp_(min=dtypes.index(scores.dtype))

    def of_kind(number: int, images: Tensor | slice) -> Tensor:
        some, of_some = scores[images], weights.of(images)
        if number == len(RANGE):
            return _in_logs(some, of_some, taxonomy, domain)
        return with_row_gradient(some, _plain(high[images], of_some, taxonomy, domain, dtypes[number]))

    present = kind.unique().tolist() or [len(RANGE)]
    if len(present) == 1:
        return of_kind(present[0], slice(None))
    groups = [torch.nonzero(kind == number)[:, 0] for number in present]
    parts = [of_kind(number, images) for number, images in zip(present, groups, strict=True)]
    return torch.cat(parts)[torch.cat(groups).argsort()]


def _in_logs(scores: Tensor, weights: RingWeights, taxonomy: Taxonomy, domain: Domain) -> Float[Tensor, " batch"]:
    """For any scores; log-masses and weights are stored."""
    weight = weights.dense(taxonomy, scores.dtype)
    weight[:, 0] -= weight.sum(1)  # subtracts the root's log-mass from every term
    return (_log_mass(scores, taxonomy, domain) * weight).sum(1)


def _log_mass(scores: Tensor, taxonomy: Taxonomy, domain: Domain) -> Float[Tensor, "batch node"]:
    if domain == "leaves":
        return leaf_logsumexp(scores, taxonomy)
    return subtree_logsumexp(scores if domain == "nodes" else pad(scores, (1, 0), value=-torch.inf), taxonomy)


def _compiled(weights: RingWeights, taxonomy: Taxonomy, domain: Domain) -> ValueAndGradient:
    index, ranges = tree_index(taxonomy, "cpu"), node_ranges(weights.path, taxonomy)
    nodes = index.leaf_nodes if domain == "leaves" else torch.arange(domain == "nodes-without-root", len(index.parents))

    def compute(scores: Tensor, with_gradient: bool) -> tuple[Tensor, Tensor]:
        widest = torch.tensor([RANGE[scores.dtype]])
        out, grad = scores.new_empty(scores.shape[0]), scores.new_empty(scores.shape if with_gradient else (0, 0))
        tree = nodes, index.inner_nodes, index.parents
        by_rows("ring_log_mass_rows", scores, widest, *tree, *ranges, *weights[1:], out, grad)
        return out, grad

    return compute


def _plain(
    high: Float[Tensor, " batch"], weights: RingWeights, taxonomy: Taxonomy, domain: Domain, dtype: torch.dtype
) -> ValueAndGradient:
    """Several images at a time, node by node in buffers that are used again, for scores within the range of ``dtype``.

    The sum of a leaf is its own exponential, so only inner nodes need a logarithm.
    """
    index = tree_index(taxonomy, "cpu")
    inner, num_nodes = index.inner_nodes, taxonomy.num_nodes
    first_node = int(domain == "nodes-without-root")

    def compute(scores: Tensor, with_gradient: bool) -> tuple[Tensor, Tensor]:
        out, grad = scores.new_empty(scores.shape[0]), scores.new_empty(scores.shape if with_gradient else (0, 0))
        for images, (logs, sums, weight) in node_major_chunks(scores.shape[0], num_nodes, 3, dtype):
            some = scores[images].t()
            if domain == "leaves":
                logs.fill_(-torch.inf).index_copy_(0, index.leaf_nodes, some.to(dtype))
            else:
                logs[:first_node] = -torch.inf
                logs[first_node:] = some
            torch.exp(logs.sub_(high[images]), out=sums)
            own = sums.index_select(0, inner)
            logs.index_copy_(0, inner, sum_up(sums, index).index_select(0, inner).log_())
            total = _fill_weights(weights.of(images), index, taxonomy, weight)
            out[images] = logs.sub_(logs[:1].clone()).mul_(weight).sum(0)
            if with_gradient:
                weight[0] -= total
                flow = sum_down(weight.div_(sums), index).mul_(sums.index_copy_(0, inner, own))
                grad[images] = (flow.index_select(0, index.leaf_nodes) if domain == "leaves" else flow[first_node:]).t()
        return out, grad

    return compute


def _fill_weights(
    weights: RingWeights, index: TreeIndex, taxonomy: Taxonomy, out: Float[Tensor, "node batch"]
) -> Float[Tensor, " batch"]:
    """Weights of all nodes, where a node has the factor of its parent unless it is on the path; returns their sums."""
    path, by_ring, patterns, on_path = weights
    image, pattern = torch.arange(out.shape[1]), patterns[0].to(out.dtype)[:, None]
    in_own_ring = path == path[:, -1:]
    factor = torch.where(in_own_ring, by_ring[:, -1:, 0], by_ring[..., 0]).to(out.dtype)
    if bool((factor == factor[:, :1]).all()):
        torch.mul(pattern, factor[:, 0], out=out)
    else:
        out[0] = factor[:, 0]
        for k, level in enumerate(index.by_depth, 1):
            out.index_copy_(0, level.children, out.index_select(0, level.parent_of_child))
            out[path[:, k], image] = factor[:, k]
        out.mul_(pattern)
    out.index_put_((path, image[:, None]), on_path.to(out.dtype), accumulate=True)
    some = torch.nonzero((by_ring[..., 1:] != 0).flatten(1).any(1))[:, 0]
    if some.numel():
        out[:, some] = weights.of(some).dense(taxonomy, out.dtype).t()
    return out.sum(0)
