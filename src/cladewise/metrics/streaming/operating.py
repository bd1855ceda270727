"""The operating curve over every image seen."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from cladewise.decisions import climbing_sequence
from cladewise.decisions.pareto import ParetoSequence, pareto_sequence
from cladewise.metrics.operating import Measure, OperatingCurve, Steps, checked, curve_of, merged
from cladewise.metrics.streaming.tree_metric import Given, TreeMetric
from cladewise.taxonomy import Taxonomy

SHARE = re.compile(r"r@\d{1,2}(\.\d+)?")
"""Names of the best recall at a share of correct answers."""
MERGE_FROM = 1 << 18
"""Steps that :class:`OperatingCurves` keeps unmerged; 8 MB."""


class OperatingCurves(TreeMetric):
    r"""The operating curve over every image seen, on all processes: exactly that of one batch on one process.

    Each image starts at the first point of its :func:`~cladewise.decisions.pareto.pareto_sequence`, usually the root;
    as the threshold falls it moves to the next. The curve has one point for every distinct probability of a step.
    Recall, precision and correctness are :func:`~cladewise.metrics.information.information_scores`, or
    :func:`~cladewise.metrics.information.depth_scores`.

    With ``only``, the scalars are those of an evaluation: ``"ap"``, ``"ac"`` and ``"r@95"`` or any other share for the
    measure of information, ``"depth_ap"`` and ``"depth_ac"`` for that of depth, and for that of specificity
    ``"haurc"`` with ``climbing=True`` and ``"haurc_threshold"`` without.

    One probability and three whole numbers are kept per step, so that sums depend neither on the order of the images
    nor on the processes; steps at equal probability are merged.

    Args:
        taxonomy: The label tree.
        min_prob: Probability that a node has to exceed to be an operating point; 0 for no minimum, as published.
        measure: Quantity of recall and precision, ``"information"`` or ``"depth"``; or ``"specificity"`` of the answer
            in the place of recall.
        climbing: Whether an image moves along its :func:`~cladewise.decisions.climbing_sequence`, the nodes on the path
            to its best leaf, instead.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Raises:
        InputError: There is no such measure.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> curves = OperatingCurves(t)
        >>> curves.update(LeafSoftmax(t, torch.eye(4) * 50), torch.tensor([2, 3, 5, 6]))
        >>> curve = curves.compute()
        >>> round(curve.average_precision, 6), round(curve.recall_at(0.95), 6)
        (1.0, 1.0)

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """

    start: Tensor
    images: Tensor
    rank: list[Tensor]
    change: list[Tensor]

    def __init__(
        self,
        taxonomy: Taxonomy,
        min_prob: float = 0.0,
        measure: Measure = "information",
        *,
        climbing: bool = False,
        **options: Any,
    ) -> None:
        self.min_prob, self.climbing = min_prob, climbing
        self.measure: Measure = checked(measure)
        super().__init__(taxonomy, **options)
        self.add_state("start", torch.zeros(3, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("rank", [], dist_reduce_fx="cat")
        self.add_state("change", [], dist_reduce_fx="cat")

    def own_settings(self) -> tuple[str, ...]:
        return repr(self.min_prob), self.measure, repr(self.climbing)

    def names(self) -> tuple[str, ...]:
        if self.measure == "specificity":
            return ("haurc",) if self.climbing else ("haurc_threshold",)
        shares = [name for name in self.chosen if SHARE.fullmatch(name)] or ["r@90", "r@95"]
        return ("ap", "ac", *shares) if self.measure == "information" else ("depth_ap", "depth_ac")

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        prediction = self.prediction_of(preds).flat()
        sequence = climbing_sequence(prediction) if self.climbing else pareto_sequence(prediction, self.min_prob)
        self._add(sequence, self.nodes_of(target))

    def add(self, sequence: ParetoSequence, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch whose operating points are already known, and the node of each label."""
        self.added()
        self._add(sequence, target)

    def _add(self, sequence: ParetoSequence, target: Int[Tensor, "*batch"]) -> None:
        steps = Steps.of(sequence, target.reshape(-1), self.taxonomy, self.measure)
        self.start += steps.start.sum(0)
        self.images += len(steps.start)
        self.rank.append(steps.rank)
        self.change.append(steps.change)
        # merging only when new steps outnumber merged ones keeps the total cost linear in the steps
        if sum(map(len, self.rank[1:])) > max(len(self.rank[0]), MERGE_FROM):
            self._merge()

    def values(self) -> dict[str, Tensor]:
        curve = self.everything()
        areas = {
            **dict.fromkeys(("ap", "depth_ap"), curve.average_precision),
            **dict.fromkeys(("ac", "depth_ac"), curve.average_correct),
            **dict.fromkeys(("haurc", "haurc_threshold"), curve.risk_area),
        }
        found = {n: areas[n] if n in areas else curve.recall_at(float(n[2:]) / 100) for n in self.names()}
        return {name: torch.tensor(value, dtype=torch.float64, device=self.device) for name, value in found.items()}

    def everything(self) -> OperatingCurve:
        """The curve; without images, a single point of NaN."""
        rank, change = self._states()
        return curve_of(self.start, int(self.images), *merged(rank, change))

    def _states(self) -> tuple[Tensor, Tensor]:
        none = self.start.new_zeros(0)
        rank = dim_zero_cat([none, *_as_list(self.rank)])
        return rank, dim_zero_cat([none.view(0, 3), *_as_list(self.change)])

    def _merge(self) -> None:
        rank, change = merged(*self._states())
        self.rank, self.change = [rank], [change]

    def _sync_dist(self, dist_sync_fn: Callable[..., Any] | None = None, process_group: Any = None) -> None:
        """Merge first, so that every process has one tensor per state even without images: all must join the gather."""
        self._merge()
        options = {} if dist_sync_fn is None else {"dist_sync_fn": dist_sync_fn}
        super()._sync_dist(process_group=process_group, **options)


def _as_list(state: Tensor | Sequence[Tensor]) -> list[Tensor]:
    """A list state, which is a single tensor after a reduction over processes."""
    return [state] if isinstance(state, Tensor) else list(state)
