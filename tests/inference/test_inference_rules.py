"""Every rule against its slow twin, golden values and closed forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import inference
from cladewise.errors import InputError
from cladewise.inference import BottomUp, Diffusion, LevelTopDown, Subset, TopDown, chain, hierarchical_ensemble
from cladewise.predictions import (
    ConditionalSigmoid,
    LeafSoftmax,
    LevelSoftmax,
    NodeSigmoid,
    NodeSoftmax,
    PathSumSigmoid,
    PathSumSoftmax,
    Prediction,
    SiblingSoftmax,
    level_layout,
    level_width,
)
from cladewise.taxonomy import Taxonomy
from reference import inference_twin, trees
from reference.small_trees import T9_THETA, ragged_taxonomies, reordered, t9, t9_nodes, t9_order

LIMIT = [-0.078629, 0.166368, 0.033379, -0.573619, -0.391184, 0.588816, -0.791925, 0.282835, -0.837165]
CONDITIONAL = [1, 0.422319, 0.422319, 0.155362, 0.083541, 0.338777, 0.422319, 0.351377, 0.070942]
few = settings(max_examples=18)


def theta() -> torch.Tensor:
    return torch.tensor(T9_THETA, dtype=torch.float64)[t9_order()]


def level_scores(taxonomy: Taxonomy, seed: int, levels: tuple[int, ...] = ()) -> LevelSoftmax:
    chosen = levels or tuple(range(1, taxonomy.num_levels + 1))
    generator = torch.Generator().manual_seed(seed)
    width = level_width(taxonomy, chosen, tied=False)
    return LevelSoftmax(taxonomy, 2 * torch.randn(2, width, generator=generator, dtype=torch.float64), chosen)


def node_scores(taxonomy: Taxonomy, seed: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    return 2 * torch.randn(2, taxonomy.num_nodes, generator=generator, dtype=torch.float64)


# ---------------------------------------------------------------- diffusion


def test_golden_diffusion() -> None:
    expected = torch.tensor(LIMIT, dtype=torch.float64)[t9_order()]
    result = Diffusion()(NodeSigmoid(t9(), theta()[1:]))
    assert isinstance(result, LeafSoftmax)
    torch.testing.assert_close(result.leaf_logits, expected[t9().leaf_nodes.copy()], atol=2e-6, rtol=0)
    # the score of a root is no source: the limit is the same
    torch.testing.assert_close(Diffusion()(NodeSoftmax(t9(), theta())).log_prob, result.log_prob)
    many = Diffusion(steps=60)(NodeSigmoid(t9(), theta()[1:]))
    torch.testing.assert_close(many.log_prob, result.log_prob)


def test_diffusion_is_not_indifferent_to_a_shift() -> None:
    def node_3(scores: torch.Tensor, **options: object) -> float:
        rule = Diffusion(**options)  # type: ignore[arg-type]
        return float(rule(NodeSigmoid(t9(), scores[1:])).log_prob[t9_nodes(3)[0]].exp())

    assert node_3(theta()) == pytest.approx(0.117, abs=5e-4)
    assert node_3(theta() + 10) == pytest.approx(0.036, abs=5e-4)
    assert node_3(theta() + 10, shift="level-min") == pytest.approx(node_3(theta(), shift="level-min"))


@few
@given(
    ragged_taxonomies(),
    st.sampled_from([0.0, 0.3, 0.9]),
    st.sampled_from([0, 2]),
    st.booleans(),
    st.sampled_from([0, 1, 2]),
    st.integers(0, 99),
)
def test_diffusion_is_its_twin(
    taxonomy: Taxonomy, alpha: float, steps: int, shifted: bool, top: int, seed: int
) -> None:
    prediction = level_scores(taxonomy, seed)
    layout = level_layout(taxonomy, prediction.levels)
    wanted = []
    for logits in prediction.level_logits.numpy():
        scores: dict[int, float] = {}
        for place, v in enumerate(np.concatenate(layout)):
            if v not in scores or not (taxonomy.parents == v).any():  # leaves: the finest, others: the shallowest
                scores[int(v)] = float(logits[place])
        start = inference_twin.prepared(taxonomy, scores, shifted=shifted, top=top)
        end = inference_twin.diffused(taxonomy, start, alpha, steps)
        wanted.append(inference_twin.log_softmax(end[taxonomy.leaf_nodes]))
    rule = Diffusion(alpha, steps, top=top, shift="level-min" if shifted else "none")
    result = rule(prediction).log_prob[:, taxonomy.leaf_nodes.copy()]
    np.testing.assert_allclose(result, np.array(wanted), atol=1e-9)
    assert rule.about(prediction)["shift"] == rule.shift
    scaled = Diffusion(alpha, steps, top=top, shift=rule.shift, rescale=True)(prediction)
    torch.testing.assert_close(scaled.logits * (1 - alpha), rule(prediction).logits)


@few
@given(ragged_taxonomies(), st.integers(0, 99))
def test_no_diffusion_is_bottom_up(taxonomy: Taxonomy, seed: int) -> None:
    """Whatever the shift: leaves compete with each other, so that all of them are shifted alike."""
    for prediction in (
        level_scores(taxonomy, seed),
        NodeSoftmax(taxonomy, node_scores(taxonomy, seed)),
        LeafSoftmax(taxonomy, node_scores(taxonomy, seed)[:, : taxonomy.num_leaves]),
    ):
        wanted = BottomUp()(prediction).log_prob
        torch.testing.assert_close(Diffusion(0.0)(prediction).log_prob, wanted)
        torch.testing.assert_close(Diffusion(0.0, shift="level-min")(prediction).log_prob, wanted)


def test_levels_are_chosen_by_number_and_name() -> None:
    paths = [("a", "b", "c"), ("a", "b", "d"), ("a", "B", "g"), ("e",), ("f",)]
    taxonomy = Taxonomy.from_paths(paths, level_names=["family", "genus", "species"])
    prediction = level_scores(taxonomy, 0)
    by_number = Diffusion(levels="2,3")(prediction).log_prob
    for levels in ("2-3", "genus,species", "3, 2", "species;genus"):
        torch.testing.assert_close(Diffusion(levels=levels)(prediction).log_prob, by_number)
    assert not torch.allclose(Diffusion(levels="3")(prediction).log_prob, by_number)
    assert Diffusion(levels="3").about(prediction) == {"shift": "none", "levels": "3", "sources": "5"}
    with pytest.raises(InputError, match=r"levels among 1 to 3 or family, genus, species, or all, but got 'genu'. Did"):
        Diffusion(levels="genu")(prediction)
    with pytest.raises(InputError, match="scores at levels 1"):
        Diffusion(levels="1")(LeafSoftmax(Taxonomy.from_paths([("a", "b")]), torch.zeros(1, 1)))


@pytest.mark.parametrize(("column", "matters"), [(1, False), (5, True), (10, False)])
def test_a_leaf_that_levels_repeat_has_the_score_of_the_finest_chosen_one(column: int, matters: bool) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "B", "g"), ("e",), ("f",)])
    prediction = level_scores(taxonomy, 0)  # a e f, b B e f, c d g e f
    logits = prediction.level_logits.clone()
    logits[:, column] += 10.0
    rule = Diffusion(levels="1-2")
    same = torch.allclose(rule(LevelSoftmax(taxonomy, logits)).log_prob, rule(prediction).log_prob)
    assert same != matters


def test_levels_that_are_left_out_are_zero() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "B", "g"), ("e",), ("f",)])
    prediction = level_scores(taxonomy, 0)
    zeroed = prediction.level_logits.clone()
    zeroed[:, [0, 3, 4]] = 0.0  # a; b B: the inner nodes
    for shift in ("none", "level-min"):
        alone = Diffusion(levels="3", shift=shift)(prediction)
        torch.testing.assert_close(alone.log_prob, Diffusion(shift=shift)(LevelSoftmax(taxonomy, zeroed)).log_prob)


def test_a_leaf_above_the_chosen_levels_is_shifted_with_what_it_competes_with() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    scores = LevelSoftmax(taxonomy, torch.tensor([[0.0, 9.0, 0.0, 0.0, 0.0], [9.0, 0.0, 0.0, 0.0, 0.0]]))  # a, d; ...
    likely, unlikely = Diffusion(levels="1", shift="level-min")(scores).log_prob[:, taxonomy.find("d")].exp()
    assert likely > 0.9
    assert unlikely < 0.2


def test_truncation_to_everything_changes_nothing() -> None:
    prediction = NodeSigmoid(t9(), theta()[1:])
    torch.testing.assert_close(Diffusion(top=5)(prediction).log_prob, Diffusion()(prediction).log_prob)
    assert Diffusion(top=4).about(prediction)["shift"] == "none"
    assert Diffusion(top=4, shift="level-min").about(prediction)["shift"] == "level-min"


def test_golden_truncation() -> None:
    """The two best nodes of each level of T9, by hand: 1 and 2; 6 alone; 5 and 7 of all leaves."""
    kept = torch.zeros(9, dtype=torch.float64)
    best = {1: 0.2, 2: 0.2, 6: -1.0, 5: 0.8, 7: 0.6}  # by breadth-first number; 3, 4 and 8 are cut off
    for node, score in best.items():
        kept[node] = score
    wanted = Diffusion()(NodeSigmoid(t9(), kept[t9_order()][1:]))
    prediction = NodeSigmoid(t9(), theta()[1:])
    torch.testing.assert_close(Diffusion(top=2)(prediction).leaf_logits, wanted.leaf_logits)
    spread = inference_twin.diffused(t9(), kept[t9_order()].numpy(), 0.3)
    np.testing.assert_allclose(Diffusion(top=2)(prediction).leaf_logits, spread[t9().leaf_nodes])
    above = Diffusion(0.0, top=2)(NodeSigmoid(t9(), theta()[1:] - 10)).leaf_logits  # 0 is above all negative scores
    torch.testing.assert_close(above, torch.tensor([0.0, -9.2, -9.4, 0.0, 0.0], dtype=torch.float64))  # 4, 5, 7, 8, 3


def test_truncation_keeps_the_first_of_equals() -> None:
    """Scores in half precision are often equal: which of them diffuses must not be left to chance."""
    for width in (40, 3000):
        star = Taxonomy.from_paths([(str(v),) for v in range(width)])
        scores = torch.full((1, width), -1.0)
        scores[0, 7:30] = 0.0
        kept = Diffusion(0.0, top=5, shift="level-min")(LeafSoftmax(star, scores)).logits
        assert kept[0].nonzero().flatten().tolist() == [7, 8, 9, 10, 11]


def test_level_readout_is_a_softmax_of_each_level() -> None:
    result = Diffusion(readout="level")(NodeSigmoid(t9(), theta()[1:]))
    limit = torch.tensor(LIMIT, dtype=torch.float64)[t9_order()]
    for level in (1, 2, 3):
        nodes, log_prob = result.level_log_prob(level)
        assert nodes.tolist() == t9().level_nodes(level).tolist()
        torch.testing.assert_close(log_prob, limit[nodes].log_softmax(-1), atol=2e-6, rtol=0)


def test_weights_come_from_a_file_or_a_tensor(tmp_path: Path) -> None:
    file = tmp_path / "weights.csv"
    file.write_text("node,weight\n5,4\n2/6,0.5\n")
    weights = torch.ones(8)
    weights[torch.tensor(t9_nodes(5, 6)) - 1] = torch.tensor([4.0, 0.5])
    prediction = NodeSigmoid(t9(), theta()[1:])
    result = Diffusion(weights=str(file))(prediction).log_prob
    torch.testing.assert_close(Diffusion(weights=weights)(prediction).log_prob, result)
    wanted = inference_twin.diffused(t9(), np.concatenate([[0], theta()[1:]]), 0.3, 0, weights.tolist())[
        t9().leaf_nodes
    ]
    np.testing.assert_allclose(result[t9().leaf_nodes.copy()], inference_twin.log_softmax(wanted), atol=1e-9)
    assert "weights" in Diffusion(weights=str(file)).handle
    for text, error in {
        "nobody,1\n": r"1 that does not: 'nobody' in line 1 at .*weights.csv",
        "5,1\n 5,2\n": r"each node once, but got ' 5', which is already in line 1 at .*weights.csv:2",
        "5,much\n": "a number next to the node",
        "5\n": "two cells per row",
        "5,-1\n": "positive, finite edge weights",
    }.items():
        file.write_text(text)
        with pytest.raises(InputError, match=error):
            Diffusion(weights=str(file))(prediction)
    file.write_bytes(b"\x89PNG")
    with pytest.raises(InputError, match=r"UTF-8 text, but got invalid start byte after 0 bytes at .*weights.csv"):
        Diffusion(weights=str(file))(prediction)
    with pytest.raises(InputError, match="which does not exist"):
        Diffusion(weights="nowhere.csv")(prediction)
    with pytest.raises(InputError, match="which is not one"):
        Diffusion(weights=str(tmp_path))(prediction)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"alpha": 1.0}, "a diffusion rate alpha in [0, 1), but got 1.0"),
        ({"steps": -1}, "steps of 0 or more, but got -1"),
        ({"top": -2}, "top of 0 or more"),
        ({"shift": "max"}, "one of none, level-min, but got 'max'"),
        ({"readout": "root"}, "one of leaf, level"),
        ({"alpha": float("nan")}, "a diffusion rate alpha in [0, 1), but got nan"),
    ],
)
def test_options_out_of_range(options: dict[str, object], text: str) -> None:
    with pytest.raises(InputError) as error:
        inference.make("diffusion", **options)
    assert text in str(error.value)


@few
@given(ragged_taxonomies(), st.integers(0, 99))
def test_the_order_of_siblings_changes_nothing(taxonomy: Taxonomy, seed: int) -> None:
    moved, place = reordered(taxonomy, seed)
    scores = node_scores(taxonomy, seed)
    there = torch.zeros_like(scores)
    there[:, place] = scores
    for rule in (Diffusion(), Diffusion(top=2, readout="level"), TopDown(), LevelTopDown(), BottomUp()):
        here = rule(NodeSigmoid(taxonomy, scores[:, 1:])).log_prob
        torch.testing.assert_close(rule(NodeSigmoid(moved, there[:, 1:])).log_prob[:, place], here)


# ---------------------------------------------------------------- top-down


def test_golden_top_down() -> None:
    wanted = torch.tensor(CONDITIONAL, dtype=torch.float64)[t9_order()]
    for prediction in (SiblingSoftmax(t9(), theta()[1:]), NodeSoftmax(t9(), theta()), NodeSigmoid(t9(), theta()[1:])):
        torch.testing.assert_close(TopDown()(prediction).log_prob.exp(), wanted, atol=1e-6, rtol=0)


@few
@given(ragged_taxonomies(), st.integers(0, 99))
def test_top_down_is_its_twin(taxonomy: Taxonomy, seed: int) -> None:
    prediction = level_scores(taxonomy, seed)
    wanted = [inference_twin.top_down(taxonomy, row.tolist()) for row in prediction.scores]
    np.testing.assert_allclose(TopDown()(prediction).log_prob, np.array(wanted), atol=1e-10)


def test_top_down_needs_inner_scores() -> None:
    with pytest.raises(InputError) as error:
        TopDown()(LeafSoftmax(t9(), theta()[:5]))
    assert str(error.value) == (
        "Expected a head with a score at every node below the root, but got LeafSoftmax without one at 3 nodes, "
        "3 of them inner nodes at node 0/1, the first of them. "
        "Choose a method that scores inner nodes, or diffusion, which does not need them."
    )


# ---------------------------------------------------------------- level-top-down


@few
@given(ragged_taxonomies(), st.integers(0, 99))
def test_level_top_down_is_its_twin(taxonomy: Taxonomy, seed: int) -> None:
    prediction = level_scores(taxonomy, seed)
    result, two = LevelTopDown()(prediction), LevelTopDown("two-level")(prediction)
    assert isinstance(result, LevelSoftmax)
    for image in range(2):
        given_levels = [dict(zip(n.tolist(), lp[image].tolist(), strict=True)) for n, lp in prediction.by_level]
        wanted = inference_twin.level_top_down(taxonomy, given_levels, prediction.levels)
        for level, by_node in enumerate(wanted, start=1):
            nodes, log_prob = result.level_log_prob(level)
            np.testing.assert_allclose(log_prob[image], [by_node[int(v)] for v in nodes], atol=1e-10)
        wanted = inference_twin.level_top_down(taxonomy, given_levels[-2:], prediction.levels[-2:])
        by_leaf = [wanted[-1][int(v)] for v in taxonomy.leaf_nodes]
        np.testing.assert_allclose(two.log_prob[image].numpy()[taxonomy.leaf_nodes], by_leaf, atol=1e-10)


def test_two_levels_of_seven_can_be_all_there_are() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("e", "f", "g")])
    prediction = level_scores(taxonomy, 1, levels=(2, 3))
    torch.testing.assert_close(
        LevelTopDown()(prediction).level_log_prob(3).log_prob,
        LevelTopDown("two-level")(prediction).level_log_prob(3).log_prob,
    )


def test_coarse_network() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("f",)])
    parents = Taxonomy.from_paths([("d",), ("a",), ("f",)])
    fine = LeafSoftmax(taxonomy, torch.randn(2, 4))
    even = hierarchical_ensemble(fine, LeafSoftmax(parents, torch.zeros(2, 3)))
    torch.testing.assert_close(even.log_prob, fine.log_prob)  # coarse uniform: unchanged
    sure = hierarchical_ensemble(fine, LeafSoftmax(parents, torch.tensor([[-80.0, 80.0, -80.0]]).repeat(2, 1)))
    torch.testing.assert_close(sure.log_prob[:, taxonomy.find("a")], torch.zeros(2))  # all mass below one parent
    levels = level_scores(taxonomy, 2)
    torch.testing.assert_close(
        hierarchical_ensemble(BottomUp()(levels), levels).log_prob, LevelTopDown("two-level")(levels).log_prob
    )
    with pytest.raises(InputError, match="a label of the taxonomy"):
        hierarchical_ensemble(fine, LeafSoftmax(Taxonomy.from_paths([("x",)]), torch.zeros(2, 1)))
    with pytest.raises(InputError, match="a coarse prediction of the same images"):
        hierarchical_ensemble(fine, LeafSoftmax(parents, torch.zeros(1, 3)))


# ---------------------------------------------------------------- bottom-up


def test_bottom_up_of_each_head() -> None:
    scores, leaves = theta()[1:], t9().leaf_nodes.copy()
    heads: list[tuple[Prediction, torch.Tensor]] = [
        (SiblingSoftmax(t9(), scores), SiblingSoftmax(t9(), scores).log_prob),
        (PathSumSoftmax(t9(), scores), PathSumSoftmax(t9(), scores).log_prob),
        (PathSumSigmoid(t9(), scores), PathSumSoftmax(t9(), scores).log_prob),
        (NodeSigmoid(t9(), scores), LeafSoftmax(t9(), theta()[leaves]).log_prob),
        (NodeSoftmax(t9(), theta()), LeafSoftmax(t9(), theta()[leaves]).log_prob),
    ]
    for prediction, wanted in heads:
        torch.testing.assert_close(BottomUp()(prediction).log_prob, wanted)
    conditional = ConditionalSigmoid(t9(), scores).log_prob[leaves]
    torch.testing.assert_close(
        BottomUp()(ConditionalSigmoid(t9(), scores)).log_prob[leaves], conditional.log_softmax(-1)
    )
    levels = level_scores(t9(), 0)
    torch.testing.assert_close(BottomUp()(levels).log_prob[:, leaves], levels.by_level[-1].log_prob)


# ---------------------------------------------------------------- subset


@few
@given(ragged_taxonomies(), st.data(), st.integers(0, 99))
def test_subset_is_its_twin(taxonomy: Taxonomy, data: st.DataObject, seed: int) -> None:
    allowed = data.draw(st.lists(st.integers(0, taxonomy.num_nodes - 1), min_size=1, max_size=4))
    scores = node_scores(taxonomy, seed)
    for prediction in (
        LeafSoftmax(taxonomy, scores[:, : taxonomy.num_leaves]),
        SiblingSoftmax(taxonomy, scores[:, 1:]),
        PathSumSoftmax(taxonomy, scores[:, 1:]),
    ):
        result = Subset(allowed)(prediction)
        assert isinstance(result, LeafSoftmax)
        for image in range(2):
            leaf_log_p = {int(v): float(prediction.log_prob[image, int(v)]) for v in taxonomy.leaf_nodes}
            wanted = inference_twin.subset(taxonomy, leaf_log_p, allowed)
            np.testing.assert_allclose(result.log_prob[image].exp(), wanted, atol=1e-10)
    kept = Subset(allowed)(NodeSoftmax(taxonomy, scores)).own_log_prob.exp()
    leaves = {leaf for v in allowed for leaf in trees.leaves_under(taxonomy, v)}
    for v in range(taxonomy.num_nodes):
        assert bool((kept[:, v] > 0).all()) == bool(leaves & set(trees.leaves_under(taxonomy, v)))
    torch.testing.assert_close(kept.sum(-1), torch.ones(2, dtype=torch.float64))


def test_subset_of_everything_changes_nothing_and_order_does_not_matter() -> None:
    prediction = LeafSoftmax(t9(), theta()[t9().leaf_nodes.copy()])
    torch.testing.assert_close(Subset([0])(prediction).log_prob, prediction.log_prob)
    torch.testing.assert_close(Subset(["1", "8"])(prediction).log_prob, Subset(["8", "4", "5"])(prediction).log_prob)


def test_subset_of_sigmoids_leaves_the_others_alone() -> None:
    prediction = NodeSigmoid(t9(), theta()[1:])
    result = Subset(["1"])(prediction).log_prob
    kept = t9_nodes(0, 1, 4, 5)
    torch.testing.assert_close(result[kept], prediction.log_prob[kept])
    assert result[t9_nodes(2, 3, 6, 7, 8)].isneginf().all()


def test_subset_finds_the_paths_that_predictions_print(tmp_path: Path) -> None:
    names = ["", "Bags", "Luggage/Suitcases", "Luggage", "Suitcases", "p\u00e9ar"]
    tree = Taxonomy([-1, 0, 1, 1, 3, 0], names, columns={"id": ["", "b", "b1", "b2", "b3", "p"]})
    prediction = LeafSoftmax(tree, torch.zeros(1, 3))
    for allowed in (
        "\n".join(tree.path_name(v) for v in (2, 5)),
        "b1\np",
        "Luggage\\/Suitcases\npe\u0301ar",
    ):
        (tmp_path / "region.txt").write_text(allowed, encoding="utf-8")
        found = Subset(tmp_path / "region.txt").can_be(tree).nonzero().squeeze(-1).tolist()
        assert found == [0, 1, 2, 5]
    assert Subset([tree.path_name(2), ("p\u00e9ar",)])(prediction).log_prob[0, 4] == -torch.inf


def test_subset_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "region.txt"
    file.write_text("\ufeff1\n\n 2/6/7 \n", encoding="utf-8")
    prediction = LeafSoftmax(t9(), theta()[t9().leaf_nodes.copy()])
    rule = Subset(str(file))
    assert rule.handle.startswith("subset-region")
    torch.testing.assert_close(rule(prediction).log_prob, Subset(t9_nodes(1, 7))(prediction).log_prob)
    file.write_text("1\n44\n")  # read again after a change
    with pytest.raises(InputError, match=r"1 that does not: '44' \(nearest: '4'\) in line 2 at .*region.txt"):
        rule(prediction)
    file.write_text("\n")
    with pytest.raises(InputError, match=r"at least one allowed node, but got none at .*region.txt"):
        rule(prediction)
    file.write_bytes(b"1\n\xff\n")
    with pytest.raises(InputError, match=r"UTF-8 text, but got invalid start byte after 2 bytes at .*region.txt"):
        rule(prediction)
    for allowed, text in (
        ((), "at least one allowed node"),
        ("", "at least one allowed node, but got none"),
        ((9,), "nodes from 0 to 8, but got 9"),
        ("x.txt", "exist"),
    ):
        with pytest.raises(InputError, match=text):
            Subset(allowed)(prediction)


def test_what_is_ruled_out_stays_out_of_diffusion() -> None:
    prediction = NodeSigmoid(t9(), theta()[1:])
    result = chain(Subset(["1"]), Diffusion())(prediction)
    assert result.log_prob[t9_nodes(3, 7, 8)].isneginf().all()
    torch.testing.assert_close(result.log_prob[t9_nodes(1)[0]], torch.zeros((), dtype=torch.float64))
    assert chain(Subset(["1"]), Diffusion()).about(prediction)["diffusion/shift"] == "none"
    zeros = theta().masked_fill(torch.isin(torch.arange(9), torch.tensor(t9_nodes(2, 3, 6, 7, 8))), 0.0)
    alone = Diffusion()(NodeSigmoid(t9(), zeros[1:])).leaf_logits
    open_leaves = result.leaf_logits.isfinite()
    assert open_leaves.sum() == 2
    torch.testing.assert_close(result.leaf_logits[open_leaves], alone[open_leaves])


# ---------------------------------------------------------------- chains


def test_chains() -> None:
    prediction, subset = NodeSigmoid(t9(), theta()[1:]), Subset(["1"])
    both = chain(Diffusion(0.5), subset)
    assert both.handle == f"diffusion-0.5+{subset.handle}"
    torch.testing.assert_close(both(prediction).log_prob, subset(Diffusion(0.5)(prediction)).log_prob)
    assert chain([Diffusion(0.5), subset]) == both
    assert chain(chain(Diffusion(0.5)), chain([subset])) == both
    assert chain(both, BottomUp()).handle.count("+") == 2
    assert chain(subset) is subset
    with pytest.raises(InputError, match="at least one inference"):
        chain()
