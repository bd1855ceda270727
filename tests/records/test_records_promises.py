from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from cladewise.records import PromiseKept
from cladewise.records.promises import in_words, outcomes_in_words


@given(st.integers(1, 300), st.data())
def test_outcomes_are_those_of_binomial_tests(images: int, data: st.DataObject) -> None:
    right = data.draw(st.integers(0, images))
    share = data.draw(st.sampled_from([0.3, 0.8, 0.9, 0.99]))
    outcome = PromiseKept("", share, right, images).outcome
    assert (outcome == "held") == (binomtest(right, images, share, alternative="greater").pvalue <= 0.05)
    assert (outcome == "did not hold") == (binomtest(right, images, share, alternative="less").pvalue <= 0.05)
    assert outcome.startswith("held") == (right / images >= share) or right == pytest.approx(share * images)


def test_without_images_nothing_is_said_to_have_held() -> None:
    assert PromiseKept("Aves", 0.9, 0, 0).outcome == "held here"
    assert in_words(PromiseKept("Aves", 0.9, 0, 0)) == "the 90% guarantee for Aves has no image"


def test_numbers_agree_with_their_nouns() -> None:
    assert in_words(PromiseKept("", 0.9, 1, 1)) == "the 90% guarantee held on this one image, too few to confirm it"
    assert in_words(PromiseKept("", 0.96, 0, 1)) == "the 96% guarantee did not hold"
    assert in_words(PromiseKept("", 0.9, 0, 1)) == "the 90% guarantee was missed on this one image, within chance"
    assert in_words(PromiseKept("", 0.9, 9, 9), "group").endswith("held on these 9 groups, too few to confirm it")


def test_many_promises_are_counted_and_the_broken_ones_named() -> None:
    kept = [PromiseKept(f"group {k}", 0.9, right, 100) for k, right in enumerate((100, 99, 91, 88, 50, 40))]
    assert outcomes_in_words(kept) == (
        "of 6 further guarantees 3 held on these images, 1 was missed within chance, 2 did not hold (group 4, group 5)"
    )
    assert outcomes_in_words([]) == ""


@pytest.mark.parametrize("wrong", [("", 1.0, 1, 2), ("", 0.5, 3, 2), ("", 0.5, -1, 2)])
def test_impossible_counts_are_refused(wrong: tuple[str, float, int, int]) -> None:
    with pytest.raises(ValueError, match="promise PromiseKept"):
        PromiseKept(*wrong)
