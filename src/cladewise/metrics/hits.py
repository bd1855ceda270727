"""Hit@k per level: whether the label is among the k most probable nodes of its level."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from cladewise.errors import InputError
from cladewise.metrics.sums import Sums
from cladewise.ops import at_levels, speaks
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy


def hit_at_k(prediction: Prediction, target: Int[Tensor, "*batch"], ks: Sequence[int] = (1, 5)) -> dict[str, float]:
    r"""Share of the labels among the ``k`` most probable nodes of their level, as a mean over the levels.

    .. math:: \text{hit@}k = \operatorname{mean}_\text{levels} \operatorname{mean}_\text{images}
        [t_l\ \text{is among the}\ k\ \text{best of level}\ l]

    Args:
        prediction: Of any kind.
        target: Node of each label; internal nodes allowed.
        ks: Values of ``k``, each at least 1.

    Returns:
        ``hit@k``, and ``hit@k/<level>`` for every level; NaN where no label has a node at the level.

    Raises:
        InputError: A ``k`` is below 1, or the taxonomy is a single root.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> hit_at_k(LeafSoftmax(t, torch.tensor([[0.4, 0.2, 0.4]]).log()), torch.tensor([3]), ks=(1,))
        {'hit@1': 0.5, 'hit@1/genus': 1.0, 'hit@1/species': 0.0}

    References:
        Dhall et al., Hierarchical Image Classification using Entailment Cone Embeddings, CVPR Workshops 2020,
        arXiv:2004.03459.
    """
    values = HitSums.of(prediction, target, check_ks(ks)).values(prediction.taxonomy, ks)
    return {name: value.item() for name, value in values.items()}


def level_rank(prediction: Prediction, target: Int[Tensor, "*batch"]) -> Float[Tensor, "*batch level"]:
    """Number of nodes at each extended level ranked before the label's node; NaN at levels finer than the label.

    Of equally probable nodes the lower index comes first.

    Raises:
        InputError: The taxonomy is a single root without levels.

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


@dataclasses.dataclass(frozen=True, eq=False)
class HitSums(Sums):
    """Numbers of images whose label is among the ``k`` best of its level, and of images with a label at the level."""

    hits: Int[Tensor, "k level"]
    count: Int[Tensor, " level"]

    @classmethod
    def of(cls, prediction: Prediction, target: Int[Tensor, "*batch"], ks: Sequence[int]) -> HitSums:
        """The sums over a batch."""
        ranks = level_rank(prediction, target).reshape(-1, prediction.taxonomy.num_levels)
        return cls(torch.stack([(ranks < k).sum(0) for k in ks]), (~ranks.isnan()).sum(0))  # NaN is below nothing

    def values(self, taxonomy: Taxonomy, ks: Sequence[int]) -> dict[str, Float[Tensor, ""]]:
        """``hit@k``, the mean over the levels, and ``hit@k/<level>``."""
        values: dict[str, Tensor] = {}
        for k, hits in zip(ks, self.hits, strict=True):
            by_level = hits.double() / self.count
            values[f"hit@{k}"] = by_level.nanmean()
            values |= {f"hit@{k}/{level}": x for level, x in zip(taxonomy.level_names, by_level, strict=True)}
        return values


def check_ks(ks: Sequence[int]) -> Sequence[int]:
    """The values of ``k`` if there are any and all are at least 1.

    Raises:
        InputError: They are not.
    """
    if not ks or min(ks) < 1:
        raise InputError("numbers of nodes of at least 1", tuple(ks))
    return ks


def _count(chosen: Bool[Tensor, "*batch k"]) -> Int[Tensor, "*batch"]:
    return chosen.view(torch.uint8).sum(-1, dtype=torch.int32)  # much faster than a sum of booleans
