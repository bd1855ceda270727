from __future__ import annotations

import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import decisions
from cladewise.decisions import Decision, Leaf, Levels, Majority, NodeArgmax, Threshold
from cladewise.errors import InputError
from cladewise.inference import Subset
from cladewise.predictions import LeafSoftmax, LevelLogProb, LevelSoftmax, NodeSoftmax, level_width
from cladewise.taxonomy import Taxonomy
from reference import decisions_twin
from reference.given_predictions import Given
from reference.small_trees import T9_THETA, ragged_taxonomies, reordered, t9, t9_nodes, t9_order

# node probabilities of four heads on the golden tree, breadth-first
FLAT = [1, 0.512471, 0.40453, 0.082999, 0.101375, 0.411096, 0.40453, 0.336577, 0.067954]
PATH_SUM = [1, 0.702744, 0.204073, 0.093184, 0.139014, 0.56373, 0.204073, 0.169792, 0.03428]
CONDITIONAL = [1, 0.422319, 0.422319, 0.155362, 0.083541, 0.338777, 0.422319, 0.351377, 0.070942]
DESCENDANT = [1, 0.460675, 0.435718, 0.051804, 0.063273, 0.256585, 0.294901, 0.210074, 0.042413]


def golden() -> Given:
    return Given(t9(), torch.tensor([FLAT, PATH_SUM, CONDITIONAL, DESCENDANT])[:, t9_order()].log())


def theta() -> Tensor:
    return torch.tensor(T9_THETA)[t9_order()]


def test_golden_majority() -> None:
    assert Majority()(golden()).node.tolist() == t9_nodes(1, 5, 0, 0)


def test_golden_leaf() -> None:
    assert Leaf()(golden()).node.tolist() == t9_nodes(5, 5, 7, 5)
    flat = LeafSoftmax(t9(), theta()[t9().leaf_nodes.copy()])
    assert Leaf()(flat).node.item() == t9_nodes(5)[0]
    assert Leaf()(flat).log_prob.exp().item() == pytest.approx(0.411096, abs=1e-6)
    assert Majority()(flat).node.item() == t9_nodes(1)[0]


def test_golden_all_node_softmax_decides_by_logits() -> None:
    answer = NodeArgmax()(NodeSoftmax(t9(), theta()))
    assert answer.node.item() == t9_nodes(5)[0]
    assert answer.log_prob.exp().item() == pytest.approx(0.256585, abs=1e-6)
    # the five best are of all nine: 5, 7, then the inner nodes 1 and 2, equal, and 4
    assert NodeSoftmax(t9(), theta()).ranking(5).tolist() == t9_nodes(5, 7, 1, 2, 4)


def test_node_argmax_may_stop_at_an_internal_node_and_skips_a_root_without_score() -> None:
    taxonomy = t9()
    logits = torch.zeros(2, 8)
    logits[0, t9_nodes(6)[0] - 1] = 3.0
    assert NodeArgmax()(NodeSoftmax(taxonomy, logits, with_root=False)).node.tolist() == [t9_nodes(6)[0], 1]


@given(ragged_taxonomies(), st.data())
@settings(max_examples=45)
def test_rules_agree_with_one_node_at_a_time(taxonomy: Taxonomy, data: st.DataObject) -> None:
    threshold = data.draw(st.sampled_from([0.0, 0.2, 0.5, 0.9]))
    whole = data.draw(st.booleans())  # whole numbers: many ties
    generator = torch.Generator().manual_seed(data.draw(st.integers(0, 10**6)))
    kind = data.draw(st.sampled_from([LeafSoftmax, NodeSoftmax, Given]))
    width = taxonomy.num_leaves if kind is LeafSoftmax else taxonomy.num_nodes
    logits = torch.randn(3, 2, width, generator=generator, dtype=torch.float64) * 2
    logits = logits.round() if whole else logits
    prediction = kind(taxonomy, logits.sigmoid().log() if kind is Given else logits)
    p = prediction.log_prob.exp()
    assume(((p - threshold).abs() > 1e-9).all())
    scores = torch.full((3, 2, taxonomy.num_nodes), -torch.inf, dtype=torch.float64)
    scores[..., prediction.scored_nodes] = prediction.logits
    leaves = taxonomy.leaf_nodes.tolist()
    scored = prediction.scored_nodes.tolist()

    above, leaf = Threshold(threshold)(prediction), Leaf()(prediction)
    argmax, levels = NodeArgmax()(prediction), Levels()(prediction)
    for i, j in [(i, j) for i in range(3) for j in range(2)]:
        of_image = p[i, j].tolist()
        assert above.node[i, j] == decisions_twin.most_informative_above(taxonomy, of_image, threshold)
        assert leaf.node[i, j] == decisions_twin.best_of(
            leaves, scores[i, j].tolist() if kind is LeafSoftmax else prediction.log_prob[i, j].tolist()
        )
        assert argmax.node[i, j] == decisions_twin.best_of(scored, scores[i, j].tolist())
        for k in range(taxonomy.num_levels):
            at_level = decisions_twin.level_probabilities(taxonomy, of_image, k + 1)
            best = max(at_level.values())
            # of sums that are equal to rounding either can be the largest
            assert levels.node[i, j, k] in [v for v, x in at_level.items() if x > best - 1e-12]
            assert levels.log_prob[i, j, k].exp().item() == pytest.approx(best, abs=1e-9)
        for answer in (above, leaf, argmax):
            torch.testing.assert_close(answer.log_prob[i, j], prediction.log_prob[i, j, answer.node[i, j]])


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=18)
def test_the_classes_of_a_level_share_all_there_is(taxonomy: Taxonomy, seed: int) -> None:
    logits = torch.randn(2, taxonomy.num_leaves, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    prediction = LeafSoftmax(taxonomy, (20 * logits).requires_grad_())
    for k in range(1, taxonomy.num_levels + 1):
        nodes, log_prob = prediction.level_log_prob(k)
        place = torch.searchsorted(nodes, torch.tensor(taxonomy.at_level(k)[taxonomy.leaf_nodes]))
        p = torch.zeros_like(log_prob).index_add(-1, place, prediction.leaf_logits.softmax(-1))
        torch.testing.assert_close(log_prob.exp(), p, atol=1e-12, rtol=1e-9)
        (gradient,) = torch.autograd.grad(log_prob.sum(), prediction.leaf_logits, retain_graph=True)
        assert gradient.isfinite().all()


def test_a_sure_answer_is_right_at_a_level_that_some_children_skip() -> None:
    taxonomy = Taxonomy.from_paths([("o", "f", "g"), ("o", "", "h"), ("", "", "s"), ("q", "r", "t")])
    found = Levels()(LeafSoftmax(taxonomy, 50 * torch.eye(4))).node
    for k in (1, 2, 3):
        assert found[:, k - 1].tolist() == taxonomy.at_level(k)[taxonomy.leaf_nodes].tolist()
    width = level_width(taxonomy, (1, 2, 3), tied=False)
    for prediction in (LeafSoftmax(taxonomy, torch.zeros(1, 4)), LevelSoftmax(taxonomy, torch.zeros(1, width))):
        kept_out = Subset(["f", "q"])(prediction).level_log_prob(2)
        assert kept_out.log_prob.exp().tolist() == [[0.0, 0.0, 0.5, 0.5]]


@given(ragged_taxonomies(), st.integers(0, 10**6))
@settings(max_examples=15)
def test_neither_numbering_nor_batch_order_matters(taxonomy: Taxonomy, seed: int) -> None:
    moved, number = reordered(taxonomy, seed)
    old = torch.randn(5, taxonomy.num_nodes, generator=torch.Generator().manual_seed(seed))
    new = torch.empty_like(old)
    new[:, number] = old
    shuffled = torch.randperm(5, generator=torch.Generator().manual_seed(seed))
    for decision in (Leaf(), Majority(), Threshold(0.3), NodeArgmax(), Levels()):
        before = decision(NodeSoftmax(taxonomy, old)).node
        after = decision(NodeSoftmax(moved, new[shuffled])).node
        assert torch.equal(torch.as_tensor(number)[before][shuffled], after)


def test_the_bar_is_strict_even_against_rounding() -> None:
    halves = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e"), ("d", "f")])
    third = Taxonomy.from_paths([("a", str(i)) for i in range(10)] + [("d", str(i)) for i in range(10)])
    for taxonomy in (halves, third):
        for shift in (0.0, 3.3, -17.1):
            logits = torch.full((1, taxonomy.num_leaves), shift)
            assert Majority()(LeafSoftmax(taxonomy, logits)).node.item() == 0
    nearly = LeafSoftmax(halves, torch.tensor([[0.0, 0.0, 0.0, -1e-4]]))
    assert Majority()(nearly).node.item() == halves.find("a")


def test_certainty_exceeds_every_threshold_below_one() -> None:
    sure = LeafSoftmax(t9(), 1e3 * torch.eye(5))
    for threshold in (0.999999, 0.9999999, 1 - 1e-12):
        assert Threshold(threshold)(sure).node.equal(Leaf()(sure).node)
    nearly = LeafSoftmax(t9(), 13 * torch.eye(5))  # its leaves have 0.99999
    assert not Threshold(0.9999999)(nearly).node.any()


def test_a_single_child_is_answered_for_its_parent() -> None:
    chain = Taxonomy.from_paths([("a", "b", "c"), ("d",)])
    sure = LeafSoftmax(chain, torch.tensor([5.0, 0.0]))
    assert Majority()(sure).node.item() == chain.find("c")
    only = Taxonomy.from_paths([("a", "b")])
    assert Majority()(LeafSoftmax(only, torch.zeros(1))).node.item() == only.find("b")
    at_root_with_one_child = NodeSoftmax(only, torch.tensor([0.0, 9.0, 0.0]))  # a owns nearly everything
    assert Majority()(at_root_with_one_child).node.item() == 0


def test_an_incoherent_head_may_have_several_majorities() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d",)])
    both = Given(taxonomy, torch.tensor([1.0, 0.4, 0.6, 0.7, 0.9]).log())
    assert Majority()(both).node.item() == taxonomy.find("d")
    nothing = Given(taxonomy, torch.full((5,), -5.0))
    answer = Majority()(nothing)
    assert (answer.node.item(), answer.log_prob.item()) == (0, -5.0)


def test_levels_use_the_heads_own_levels() -> None:
    class Own(Given):
        def level_log_prob(self, level: int) -> LevelLogProb:
            nodes = torch.as_tensor(self.taxonomy.level_nodes(level))
            return LevelLogProb(nodes, -self.log_prob[..., nodes])

    prediction = Own(t9(), theta())
    assert Levels()(prediction).node.tolist() == t9_nodes(3, 6, 8)


@pytest.mark.parametrize("decision", [Leaf(), Majority(), Threshold(), NodeArgmax(), Levels()])
def test_extreme_and_half_precision_logits(decision: Decision) -> None:
    taxonomy = t9()
    for logits in (torch.tensor([[1e4, -1e4, 0.0, 1e4, -1e4]]), torch.randn(2, 5).bfloat16()):
        answer = decision(LeafSoftmax(taxonomy, logits))
        assert answer.log_prob.dtype == torch.float32
        assert answer.log_prob.isfinite().all()


def test_empty_batch() -> None:
    prediction = LeafSoftmax(t9(), torch.zeros(0, 5))
    assert Majority()(prediction).node.shape == (0,)
    assert Levels()(prediction).node.shape == (0, 3)


def test_every_module_with_a_rule_is_listed() -> None:
    assert {"leaf", "majority", "threshold", "node-argmax", "levels", "crm", "hedging"} <= set(decisions.available())
    assert all(getattr(decisions, kind.__name__) is kind for kind in decisions.available().values())
    assert decisions.make("majority") == Majority()
    assert decisions.make("threshold", threshold=0.25) == Threshold(0.25)


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: decisions.make("majorty"), "leaf, .*levels, majority, .*, but got 'majorty'. Did you mean majority"),
        (
            lambda: decisions.make("threshold", treshold=0.5),
            "threshold: threshold, or a level or branch, but got 'treshold'",
        ),
        (lambda: decisions.make("leaf", threshold=0.5), "but got 'threshold'"),
        (lambda: Threshold(1.0), r"Expected a threshold in \[0, 1\), but got 1.0"),
        (lambda: Threshold(-0.1), r"but got -0.1"),
        (lambda: Threshold(float("nan")), "but got nan"),
        (lambda: Levels()(LeafSoftmax(Taxonomy([-1], ["all"]), torch.zeros(1))), "a level below the root"),
    ],
)
def test_mistakes_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()
