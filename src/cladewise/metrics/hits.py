"""Whether the label is among the first of its level."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torchmetrics import Metric

from cladewise.errors import InputError
from cladewise.ops import at_levels, speaks
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy


def level_rank(prediction: Prediction, target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch level"]:
    """How many nodes of each extended level come before the label's there; NaN where the label is silent.

    Of equally probable nodes the lower comes first.

    Raises:
        InputError: The taxonomy is a root alone and has no level to rank in.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> level_rank(LeafSoftmax(t, torch.tensor([[0.3, 0.3, 0.4]]).log()), torch.tensor([3]))
        tensor([[0., 2.]])
    """
    taxonomy = prediction.taxonomy
    if taxonomy.num_levels == 0:
        raise InputError("a taxonomy with a level below the root", repr(taxonomy))
    wanted, counted = at_levels(target, taxonomy), speaks(target, taxonomy)
    ranks: list[Tensor] = []
    for k in range(taxonomy.num_levels):
        nodes, log_prob = prediction.level_log_prob(k + 1)
        place = torch.searchsorted(nodes, wanted[..., k : k + 1].contiguous()).clamp_max(len(nodes) - 1)
        own = log_prob.gather(-1, place)
        rank = _count(log_prob > own)
        tied = _count(log_prob == own) > 1
        if tied.any():
            first = torch.arange(len(nodes), device=nodes.device) < place[tied]
            rank[tied] += _count((log_prob[tied] == own[tied]) & first)
        ranks.append(rank)
    return torch.stack(ranks, -1).float().masked_fill(~counted, torch.nan)


def _count(chosen: Bool[Tensor, "*batch k"]) -> Int[Tensor, "*batch"]:
    return chosen.view(torch.uint8).sum(-1, dtype=torch.int32)  # much faster than a sum of booleans


class HitAtK(Metric):
    r"""Share of the labels among the ``k`` most probable nodes of their level, over every image seen, on all processes.

    .. math:: \text{hit@}k = \operatorname{mean}_\text{levels} \operatorname{mean}_\text{images}
        [t_l\ \text{is among the}\ k\ \text{best of level}\ l]

    Args:
        taxonomy: The label tree.
        ks: Numbers of nodes that may hit.
        options: Options of :class:`torchmetrics.Metric`.

    Raises:
        InputError: A number is below 1.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> hits = HitAtK(t, ks=(1, 2))
        >>> hits.update(LeafSoftmax(t, torch.tensor([[0.4, 0.2, 0.4]]).log()), torch.tensor([3]))
        >>> {name: value.item() for name, value in hits.compute().items() if name.startswith("hit@1")}
        {'hit@1': 0.5, 'hit@1/genus': 1.0, 'hit@1/species': 0.0}

    References:
        Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR Workshops 2020,
        arXiv:2004.03459.
    """

    is_differentiable = False
    full_state_update = False

    hits: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, ks: Sequence[int] = (1, 5), **options: Any) -> None:
        if not ks or min(ks) < 1:
            raise InputError("numbers of nodes of at least 1", tuple(ks))
        super().__init__(**options)
        self.taxonomy, self.ks = taxonomy, tuple(ks)
        self.add_state("hits", torch.zeros(len(ks), taxonomy.num_levels, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(taxonomy.num_levels, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch: what is predicted, and the node of each label."""
        ranks = level_rank(prediction, target).reshape(-1, self.taxonomy.num_levels)
        self.hits += torch.stack([(ranks < k).sum(0) for k in self.ks])  # NaN is below nothing
        self.count += (~ranks.isnan()).sum(0)

    def compute(self) -> dict[str, Tensor]:
        """``hit@k``, the mean over the levels, and ``hit@k/<level>``; NaN where no label speaks."""
        values: dict[str, Tensor] = {}
        for k, hits in zip(self.ks, self.hits, strict=True):
            by_level = hits.double() / self.count
            values[f"hit@{k}"] = by_level.nanmean()
            named = zip(self.taxonomy.level_names, by_level, strict=True)
            values.update({f"hit@{k}/{level}": value for level, value in named})
        return values
