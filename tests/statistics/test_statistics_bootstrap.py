from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from cladewise.errors import InputError
from cladewise.statistics import Interval, bootstrap, mean_interval, mean_intervals, paired_difference

per_image = arrays(
    np.float64,
    st.tuples(st.integers(1, 3), st.integers(0, 12)),
    elements=st.one_of(st.just(np.nan), st.integers(-4, 4).map(float)),
)


def slow_means(series: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """One resample at a time, by indexing."""
    generator = np.random.default_rng(seed)
    means = np.full(resamples, np.nan)
    for r in range(resamples):
        chosen = series[:, generator.integers(series.shape[1], size=series.shape[1])]
        of_series = [row[~np.isnan(row)].mean() for row in chosen if not np.isnan(row).all()]
        if of_series:
            means[r] = np.mean(of_series)
    return means[~np.isnan(means)]


@given(per_image, st.integers(0, 100))
def test_agrees_with_one_resample_at_a_time(values: np.ndarray, seed: int) -> None:
    found = mean_interval(values, resamples=20, seed=seed, confidence=0.8)
    if np.isnan(values).all():
        assert found.count == 0
        assert all(math.isnan(x) for x in (found.value, found.low, found.high))
        return
    expected = slow_means(values, 20, seed)
    np.testing.assert_allclose([found.low, found.high], np.quantile(expected, [0.1, 0.9]), atol=1e-12)
    assert found.low <= found.high
    assert found.count == (~np.isnan(values)).any(0).sum()


def test_memory_bound_does_not_change_the_interval(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.random.default_rng(3).normal(size=(2, 97))
    whole = mean_interval(values, resamples=50)
    monkeypatch.setattr(bootstrap, "CELLS_KEPT", 0)  # else the resamples of the call before are used again
    monkeypatch.setattr(bootstrap, "CELLS_AT_ONCE", 300)
    parts = mean_interval(values, resamples=50)  # the order of summation differs
    assert [parts.value, parts.low, parts.high] == pytest.approx([whole.value, whole.low, whole.high], rel=1e-12)
    assert parts.count == whole.count


def test_seed_decides() -> None:
    values = np.random.default_rng(0).normal(size=200)
    assert mean_interval(values, seed=5) == mean_interval(values, seed=5)
    assert mean_interval(values, seed=5) != mean_interval(values, seed=6)


def test_covers_the_true_mean_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for trial in range(400):
        found = mean_interval(generator.exponential(2.0, size=150), confidence=0.9, resamples=300, seed=trial)
        covered += found.low <= 2.0 <= found.high
    assert 0.84 <= covered / 400 <= 0.94  # four standard errors, and the percentile interval's known shortfall


def test_width_is_the_normal_one_for_a_fair_coin() -> None:
    values = np.arange(2000) % 2
    found = mean_interval(values, resamples=4000)
    assert found.value == 0.5
    assert found.high - found.low == pytest.approx(2 * 1.96 * 0.5 / math.sqrt(2000), rel=0.06)


def test_columns_share_resamples_and_equal_the_single_call() -> None:
    generator = np.random.default_rng(2)
    columns = {"a": generator.normal(size=40), "b": generator.normal(size=(3, 40)), "none": np.full(40, np.nan)}
    together = mean_intervals(columns, resamples=64)
    for name in ("a", "b"):
        alone = mean_interval(columns[name], resamples=64)
        assert together[name].count == alone.count
        np.testing.assert_allclose(
            [together[name].value, together[name].low, together[name].high], [alone.value, alone.low, alone.high]
        )
    assert together["none"].count == 0
    assert mean_intervals({}) == {}


def test_series_weigh_equally_however_many_images_count() -> None:
    nan = np.nan
    levels = np.array([[1.0, 1.0, 1.0, 1.0], [0.0, nan, nan, nan], [nan] * 4])
    assert mean_interval(levels).value == 0.5


def test_pairing_removes_what_the_images_share() -> None:
    generator = np.random.default_rng(4)
    hard = generator.normal(size=300) * 10
    a = hard + generator.normal(size=(5, 300)) + 0.5
    b = hard + generator.normal(size=(2, 300))
    paired = paired_difference(a, b)
    assert paired.value == pytest.approx(a.mean() - b.mean())
    assert paired.excludes(0)
    assert paired.high - paired.low < 0.1 * (mean_interval(a).high - mean_interval(a).low)
    back = paired_difference(b, a)
    np.testing.assert_allclose([back.low, back.high], [-paired.high, -paired.low])


def test_a_thing_does_not_differ_from_itself() -> None:
    values = np.random.default_rng(5).normal(size=(2, 50))
    assert paired_difference(values, values) == Interval(0.0, 0.0, 0.0, 50)
    assert not paired_difference(values, values).excludes(0)


@pytest.mark.parametrize("values", [[], [np.nan], np.full((2, 3), np.nan), np.zeros((0, 4))])
def test_nothing_to_average(values: object) -> None:
    found = mean_interval(values)  # type: ignore[arg-type]
    assert found.count == 0
    assert math.isnan(found.value)
    assert math.isnan(found.low)
    assert not found.excludes(0)


def test_one_image() -> None:
    assert mean_interval([0.25]) == Interval(0.25, 0.25, 0.25, 1)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: mean_interval([1.0], confidence=1.0), "Expected a confidence between 0 and 1, but got 1.0."),
        (lambda: mean_interval([1.0], resamples=0), "Expected at least one resample, but got 0."),
        (lambda: mean_interval(3.0), r"Expected values of shape \[\*series, image\], but got a single number."),
        (lambda: mean_interval([np.inf]), "Expected finite values"),
        (
            lambda: paired_difference([1.0], [1.0, 2.0]),
            "Expected values of the same images, but got first: 1, second: 2. Evaluate both on the same split.",
        ),
    ],
)
def test_mistakes_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()


def test_tables_read_in_blocks_give_the_same_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(0)
    rows = {name: random.normal(size=700).astype(np.float32) for name in "abc"}
    rows["b"][random.random(700) < 0.7] = np.nan
    rows["none"] = np.full(700, np.nan, dtype=np.float32)
    columns = {**rows, "of several": [rows["a"], rows["b"], rows["none"]]}
    whole = mean_intervals(columns, seed=3, resamples=300)
    monkeypatch.setattr(bootstrap, "LARGEST_TABLE", 0)
    monkeypatch.setattr(bootstrap, "DRAWS_AT_ONCE", 7 * 700)
    monkeypatch.setattr(bootstrap, "IMAGES_AT_ONCE", 64)
    blocks = mean_intervals(columns, seed=3, resamples=300)
    assert list(blocks) == list(whole)
    for name, interval in whole.items():
        assert (blocks[name].count, blocks[name].value) == pytest.approx((interval.count, interval.value), nan_ok=True)
        ends = (interval.low, interval.high)  # the resamples are the same
        assert (blocks[name].low, blocks[name].high) == pytest.approx(ends, abs=1e-12, nan_ok=True), name
    with pytest.raises(InputError, match="values of the same images, but got a: 700, d: 3"):
        mean_intervals({"a": rows["a"], "d": np.zeros(3)}, resamples=10)
    assert mean_intervals({"listed": [0.0, 1.0]}, resamples=10)["listed"].value == 0.5
