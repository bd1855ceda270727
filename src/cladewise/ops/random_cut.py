"""Log-sum-exps over the leaves of trees that are cut at random, one cut per image."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.nn.functional import pad

from cladewise.ops.index import TreeIndex, tree_index
from cladewise.ops.kernels import by_rows, has_kernels
from cladewise.ops.nested import nested_logsumexp
from cladewise.ops.relations import ancestors
from cladewise.ops.rings import path_to
from cladewise.ops.row_gradient import ValueAndGradient, with_row_gradient
from cladewise.ops.subtree import node_major_chunks, path_sum, sum_down, sum_up
from cladewise.taxonomy import Taxonomy

FINE = 1e-3
"""Probability below which gaps are drawn in double precision; single precision has steps of 6e-8."""


def random_drops(num_images: int, taxonomy: Taxonomy, rho: float, device: torch.device) -> Bool[Tensor, "image child"]:
    """Nodes below the root at which each image's tree is cut: every inner one with probability ``rho``.

    On a CPU the gaps between dropped nodes are drawn, so that the cost is that of the rarer outcome. A leaf is never
    dropped, which would have no effect.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> random_drops(1, t, 1.0, torch.device("cpu"))
        tensor([[ True, False, False, False]])
    """
    inner = tree_index(taxonomy, device).inner_nodes[1:] - 1
    dropped = torch.zeros(num_images, taxonomy.num_nodes - 1, dtype=torch.bool, device=device)
    if device.type != "cpu":
        dropped[:, inner] = torch.rand(num_images, inner.numel(), device=device) < rho
        return dropped
    total = num_images * inner.numel()
    if total == 0:
        return dropped
    place = _places(total, min(rho, 1.0 - rho))
    if rho > 0.5:
        dropped[:, inner] = True
    images = torch.arange(num_images + 1)
    counts = torch.searchsorted(place, inner.numel() * images).diff()
    image = images[:-1].repeat_interleave(counts, output_size=place.numel())
    node = inner.index_select(0, place.sub_(image * inner.numel()))
    dropped.view(-1).index_fill_(0, node.add_(image.mul_(dropped.shape[1])), rho <= 0.5)
    return dropped


def _places(total: int, rho: float) -> Int[Tensor, " place"]:
    """Places among ``total`` that are chosen independently with probability ``rho``, ascending."""
    parts: list[Tensor] = []
    last, dtype = -1, torch.float32 if rho > FINE else torch.float64
    while rho > 0.0 and last < total - 1:
        expected = rho * (total - 1 - last)
        chance = 1.0 - torch.rand(int(expected + 4.0 * math.sqrt(expected)) + 8, dtype=dtype)  # in (0, 1]
        gaps = chance.log_().div_(math.log1p(-rho)).clamp_(max=total).long() + 1
        parts.append(last + gaps.cumsum(0))
        last = int(parts[-1][-1])
    place = torch.cat(parts) if parts else torch.zeros(0, dtype=torch.int64)
    return place[: int(torch.searchsorted(place, total))]


def random_cut_nll(
    scores: Float[Tensor, "image child"],
    target: Int[Tensor, " image"],
    taxonomy: Taxonomy,
    dropped: Bool[Tensor, "image child"],
) -> Float[Tensor, " image"]:
    r"""Negative log-likelihood of the target under a softmax over the leaves of a cut tree, scored by path sums.

    See :func:`~cladewise.losses.random_cut_loss`. In training, one number per score is stored.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> cut = torch.tensor([[True, False, False, False]])
        >>> random_cut_nll(torch.zeros(1, 4), torch.tensor([2]), t, cut).exp()
        tensor([2.])
    """
    if taxonomy.num_nodes == 1:
        return scores.sum(1)  # of nothing
    index = tree_index(taxonomy, scores.device)
    path = ancestors(target, taxonomy).clamp(min=0)
    on_path = torch.where(path > 0, dropped.gather(1, (path - 1).clamp(min=0)), False)
    first = on_path.int().argmax(1)  # the highest dropped node
    labelled = torch.where(on_path.any(1), path.gather(1, first[:, None])[:, 0], target)
    if has_kernels(scores):
        return with_row_gradient(scores.contiguous(), _compiled(dropped, index, labelled, index.end[labelled]))
    if scores.device.type != "cpu":
        return _of_ranges(scores, dropped, labelled, taxonomy)
    single = on_path.any(1) | (index.height[target] == 0)
    if bool(single.all()):
        return with_row_gradient(scores, _plain(dropped, labelled, taxonomy))
    images = torch.nonzero(single)[:, 0], torch.nonzero(~single)[:, 0]
    some, rest = ((scores[i], dropped[i], labelled[i]) for i in images)
    parts = with_row_gradient(some[0], _plain(*some[1:], taxonomy)), _of_ranges(*rest, taxonomy)
    return torch.cat(parts)[torch.cat(images).argsort()]


def _of_ranges(scores: Tensor, dropped: Tensor, labelled: Tensor, taxonomy: Taxonomy) -> Float[Tensor, " image"]:
    """For labels that are any nodes, on any device."""
    index = tree_index(taxonomy, scores.device)
    drop = pad(dropped, (1, 0))
    num_cuts = path_sum(drop.to(torch.float32), taxonomy)  # at or above every node
    cut = (num_cuts == drop) & (drop | (index.height == 0))
    sums = path_sum(pad(scores, (1, 0)), taxonomy).masked_fill(~cut, -torch.inf)
    nested = nested_logsumexp(
        sums,
        torch.stack([torch.zeros_like(labelled), labelled], dim=1),
        torch.stack([torch.full_like(labelled, taxonomy.num_nodes), index.end[labelled]], dim=1),
    )
    return nested[:, 0] - nested[:, 1]


def _plain(dropped: Tensor, labelled: Tensor, taxonomy: Taxonomy) -> ValueAndGradient:
    """For labels that are nodes of the cut: several images at a time, node by node in buffers that are used again."""
    index, num_nodes = tree_index(taxonomy, "cpu"), taxonomy.num_nodes
    image, child = dropped.nonzero(as_tuple=True)
    inside = index.height[child + 1] > 0  # to drop a leaf has no effect
    image, node = image[inside], child[inside] + 1
    path = path_to(labelled, taxonomy)
    counted = (torch.arange(path.shape[1]) <= index.depth[labelled, None]) & (path > 0)

    def compute(scores: Tensor, with_gradient: bool) -> tuple[Tensor, Tensor]:
        out, grad = scores.new_empty(scores.shape[0]), scores.new_empty(scores.shape if with_gradient else (0, 0))
        for images, (sums,) in node_major_chunks(scores.shape[0], num_nodes, 1, scores.dtype):
            width, column = sums.shape[1], torch.arange(sums.shape[1])
            here = slice(*torch.searchsorted(image, torch.tensor([images.start, images.stop])).tolist())
            row, place = node[here], image[here] - images.start
            sums[0] = 0.0
            sums[1:] = scores[images].t()
            cells, at_cell = sums.view(-1), row * width + place
            own = cells[at_cell]
            cells.index_fill_(0, at_cell, -torch.inf)  # nothing goes on below a dropped node
            sum_down(sums, index)
            own += cells[index.parents[row] * width + place]
            sums.index_fill_(0, index.inner_nodes, -torch.inf)
            cells.index_copy_(0, at_cell, own)
            peak, of_label = sums.amax(0), sums[labelled[images], column]
            total = sums.sub_(peak).exp_().sum(0)
            out[images] = (peak - of_label) + total.log()
            if with_gradient:
                sum_up(sums, index).div_(total)
                minus = counted[images].to(sums.dtype).neg_()
                sums.index_put_((path[images], column[:, None]), minus, accumulate=True)
                grad[images] = sums[1:].t()
        return out, grad

    return compute


def _compiled(dropped: Tensor, index: TreeIndex, starts: Tensor, ends: Tensor) -> ValueAndGradient:
    leaf, drop = (index.height == 0).view(torch.uint8), dropped.contiguous().view(torch.uint8)

    def compute(scores: Tensor, with_gradient: bool) -> tuple[Tensor, Tensor]:
        out, grad = scores.new_empty(scores.shape[0]), scores.new_empty(scores.shape if with_gradient else (0, 0))
        by_rows("random_cut_rows", scores, drop, index.parents, leaf, starts, ends, out, grad)
        return out, grad

    return compute
