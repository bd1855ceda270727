"""Transitions between the classes of two levels, by a stochastic matrix per image.

A matrix is a softmax over the targets for every source. It is given by its scores, or by scores of low rank. The
low-rank product is never formed: it is computed in tiles that fit the cache, and again in the backward pass.
"""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.precision import at_least_float
from cladewise.tracing import is_traced

BOUNDED = 12.0
"""Scores within ±BOUNDED need no log space: no share of a softmax over 10,000 of them is below exp(-34)."""
BOUNDED_COMPILED = 20.0
"""The same for the kernel, which scales probabilities so that their products with shares do not underflow."""
RARE = -33.0
"""Log-probability, below minus twice the bound, of negligible sources: 10,000 of them change no such share by 1e-6."""
FAINT = -40.0
"""Logarithm of what is negligible next to 1. Products of smaller numbers would underflow, a hundred times slower."""
CELLS = 1 << 17
"""Cells of a matrix computed at a time on a CPU: half a MB in single precision."""
CELLS_ELSEWHERE = 1 << 24


@dataclasses.dataclass(frozen=True, eq=False)
class TransitionEdges:
    """The pairs of source and target that are connected in the tree, sorted by source; made by :meth:`of`."""

    source: Int[Tensor, " edge"]
    target: Int[Tensor, " edge"]
    start: tuple[int, ...]
    """First edge of every source, followed by the number of edges."""

    @classmethod
    def of(cls, source: Int[Tensor, " edge"], target: Int[Tensor, " edge"], num_sources: int) -> TransitionEdges:
        """Make edges from pairs in any order.

        Example:
            >>> edges = TransitionEdges.of(torch.tensor([1, 0, 1]), torch.tensor([0, 1, 2]), 2)
            >>> edges.source.tolist(), edges.target.tolist(), edges.start
            ([0, 1, 1], [1, 0, 2], (0, 1, 3))
        """
        order = source.argsort(stable=True)
        counts = torch.bincount(source, minlength=num_sources)
        return cls(source[order], target[order], (0, *counts.cumsum(0).tolist()))

    @functools.cached_property
    def starts(self) -> Int[Tensor, " source+1"]:
        """:attr:`start` as a tensor."""
        return torch.tensor(self.start)


class Tile(NamedTuple):
    """A slice of the images and of the sources, with the edges of these sources."""

    images: slice
    sources: slice
    edges: slice


@dataclasses.dataclass(frozen=True, eq=False)
class LowRank:
    r"""The scores of every target for every source, as a product: :math:`a_{ji} = l_j \cdot r_i + b\,[ji \in E]`.

    Args:
        left: Factor of every source, ``[image, source, rank]``.
        right: Factor of every target, ``[image, rank, target]``.
        bonus: Added to the scores of the tree's edges, ``[image]``.
        edges: The tree's edges.
    """

    left: Float[Tensor, "image source rank"]
    right: Float[Tensor, "image rank target"]
    bonus: Float[Tensor, " image"]
    edges: TransitionEdges

    def tiles(self, cells: int | None) -> Iterator[Tile]:
        """Tiles of about ``cells`` cells that cover all images and sources."""
        num_images, num_sources, _ = self.left.shape
        num_targets = max(1, self.right.shape[2])
        wanted = cells or (CELLS if self.left.device.type == "cpu" else CELLS_ELSEWHERE)
        columns = max(1, min(num_sources, wanted // num_targets))
        images = max(1, wanted // (columns * num_targets))
        for image in range(0, num_images, images):
            for first in range(0, num_sources, columns):
                last = min(first + columns, num_sources)
                edges = slice(self.edges.start[first], self.edges.start[last])
                yield Tile(slice(image, image + images), slice(first, last), edges)

    def places(self, tile: Tile) -> Int[Tensor, " edge"]:
        """Positions of the edges in a flattened tile."""
        source, target = self.edges.source[tile.edges], self.edges.target[tile.edges]
        return (source - tile.sources.start) * self.right.shape[2] + target

    def scores(self, tile: Tile) -> Float[Tensor, "image source target"]:
        """The scores of one tile."""
        scores = torch.bmm(self.left[tile.images, tile.sources], self.right[tile.images])
        self.add_at_edges(scores, tile, self.bonus)
        return scores

    def add_at_edges(self, cells: Tensor, tile: Tile, values: Float[Tensor, " image"]) -> None:
        """Add one value per image to the cells of a tile that are edges."""
        cells.flatten(1)[:, self.places(tile)] += values[tile.images, None]

    def at_edges(self, cells: Tensor, tile: Tile) -> Float[Tensor, "image edge"]:
        """The cells of a tile that are edges."""
        return cells.flatten(1)[:, self.places(tile)]

    def of(self, images: Tensor) -> LowRank:
        """The scores of some of the images."""
        return LowRank(self.left[images], self.right[images], self.bonus[images], self.edges)

    def at_least_float(self) -> LowRank:
        """The same scores in at least single precision."""
        return LowRank(*map(at_least_float, (self.left, self.right, self.bonus)), edges=self.edges)

    def normalised(self, log_sum: Float[Tensor, "image source"]) -> LowRank:
        """The scores minus one number per source."""
        left = torch.cat([self.left, -log_sum[..., None]], dim=2)
        return LowRank(left, torch.cat([self.right, torch.ones_like(self.right[:, :1])], dim=1), self.bonus, self.edges)

    def is_bounded(self, bound: float = BOUNDED) -> Tensor:
        """Images whose scores are all within ±bound, judging by the norms of the factors."""
        left = functools.reduce(torch.add, (part.square() for part in self.left.unbind(2)))  # a norm over 2 is slow
        right = functools.reduce(torch.add, (part.square() for part in self.right.unbind(1)))
        return (left.amax(1) * right.amax(1)).sqrt() + self.bonus.abs() <= bound


def full_transition(
    log_prob: Float[Tensor, "*batch source"], scores: Float[Tensor, "*batch source target"]
) -> tuple[Float[Tensor, "*batch target"], Float[Tensor, "*batch"]]:
    r"""Map a distribution over sources to one over targets, by the softmax of a matrix of scores.

    .. math:: T_{ij} = \operatorname{softmax}_i a_{ji}, \qquad
        \log p'_i = \operatorname{LSE}_j (\log T_{ij} + \log p_j), \qquad
        h = \frac{1}{S} \sum_j \sum_i T_{ij} \log T_{ij}

    Args:
        log_prob: Log-probability of every source, in nats.
        scores: Score of every target for every source; -inf for impossible pairs.

    Returns:
        Log-probability of every target, and the mean negative entropy :math:`h` of the :math:`S` sources, in nats.

    Example:
        >>> scores = torch.tensor([[0.0, -torch.inf], [0.0, 0.0]])
        >>> there, negative_entropy = full_transition(torch.tensor([0.25, 0.75]).log(), scores)
        >>> there.exp(), negative_entropy.exp()
        (tensor([0.6250, 0.3750]), tensor(0.7071))
    """
    log_share = at_least_float(scores).log_softmax(-1)
    log_share = log_share.clamp_min(torch.finfo(log_share.dtype).min / 4)  # so that 0 log 0 and its gradient are 0
    there = (log_share + at_least_float(log_prob)[..., None]).logsumexp(-2)
    return there, (log_share.exp() * log_share).sum(-1).mean(-1)


def low_rank_transition(
    log_prob: Float[Tensor, "image source"],
    matrix: LowRank,
    *,
    cells: int | None = None,
) -> tuple[Float[Tensor, "image target"], Float[Tensor, " image"]]:
    """As :func:`full_transition` for scores of low rank, without ever storing a matrix.

    Args:
        log_prob: Log-probability of every source, in nats, normalised per image.
        matrix: The scores.
        cells: Cells computed at a time; by default as many as fit the cache.

    Example:
        >>> edges = TransitionEdges.of(torch.tensor([0, 1]), torch.tensor([0, 0]), 2)
        >>> matrix = LowRank(torch.zeros(1, 2, 2), torch.zeros(1, 2, 3), torch.tensor([2.0]).log(), edges)
        >>> low_rank_transition(torch.tensor([[0.25, 0.75]]).log(), matrix)[0].exp()
        tensor([[0.5000, 0.2500, 0.2500]])
    """
    scores = matrix.at_least_float()
    if is_traced():  # one image's matrix at a time would be a loop; here all are stored
        dense = torch.bmm(scores.left, scores.right)
        place = scores.edges.source * scores.right.shape[2] + scores.edges.target
        bonus = scores.bonus[:, None].expand(-1, place.shape[0])
        return full_transition(log_prob, dense.flatten(1).index_add(1, place, bonus).view_as(dense))
    factors = scores.left, scores.right, scores.bonus
    with torch.autocast(log_prob.device.type, enabled=False):
        return _LowRankTransition.apply(at_least_float(log_prob), *factors, scores.edges, cells)


def full_transition_sum(
    scores: Float[Tensor, "image source target"], *, cells: int = CELLS_ELSEWHERE
) -> Float[Tensor, "source target"]:
    """Sum over the images of their transition matrices, in chunks of images.

    Example:
        >>> full_transition_sum(torch.zeros(5, 1, 4))
        tensor([[1.2500, 1.2500, 1.2500, 1.2500]])
    """
    total = at_least_float(scores).new_zeros(scores.shape[1:])
    for part in scores.split(max(1, cells // max(1, total.numel()))):
        total += at_least_float(part).softmax(-1).sum(0)
    return total


def low_rank_transition_sum(matrix: LowRank, *, cells: int | None = None) -> Float[Tensor, "source target"]:
    """Sum over the images of their transition matrices.

    Example:
        >>> edges = TransitionEdges.of(torch.tensor([0, 1]), torch.tensor([0, 0]), 2)
        >>> low_rank_transition_sum(LowRank(torch.zeros(5, 2, 2), torch.zeros(5, 2, 4), torch.zeros(5), edges))
        tensor([[1.2500, 1.2500, 1.2500, 1.2500],
                [1.2500, 1.2500, 1.2500, 1.2500]])
    """
    matrix = matrix.at_least_float()
    total = matrix.left.new_zeros(matrix.left.shape[1], matrix.right.shape[2])
    with torch.autocast(total.device.type, enabled=False):
        for tile in matrix.tiles(cells):
            total[tile.sources] += matrix.scores(tile).softmax(-1).sum(0)
    return total


class _LowRankTransition(torch.autograd.Function):
    """Stores the factors and two numbers per source."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride] -- any arguments, says the base class
        ctx: Any,
        log_prob: Tensor,
        left: Tensor,
        right: Tensor,
        bonus: Tensor,
        edges: TransitionEdges,
        cells: int | None,
    ) -> tuple[Tensor, Tensor]:
        matrix = LowRank(left, right, bonus, edges)
        ctx.edges, ctx.cells, ctx.compiled = edges, cells, has_kernels(log_prob)
        ctx.bounded = matrix.is_bounded(BOUNDED_COMPILED if ctx.compiled else BOUNDED)
        plain = _forward_compiled if ctx.compiled else _forward_plain
        there, log_sum, entropy = _of_both(ctx.bounded, plain, _forward_in_logs, log_prob, matrix, cells)
        ctx.save_for_backward(log_prob, left, right, bonus, there, log_sum, entropy)
        return there, entropy.mean(1)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, grad: Tensor, grad_entropy: Tensor
    ) -> tuple[Tensor | None, ...]:
        log_prob, left, right, bonus, *made = ctx.saved_tensors
        each = grad_entropy / max(1, log_prob.shape[1])
        matrix = LowRank(left, right, bonus, ctx.edges)
        upstream = (*made, grad, each)
        plain = _backward_compiled if ctx.compiled else _backward_plain
        grads = _of_both(ctx.bounded, plain, _backward_in_logs, log_prob, matrix, ctx.cells, *upstream)
        return *grads, None, None


def _of_both(
    bounded: Tensor,
    plain: Callable[..., Any],
    in_logs: Callable[..., Any],
    log_prob: Tensor,
    matrix: LowRank,
    cells: int | None,
    *rest: Tensor,
) -> tuple[Tensor, ...]:
    """Apply one function to the images with bounded scores and another to the rest."""
    if bool(bounded.all()):
        return plain(log_prob, matrix, cells, *rest)
    if not bool(bounded.any()):
        return in_logs(log_prob, matrix, cells, *rest)
    parts: list[tuple[Tensor, ...]] = []
    rows = [bounded.nonzero().squeeze(1), (~bounded).nonzero().squeeze(1)]
    for images, function in zip(rows, (plain, in_logs), strict=True):
        parts.append(function(log_prob[images], matrix.of(images), cells, *(x[images] for x in rest)))
    place = torch.cat(rows).argsort()
    return tuple(torch.cat(both)[place] for both in zip(*parts, strict=True))


def _forward_compiled(log_prob: Tensor, matrix: LowRank, cells: int | None) -> tuple[Tensor, Tensor, Tensor]:
    out = tuple(x.new_empty(x.shape) for x in (matrix.right[:, 0], log_prob, log_prob))
    by_rows("low_rank_rows", _unless_rare(log_prob, BOUNDED_COMPILED), *_of_kernels(matrix), *out)
    return out  # type: ignore[return-value]


def _backward_compiled(
    log_prob: Tensor,
    matrix: LowRank,
    cells: int | None,
    there: Tensor,
    log_sum: Tensor,
    entropy: Tensor,
    grad: Tensor,
    each: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grads = tuple(x.new_empty(x.shape) for x in (log_prob, matrix.left, matrix.right, matrix.bonus))
    upstream = log_sum, entropy, grad * (-there).exp(), each
    prob = _unless_rare(log_prob, BOUNDED_COMPILED)
    by_rows("low_rank_gradient_rows", prob, *_of_kernels(matrix), *upstream, *grads)
    return grads  # type: ignore[return-value]


def _of_kernels(matrix: LowRank) -> tuple[Tensor, ...]:
    edges, bound = matrix.edges, matrix.bonus.new_tensor([BOUNDED_COMPILED])
    return matrix.left, matrix.right, matrix.bonus, bound, edges.target, edges.starts


def _forward_plain(log_prob: Tensor, matrix: LowRank, cells: int | None) -> tuple[Tensor, Tensor, Tensor]:
    prob = _unless_rare(log_prob)
    features = torch.cat([torch.ones_like(matrix.right[:, :1]), matrix.right], dim=1)
    there = torch.zeros_like(matrix.right[:, 0])
    log_sum, entropy = torch.empty_like(log_prob), torch.empty_like(log_prob)
    for tile in matrix.tiles(cells):
        images, sources, edges = tile
        mass = matrix.scores(tile).exp_()
        total, *moments = torch.bmm(features[images], mass.mT).unbind(1)
        score = sum(x * m for x, m in zip(matrix.left[images, sources].unbind(2), moments, strict=True))
        own = matrix.at_edges(mass, tile) * matrix.bonus[images, None]
        score = score + torch.zeros_like(total).index_add_(1, matrix.edges.source[edges] - sources.start, own)
        log_sum[images, sources] = total.log()
        entropy[images, sources] = score / total - total.log()
        there[images] += torch.bmm((prob[images, sources] / total)[:, None], mass)[:, 0]
    return there.log_(), log_sum, entropy


def _backward_plain(
    log_prob: Tensor,
    matrix: LowRank,
    cells: int | None,
    there: Tensor,
    log_sum: Tensor,
    entropy: Tensor,
    grad: Tensor,
    each: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    prob, shares = _unless_rare(log_prob), matrix.normalised(log_sum)
    by_target = grad * (-there).exp()
    right = torch.cat([by_target[:, None], shares.right], dim=1)
    grads = _zero_gradients(log_prob, matrix)
    for tile in matrix.tiles(cells):
        images, sources, _ = tile
        share = shares.scores(tile).exp_()
        p, weight = prob[images, sources], each[images, None]
        held = torch.bmm(by_target[images, None], share.mT)[:, 0] * p
        base = -held - weight * (log_sum[images, sources] + entropy[images, sources])
        left = torch.cat([p[..., None], weight[..., None] * matrix.left[images, sources], base[..., None]], dim=2)
        slope = torch.bmm(left, right[images])
        matrix.add_at_edges(slope, tile, each * matrix.bonus)
        _add_gradients(grads, tile, held, share.mul_(slope), matrix)
    return grads


def _forward_in_logs(log_prob: Tensor, matrix: LowRank, cells: int | None) -> tuple[Tensor, Tensor, Tensor]:
    peak = torch.full_like(matrix.right[:, 0], -torch.inf)
    mass = torch.zeros_like(peak)  # relative to the peak, so that many tiles round like one
    log_sum, entropy = torch.empty_like(log_prob), torch.empty_like(log_prob)
    for tile in matrix.tiles(cells):
        images, sources, _ = tile
        scores = matrix.scores(tile)
        log_sum[images, sources] = total = _logsumexp(scores, -1)
        log_share = scores.sub_(total[..., None])
        entropy[images, sources] = _exp_(log_share.clone()).mul_(log_share).sum(-1)
        joint = log_share.add_(log_prob[images, sources, None])
        higher = torch.maximum(peak[images], joint.amax(1))
        new = _exp_(joint.sub_(higher[:, None])).sum(1)
        mass[images] = mass[images] * (peak[images] - higher).exp() + new
        peak[images] = higher
    return peak.add_(mass.log_()), log_sum, entropy


def _backward_in_logs(
    log_prob: Tensor,
    matrix: LowRank,
    cells: int | None,
    there: Tensor,
    log_sum: Tensor,
    entropy: Tensor,
    grad: Tensor,
    each: Tensor,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    grads = _zero_gradients(log_prob, matrix)
    for tile in matrix.tiles(cells):
        images, sources, _ = tile
        log_share = matrix.scores(tile).sub_(log_sum[images, sources, None])
        joint = log_share + (log_prob[images, sources, None] - there[images, None])
        held_by_cell = _exp_(joint.clamp_(max=0.0)).mul_(grad[images, None])
        held = held_by_cell.sum(-1)
        share = _exp_(log_share.clone())
        slope = log_share.sub_(entropy[images, sources, None]).mul_(each[images, None, None]).sub_(held[..., None])
        _add_gradients(grads, tile, held, slope.mul_(share).add_(held_by_cell), matrix)
    return grads


def _zero_gradients(log_prob: Tensor, matrix: LowRank) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Zero gradients of the log-probabilities, the factors and the bonus."""
    return tuple(torch.zeros_like(x) for x in (log_prob, matrix.left, matrix.right, matrix.bonus))  # type: ignore


def _add_gradients(
    grads: tuple[Tensor, Tensor, Tensor, Tensor], tile: Tile, held: Tensor, by_score: Tensor, matrix: LowRank
) -> None:
    """Add the contribution of a tile's scores and source probabilities to the gradients."""
    images, sources, _ = tile
    log_prob, left, right, bonus = grads
    log_prob[images, sources] = held
    left[images, sources] = torch.bmm(matrix.right[images], by_score.mT).mT
    right[images] += torch.bmm(matrix.left[images, sources].mT, by_score)
    bonus[images] += matrix.at_edges(by_score, tile).sum(1)


def _logsumexp(x: Tensor, dim: int) -> Tensor:
    """Log-sum-exp of finite values, without exponentials that underflow."""
    peak = x.amax(dim, keepdim=True)
    return _exp_(x - peak).sum(dim).log_().add_(peak.squeeze(dim))


def _exp_(x: Tensor) -> Tensor:
    """Exponentials in place, with negligible ones set to 0."""
    return torch.threshold_(x.clamp_(min=FAINT).exp_(), 1.1 * math.exp(FAINT), 0.0)


def _unless_rare(log_prob: Tensor, bound: float = BOUNDED) -> Tensor:
    """Probabilities, with negligible ones set to 0."""
    rare = RARE - 2.0 * bound
    return torch.where(log_prob < rare, 0.0, log_prob.clamp_min(rare).exp())
