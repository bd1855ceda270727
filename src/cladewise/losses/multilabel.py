"""Focal loss of independent sigmoids at every node."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.autograd.function import once_differentiable

from cladewise.losses.loss import Loss, check_between, check_choice
from cladewise.ops import ancestors, at_least_float, tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.predictions import NodeSigmoid
from cladewise.taxonomy import Taxonomy

Below = Literal["negative", "ignored"]
CHUNK = 1 << 16
"""Values processed at a time, so that intermediates stay in the cache."""


def multilabel_focal_loss(
    logits: Float[Tensor, "*batch child"],
    target: Int[Tensor, "*batch"],
    taxonomy: Taxonomy,
    *,
    alpha: float = 0.95,
    gamma: float = 1.0,
    below: Below = "negative",
) -> Float[Tensor, "*batch"]:
    r"""Focal loss of a binary classification of every node, summed over the nodes.

    .. math:: \ell = -\alpha \sum_{v \in A(t)} \sigma(-z_v)^\gamma \log \sigma(z_v)
        - (1 - \alpha) \sum_{v \notin A(t)} \sigma(z_v)^\gamma \log \sigma(-z_v)

    where both sums exclude the root. It is half the summed binary cross-entropy at :math:`\gamma = 0, \alpha = 1/2`.

    Args:
        logits: Score of every node but the root: ``logits[..., i]`` is node ``i + 1``.
        target: Node of every image; internal nodes allowed.
        taxonomy: The label tree.
        alpha: Weight of the positives, in [0, 1]; negatives have weight ``1 - alpha``.
        gamma: Focusing exponent, >= 0: how strongly well-classified nodes are down-weighted.
        below: Treatment of the nodes under an internal target: ``"negative"``, as in the authors' code, or
            ``"ignored"``.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> multilabel_focal_loss(torch.zeros(1, 4), torch.tensor([2]), t, alpha=0.5, gamma=0.0).mul(2).exp().round()
        tensor([16.])

    References: Lin et al., Focal loss for dense object detection, ICCV 2017, arXiv:1708.02002, over the nodes of a tree
        as in Valmadre, NeurIPS 2022, arXiv:2210.10929, whose published runs have these defaults.
    """
    scores = at_least_float(logits).reshape(target.numel(), taxonomy.num_nodes - 1)
    node = target.reshape(-1)
    path = ancestors(node, taxonomy)[:, 1:]
    negatives, on_path = _FocalSum.apply(
        scores.contiguous(), gamma, *_positives(node, path, taxonomy, below), path.clamp(min=1) - 1
    )
    depth = tree_index(taxonomy, node.device).depth[node, None]
    positives = focal_sum(-on_path, gamma, depth, torch.full_like(depth, taxonomy.max_depth))
    return (alpha * positives + (1.0 - alpha) * negatives).reshape(target.shape)


def _positives(
    node: Int[Tensor, " image"], path: Int[Tensor, "image depth"], taxonomy: Taxonomy, below: Below
) -> tuple[Int[Tensor, "image depth"], Int[Tensor, "image depth"]]:
    """Start and end of the columns that are not negatives; empty ranges at the end of the row for missing nodes."""
    width = taxonomy.num_nodes - 1
    starts = torch.where(path > 0, path - 1, width)
    ends = torch.where(path > 0, path, width)
    if below == "ignored":
        starts = torch.where(node[:, None] == 0, 0, starts)  # all nodes are under the root
        ends = torch.where(path == node[:, None], tree_index(taxonomy, node.device).end[path] - 1, ends)
    return starts, ends


def focal_sum(
    scores: Float[Tensor, "batch column"],
    gamma: float,
    starts: Int[Tensor, "batch range"],
    ends: Int[Tensor, "batch range"],
) -> Float[Tensor, " batch"]:
    r"""Sum over each row of the focal loss of scores that should be low, with some ranges of columns left out.

    With :math:`s = \sigma(x)` and :math:`n = -\log \sigma(-x)` the loss is :math:`s^\gamma n`, and its derivative
    :math:`s^\gamma (\gamma (1 - s) n + s)`. The ranges are ascending.

    Example:
        >>> focal_sum(torch.zeros(1, 4), 0.0, torch.tensor([[0, 3]]), torch.tensor([[1, 3]])).exp().round()
        tensor([8.])
    """
    return _FocalSum.apply(scores.contiguous(), gamma, starts, ends, starts[:, :0])[0]


class _FocalSum(torch.autograd.Function):
    """The sum, and the scores in some columns, whose gradients are accumulated into the same buffer.

    Loss and derivative are computed together, and only the derivative is kept.
    """

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, gamma: float, starts: Tensor, ends: Tensor, columns: Tensor
    ) -> tuple[Tensor, Tensor]:
        slope = torch.empty_like(scores)
        if has_kernels(scores):
            out = scores.new_empty(scores.shape[0])
            by_rows("focal_rows", scores, starts, ends, torch.tensor([gamma], dtype=torch.float64), out, slope)
        else:
            loss = torch.empty_like(scores)
            for rows in _chunks(scores):
                loss[rows], slope[rows] = _focal(scores[rows], gamma)
            left_out = _inside(starts, ends, scores.shape[1])
            for values in (loss, slope):
                values.view(-1).index_fill_(0, left_out, 0.0)
            out = loss.sum(-1)
        ctx.save_for_backward(slope, columns)
        return out, scores.gather(1, columns)

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride] -- the decorator hides the names
        ctx: Any, *grads: Tensor
    ) -> tuple[Tensor, None, None, None, None]:
        slope, columns = ctx.saved_tensors
        return (slope * grads[0][:, None]).scatter_add_(1, columns, grads[1]), None, None, None, None


def _chunks(values: Tensor) -> list[slice]:
    step = max(1, CHUNK // max(1, values.shape[1])) if values.device.type == "cpu" else max(1, values.shape[0])
    return [slice(i, i + step) for i in range(0, values.shape[0], step)]


def _inside(starts: Tensor, ends: Tensor, width: int) -> Int[Tensor, " position"]:
    """Flat indices of the columns in the given ranges of each row."""
    row = torch.arange(starts.shape[0], device=starts.device)[:, None]
    first, size = (row * width + starts).flatten(), (ends - starts).flatten()
    place = torch.arange(int(size.sum()), device=starts.device)
    return place + torch.repeat_interleave(first - size.cumsum(0) + size, size)


def _focal(x: Tensor, gamma: float) -> tuple[Tensor, Tensor]:
    """Focal loss of scores that should be low, and its derivative.

    ``log1p`` is not vectorised on a CPU: it is replaced by log(u) + (e - (u - 1)) / u with u = 1 + e rounded, which is
    as exact.
    """
    small = torch.exp(-x.abs())
    above = small + 1.0
    tail = above.log().add_((small - (above - 1.0)).div_(above))
    nats = tail + x.clamp(min=0)
    probability = torch.sigmoid(x)
    if gamma == 0.0:
        return nats, probability
    power = probability if gamma == 1.0 else torch.exp(gamma * (x.clamp(max=0) - tail))
    return power * nats, torch.sigmoid(-x).mul_(nats).mul_(gamma).add_(probability).mul_(power)


class MultilabelFocalLoss(Loss):
    """Focal loss of a binary classification of every node; see :func:`multilabel_focal_loss`.

    Raises:
        InputError: A setting is outside its range.

    Example:
        >>> loss = MultilabelFocalLoss(Taxonomy.from_paths([("a", "b"), ("a", "c")]), alpha=0.5, gamma=0.0)
        >>> loss(torch.zeros(1, 3), torch.tensor([1])).mul(2).exp().round()
        tensor([8.])
    """

    def __init__(self, taxonomy: Taxonomy, alpha: float = 0.95, gamma: float = 1.0, below: Below = "negative") -> None:
        super().__init__(taxonomy)
        check_between(alpha, 0.0, 1.0, "an alpha")
        check_between(gamma, 0.0, 100.0, "a gamma")
        check_choice(below, get_args(Below), "what nodes below a target are")
        self.alpha, self.gamma = alpha, gamma
        self.below: Below = below

    @property
    def num_outputs(self) -> int:
        return self.taxonomy.num_nodes - 1

    def prediction(self, logits: Float[Tensor, "*batch out"]) -> NodeSigmoid:
        return NodeSigmoid(self.taxonomy, logits)

    def per_image(self, logits: Tensor, target: Tensor) -> Tensor:
        return multilabel_focal_loss(
            logits, target, self.taxonomy, alpha=self.alpha, gamma=self.gamma, below=self.below
        )
