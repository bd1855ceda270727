"""Streaming metrics: torchmetrics modules for training loops and several processes.

All of them are updated by ``update(preds, target)``, as :class:`~cladewise.metrics.TreeMetric` describes. Only this
module, that of the base class and that of collections import torchmetrics.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor
from torchmetrics.utilities.data import dim_zero_cat

from cladewise.decisions import Answer, LabelSets, Nodes, climbing_sequence
from cladewise.decisions.pareto import ParetoSequence, pareto_sequence
from cladewise.errors import InputError
from cladewise.metrics.answer_scores import RANKING_LENGTH, answer_columns, score_answer
from cladewise.metrics.hits import HitSums, check_ks
from cladewise.metrics.label_counts import AVERAGES, LabelSums, label_bounds, label_nodes
from cladewise.metrics.level_accuracy import weighted_level_accuracy
from cladewise.metrics.operating import Measure, OperatingCurve, Steps, checked, curve_of, merged
from cladewise.metrics.ordered_preference import HOPS_AT, hops, hops_columns
from cladewise.metrics.prediction_scores import PREDICTION_COLUMNS, score_prediction
from cladewise.metrics.reliability import ReliabilityCurve, ReliabilitySums, check_bins
from cladewise.metrics.set_scores import score_set, set_columns
from cladewise.metrics.set_sizes import SIZES, SizeSums
from cladewise.metrics.tree_metric import Given, TreeMetric
from cladewise.taxonomy import Taxonomy

GRID = float(1 << 30)
"""Fractions of 1 that values are rounded to, finer than single precision resolves."""
RANKED = ("top5", "hd@5", "hd@20")
"""Columns of :func:`score_answer` that need a ranking of nodes."""
SHARE = re.compile(r"r@\d{1,2}(\.\d+)?")
"""Names of the best recall at a share of correct answers."""
MERGE_FROM = 1 << 18
"""Steps that :class:`OperatingCurves` keeps unmerged; 8 MB."""


class ColumnMeans(TreeMetric):
    """Means of one value per image and metric over every image seen, on all processes.

    Only a sum and a number of images are kept for each metric. Values are summed as whole multiples of 2⁻³⁰, which is
    exact in double precision for sums up to eight million. So the result depends neither on the size and order of the
    batches nor on which process saw which images, to the last bit; no image is counted twice or dropped.
    """

    total: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(taxonomy, **options)
        width = len(self.columns())
        self.add_state("total", torch.zeros(width, dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("count", torch.zeros(width, dtype=torch.int64), dist_reduce_fx="sum")

    def columns(self) -> tuple[str, ...]:
        """Names of the values per image."""
        raise NotImplementedError

    def names(self) -> tuple[str, ...]:
        return self.columns()

    def _apply(self, fn: Callable[[Tensor], Tensor], exclude_state: Sequence[str] = ()) -> ColumnMeans:
        """Move the sums along with the module they are part of, but keep their precision.

        The base class would follow ``.to(torch.bfloat16)``, in which no count survives beyond 256.
        """
        super()._apply(fn, exclude_state=(*exclude_state, "total", "count"))
        self.total, self.count = self.total.to(self.device), self.count.to(self.device)
        self._defaults.update(total=torch.zeros_like(self.total), count=torch.zeros_like(self.count))
        self._computed = None
        return self

    def _add(self, columns: dict[str, Float[Tensor, "*batch"]]) -> None:
        values = torch.stack([column.flatten() for column in columns.values()]).double()
        self.total += (values * GRID).round().nansum(-1) / GRID
        self.count += values.isfinite().sum(-1)

    def values(self) -> dict[str, Tensor]:
        """Mean of every metric over its non-NaN values, NaN if there are none."""
        return dict(zip(self.columns(), (self.total / self.count).unbind(), strict=True))


class HierarchicalMetrics(ColumnMeans):
    """Means of :func:`~cladewise.metrics.score_answer`: the metrics of a decision, over every image seen.

    A prediction or logits are decided and ranked by ``decision``. Answers and nodes come without a ranking, so
    ``top5``, ``hd@5`` and ``hd@20`` do not count them; :meth:`add` takes a ranking.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> metrics = HierarchicalMetrics(t)
        >>> metrics.update(LeafSoftmax(t, torch.eye(3)[[0, 2]]), torch.tensor([2, 2]))
        >>> values = metrics.compute()
        >>> values["top1"].item(), values["severity"].item(), values["level_accuracy"].item()
        (0.5, 2.0, 0.5)
        >>> severity = HierarchicalMetrics(t, only="severity")
        >>> severity(torch.tensor([2, 4]), torch.tensor([2, 2])), severity.higher_is_better
        (tensor(2., dtype=torch.float64), False)
    """

    def columns(self) -> tuple[str, ...]:
        return answer_columns(self.taxonomy)

    def names(self) -> tuple[str, ...]:
        return (*self.columns(), "level_accuracy", "weighted_level_accuracy")

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        answer, prediction = self.answer_of(preds)
        if isinstance(answer, LabelSets):
            raise InputError(
                "an answer of one node for HierarchicalMetrics", "sets", advice="Use SetMetrics for these."
            )
        if prediction is not None:
            ranking = self.decision.ranking(prediction, RANKING_LENGTH, answer)
            self._add(score_answer(answer, ranking, self.nodes_of(target), self.taxonomy))
            return
        node = answer.node if isinstance(answer, Nodes) else answer.node[..., -1]
        columns = score_answer(answer, node[..., None], self.nodes_of(target), self.taxonomy)
        self._add({name: torch.full_like(x, torch.nan) if name in RANKED else x for name, x in columns.items()})

    def add(self, answer: Answer, ranking: Int[Tensor, "*batch rank"], target: Int[Tensor, "*batch"]) -> None:
        """Add a batch with a ranking of one's own; the arguments are those of :func:`score_answer`."""
        self.added()
        self._add(score_answer(answer, ranking, target, self.taxonomy))

    def values(self) -> dict[str, Tensor]:
        """Mean of every metric over its non-NaN values, NaN if there are none.

        Also ``level_accuracy`` and ``weighted_level_accuracy``, the means over the levels.
        """
        values = super().values()
        levels = torch.stack([values[f"level_accuracy/{name}"] for name in self.taxonomy.level_names])
        weighted = weighted_level_accuracy(levels, self.taxonomy)
        return {**values, "level_accuracy": levels.nanmean(), "weighted_level_accuracy": weighted}


class PredictionMetrics(ColumnMeans):
    """Means of :func:`~cladewise.metrics.score_prediction`, which do not depend on ``decision``.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> metrics = PredictionMetrics(t)
        >>> metrics.update(LeafSoftmax(t, torch.tensor([[0.4, 0.3, 0.2, 0.1]]).log()), torch.tensor([2]))
        >>> round(metrics.compute()["majority_f1"].item(), 4)
        0.6667
    """

    def columns(self) -> tuple[str, ...]:
        return PREDICTION_COLUMNS

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        self._add(score_prediction(self.prediction_of(preds), self.nodes_of(target)))


class OrderedPreference(ColumnMeans):
    """Means of :func:`~cladewise.metrics.hops`, for all leaves and the best ``k``.

    Args:
        taxonomy: The label tree.
        ks: Values of ``k``, each at least 1.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Raises:
        InputError: A ``k`` is below 1.

    Example:
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> metrics = OrderedPreference(t, ks=(3,))
        >>> metrics.update(LeafSoftmax(t, torch.tensor([[4.0, 1.0, 3.0, 2.0]])), torch.tensor([2]))
        >>> {name: round(value.item(), 4) for name, value in metrics.compute().items()}
        {'hops': 0.7917, 'hops@3': 0.8}
    """

    def __init__(self, taxonomy: Taxonomy, ks: Sequence[int] = HOPS_AT, **options: Any) -> None:
        check_ks(ks)
        self.ks = tuple(ks)
        super().__init__(taxonomy, **options)

    def own_settings(self) -> tuple[str, ...]:
        return (repr(self.ks),)

    def columns(self) -> tuple[str, ...]:
        return hops_columns(self.ks)

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        self._add(hops(self.prediction_of(preds), self.nodes_of(target), self.ks))


class SetMetrics(ColumnMeans):
    """Means of :func:`~cladewise.metrics.score_set`: coverage, size and specificity of sets of labels.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`; ``decision`` answers with sets.

    Example:
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> metrics = SetMetrics(t, only="set_coverage")
        >>> chosen = torch.tensor([[False, True, True, False, False], [False, False, False, False, True]])
        >>> metrics(LabelSets(chosen, torch.zeros(2, 5)), torch.tensor([2, 3])).item()
        0.5
    """

    def columns(self) -> tuple[str, ...]:
        return set_columns(self.taxonomy)

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        self._add(score_set(sets_of(self, preds), self.nodes_of(target), self.taxonomy))


def sets_of(metric: TreeMetric, preds: Given) -> LabelSets:
    """The sets of labels that a metric is given or decides.

    Raises:
        InputError: The answer is not a set.
    """
    answer, _ = metric.answer_of(preds)
    if not isinstance(answer, LabelSets):
        advice = 'Pass decision="boundary", for example.'
        raise InputError(f"sets of labels for {type(metric).__name__}", type(answer).__name__, advice=advice)
    return answer


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


class LabelCounts(TreeMetric):
    """:func:`~cladewise.metrics.label_scores` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> from cladewise.decisions import Nodes
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)], level_names=["genus", "species"])
        >>> counts = LabelCounts(t)
        >>> counts.update(Nodes(torch.tensor([2, 3]), torch.zeros(2)), torch.tensor([2, 2]))
        >>> values = counts.compute()
        >>> values["micro_f1"].item(), values["micro_f1/species"].item()
        (0.75, 0.5)
    """

    hit: Tensor
    said: Tensor
    true: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(taxonomy, **options)
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

    def names(self) -> tuple[str, ...]:
        return (*AVERAGES, *(f"{name}/{level}" for level in self.taxonomy.level_names for name in AVERAGES))

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        added = LabelSums.of(self.answer_of(preds)[0], self.nodes_of(target), self.taxonomy)
        self.hit += added.hit
        self.said += added.said
        self.true += added.true

    def values(self) -> dict[str, Tensor]:
        """Each of :data:`AVERAGES` over all labels under its name, and per level under ``name/<level>``."""
        return LabelSums(self.hit, self.said, self.true).values(self.taxonomy)


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


class Reliability(TreeMetric):
    """:func:`~cladewise.metrics.reliability_curves` over every image seen, on all processes.

    Args:
        taxonomy: The label tree.
        bins: Number of bins.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

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

    confidence: Tensor
    correct: Tensor
    count: Tensor

    def __init__(self, taxonomy: Taxonomy, bins: int = 15, **options: Any) -> None:
        check_bins(bins)
        self.bins = bins
        super().__init__(taxonomy, **options)
        for state in ("confidence", "correct", "count"):
            zeros = torch.zeros(taxonomy.num_levels, bins, dtype=torch.int64)
            self.add_state(state, zeros, dist_reduce_fx="sum")

    def own_settings(self) -> tuple[str, ...]:
        return (repr(self.bins),)

    def names(self) -> tuple[str, ...]:
        return tuple(f"{error}/{level}" for level in self.taxonomy.level_names for error in ("ece", "mce"))

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        added = ReliabilitySums.of(self.prediction_of(preds), self.nodes_of(target), self.bins)
        self.confidence += added.confidence
        self.correct += added.correct
        self.count += added.count

    def values(self) -> dict[str, Tensor]:
        errors = {
            f"{name}/{level}": value
            for level, curve in self.everything().items()
            for name, value in (("ece", curve.ece), ("mce", curve.mce))
        }
        return {name: torch.tensor(value, dtype=torch.float64, device=self.device) for name, value in errors.items()}

    def everything(self) -> dict[str, ReliabilityCurve]:
        """The curve of every level, by the level's name."""
        return ReliabilitySums(self.confidence, self.correct, self.count).curves(self.taxonomy)


class SetSizes(TreeMetric):
    """:func:`~cladewise.metrics.label_set_sizes` over every image seen, on all processes.

    Only integers are summed, so neither the batches nor the number of processes makes a difference.

    Args:
        taxonomy: The label tree.
        options: Those of :class:`TreeMetric` and :class:`torchmetrics.Metric`.

    Example:
        >>> sizes = SetSizes(Taxonomy.from_paths([("a",), ("b",)]))
        >>> chosen = torch.tensor([[True, True, False], [False, True, True], [True, False, False]])
        >>> sizes.update(LabelSets(chosen, torch.zeros(3, 3)), torch.tensor([1, 2, 1]))
        >>> {name: round(value.item(), 3) for name, value in sizes.compute().items()}
        {'labels_min': 0.0, 'labels_max': 2.0, 'labels_mean': 1.0, 'labels_sd': 0.816}
    """

    least: Tensor
    largest: Tensor
    total: Tensor
    squares: Tensor
    images: Tensor

    def __init__(self, taxonomy: Taxonomy, **options: Any) -> None:
        super().__init__(taxonomy, **options)
        self.add_state("least", torch.tensor(torch.iinfo(torch.int64).max), dist_reduce_fx="min")
        self.add_state("largest", torch.tensor(-1), dist_reduce_fx="max")
        for state in ("total", "squares", "images"):
            self.add_state(state, torch.tensor(0), dist_reduce_fx="sum")

    def names(self) -> tuple[str, ...]:
        return SIZES

    def update(self, preds: Given, target: Int[Tensor, "*batch"]) -> None:
        added = SizeSums.of(sets_of(self, preds))
        self.least, self.largest = torch.minimum(self.least, added.least), torch.maximum(self.largest, added.largest)
        self.total += added.total
        self.squares += added.squares
        self.images += added.images

    def values(self) -> dict[str, Tensor]:
        """Each of :data:`~cladewise.metrics.SIZES` under its name; NaN without an image."""
        return SizeSums(
            least=self.least, largest=self.largest, total=self.total, squares=self.squares, images=self.images
        ).values()
