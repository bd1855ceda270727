"""Streaming metrics: torchmetrics modules for training loops and several processes.

This is the only module of the package that imports torchmetrics.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor
from torchmetrics import Metric
from torchmetrics.utilities.data import dim_zero_cat

from cladewise.decisions import Answer, LabelSets
from cladewise.decisions.pareto import ParetoSequence, pareto_sequence
from cladewise.metrics.answer_scores import answer_columns, score_answer
from cladewise.metrics.hits import HitSums, check_ks
from cladewise.metrics.label_counts import LabelSums, label_bounds, label_nodes
from cladewise.metrics.level_accuracy import weighted_level_accuracy
from cladewise.metrics.operating import Measure, OperatingCurve, Steps, checked, curve_of, merged
from cladewise.metrics.reliability import ReliabilityCurve, ReliabilitySums, check_bins
from cladewise.metrics.set_sizes import SizeSums
from cladewise.predictions import Prediction
from cladewise.taxonomy import Taxonomy

GRID = float(1 << 30)
"""Fractions of 1 that values are rounded to, finer than single precision resolves."""
MERGE_FROM = 1 << 18
"""Steps that :class:`OperatingCurves` keeps unmerged; 8 MB."""


class HierarchicalMetrics(Metric):
    """Means of all metrics over every image seen, on all processes.

    Only a sum and a number of images are kept for each metric. Values are summed as whole multiples of 2⁻³⁰, which is
    exact in double precision for sums up to eight million. So the result depends neither on the size and order of the
    batches nor on which process saw which images, to the last bit; no image is counted twice or dropped.

    Args:
        taxonomy: The label tree.
        options: Options of :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.decisions import Nodes
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> metrics = HierarchicalMetrics(t)
        >>> metrics.update(Nodes(torch.tensor([2, 4]), torch.zeros(2)), torch.tensor([[2], [4]]), torch.tensor([2, 2]))
        >>> values = metrics.compute()
        >>> values["top1"].item(), values["severity"].item(), values["level_accuracy"].item()
        (0.5, 2.0, 0.5)
    """

    is_differentiable = False
    full_state_update = False

    total: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(**options)
        self.taxonomy = taxonomy
        self.names = answer_columns(taxonomy)
        self.add_state("total", torch.zeros(len(self.names), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(len(self.names), dtype=torch.int64), dist_reduce_fx="sum")

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> HierarchicalMetrics:
        """Move the sums along with the module they are part of, but keep their precision.

        The base class would follow ``.to(torch.bfloat16)``, in which no count survives beyond 256.
        """
        super()._apply(fn, exclude_state=(*exclude_state, "total", "count"))
        self.total, self.count = self.total.to(self.device), self.count.to(self.device)
        self._defaults.update(total=torch.zeros_like(self.total), count=torch.zeros_like(self.count))
        self._computed = None
        return self

    def update(self, answer: Answer, ranking: Int[Tensor, "*batch rank"], target: Int[Tensor, "*batch"]) -> None:
        """Add a batch; the arguments are those of :func:`score_answer`."""
        columns = score_answer(answer, ranking, target, self.taxonomy)
        values = torch.stack([column.flatten() for column in columns.values()]).double()
        self.total += (values * GRID).round().nansum(-1) / GRID
        self.count += values.isfinite().sum(-1)

    def compute(self) -> dict[str, Tensor]:
        """Mean of every metric over its non-NaN values, NaN if there are none.

        Also ``level_accuracy`` and ``weighted_level_accuracy``, the means over the levels.
        """
        means = self.total / self.count
        values = dict(zip(self.names, means.unbind(), strict=True))
        levels = torch.stack([values[f"level_accuracy/{name}"] for name in self.taxonomy.level_names])
        weighted = weighted_level_accuracy(levels, self.taxonomy)
        return {**values, "level_accuracy": levels.nanmean(), "weighted_level_accuracy": weighted}


class HitAtK(Metric):
    """:func:`~cladewise.metrics.hit_at_k` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        ks: Values of ``k``, each at least 1.
        options: Options of :class:`torchmetrics.Metric`.

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

    is_differentiable = False
    full_state_update = False

    hits: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, ks: Sequence[int] = (1, 5), **options: Any) -> None:
        check_ks(ks)
        super().__init__(**options)
        self.taxonomy, self.ks = taxonomy, tuple(ks)
        self.add_state("hits", torch.zeros(len(ks), taxonomy.num_levels, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(taxonomy.num_levels, dtype=torch.int64), dist_reduce_fx="sum")

    def update(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch: predictions, and the node of each label."""
        added = HitSums.of(prediction, target, self.ks)
        self.hits += added.hits
        self.count += added.count

    def compute(self) -> dict[str, Tensor]:
        """``hit@k``, the mean over the levels, and ``hit@k/<level>``; NaN where no label has a node at the level."""
        return HitSums(self.hits, self.count).values(self.taxonomy, self.ks)


class LabelCounts(Metric):
    """:func:`~cladewise.metrics.label_scores` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        options: Options of :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.decisions import Nodes
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> counts = LabelCounts(t)
        >>> counts.update(Nodes(torch.tensor([2, 3]), torch.zeros(2)), torch.tensor([2, 2]))
        >>> values = counts.compute()
        >>> values["micro_f1"].item(), values["micro_f1/species"].item()
        (0.75, 0.5)
    """

    is_differentiable = False
    full_state_update = False

    hit: Tensor
    said: Tensor
    true: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(**options)
        self.taxonomy = taxonomy
        for state in ("hit", "said", "true"):
            self.add_state(state, torch.zeros(len(self.nodes), dtype=torch.int64), dist_reduce_fx="sum")

    @property
    def nodes(self) -> Int[np.ndarray, " label"]:
        """Node of every label, one level after another."""
        return label_nodes(self.taxonomy)

    @property
    def bounds(self) -> tuple[int, ...]:
        """Position of each level's first label, and the number of labels."""
        return label_bounds(self.taxonomy)

    @property
    def true_positive(self) -> Int[Tensor, " label"]:
        """Images that have the label and for which it was predicted."""
        return self.hit

    @property
    def false_positive(self) -> Int[Tensor, " label"]:
        """Images for which the label was predicted and that do not have it."""
        return self.said - self.hit

    @property
    def false_negative(self) -> Int[Tensor, " label"]:
        """Images that have the label and for which it was not predicted."""
        return self.true - self.hit

    def update(self, answer: Answer, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch: the answers of a decision, and the node of each label."""
        added = LabelSums.of(answer, target, self.taxonomy)
        self.hit += added.hit
        self.said += added.said
        self.true += added.true

    def compute(self) -> dict[str, Tensor]:
        """Each of :data:`AVERAGES` over all labels under its name, and per level under ``name/<level>``."""
        return LabelSums(self.hit, self.said, self.true).values(self.taxonomy)


class OperatingCurves(Metric):
    r"""The operating curve over every image seen, on all processes: exactly that of one batch on one process.

    Each image starts at the first point of its :func:`~cladewise.decisions.pareto.pareto_sequence`, usually the root;
    as the threshold falls it moves to the next. The curve has one point for every distinct probability of a step.
    Recall, precision and correctness are :func:`~cladewise.metrics.information.information_scores`, or
    :func:`~cladewise.metrics.information.depth_scores`.

    One probability and three whole numbers are kept per step, so that sums depend neither on the order of the images
    nor on the processes; steps at equal probability are merged.

    Args:
        taxonomy: The label tree.
        min_prob: Probability that a node has to exceed to be an operating point; 0 for no minimum, as published.
        measure: Quantity of recall and precision, ``"information"`` or ``"depth"``.
        options: Options of :class:`torchmetrics.Metric`.

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

    is_differentiable = False
    full_state_update = False

    start: Tensor
    images: Tensor
    rank: list[Tensor]
    change: list[Tensor]

    def __init__(
        self, taxonomy: Taxonomy, min_prob: float = 0.0, measure: Measure = "information", **options: Any
    ) -> None:
        super().__init__(**options)
        self.taxonomy, self.min_prob = taxonomy, min_prob
        self.measure: Measure = checked(measure)
        self.add_state("start", torch.zeros(3, dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("images", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")
        self.add_state("rank", [], dist_reduce_fx="cat")
        self.add_state("change", [], dist_reduce_fx="cat")

    def update(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch: predictions, and the node of each label."""
        self.add(pareto_sequence(prediction, self.min_prob), target)

    def add(self, sequence: ParetoSequence, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch whose operating points are already known; labels as in :meth:`update`."""
        steps = Steps.of(sequence, target.reshape(-1), self.taxonomy, self.measure)
        self.start += steps.start.sum(0)
        self.images += len(steps.start)
        self.rank.append(steps.rank)
        self.change.append(steps.change)
        # merging only when new steps outnumber merged ones keeps the total cost linear in the steps
        if sum(map(len, self.rank[1:])) > max(len(self.rank[0]), MERGE_FROM):
            self._merge()

    def compute(self) -> OperatingCurve:
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


class Reliability(Metric):
    """:func:`~cladewise.metrics.reliability_curves` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        bins: Number of bins.
        options: Options of :class:`torchmetrics.Metric`.

    Raises:
        InputError: There is no bin.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a",), ("b",)], level_names=["kind"])
        >>> reliability = Reliability(t)
        >>> reliability.update(LeafSoftmax(t, torch.tensor([[0.75, 0.25]] * 2).log()), torch.tensor([1, 2]))
        >>> round(reliability.compute()["kind"].ece, 4)
        0.25
    """

    is_differentiable = False
    full_state_update = False

    confidence: Tensor
    correct: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, bins: int = 15, **options: Any) -> None:
        check_bins(bins)
        super().__init__(**options)
        self.taxonomy, self.bins = taxonomy, bins
        for state in ("confidence", "correct", "count"):
            zeros = torch.zeros(taxonomy.num_levels, bins, dtype=torch.int64)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def update(self, prediction: Prediction, target: Int[Tensor, "*batch"]) -> None:
        """Add a batch: predictions, and the node of each label."""
        added = ReliabilitySums.of(prediction, target, self.bins)
        self.confidence += added.confidence
        self.correct += added.correct
        self.count += added.count

    def compute(self) -> dict[str, ReliabilityCurve]:
        """The curve of every level, by the level's name."""
        return ReliabilitySums(self.confidence, self.correct, self.count).curves(self.taxonomy)


class SetSizes(Metric):
    """:func:`~cladewise.metrics.label_set_sizes` over every image seen, on all processes.

    Only integers are summed, so neither the batches nor the number of processes makes a difference.

    Args:
        options: Options of :class:`torchmetrics.Metric`.

    Example:
        >>> sizes = SetSizes()
        >>> chosen = torch.tensor([[True, True, False], [False, True, True], [True, False, False]])
        >>> sizes.update(LabelSets(chosen, torch.zeros(3, 3)))
        >>> {name: round(value.item(), 3) for name, value in sizes.compute().items()}
        {'labels_min': 0.0, 'labels_max': 2.0, 'labels_mean': 1.0, 'labels_sd': 0.816}
    """

    is_differentiable = False
    full_state_update = False

    least: Tensor
    largest: Tensor
    total: Tensor
    squares: Tensor
    images: Tensor

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.add_state("least", torch.tensor(torch.iinfo(torch.int64).max), dist_reduce_fx="min")
        self.add_state("largest", torch.tensor(-1), dist_reduce_fx="max")
        for state in ("total", "squares", "images"):
            self.add_state(state, torch.tensor(0), dist_reduce_fx="sum")

    def update(self, answer: LabelSets) -> None:
        """Add a batch."""
        added = SizeSums.of(answer)
        self.least, self.largest = torch.minimum(self.least, added.least), torch.maximum(self.largest, added.largest)
        self.total += added.total
        self.squares += added.squares
        self.images += added.images

    def compute(self) -> dict[str, Tensor]:
        """Each of :data:`~cladewise.metrics.SIZES` under its name; NaN without an image."""
        return SizeSums(
            least=self.least, largest=self.largest, total=self.total, squares=self.squares, images=self.images
        ).values()
