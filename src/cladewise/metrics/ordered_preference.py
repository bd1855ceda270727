"""HOPS: how well a ranking of the leaves keeps the order in which the tree prefers them to each other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.metrics.hits import check_ks
from cladewise.ops import tree_index
from cladewise.ops.rings import fill_rings, leaf_ranges, path_to
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

CELLS_AT_ONCE = 1 << 18
"""Cells of image by leaf that are in memory at a time."""
HOPS_AT = (5, 20)
"""Values of k of ``hops@k``."""


def hops(
    prediction: Prediction, target: Int[Tensor, "*batch"], ks: Sequence[int] = HOPS_AT
) -> dict[str, Float[Tensor, "*batch"]]:
    r"""Hierarchically ordered preference score of every image, for all leaves and for the best ``k``.

    The leaves at or under the label have rank 0, the other leaves under the next ancestor with any have rank 1, and so
    on. With the rank :math:`z_j` of the leaf that belongs at place :math:`j` and that of the one ranked there,
    :math:`\hat z_j`,

    .. math:: \text{HOPS} = \Big[1 - \frac{\sum_j w_j\, |z_j - \hat z_j|}{\sum_j w_j\, |z_j - z_{L+1-j}|}\Big]_0^1,
        \qquad w_j = 2^{-r} + \frac{i_j}{n_r} \big(2^{-r-1} - 2^{-r}\big)

    for place :math:`j`, the :math:`i_j`-th from 0 of the :math:`n_r` places of rank :math:`r`. All weights of rank 0
    are 1, and those of the last rank fall to 0. HOPS\@k has only the first ``k`` places in both sums, and their ranks
    in reverse in the second; HOPS\@1 is the accuracy of the best leaf. Where the second sum is 0, the score is 1 if the
    first is, and otherwise 0.

    Args:
        prediction: Of any kind; its leaves are ranked as by :meth:`~cladewise.predictions.Prediction.leaf_ranking`.
        target: Node of each label. For an internal node, the order of the leaves under it does not matter.
        ks: Values of ``k``, each at least 1.

    Returns:
        Values in [0, 1] as ``hops`` and ``hops@k``. Memory is that of some images times the leaves, and time grows with
        the leaves as sorting does.

    Raises:
        InputError: There is not one label for each image, or a ``k`` is below 1.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> scores = LeafSoftmax(t, torch.tensor([[4.0, 3.0, 2.0, 1.0], [4.0, 1.0, 3.0, 2.0], [1.0, 2.0, 3.0, 4.0]]))
        >>> {name: value.tolist() for name, value in hops(scores, torch.tensor([2, 2, 2]), ks=(1,)).items()}
        {'hops': [1.0, 0.7916666865348816, 0.0], 'hops@1': [1.0, 1.0, 0.0]}

    References: Sani and Anand, Hier-COS, CVPR 2026, arXiv:2503.07853, as the notebook of the released code computes
        the score; for internal labels this is our interpretation.
    """
    if target.shape != prediction.batch_shape:
        raise InputError(f"labels {list(prediction.batch_shape)}", f"shape {list(target.shape)}")
    check_ks(ks)
    return _in_parts(prediction.leaf_order(), _by_score, target, prediction.taxonomy, ks)


def hops_of_order(
    order: Int[Tensor, "*batch leaf"], target: Int[Tensor, "*batch"], taxonomy: Taxonomy, ks: Sequence[int] = HOPS_AT
) -> dict[str, Float[Tensor, "*batch"]]:
    """:func:`hops` of leaves in a given order, such as that of a decision.

    Args:
        order: All leaves of the tree as nodes, best first, for every image.
        target: Node of each label.
        taxonomy: The label tree.
        ks: Values of ``k``, each at least 1.

    Raises:
        InputError: There are not all leaves and one label for each image, or a ``k`` is below 1.

    Example:
        A flat softmax orders distant leaves by chance; by expected distance, relatives of the probable ones come first.

        >>> from cladewise.decisions import CRM
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> p, target = LeafSoftmax(t, torch.tensor([[0.5, 0.1, 0.2, 0.2]]).log()), torch.tensor([2])
        >>> hops(p, target)["hops"], hops_of_order(CRM().order(p, t.num_leaves), target, t)["hops"]
        (tensor([0.7917]), tensor([1.]))
    """
    if order.shape != (*target.shape, taxonomy.num_leaves):
        expected = f"orders [*batch, {taxonomy.num_leaves}] of all leaves and targets [*batch]"
        raise InputError(expected, f"shapes {list(order.shape)} and {list(target.shape)}")
    check_ks(ks)
    place = tree_index(taxonomy, order.device).leaf_start[order]
    return _in_parts(place, _by_place, target, taxonomy, ks)


Sort = Callable[[Tensor, Tensor], Tensor]
"""Ranks of the leaves from the best to the worst, from what tells their order and their ranks in tree order."""


def _in_parts(
    leaves: Tensor, sort: Sort, target: Tensor, taxonomy: Taxonomy, ks: Sequence[int]
) -> dict[str, Float[Tensor, "*batch"]]:
    """The scores, of some images at a time."""
    rows, nodes = leaves.reshape(-1, taxonomy.num_leaves), target.reshape(-1)
    step = max(1, CELLS_AT_ONCE // taxonomy.num_leaves)
    parts = [_scores(rows[i : i + step], sort, nodes[i : i + step], taxonomy, ks) for i in range(0, len(nodes), step)]
    every = torch.cat([torch.zeros(0, 1 + len(ks), device=rows.device), *parts])
    return {name: column.reshape(target.shape) for name, column in zip(hops_columns(ks), every.unbind(1), strict=True)}


def hops_columns(ks: Sequence[int]) -> tuple[str, ...]:
    """Names of the values of :func:`hops`.

    Example:
        >>> hops_columns((5,))
        ('hops', 'hops@5')
    """
    return ("hops", *(f"hops@{k}" for k in ks))


def _scores(
    leaves: Tensor, sort: Sort, target: Tensor, taxonomy: Taxonomy, ks: Sequence[int]
) -> Float[Tensor, "image score"]:
    path = path_to(target, taxonomy)
    starts, ends = leaf_ranges(path, taxonomy)
    size = ends - starts
    more = size[:, :-1] > size[:, 1:]  # ancestors that add leaves
    rank = torch.cat([more.flip(1).cumsum(1).flip(1), torch.zeros_like(size[:, :1])], 1)
    places = _Places.of(rank.flip(1), size.flip(1))
    found = sort(leaves, fill_rings(rank, (starts, ends), taxonomy.num_leaves))
    wrong = places.weight * (places.rank - found).abs_()
    scores = [_score(wrong, places, taxonomy.num_leaves)]
    scores += [_score(wrong, places, min(k, taxonomy.num_leaves)) for k in ks]
    return torch.stack(scores, 1)


class _Places(NamedTuple):
    """Rank of the leaf that belongs at each place, and the weight of the place."""

    rank: Float[Tensor, "image leaf"]
    weight: Float[Tensor, "image leaf"]

    @classmethod
    def of(cls, rank: Int[Tensor, "image ring"], size: Int[Tensor, "image ring"]) -> _Places:
        """The places of rings from the label outwards, with the number of leaves in and inside each."""
        first = torch.cat([torch.zeros_like(size[:, :1]), size[:, :-1]], 1)
        high = torch.exp2(-rank.double()).float()
        low = torch.where(rank == 0, high, torch.where(rank == rank[:, -1:], 0.0, high / 2))
        slope = (low - high) / (size - first).clamp_min(1)
        num_images, num_leaves = len(rank), int(size[0, -1])

        def spread(values: Tensor) -> Tensor:
            full = values.flatten().repeat_interleave((size - first).flatten(), output_size=num_images * num_leaves)
            return full.view(num_images, num_leaves)

        place = torch.arange(num_leaves, device=rank.device)
        return cls(spread(rank.float()), spread(slope).mul_(place).add_(spread(high - slope * first)))


def _score(wrong: Tensor, places: _Places, k: int) -> Float[Tensor, " image"]:
    rank, weight = places.rank[:, :k], places.weight[:, :k]
    total = wrong[:, :k].sum(1)
    worst = (weight * (rank - rank.flip(1)).abs_()).sum(1)
    kept = (1.0 - total / worst.clamp_min(torch.finfo(worst.dtype).tiny)).clamp(0.0, 1.0)
    return torch.where(worst > 0, kept, (total == 0).to(kept.dtype))


def _by_place(place: Int[Tensor, "image leaf"], rank: Int[Tensor, "image leaf"]) -> Float[Tensor, "image leaf"]:
    """Ranks of the leaves at some positions."""
    return rank.gather(1, place).float()


def _by_score(order: Float[Tensor, "image leaf"], rank: Int[Tensor, "image leaf"]) -> Float[Tensor, "image leaf"]:
    """Ranks of the leaves from the best to the worst, of equals the first.

    On a CPU, score, place and rank are sorted as one whole number: many times faster than an order of the scores.
    """
    if order.device.type != "cpu" or order.dtype == torch.float64:
        places = order.sort(dim=1, descending=True, stable=True).indices
        return rank.gather(1, places).float()
    bits = (order.detach().float().numpy() + np.float32(0)).view(np.int32)  # -0 is 0
    descending = ~(bits ^ ((bits >> 31) & 0x7FFFFFFF))  # grows as the score falls
    place = np.arange(bits.shape[1], dtype=np.int64)
    key = (descending.astype(np.int64) << 32) | place
    key.sort(axis=1)
    return torch.from_numpy(np.take_along_axis(rank.numpy(), key & 0xFFFFFFFF, 1)).float()
