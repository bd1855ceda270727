"""The picture cards."""

from __future__ import annotations

import numpy as np
import pytest

from cladewise.report.comparison import Comparison
from cladewise.report.runs.run import read_run
from cladewise.report.sections.mistakes import make_card, mistakes_of, rank_mistakes


@pytest.fixture
def run(maker, taxonomy, images):
    """Rows 0 to 3 by path are mistakes: heights 1, 3, 1, 3 with confidences 0.9, 0.5, 0.7, 0.8."""
    order = np.argsort(images.paths)
    predicted, confidence = images.target.copy(), np.full(images.target.size, 0.99)
    heron, pear = taxonomy.find("heron"), taxonomy.find("pear")
    predicted[order[:4]] = [heron, pear, heron, pear]
    confidence[order[:4]] = [0.9, 0.5, 0.7, 0.8]
    return read_run(maker.write("f", predicted=predicted, confidence=confidence), "test")


def test_the_farthest_first_then_the_most_confident(run):
    worst, confident = rank_mistakes(run)
    assert worst.tolist() == [3, 1, 0, 2]
    assert confident.tolist() == [0, 3, 2, 1]


def test_a_card_names_both_paths_and_where_they_part(run):
    near, far = make_card(run, 0), make_card(run, 3)
    assert (near.shared, near.true, near.predicted) == (("animals", "birds"), ("warbler <b>&amp;</b>",), ("heron",))
    assert (far.shared, far.true[0], far.predicted) == ((), "animals", ("food", "fruit", "pear"))
    assert (near.height, far.height) == (1, 3)
    assert near.confidence_text == "90%"
    assert near.picture is not None


def test_an_answer_above_its_label_is_coarser_and_no_mistake(maker, taxonomy, images):
    predicted = images.target.copy()
    predicted[0], predicted[1] = taxonomy.find("birds"), taxonomy.find("food")
    (group,) = Comparison.read([maker.write("f", predicted=predicted)]).groups
    entry = mistakes_of(group)
    assert (entry.num_mistakes, entry.num_coarser) == (1, 1)
    assert [card.predicted for card in entry.worst] == [("food",)]
    correct = group.runs[0].outcomes["correct"].sum()
    assert entry.num_images - entry.num_mistakes == correct
    card = make_card(group.runs[0], 0)
    assert (card.predicted, card.true) == ((), ("warbler <b>&amp;</b>",))


def test_no_mistakes_no_cards(maker, images):
    entry = mistakes_of(Comparison.read([maker.write("f", predicted=images.target)]).groups[0])
    assert (entry.num_mistakes, entry.worst, entry.most_confident) == (0, (), ())


def test_unknown_confidence_is_left_out(run):
    object.__setattr__(run, "outcomes", run.outcomes.drop("confidence"))
    assert make_card(run, 0).confidence_text == ""
    assert rank_mistakes(run)[0].tolist() == [1, 3, 0, 2]
