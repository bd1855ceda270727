"""Bootstrap intervals of means over images, and of paired differences.

All functions take per-image values ``[*series, image]``, NaN where an image does not count, and estimate one number:
the mean over the series (seeds, levels, or both) of each series' mean over its images. All series use the same resample
of images, so that images which are hard for all of them stay paired. Series without images are left out.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from cladewise.errors import InputError

FloatArray = NDArray[np.float64]

CELLS_AT_ONCE = 1 << 20
"""Resampled (resample, image) cells held in memory at a time: a few tens of megabytes."""
LARGEST_TABLE = 1 << 24
"""Values of all series, and as many marks of their absence, that are put into one table; 134 MB."""
DRAWS_AT_ONCE = 1 << 25
"""Numbers of draws, one per resample and image, that are held at a time where the table is larger; 64 MB."""
IMAGES_AT_ONCE = 1 << 14
"""Images of a block of such a table."""
CELLS_KEPT = 1 << 24
"""Maximum cells of resamples that are cached for the next call, 64 MB."""


@dataclasses.dataclass(frozen=True)
class Interval:
    """A value, the ends of its interval, and the number of images it is based on."""

    value: float
    low: float
    high: float
    count: int

    def excludes(self, number: float) -> bool:
        """Whether the whole interval lies on one side of a number; false where it is NaN.

        Example:
            >>> Interval(0.5, 0.1, 0.9, 100).excludes(0.0)
            True
        """
        return self.low > number or self.high < number


def mean_interval(values: ArrayLike, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0) -> Interval:
    """Percentile bootstrap interval of a mean over images.

    Args:
        values: Per-image values ``[*series, image]``; NaN where the image does not count.
        confidence: Confidence level, in (0, 1).
        resamples: Number of resamples of the images.
        seed: Seed of the resamples: equal seeds give equal intervals.

    Returns:
        The interval; ``count`` is the number of images with a value in any series. Without images, NaN and 0.

    Raises:
        InputError: A parameter is out of its range, or a value is infinite.

    Example:
        >>> mean_interval([1.0, 1.0, float("nan"), 1.0])
        Interval(value=1.0, low=1.0, high=1.0, count=3)

    References:
        Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    return mean_intervals({"": values}, confidence=confidence, resamples=resamples, seed=seed)[""]


def mean_intervals(
    columns: Mapping[str, ArrayLike], *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> dict[str, Interval]:
    """:func:`mean_interval` of several columns over the same images, which share one set of resamples.

    For many images the columns are read in blocks in their own precision, so that little memory is needed beside them.
    A column may be a list of arrays, one per series, which can be columns themselves.

    Example:
        >>> intervals = mean_intervals({"top1": [0.0, 1.0], "severity": [3.0, float("nan")]})
        >>> intervals["severity"].count, intervals["top1"].value
        (1, 0.5)
    """
    _check(confidence, resamples)
    if _is_large(columns):
        return _large_intervals(columns, confidence, resamples, seed)
    given = {name: _as_series(values) for name, values in columns.items()}
    if not given:
        return {}
    resampled = _resampled_means(_side_by_side(given), resamples, seed)
    start, result = 0, dict[str, Interval]()
    for name, series in given.items():
        means = _mean_of_defined(resampled[:, start : start + len(series)])
        result[name] = _interval(_mean(series), means, confidence, _counted(series))
        start += len(series)
    return result


def paired_difference(
    first: ArrayLike, second: ArrayLike, *, confidence: float = 0.95, resamples: int = 1000, seed: int = 0
) -> Interval:
    """Percentile bootstrap interval of ``mean(first) - mean(second)`` over the same images in the same order.

    Both are resampled together, so that images which are hard for both do not widen the interval. The two may have
    different numbers of series (seeds).

    Returns:
        The interval; ``count`` is the number of images with a value in any series of either.

    Raises:
        InputError: As :func:`mean_interval`, or the numbers of images differ.

    Example:
        >>> paired_difference([0.9, 0.4, 0.7], [0.8, 0.3, 0.6]).excludes(0.0)
        True
    """
    _check(confidence, resamples)
    a, b = _as_series(first), _as_series(second)
    resampled = _resampled_means(_side_by_side({"first": a, "second": b}), resamples, seed)
    means = _mean_of_defined(resampled[:, : len(a)]) - _mean_of_defined(resampled[:, len(a) :])
    return _interval(_mean(a) - _mean(b), means, confidence, _counted(np.concatenate([a, b])))


def _check(confidence: float, resamples: int) -> None:
    if not 0 < confidence < 1:
        raise InputError("a confidence between 0 and 1", confidence)
    if resamples < 1:
        raise InputError("at least one resample", resamples)


def _as_series(values: ArrayLike) -> FloatArray:
    """Values as ``[series, image]``."""
    array = np.asarray(values, dtype=np.float64)
    if array.ndim == 0:
        raise InputError("values of shape [*series, image]", "a single number")
    if np.isinf(array).any():
        raise InputError("finite values, or NaN where an image does not count", "an infinite value")
    return array.reshape(int(np.prod(array.shape[:-1])), array.shape[-1])


def _side_by_side(columns: Mapping[str, FloatArray]) -> FloatArray:
    """All series of all columns in one array ``[series, image]``."""
    num_images = {name: series.shape[1] for name, series in columns.items()}
    if len(set(num_images.values())) > 1:
        raise _of_other_images(num_images)
    return np.concatenate(list(columns.values()))


def _of_other_images(num_images: Mapping[str, int]) -> InputError:
    listed = ", ".join(f"{name}: {number}" for name, number in num_images.items())
    return InputError("values of the same images", listed, advice="Evaluate both on the same split.")


def _is_large(columns: Mapping[str, ArrayLike]) -> bool:
    arrays = {id(part): part for values in columns.values() for part in _listed(values)}
    return all(map(_is_row, arrays.values())) and 2 * sum(len(part) for part in arrays.values()) > LARGEST_TABLE


def _listed(values: ArrayLike) -> list[NDArray[Any]]:
    return cast("list[NDArray[Any]]", values if isinstance(values, list) else [values])


def _is_row(values: object) -> bool:
    return isinstance(values, np.ndarray) and values.ndim == 1


def _large_intervals(
    columns: Mapping[str, ArrayLike], confidence: float, resamples: int, seed: int
) -> dict[str, Interval]:
    """:func:`mean_intervals` of arrays ``[image]`` and lists of them, each of which is read only block by block."""
    arrays = {id(part): part for values in columns.values() for part in _listed(values)}
    place = {key: number for number, key in enumerate(arrays)}
    lengths = {name: len(part) for name, values in columns.items() for part in _listed(values)}
    if len(set(lengths.values())) > 1:
        raise _of_other_images(lengths)
    series = list(arrays.values())
    resampled = _resampled_in_blocks(series, resamples, seed)
    own = np.array([_mean(_as_series(row)) for row in series])
    result: dict[str, Interval] = {}
    for name, values in columns.items():
        chosen = [place[id(part)] for part in _listed(values)]
        counted = np.zeros(len(series[0]), dtype=np.bool_)
        for part in _listed(values):
            counted |= ~np.isnan(part)
        value = float(_mean_of_defined(own[chosen]))
        result[name] = _interval(value, _mean_of_defined(resampled[:, chosen]), confidence, int(counted.sum()))
    return result


def _resampled_in_blocks(series: Sequence[NDArray[Any]], resamples: int, seed: int) -> FloatArray:
    """:func:`_resampled_means` of many images: some resamples at a time, and of those one block of images at a time."""
    num_images = len(series[0])
    generator = np.random.default_rng(seed)
    means = np.empty((resamples, len(series)))
    rows_at_once = max(1, min(resamples, DRAWS_AT_ONCE // num_images))
    for start in range(0, resamples, rows_at_once):
        drawn = np.empty((min(rows_at_once, resamples - start), num_images), dtype=np.uint16)
        for row in drawn:
            row[:] = np.bincount(generator.integers(num_images, size=num_images), minlength=num_images)
        sums, counts = (np.zeros((len(drawn), len(series))) for _ in range(2))
        for first in range(0, num_images, IMAGES_AT_ONCE):
            images = slice(first, first + IMAGES_AT_ONCE)
            table = np.stack([row[images] for row in series], 1, dtype=np.float64)
            defined = ~np.isnan(table)
            weight = drawn[:, images].astype(np.float64)
            sums += weight @ np.where(defined, table, 0.0)
            counts += weight @ defined.astype(np.float64)
        part = means[start : start + len(drawn)]
        part[:] = np.nan
        np.divide(sums, counts, out=part, where=counts > 0)
    return means


def _resampled_means(series: FloatArray, resamples: int, seed: int) -> FloatArray:
    """Mean of every series in every resample, ``[resample, series]``: two matrix products with how often each
    image was drawn, one for the sums and one for the numbers of values."""
    num_series, num_images = series.shape
    means = np.full((resamples, num_series), np.nan)
    if num_images == 0:
        return means
    defined = ~np.isnan(series)
    table = np.concatenate([np.where(defined, series, 0.0), defined]).T
    start = 0
    for drawn in _draw_counts(num_images, resamples, seed):
        sums = drawn @ table
        total, count = sums[:, :num_series], sums[:, num_series:]
        np.divide(total, count, out=means[start : start + len(drawn)], where=count > 0)
        start += len(drawn)
    return means


def _draw_counts(num_images: int, resamples: int, seed: int) -> Iterator[FloatArray]:
    """How often each image was drawn in each resample, ``[resample, image]``, some resamples at a time."""
    rows_at_once = max(1, CELLS_AT_ONCE // num_images)
    if num_images * resamples <= CELLS_KEPT:
        kept = _kept_counts(num_images, resamples, seed)
        blocks = (kept[start : start + rows_at_once] for start in range(0, resamples, rows_at_once))
    else:
        blocks = _new_counts(num_images, resamples, seed, rows_at_once)
    for counts in blocks:
        yield counts.astype(np.float64)


def _new_counts(num_images: int, resamples: int, seed: int, rows_at_once: int) -> Iterator[NDArray[np.int64]]:
    generator = np.random.default_rng(seed)
    for start in range(0, resamples, rows_at_once):
        rows = min(rows_at_once, resamples - start)
        drawn = generator.integers(num_images, size=(rows, num_images))
        drawn += np.arange(rows)[:, None] * num_images
        yield np.bincount(drawn.ravel(), minlength=rows * num_images).reshape(rows, num_images)


@functools.lru_cache(maxsize=1)
def _kept_counts(num_images: int, resamples: int, seed: int) -> NDArray[np.int32]:
    """Cached, since all metrics of all rules on a split use the same resamples, and drawing is most of the work."""
    blocks = _new_counts(num_images, resamples, seed, max(1, CELLS_AT_ONCE // num_images))
    return np.concatenate([counts.astype(np.int32) for counts in blocks])


def _mean_of_defined(values: FloatArray) -> FloatArray:
    """Mean over the non-NaN values of the last axis; NaN if there are none."""
    defined = ~np.isnan(values)
    total, count = np.where(defined, values, 0.0).sum(axis=-1), defined.sum(axis=-1)
    return np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0)


def _mean(series: FloatArray) -> float:
    return float(_mean_of_defined(_mean_of_defined(series)))


def _counted(series: FloatArray) -> int:
    return int((~np.isnan(series)).any(axis=0).sum())


def _interval(value: float, means: FloatArray, confidence: float, count: int) -> Interval:
    defined = means[~np.isnan(means)]
    if np.isnan(value) or defined.size == 0:
        return Interval(value, np.nan, np.nan, count)
    low, high = np.quantile(defined, [(1 - confidence) / 2, (1 + confidence) / 2])
    return Interval(value, float(low), float(high), count)
