"""Answers as deep as the levels agree: against a walk by hand, and against the metric that counts contradictions."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import decisions
from cladewise.decisions import Consistent, Levels
from cladewise.errors import InputError
from cladewise.metrics import tice
from cladewise.predictions import LeafSoftmax, LevelSoftmax, level_width
from cladewise.taxonomy import Taxonomy
from reference.given_predictions import KINDS, random_prediction
from reference.small_trees import ragged_taxonomies
from reference.trees import path


def by_hand(levels: list[int], taxonomy: Taxonomy) -> int:
    """The last node of the longest run of levels, from the coarsest, that is what the path of its end says."""
    answer = levels[0]
    for finest in range(1, len(levels)):
        on_path = path(taxonomy, levels[finest])
        said = [[u for u in on_path if taxonomy.level[u] <= level][-1] for level in range(1, finest + 1)]
        if said != levels[:finest]:
            break
        answer = levels[finest]
    return answer


@given(
    ragged_taxonomies().filter(lambda tree: tree.num_levels > 0), st.sampled_from(sorted(KINDS)), st.integers(0, 10**6)
)
@settings(deadline=None)
def test_the_answer_is_the_last_level_before_a_contradiction(taxonomy: Taxonomy, kind: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 20, seed=seed, dtype=torch.float32)
    levels, answer = Levels()(prediction).node, Consistent()(prediction)
    assert answer.node.tolist() == [by_hand(row, taxonomy) for row in levels.tolist()]
    assert answer.log_prob.equal(prediction.log_prob_of(answer.node[:, None])[:, 0])
    whole = tice(levels, taxonomy) == 0
    assert (answer.node == levels[:, -1])[whole].all()


def test_a_tree_without_levels_is_refused() -> None:
    with pytest.raises(InputError, match="a level below the root"):
        Consistent()(LeafSoftmax(Taxonomy([-1], ["root"]), torch.zeros(1, 1)))


def test_golden_levels_that_part_at_the_second_or_at_the_third() -> None:
    taxonomy = Taxonomy.from_paths(
        [("bird", "raptor", "eagle"), ("bird", "finch", "robin"), ("dog", "hound", "beagle")]
    )
    find = taxonomy.find
    rows = {
        ("bird", "raptor", "eagle"): "eagle",
        ("bird", "raptor", "robin"): "raptor",
        ("bird", "hound", "beagle"): "bird",
        ("dog", "raptor", "beagle"): "dog",
    }
    logits = torch.zeros(len(rows), level_width(taxonomy, (1, 2, 3), tied=False))
    start = 0
    for level in (1, 2, 3):
        nodes = taxonomy.level_nodes(level).tolist()
        for row, names in enumerate(rows):
            logits[row, start + nodes.index(find(names[level - 1]))] = 5.0
        start += len(nodes)
    answer = decisions.make("consistent")(LevelSoftmax(taxonomy, logits))
    assert isinstance(answer, decisions.Nodes)
    assert answer.node.tolist() == [find(name) for name in rows.values()]


def test_sums_of_leaves_contradict_the_best_leaf_too() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
    prediction = LeafSoftmax(taxonomy, torch.tensor([[0.3, 0.3, 0.4], [0.5, 0.2, 0.3]]).log())
    assert Consistent()(prediction).node.tolist() == [taxonomy.find("a"), taxonomy.find("b")]
    flat = LeafSoftmax(taxonomy, torch.tensor([-1e4, 1e4, 0.0]))
    assert Consistent()(flat).node.item() == taxonomy.find("c")
