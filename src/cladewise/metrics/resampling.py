"""Bootstrap intervals of areas and points of an operating curve."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import coo_array
from torch import Tensor

from cladewise.decisions.pareto import ParetoSequence
from cladewise.errors import InputError
from cladewise.metrics.fixed_point import UNITS
from cladewise.metrics.operating import (
    STEPS_AT_ONCE,
    STEPS_KEPT,
    Measure,
    Steps,
    best_at,
    num_steps,
    operating_curve,
    pareto_integral,
    rank_edges,
    risk_integral,
)
from cladewise.statistics import Interval
from cladewise.taxonomy import Taxonomy

POINTS = 1 << 13
"""Maximum number of points of a resampled curve, evenly spaced by rank."""


def curve_intervals(
    sequence: ParetoSequence,
    target: Int[Tensor, " image"],
    taxonomy: Taxonomy,
    *,
    recall_at: Sequence[float] = (0.9, 0.95),
    measure: Measure = "information",
    confidence: float = 0.95,
    samples: int = 200,
    seed: int = 0,
) -> dict[str, Interval]:
    """Percentile bootstrap intervals of ``ap``, ``ac`` and ``r@<percent>`` over images.

    Each resample weights every image by how often it was drawn. The steps of all images are sorted once; a resample is
    then one weighted cumulative sum over them, read at no more than :data:`POINTS` thresholds. The values themselves
    are those of the whole curve.

    Args:
        sequence: Operating points of the images.
        target: Node of each label; internal nodes allowed.
        taxonomy: The label tree.
        recall_at: Levels of correctness at which recall is read: 0.95 gives ``r@95``.
        measure: Quantity of recall and precision, ``"information"`` or ``"depth"``.
        confidence: Confidence level of the intervals, in (0, 1).
        samples: Number of resamples of the images.
        seed: Seed of the resamples: equal seeds give equal intervals.

    Returns:
        An interval under each name; NaN and a count of 0 without images.

    Raises:
        InputError: A parameter is out of its range, or there is not one label for each image.

    Example:
        >>> from cladewise.decisions.pareto import pareto_sequence
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
        >>> sequence = pareto_sequence(LeafSoftmax(t, torch.eye(3) * 50))
        >>> curve_intervals(sequence, torch.tensor([2, 3, 4]), t)["r@95"]
        Interval(value=1.0, low=1.0, high=1.0, count=3)

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    curve = operating_curve(sequence, target, taxonomy, measure=measure)
    at = {percent_name(x): x for x in recall_at}  # equal to ten digits: one name and one number
    values = {"ap": curve.average_precision, "ac": curve.average_correct}
    values |= {name: curve.recall_at(x) for name, x in at.items()}
    del curve  # before the resamples, which need as much memory

    def read(recall: Tensor, precision: Tensor, correct: Tensor) -> list[Tensor]:
        area = [pareto_integral(recall, of) for of in (precision, correct)]
        return [*area, *(best_at(correct, recall, x) for x in at.values())]

    return _intervals(values, read, sequence, target, taxonomy, measure, confidence, samples, seed)


def risk_interval(
    sequence: ParetoSequence,
    target: Int[Tensor, " image"],
    taxonomy: Taxonomy,
    *,
    confidence: float = 0.95,
    samples: int = 200,
    seed: int = 0,
) -> Interval:
    """Area under the risk–coverage curve, hAURC, with a percentile bootstrap interval over images.

    Args:
        sequence: The answers of each image from the root to a leaf: of :func:`~cladewise.decisions.climbing_sequence`
            for the rule of the paper, of :func:`~cladewise.decisions.pareto_sequence` for a plain threshold.
        target: Node of each label; internal nodes allowed.
        taxonomy: The label tree.
        confidence: As for :func:`curve_intervals`.
        samples: As for :func:`curve_intervals`.
        seed: As for :func:`curve_intervals`.

    Raises:
        InputError: As :func:`curve_intervals`.

    Example:
        >>> from cladewise.decisions import climbing_sequence
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
        >>> p = LeafSoftmax(t, torch.tensor([[0.5, 0.3, 0.1, 0.1]]).log())
        >>> risk_interval(climbing_sequence(p), torch.tensor([3]), t).value  # right up to the middle, then wrong
        0.25

    References: Goren, Galil and El-Yaniv, Hierarchical selective classification, NeurIPS 2024, arXiv:2405.11533.
    """
    values = {"haurc": operating_curve(sequence, target, taxonomy, measure="specificity").risk_area}

    def read(specificity: Tensor, _: Tensor, correct: Tensor) -> list[Tensor]:
        return [risk_integral(specificity, correct)]

    return _intervals(values, read, sequence, target, taxonomy, "specificity", confidence, samples, seed)["haurc"]


def _intervals(
    values: dict[str, float],
    read: Callable[[Tensor, Tensor, Tensor], list[Tensor]],
    sequence: ParetoSequence,
    target: Tensor,
    taxonomy: Taxonomy,
    measure: Measure,
    confidence: float,
    samples: int,
    seed: int,
) -> dict[str, Interval]:
    """Intervals of what is read off each resampled curve, in the order of the values of the whole."""
    if not 0 < confidence < 1:
        raise InputError("a confidence between 0 and 1", confidence)
    if samples < 1:
        raise InputError("at least one resample", samples)
    count = sequence.num_images
    if count == 0:
        return {name: Interval(np.nan, np.nan, np.nan, 0) for name in values}
    generator = torch.Generator().manual_seed(seed)
    weights = (
        torch.randint(count, (count,), generator=generator).bincount(minlength=count).to(target.device)
        for _ in range(samples)
    )
    resample = _long_resamples if num_steps(sequence) > STEPS_KEPT else _resamples
    drawn = np.empty((samples, len(values)))
    for sample, scores in enumerate(resample(sequence, target, taxonomy, measure, weights)):
        recall, precision, correct = scores / count
        drawn[sample] = torch.stack(read(recall, precision, correct)).cpu().numpy()
    low, high = np.quantile(drawn, [(1 - confidence) / 2, (1 + confidence) / 2], axis=0)
    return {n: Interval(v, float(a), float(b), count) for (n, v), a, b in zip(values.items(), low, high, strict=True)}


def percent_name(correct: float) -> str:
    """Name of the recall at a correctness.

    Example:
        >>> percent_name(0.95), percent_name(0.999)
        ('r@95', 'r@99.9')
    """
    return f"r@{100 * correct:.10g}"


def _resamples(
    sequence: ParetoSequence,
    target: Tensor,
    taxonomy: Taxonomy,
    measure: Measure,
    weights: Iterable[Tensor],
) -> Iterator[Float[Tensor, "score point"]]:
    """Sums of scores along the curve of each resample."""
    ends, change, image, start = _sorted_steps(Steps.of(sequence, target, taxonomy, measure))
    for drawn in weights:
        weight = drawn.to(start)
        first = weight @ start
        later = _sums_at(ends, change, image, weight)
        yield torch.cat([first[:, None], first[:, None] + later], -1)


def _long_resamples(
    sequence: ParetoSequence,
    target: Tensor,
    taxonomy: Taxonomy,
    measure: Measure,
    weights: Iterable[Tensor],
) -> Iterator[Float[Tensor, "score point"]]:
    """:func:`_resamples` for curves of many steps: a matrix product for each part of the images.

    Only how often each image is drawn is kept for all resamples, in a byte per image and resample.
    """
    edges = rank_edges(sequence, POINTS)
    per_image = np.dtype((np.uint8, sequence.num_images))
    often = np.fromiter((drawn.byte().cpu().numpy() for drawn in weights), per_image)
    first, later = np.zeros((3, len(often))), np.zeros((3, len(edges), len(often)))
    for images, part in Steps.parts(sequence, target, taxonomy, measure):
        weight = often[:, images].T.astype(np.float64)
        first += (part.start.double() / UNITS).cpu().numpy().T @ weight
        place = torch.searchsorted(edges, part.rank).cpu().numpy(), part.image.cpu().numpy() - images.start
        for score, values in enumerate((part.change.double() / UNITS).cpu().numpy().T):
            later[score] += coo_array((values, place), shape=(len(edges), len(weight))).tocsr() @ weight
    for sample in range(len(often)):
        start = first[:, sample, None]
        yield torch.from_numpy(np.concatenate([start, start + later[:, :, sample].cumsum(1)], 1))


def _sorted_steps(steps: Steps) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Positions at which a curve is read; changes ``[score, step]`` and images by falling probability; first scores."""
    rank, order = steps.rank.sort()
    change = torch.empty(steps.change.shape[1], len(order), dtype=torch.float64, device=rank.device)
    for score, values in enumerate(steps.change.unbind(1)):
        torch.div(values[order].double(), UNITS, out=change[score])
    return _group_ends(rank), change, steps.image[order], steps.start.double() / UNITS


def _sums_at(ends: Tensor, change: Tensor, image: Tensor, weight: Tensor) -> Float[Tensor, "score end"]:
    """Cumulative sums of the weighted changes at some steps, in chunks, each of which goes on from the last."""
    sums, carried = list[Tensor](), change.new_zeros(len(change), 1)
    for start in range(0, change.shape[1], STEPS_AT_ONCE):
        part = slice(start, start + STEPS_AT_ONCE)
        weighted = change[:, part] * weight[image[part]]
        weighted[:, :1] += carried
        weighted = weighted.cumsum(-1)
        here = ends[(ends >= start) & (ends < start + STEPS_AT_ONCE)] - start
        sums.append(weighted[:, here])
        carried = weighted[:, -1:].clone()
    return torch.cat([change.new_zeros(len(change), 0), *sums], -1)


def _group_ends(rank: Tensor) -> Tensor:
    """Positions of the last step at each probability; if there are many, evenly spaced ones including the last."""
    last = torch.ones_like(rank, dtype=torch.bool)
    last[:-1] = rank[1:] != rank[:-1]
    ends = torch.nonzero(last).squeeze(1)
    if len(ends) <= POINTS:
        return ends
    return ends[torch.linspace(0, len(ends) - 1, POINTS, dtype=torch.float64, device=rank.device).round().long()]
