"""The sentence of an evaluation says what the metrics say, and no more."""

from __future__ import annotations

import math
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cladewise.records import PromiseKept
from cladewise.records.verdict import verdict
from cladewise.statistics import Interval


def bare(value: float) -> Interval:
    return Interval(value, math.nan, math.nan, 1000)


def correct(value: float, low: float = math.nan, high: float = math.nan, count: int = 1000) -> dict[str, Interval]:
    return {"correct": Interval(value, low, high, count)}


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.95, 0.99, "the 95% guarantee held"),
        (0.90, 0.94, "the 95% guarantee did not hold"),
        (0.94, 0.96, "1,000 images are too few to tell whether the 95% guarantee holds"),
    ],
)
def test_a_promise_is_judged_by_the_whole_interval(low: float, high: float, said: str) -> None:
    assert verdict(correct((low + high) / 2, low, high), promise=0.95).endswith(said)


@pytest.mark.parametrize(("count", "held"), [(5, False), (58, False), (59, True)])
def test_images_that_are_all_right_confirm_a_promise_only_if_there_are_enough(count: int, held: bool) -> None:
    """0.95 to the 59th is the first power of 0.95 below one in twenty."""
    said = verdict(correct(1.0, 1.0, 1.0, count), promise=0.95)
    assert said.startswith("100.0% correct [100.0, 100.0]")
    assert ("held" in said) is held


def test_nothing_is_said_of_a_promise_that_nobody_gave() -> None:
    assert verdict(correct(0.9, 0.8, 0.95)) == "90.0% correct [80.0, 95.0]"


def test_the_sentence_of_old_evaluations_and_of_none() -> None:
    assert verdict(correct(0.9)) == "90.0% correct"
    assert verdict(correct(math.nan, count=0), promise=0.9) == "no image to judge by"
    assert verdict({}) == "no image to judge by"


def test_sets_of_labels_are_summed_up_by_precision_and_recall() -> None:
    said = verdict({"micro_precision": bare(0.5), "micro_recall": bare(0.75)})
    assert said == "50.0% of the predicted labels are true, 75.0% of the true labels are predicted"
    assert verdict({"micro_precision": bare(0.5), "micro_recall": bare(math.nan)}) == "no image to judge by"


def test_a_promise_over_an_unknown_number_of_images_is_left_open() -> None:
    said = verdict(correct(0.9, 0.8, 0.96, count=0), promise=0.95)
    assert said.endswith("these images are too few to tell whether the 95% guarantee holds")


def test_promises_that_were_counted_are_judged_by_their_counts_one_by_one() -> None:
    metrics = correct(0.96, 0.95, 0.97)
    kept = [PromiseKept("", 0.9, 930, 1000), PromiseKept("family", 0.99, 940, 1000), PromiseKept("Aves", 0.9, 91, 100)]
    assert verdict(metrics, promise=0.9, promises=kept).partition("], ")[2] == (
        "the 90% guarantee held, the 99% guarantee for family did not hold, "
        "the 90% guarantee for Aves held on these 100 images, too few to confirm it"
    )


def test_the_cost_of_a_promise_is_said_if_it_is_known() -> None:
    metrics = correct(0.96, 0.95, 0.97) | {"specificity": bare(0.714)}
    assert verdict(metrics, promise=0.9).endswith("the 90% guarantee held (71% as specific as leaves)")
    metrics |= {"leaf_top1": bare(0.8412)}
    said = "the 90% guarantee held (71% as specific as leaves, of which 84.1% are right)"
    assert verdict(metrics, promise=0.9).endswith(said)
    assert "specific" not in verdict(metrics)


def leaves(share: float) -> str:
    return verdict(correct(0.5, 0.4, 0.6) | {"leaf_answers": bare(share)}).partition("], ")[2]


@pytest.mark.parametrize(
    ("share", "said"),
    [
        (0.0, "no answer is a leaf"),
        (0.004, "less than 1% of answers are leaves"),
        (0.614, "61% of answers are leaves"),
        (0.996, "more than 99% of answers are leaves"),
        (1.0, "every answer is a leaf"),
    ],
)
def test_the_share_of_leaves_is_never_rounded_to_all_or_none(share: float, said: str) -> None:
    assert leaves(share) == said


@given(st.floats(0, 1), st.floats(0, 1))
def test_every_percentage_is_near_its_metric(value: float, share: float) -> None:
    said = verdict(correct(value, value, value) | {"leaf_answers": bare(share)})
    first = re.match(r"(?:less than |more than )?([\d.]+)% correct", said)
    assert first is not None
    assert abs(float(first[1]) - 100 * value) <= 0.1
    assert ("100.0% correct" in said) == (value == 1)
