from __future__ import annotations

import dataclasses
import math
import warnings
from itertools import product

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise.decisions import Conformal, LabelSets, Nodes
from cladewise.decisions.conformity import leaf_scores, score_for_all_leaves, score_for_common_ancestor
from cladewise.decisions.leaf_covers import common_ancestor, complete_subtrees, smallest_cover
from cladewise.errors import InputError
from cladewise.predictions import LeafSoftmax, Prediction
from cladewise.taxonomy import Taxonomy
from reference import conformal_twin
from reference.given_predictions import KINDS, random_prediction
from reference.small_trees import ragged_taxonomies

KIND_OF_ANSWER = [
    {"answer": answer, "score": score, "max_nodes": most}
    for answer, score, most in product(("node", "set"), ("lac", "aps"), (None, 2))
    if answer == "set" or most is None
]


def labels(taxonomy: Taxonomy, count: int, seed: int, *, inner: bool = True) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    if inner:
        return torch.randint(taxonomy.num_nodes, (count,), generator=generator)
    return torch.as_tensor(taxonomy.leaf_nodes.copy())[
        torch.randint(taxonomy.num_leaves, (count,), generator=generator)
    ]


def fit(rule: Conformal, prediction: Prediction, target: Tensor) -> Conformal:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few images exclude nothing
        return rule.fit(prediction, target)


def covered(rule: Conformal, prediction: Prediction, target: Tensor) -> list[bool]:
    answer, taxonomy = rule(prediction), prediction.taxonomy
    if isinstance(answer, Nodes):
        sets = [[v] for v in answer.node.tolist()]
    else:
        assert isinstance(answer, LabelSets)
        sets = [tips(row, taxonomy) for row in answer.chosen]
    return [conformal_twin.covers(taxonomy, nodes, int(t)) for nodes, t in zip(sets, target, strict=True)]


def tips(chosen: Tensor, taxonomy: Taxonomy) -> list[int]:
    """The nodes of a set without another of it below them."""
    nodes = chosen.nonzero()[:, 0].tolist()
    return [v for v in nodes if not any(taxonomy.parents[u] == v for u in nodes)]


@given(
    ragged_taxonomies(),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(KIND_OF_ANSWER),
    st.sampled_from([0.5, 0.7, 0.9]),
    st.integers(0, 10**6),
)
@settings(max_examples=60)
def test_each_image_calibrated_on_the_others_is_covered_often_enough(
    taxonomy: Taxonomy, kind: str, options: dict[str, object], coverage: float, seed: int
) -> None:
    """Exchangeability without chance: averaged over which of the images is the new one, the promise holds exactly."""
    count = 12
    prediction, target = random_prediction(kind, taxonomy, count, seed=seed), labels(taxonomy, count, seed)
    rule = Conformal(coverage, **options)  # type: ignore[arg-type]
    right = 0
    for new in range(count):
        others = torch.arange(count) != new
        learnt = fit(rule, prediction[others], target[others])
        right += covered(learnt, prediction[new : new + 1], target[new : new + 1])[0]
    assert right >= coverage * count - 1e-9


@given(
    ragged_taxonomies(),
    st.sampled_from(["prediction", "label"]),
    st.sampled_from(KIND_OF_ANSWER),
    st.integers(0, 10**6),
)
@settings(max_examples=40)
def test_every_branch_is_covered_often_enough(
    taxonomy: Taxonomy, by: str, options: dict[str, object], seed: int
) -> None:
    count, level = 14, taxonomy.level_names[0]
    prediction = random_prediction("LeafSoftmax", taxonomy, count, seed=seed)
    target = labels(taxonomy, count, seed, inner=by == "prediction")
    rule = Conformal(0.6, per=level, given=by, **options)  # type: ignore[arg-type]
    at_level = taxonomy.at_level(1)
    best = torch.as_tensor(taxonomy.leaf_nodes.copy())[prediction.log_prob[:, taxonomy.leaf_nodes.copy()].argmax(1)]
    branch = at_level[(best if by == "prediction" else target).numpy()]
    right = np.zeros(count, dtype=bool)
    for new in range(count):
        others = torch.arange(count) != new
        learnt = fit(rule, prediction[others], target[others])
        right[new] = covered(learnt, prediction[new : new + 1], target[new : new + 1])[0]
    for each in np.unique(branch):
        assert right[branch == each].mean() >= 0.6 - 1e-9


@given(
    ragged_taxonomies(max_nodes=9),
    st.sampled_from(sorted(KINDS)),
    st.sampled_from(["lac", "aps"]),
    st.integers(0, 10**6),
)
@settings(max_examples=50)
def test_scores_and_answers_agree_with_one_leaf_at_a_time(taxonomy: Taxonomy, kind: str, score: str, seed: int) -> None:
    prediction = random_prediction(kind, taxonomy, 4, seed=seed)
    target = labels(taxonomy, 4, seed)
    scores = leaf_scores(prediction, score)  # type: ignore[arg-type]
    all_leaves = score_for_all_leaves(scores, target, taxonomy)
    of_ancestor = score_for_common_ancestor(scores, target, taxonomy)
    for i in range(4):
        p = prediction.log_prob[i].exp().tolist()
        twin = conformal_twin.scores(taxonomy, p, score)
        np.testing.assert_allclose(scores[i], list(twin.values()), atol=1e-9)
        given_scores = dict(zip(twin, scores[i].tolist(), strict=True))
        under = conformal_twin.leaves_under(taxonomy, int(target[i]))
        assert float(all_leaves[i]) == max(given_scores[leaf] for leaf in under)
        bars = [-math.inf, *sorted(value for value in given_scores.values() if value < math.inf)]
        covering = [
            bar
            for bar in bars
            if conformal_twin.covers(
                taxonomy,
                [conformal_twin.common_ancestor(taxonomy, conformal_twin.taken_in(given_scores, bar))],
                int(target[i]),
            )
        ]
        assert float(of_ancestor[i]) == (min(covering) if covering else math.inf)
        for bar in bars[1:]:
            leaves = conformal_twin.taken_in(given_scores, bar)
            node = dataclasses.replace(Conformal(score=score), threshold=bar)(prediction[i : i + 1])  # type: ignore[arg-type]
            assert isinstance(node, Nodes)
            assert node.node.tolist() == [conformal_twin.common_ancestor(taxonomy, leaves)]
            for most in (None, 1, 2, 3):
                rule = Conformal(answer="set", score=score, max_nodes=most, threshold=bar)  # type: ignore[arg-type]
                answer = rule(prediction[i : i + 1])
                assert isinstance(answer, LabelSets)
                nodes = tips(answer.chosen[0], taxonomy)
                said = set[int]().union(*(conformal_twin.leaves_under(taxonomy, v) for v in nodes))
                if most is None:
                    assert said == leaves
                else:
                    assert leaves <= said
                    assert len(nodes) <= most
                    assert len(said) == conformal_twin.least_cover(taxonomy, leaves, most)


@given(ragged_taxonomies(max_nodes=9), st.integers(0, 10**6), st.integers(1, 4))
@settings(max_examples=60)
def test_covers_of_many_images_at_once(taxonomy: Taxonomy, seed: int, most: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    leaves = torch.rand(6, taxonomy.num_leaves, generator=generator) < 0.5
    leaves[:, 0] |= ~leaves.any(1)
    fewest, cover = complete_subtrees(leaves, taxonomy), smallest_cover(leaves, taxonomy, most)
    for i in range(6):
        wanted = {int(v) for v in taxonomy.leaf_nodes[leaves[i].numpy()]}
        exact = fewest[i].nonzero()[:, 0].tolist()
        assert set[int]().union(*(conformal_twin.leaves_under(taxonomy, v) for v in exact)) == wanted
        assert not any(
            {*conformal_twin.leaves_under(taxonomy, int(taxonomy.parents[v]))} <= wanted for v in exact if v > 0
        )
        nodes = cover[i].nonzero()[:, 0].tolist()
        said = [conformal_twin.leaves_under(taxonomy, v) for v in nodes]
        assert len(nodes) <= most
        assert sum(map(len, said)) == len(set[int]().union(*said)) == conformal_twin.least_cover(taxonomy, wanted, most)
        assert int(common_ancestor(leaves, taxonomy)[i]) == conformal_twin.common_ancestor(taxonomy, wanted)


@given(ragged_taxonomies(), st.sampled_from(KIND_OF_ANSWER), st.integers(0, 10**6))
@settings(max_examples=20)
def test_parts_change_nothing(taxonomy: Taxonomy, options: dict[str, object], seed: int) -> None:
    prediction, target = random_prediction("NodeSoftmax", taxonomy, 30, seed=seed), labels(taxonomy, 30, seed)
    rule = Conformal(0.6, **options)  # type: ignore[arg-type]
    whole = fit(rule, prediction, target)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cladewise.decisions.parts.CELLS_AT_ONCE", 7 * taxonomy.num_nodes)
        parts = fit(rule, prediction, target)
        assert parts.threshold == whole.threshold
        assert covered(parts, prediction, target) == covered(whole, prediction, target)


def test_with_confidence_the_answer_is_never_more_specific() -> None:
    taxonomy = Taxonomy.from_paths([(a, a + b) for a in "abcd" for b in "xyz"])
    prediction = random_prediction("LeafSoftmax", taxonomy, 400, seed=0)
    target = labels(taxonomy, 400, 0, inner=False)
    average, sure = Conformal(0.8).fit(prediction, target), Conformal(0.8, confidence=0.95).fit(prediction, target)
    assert isinstance(average.threshold, float)
    assert isinstance(sure.threshold, float)
    assert average.threshold < sure.threshold
    assert sum(covered(average, prediction, target)) >= 320
    assert sum(covered(sure, prediction, target)) >= 333  # 0.8 is outside the interval of Clopper and Pearson


def test_too_few_images_exclude_nothing_and_say_how_many_it_takes() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction = LeafSoftmax(taxonomy, torch.tensor([[3.0, 0.0, -3.0]]).expand(8, 3))
    with pytest.warns(UserWarning, match="8 images are too few to exclude anything. It takes 9"):
        rule = Conformal(0.9).fit(prediction, torch.full((8,), 2))
    assert rule.threshold == math.inf
    answer = rule(prediction)
    assert isinstance(answer, Nodes)
    assert answer.node.tolist() == [0] * 8
    with pytest.warns(UserWarning, match="It takes 29"):
        Conformal(0.9, confidence=0.95).fit(prediction, torch.full((8,), 2))
    with pytest.warns(UserWarning, match="1 of 2 branches at level_1 have too few images. It takes 1 each"):
        sets = Conformal(0.5, answer="set", per="level_1", given="label").fit(prediction, torch.full((8,), 2))
    chosen = sets(prediction[:1])
    assert isinstance(chosen, LabelSets)
    assert chosen.chosen[0].nonzero()[:, 0].tolist() == [1, 2, 4]  # b, and d of which nothing is known


def test_whoever_is_always_right_is_believed() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    prediction = LeafSoftmax(taxonomy, 3.0 * torch.eye(3).repeat(5, 1))
    target = torch.tensor([2, 3, 4] * 5)
    for confidence in (None, 0.5):
        rule = Conformal(0.9, confidence=confidence).fit(prediction, target)
        assert rule.threshold == -math.inf
        answer = rule(prediction)
        assert isinstance(answer, Nodes)
        assert answer.node.equal(target)
    answer = Conformal(0.9).fit(prediction, torch.zeros(15, dtype=torch.int64))(prediction)
    assert isinstance(answer, Nodes)
    assert not answer.node.any()
    below = Taxonomy.from_paths([("a", "b"), ("a", "c")])  # where nothing that leaves are left out of is at the root
    with pytest.warns(UserWarning, match="too many of the labels are covered by the root alone"):
        rule = Conformal(0.9).fit(LeafSoftmax(below, torch.zeros(15, 2)), torch.zeros(15, dtype=torch.int64))
    answer = rule(LeafSoftmax(below, torch.zeros(15, 2)))
    assert isinstance(answer, Nodes)
    assert not answer.node.any()


def test_extreme_scores() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
    scores = 1e4 * torch.eye(4).repeat(10, 1)
    target = torch.as_tensor(taxonomy.leaf_nodes.copy()).repeat(10)
    for options in KIND_OF_ANSWER:
        sure = fit(Conformal(0.9, **options), LeafSoftmax(taxonomy, scores), target)  # type: ignore[arg-type]
        assert all(covered(sure, LeafSoftmax(taxonomy, scores), target))
        wrong = fit(Conformal(0.9, **options), LeafSoftmax(taxonomy, scores), target.roll(1))  # type: ignore[arg-type]
        assert sum(covered(wrong, LeafSoftmax(taxonomy, scores), target.roll(1))) >= 36


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"coverage": 1.0}, "coverage between 0 and 1"),
        ({"confidence": 1.0}, "confidence between 0 and 1"),
        ({"answer": "leaf"}, "answer of the rule conformal: node, set"),
        ({"score": "raps"}, "score of the rule conformal: lac, aps"),
        ({"max_nodes": 2}, "A node is one already"),
        ({"answer": "set", "max_nodes": 0}, "max_nodes of 1 to 16"),
        ({"given": "label"}, "Write per=genus"),
    ],
)
def test_wrong_options_are_one_clear_line(options: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Conformal(**options)  # type: ignore[arg-type]


def test_levels_and_shapes_are_checked() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c")], level_names=["genus", "species"])
    prediction = LeafSoftmax(taxonomy, torch.zeros(3, 2))
    with pytest.raises(InputError, match="genus, species"):
        Conformal(per="family").fit(prediction, torch.tensor([2, 3, 2]))
    with pytest.raises(InputError, match="as many targets"):
        Conformal().fit(prediction, torch.tensor([2]))


CALIBRATION = [
    [0.02, 0.71, 0.03, 0.24],
    [0.37, 0.11, 0.13, 0.39],
    [0.15, 0.69, 0.0, 0.16],
    [0.61, 0.13, 0.0, 0.26],
    [0.05, 0.08, 0.35, 0.52],
    [0.19, 0.08, 0.39, 0.34],
    [0.12, 0.25, 0.48, 0.15],
    [0.16, 0.03, 0.26, 0.55],
    [0.33, 0.66, 0.0, 0.01],
    [0.03, 0.02, 0.12, 0.83],
    [0.05, 0.36, 0.33, 0.26],
]
NEW = [
    [0.36, 0.25, 0.2, 0.19],
    [0.73, 0.0, 0.08, 0.19],
    [0.63, 0.08, 0.13, 0.16],
    [0.1, 0.47, 0.18, 0.25],
    [0.3, 0.12, 0.16, 0.42],
]


def test_golden_sets_of_leaves() -> None:
    """The sets of MAPIE 1.6.0 by its score ``lac``; where those are empty the best leaf is answered here."""
    star = Taxonomy.from_paths([("a",), ("b",), ("c",), ("d",)])
    seen, new = (LeafSoftmax(star, torch.tensor(rows).clamp_min(1e-6).log()) for rows in (CALIBRATION, NEW))
    target = torch.tensor([1, 1, 1, 0, 2, 2, 2, 3, 1, 3, 3]) + 1
    expected = {
        0.75: ["a", "a", "a", "b", "d"],
        0.9: ["abcd", "ad", "acd", "bcd", "abcd"],
        0.5: ["a", "a", "a", "b", "d"],
    }
    for coverage, sets in expected.items():
        answer = Conformal(coverage, answer="set").fit(seen, target)(new)
        assert isinstance(answer, LabelSets)
        for row, letters in zip(answer.chosen, sets, strict=True):
            under = set[int]().union(*(conformal_twin.leaves_under(star, v) for v in tips(row, star)))
            assert "".join(str(star.names[v]) for v in sorted(under)) == letters
