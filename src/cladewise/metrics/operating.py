"""The operating curve: recall, precision and correctness as the threshold on the probability falls."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable, Iterator
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from cladewise.decisions.pareto import ParetoSequence
from cladewise.errors import InputError
from cladewise.metrics.fixed_point import mean_of_units, to_units
from cladewise.metrics.information import depth_scores, information_scores, specificity_scores
from cladewise.taxonomy import Taxonomy

Measure = Literal["information", "depth", "specificity"]
"""Quantity that recall and precision are ratios of: information, or depth in edges.

With ``"specificity"``, that of the answer, right or not, is in the place of recall: for risk–coverage curves.
"""

IMAGES_AT_ONCE = 1 << 14
"""Images whose scores are computed at a time, which bounds the memory for what is not kept."""

STEPS_AT_ONCE = 1 << 18
"""Steps of a curve that are summed at a time."""

STEPS_KEPT = 1 << 22
"""Steps of a curve that are sorted as a whole. A longer curve is read at :data:`EDGES` thresholds."""

EDGES = 1 << 16
"""Thresholds at which a long curve is read, evenly spaced among its steps. Its values there are exact."""

SCORES = {"information": information_scores, "depth": depth_scores, "specificity": specificity_scores}


def checked(measure: Measure) -> Measure:
    """The measure, checked.

    Raises:
        InputError: There is no such measure.
    """
    if measure not in SCORES:
        raise InputError(f"a measure: {', '.join(SCORES)}", repr(measure))
    return measure


class OperatingCurve:
    """Mean scores over the images at every threshold where an answer changes, from the root towards the leaves.

    Args:
        threshold: Probability that a node has to reach, falling; NaN for the first point, where no image has moved.
        recall: Mean recall of information or of depth.
        precision: Mean precision of information or of depth.
        correct: Share of the images whose answer lies on the path to or from the label.
    """

    # not a dataclass: torchmetrics takes those apart, and would turn a curve of one point into an empty one

    def __init__(
        self,
        threshold: Float[Tensor, " point"],
        recall: Float[Tensor, " point"],
        precision: Float[Tensor, " point"],
        correct: Float[Tensor, " point"],
    ) -> None:
        self.threshold, self.recall, self.precision, self.correct = threshold, recall, precision, correct

    @property
    def average_precision(self) -> float:
        r"""Area under the best precision at each recall, :math:`\int P \, dR`."""
        return pareto_integral(self.recall, self.precision).item()

    @property
    def average_correct(self) -> float:
        r"""Area under the best correctness at each recall, :math:`\int C \, dR`."""
        return pareto_integral(self.recall, self.correct).item()

    @property
    def risk_area(self) -> float:
        r"""Area under the risk, 1 minus correctness, by specificity: the hAURC of a curve of specificities.

        .. math:: \int_0^1 (1 - C) \, d\phi

        Points are joined by straight lines, and the first one with specificity 0, where the answer is the root.
        """
        return risk_integral(self.recall, self.correct).item()

    def recall_at(self, correct: float) -> float:
        """The best recall at a correctness of at least ``correct``, 0 if there is none; R@95 is ``recall_at(0.95)``.

        Raises:
            InputError: The correctness is not in [0, 1].
        """
        if not 0 <= correct <= 1:
            raise InputError("a correctness in [0, 1]", correct, advice="R@95 is recall_at(0.95).")
        return best_at(self.correct, self.recall, correct).item()

    def thinned(self, points: int) -> OperatingCurve:
        """The curve with at most this many points, evenly spaced along it, including both ends.

        Raises:
            InputError: ``points`` is below 2.
        """
        if points < 2:
            raise InputError("at least two points", points)
        if len(self.recall) <= points:
            return self
        # one score after another, since curves of millions of points are long
        steps = self.recall.diff().abs_()
        for score in (self.precision, self.correct):
            steps += score.diff().abs_()
        length = torch.cat([steps.new_zeros(1), steps.cumsum(0)])
        wanted = torch.linspace(0, 1, points, dtype=length.dtype, device=length.device) * length[-1]
        kept = torch.searchsorted(length, wanted).clamp_max(len(length) - 1)
        kept[-1] = len(length) - 1
        kept = kept.unique()
        return OperatingCurve(*(values[kept] for values in vars(self).values()))

    def to_dict(self) -> dict[str, list[float | None]]:
        """Lists by name, as stored in an evaluation; ``None`` for NaN.

        Example:
            >>> point = torch.tensor([float("nan"), 0.5]), torch.tensor([0.0, 1.0])
            >>> OperatingCurve(point[0], point[1], point[1], point[1]).to_dict()["threshold"]
            [None, 0.5]
        """
        return {n: [x if math.isfinite(x) else None for x in values.tolist()] for n, values in vars(self).items()}


def pareto_integral(a: Float[Tensor, "*batch point"], b: Float[Tensor, "*batch point"]) -> Float[Tensor, "*batch"]:
    r"""Area under the upper envelope of points: at each x, the largest ``b`` among points with ``a`` at least x.

    .. math:: \int_0^{\max a} \max \{b_i : a_i \ge x\} \, dx

    Example:
        >>> a, b = torch.tensor([0.1, 0.2, 0.8]), torch.tensor([0.9, 0.5, 0.3])
        >>> round(pareto_integral(a, b).item(), 6)
        0.32

    References:
        Valmadre, Hierarchical classification at multiple operating points, NeurIPS 2022, arXiv:2210.10929.
    """
    a, order = a.sort(dim=-1)
    best = b.gather(-1, order)
    del order  # curves of millions of points are long
    best = best.flip(-1)
    best = best.cummax(-1).values
    best = best.flip(-1)
    return torch.cat([a[..., :1], a.diff(dim=-1)], -1).mul_(best).sum(-1)


def risk_integral(
    specificity: Float[Tensor, "*batch point"], correct: Float[Tensor, "*batch point"]
) -> Float[Tensor, "*batch"]:
    r"""Area under the risk by the coverage of a curve along which the coverage rises, by trapezoids.

    Example:
        >>> risk_integral(torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0, 1.0, 0.5]))
        tensor(0.1250)

    References:
        Goren, Galil and El-Yaniv, Hierarchical selective classification, NeurIPS 2024, arXiv:2405.11533, definition of
        hAURC. The released code begins at the first point; where leaves are answered with certainty, that lacks a part.
    """
    zero = torch.zeros_like(specificity[..., :1])
    coverage, risk = torch.cat([zero, specificity], -1), torch.cat([zero, 1 - correct], -1)
    return torch.trapezoid(risk, coverage)


def best_at(
    constraint: Float[Tensor, "*batch point"], value: Float[Tensor, "*batch point"], at_least: float
) -> Float[Tensor, "*batch"]:
    """The largest value among points that meet the constraint; 0 if none does.

    Example:
        >>> best_at(torch.tensor([1.0, 0.9, 0.8]), torch.tensor([0.0, 0.3, 0.6]), 0.9)
        tensor(0.3000)
    """
    return torch.where(constraint >= at_least, value, 0.0).amax(-1)


@dataclasses.dataclass(frozen=True, eq=False)
class Steps:
    """Increments of an operating curve: the scores at each image's first point, and their change at each later point.

    Scores are exact whole numbers (:mod:`~cladewise.metrics.fixed_point`) of recall, precision and correctness.
    """

    start: Int[Tensor, "image score"]
    rank: Int[Tensor, " step"]
    """Sort key of falling probability: the bit pattern of minus the log-probability in single precision."""
    change: Int[Tensor, "step score"]
    image: Int[Tensor, " step"]

    def in_order(self) -> tuple[Int[Tensor, " step"], Iterator[Int[Tensor, "step score"]]]:
        """The ranks, ascending, and the changes in that order in parts."""
        rank, order = self.rank.sort()
        change = self.change  # and not the images
        return rank, (change[part] for part in order.split(STEPS_AT_ONCE) if len(part))

    @classmethod
    def of(cls, sequence: ParetoSequence, target: Int[Tensor, " image"], taxonomy: Taxonomy, measure: Measure) -> Steps:
        """Compute the steps from operating points and labels.

        Raises:
            InputError: There is not one label for each image, or no such measure.
        """
        checked(measure)
        if target.shape != (sequence.num_images,):
            raise InputError(f"a label for each of {sequence.num_images} images", f"shape {list(target.shape)}")
        if sequence.num_images <= IMAGES_AT_ONCE:
            return cls._of(sequence, target, taxonomy, measure, 0)
        found, first, device = None, 0, target.device
        for images, part in cls.parts(sequence, target, taxonomy, measure):
            if found is None:  # whole from the start, so that parts and whole are never there twice
                found = cls._empty(part, sequence.num_images, len(sequence.node) - sequence.num_images, device)
            found.start[images] = part.start
            for name in ("rank", "change", "image"):
                vars(found)[name][first : first + len(part.rank)] = vars(part)[name]
            first += len(part.rank)
        return found or cls._of(sequence, target, taxonomy, measure, 0)

    @classmethod
    def parts(
        cls, sequence: ParetoSequence, target: Int[Tensor, " image"], taxonomy: Taxonomy, measure: Measure
    ) -> Iterator[tuple[slice, Steps]]:
        """The steps of some images after another; images are numbered throughout."""
        for at in range(0, sequence.num_images, IMAGES_AT_ONCE):
            images = slice(at, min(at + IMAGES_AT_ONCE, sequence.num_images))
            yield images, cls._of(sequence[images], target[images], taxonomy, measure, at)

    @classmethod
    def _empty(cls, like: Steps, images: int, steps: int, device: torch.device) -> Steps:
        def empty(values: Tensor, length: int) -> Tensor:
            return torch.empty((length, *values.shape[1:]), dtype=values.dtype, device=device)

        return cls(empty(like.start, images), *(empty(each, steps) for each in (like.rank, like.change, like.image)))

    @classmethod
    def _of(cls, sequence: ParetoSequence, target: Tensor, taxonomy: Taxonomy, measure: Measure, first: int) -> Steps:
        """The steps of images that are numbered from ``first``."""
        image = sequence.image
        scores = SCORES[measure](sequence.node.long(), target[image], taxonomy)
        units = to_units(torch.stack([scores.recall, scores.precision, scores.correct], -1))
        later = torch.ones_like(image, dtype=torch.bool)
        later[sequence.offsets[:-1]] = False
        rank = _rank(sequence.log_prob[later])
        return cls(units[sequence.offsets[:-1]], rank, units.diff(dim=0)[later[1:]], (image[later] + first).int())


def operating_curve(
    sequence: ParetoSequence,
    target: Int[Tensor, " image"],
    taxonomy: Taxonomy,
    *,
    measure: Measure = "information",
) -> OperatingCurve:
    """The operating curve of some images; see :class:`OperatingCurves`.

    Args:
        sequence: Their operating points.
        target: Node of each label; internal nodes allowed.
        taxonomy: The label tree.
        measure: Quantity of recall and precision, ``"information"`` or ``"depth"``. The operating points are the same.

    Raises:
        InputError: There is not one label for each image, or no such measure.

    Example:
        >>> from cladewise.decisions import pareto_sequence
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> sequence = pareto_sequence(LeafSoftmax(t, torch.tensor([[0.6, 0.2, 0.1, 0.1]]).log()))
        >>> curve = operating_curve(sequence, torch.tensor([3]), t)
        >>> curve.recall.tolist(), curve.correct.tolist()
        ([0.0, 0.5, 0.5], [1.0, 1.0, 0.0])
    """
    if num_steps(sequence) > STEPS_KEPT:
        return _long_curve(sequence, target, taxonomy, measure)
    steps = Steps.of(sequence, target, taxonomy, measure)
    start, num_images, in_order = steps.start.sum(0), len(steps.start), steps.in_order()
    del steps
    return _curve(start, num_images, *in_order)


def num_steps(sequence: ParetoSequence) -> int:
    """Number of operating points after the first of each image."""
    return len(sequence.node) - sequence.num_images


def rank_edges(sequence: ParetoSequence, count: int) -> Int[Tensor, " edge"]:
    """Distinct ranks among the steps, ascending and evenly spaced by their position, the last one included.

    Args:
        sequence: Operating points of the images.
        count: Maximum number of them.
    """
    later = torch.ones(len(sequence.node), dtype=torch.bool, device=sequence.node.device)
    later[sequence.offsets[:-1]] = False
    rank = _rank(sequence.log_prob[later]).cpu().numpy()
    rank.sort()
    at = np.linspace(0, len(rank) - 1, min(count, len(rank))).round().astype(np.int64)
    return torch.from_numpy(np.unique(rank[at])).to(sequence.node.device)


def _long_curve(sequence: ParetoSequence, target: Tensor, taxonomy: Taxonomy, measure: Measure) -> OperatingCurve:
    """The curve at :data:`EDGES` thresholds, in memory that does not grow with the number of steps."""
    checked(measure)
    edges = rank_edges(sequence, EDGES)
    start = torch.zeros(3, dtype=torch.int64, device=edges.device)
    change = start.new_zeros(len(edges), 3)
    for _, part in Steps.parts(sequence, target, taxonomy, measure):
        start += part.start.sum(0)
        change.index_add_(0, torch.searchsorted(edges, part.rank), part.change)
    return _curve(start, sequence.num_images, edges, [change])


def _rank(log_prob: Tensor) -> Int[Tensor, " step"]:
    """Sort key of falling probability; see :class:`Steps`."""
    return (0.0 - log_prob.float()).view(torch.int32)


def merged(rank: Tensor, change: Tensor) -> tuple[Tensor, Tensor]:
    """The distinct ranks, ascending, and the summed change at each."""
    distinct, place = rank.unique(return_inverse=True)
    return distinct, change.new_zeros(len(distinct), change.shape[1]).index_add_(0, place, change)


def curve_of(start: Tensor, num_images: int, rank: Tensor, change: Tensor) -> OperatingCurve:
    """The curve of :func:`merged` steps, from the sum of the images' first scores."""
    return _curve(start, num_images, rank.int(), [change] if len(change) else [])


def _curve(start: Tensor, num_images: int, rank: Tensor, changes: Iterable[Tensor]) -> OperatingCurve:
    """The curve of steps by ascending rank, of which equal ones become one point.

    Args:
        start: Sum of the images' first scores.
        num_images: Number of images.
        rank: Rank of each step.
        changes: The changes of the steps, in parts, each a tensor ``[step, score]``.
    """
    last = torch.ones_like(rank, dtype=torch.bool)
    last[:-1] = rank[1:] != rank[:-1]
    count, total = torch.as_tensor(num_images, device=start.device), start
    means = start.new_empty((3, int(last.sum()) + 1), dtype=torch.float64)
    means[:, 0] = mean_of_units(start, count)
    step = point = 0
    for change in changes:
        sums = total + change.cumsum(0)
        here = sums[last[step : step + len(change)]]
        means[:, point + 1 : point + 1 + len(here)] = mean_of_units(here, count).t()
        total, step, point = sums[-1], step + len(change), point + len(here)
    threshold = rank.new_empty(means.shape[1], dtype=torch.float64)
    threshold[0] = torch.nan
    threshold[1:] = torch.exp(-rank[last].view(torch.float32).double())
    return OperatingCurve(threshold, *means)
