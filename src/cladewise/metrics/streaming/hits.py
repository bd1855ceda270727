"""Labels among the k best, over every image seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from cladewise.metrics.hits import HitSums, check_ks
from cladewise.metrics.streaming.tree_metric import Given, TreeMetric
from cladewise.taxonomy import Taxonomy


class HitAtK(TreeMetric):
    """:func:`~cladewise.metrics.hit_at_k` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        ks: Values of ``k``, each at least 1.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Raises:
        InputError: A ``k`` is below 1.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> hits = HitAtK(t, ks=(1, 2))
        >>> hits.update(LeafSoftmax(t, torch.tensor([[0.4, 0.2, 0.4]]).log()), torch.tensor([3]))
        >>> {name: value.item() for name, value in hits.compute().items() if name.startswith("hit@1")}
        {'hit@1': 0.5, 'hit@1/genus': 1.0, 'hit@1/species': 0.0}
    """

    hits: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, ks: Sequence[int] = (1, 5), **options: Any) -> None:
        check_ks(ks)
        self.ks = tuple(ks)
        super().__init__(taxonomy, **options)
        self.add_state("hits", torch.zeros(len(ks), taxonomy.num_levels, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(taxonomy.num_levels, dtype=torch.int64), dist_reduce_fx="sum")

    def own_settings(self) -> tuple[str, ...]:
        return (repr(self.ks),)

    def names(self) -> tuple[str, ...]:
        hits = [f"hit@{k}" for k in self.ks]
        return (*hits, *(f"{hit}/{level}" for hit in hits for level in self.taxonomy.level_names))

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        added = HitSums.of(self.prediction_of(preds), self.nodes_of(target), self.ks)
        self.hits += added.hits
        self.count += added.count

    def values(self) -> dict[str, Tensor]:
        """``hit@k``, the mean over the levels, and ``hit@k/<level>``; NaN where no label has a node at the level."""
        return HitSums(self.hits, self.count).values(self.taxonomy, self.ks)
