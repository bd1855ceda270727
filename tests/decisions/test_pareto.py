from __future__ import annotations

import dataclasses
from functools import cached_property

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from cladewise import decisions
from cladewise.decisions import Majority, OperatingPoint, ParetoSequence, pareto, pareto_sequence
from cladewise.errors import InputError
from cladewise.predictions import Coherence, ConditionalSigmoid, LeafSoftmax, NodeSigmoid, NodeSoftmax, Prediction
from cladewise.taxonomy import Taxonomy
from reference import curves_twin
from reference.small_trees import T9_THETA, reordered, t9, t9_nodes, t9_order
from strategies import taxonomies


@dataclasses.dataclass(frozen=True, eq=False)
class Told(Prediction):
    """Log-probabilities as they are told."""

    values: Tensor

    @property
    def coherence(self) -> Coherence:
        return Coherence.NONE

    @property
    def logits(self) -> Tensor:
        return self.values

    @property
    def scored_nodes(self) -> Tensor:
        return torch.arange(self.taxonomy.num_nodes)

    @cached_property
    def log_prob(self) -> Tensor:
        return self.values


def flat_t9() -> LeafSoftmax:
    return LeafSoftmax(t9(), torch.tensor(T9_THETA)[t9_order()][t9().leaf_nodes.copy()])


def rows(sequence: ParetoSequence) -> list[list[int]]:
    return [part.tolist() for part in sequence.node.tensor_split(sequence.offsets[1:-1])]


def test_golden_sequence() -> None:
    sequence = pareto_sequence(flat_t9()[None])
    assert sequence.node.tolist() == t9_nodes(0, 1, 5)
    assert sequence.log_prob.exp().tolist() == pytest.approx([1, 0.512471, 0.411096], abs=1e-6)


def test_golden_order_of_information_and_probability() -> None:
    # eight leaves; information 0, 1, 1, 2, 2, 2, 3, 3 bits at eight nodes, and the rest impossible
    halves = [("a", "aa", "x"), ("a", "aa", "y"), ("a", "ab", "x"), ("a", "ab", "y")]
    halves += [("b", "ba", "x"), ("b", "ba", "y"), ("b", "bb", "x"), ("b", "bb", "y")]
    taxonomy = Taxonomy.from_paths(halves)
    nodes = [0, *(taxonomy.find(path) for path in ("a", "b", ("a", "aa"), ("a", "ab"), ("b", "ba")))]
    nodes += [taxonomy.find(("a", "aa", "x")), taxonomy.find(("b", "bb", "y"))]
    p = torch.full((1, taxonomy.num_nodes), 1e-3)
    p[0, nodes] = torch.tensor([1, 0.4, 0.6, 0.1, 0.3, 0.2, 0.1, 0.2])
    found = pareto_sequence(Told(taxonomy, p.log()))
    assert found.node.tolist() == [nodes[i] for i in (0, 2, 4, 7)]


kinds = st.sampled_from([LeafSoftmax, NodeSoftmax, ConditionalSigmoid, NodeSigmoid, Told])


def predict(kind: type[Prediction], taxonomy: Taxonomy, seed: int, scale: float, batch: tuple[int, ...]) -> Prediction:
    """Random scores; at scale 0.5 they are whole numbers, so that there are many ties."""
    generator = torch.Generator().manual_seed(seed)
    widths = {LeafSoftmax: taxonomy.num_leaves, NodeSoftmax: taxonomy.num_nodes, Told: taxonomy.num_nodes}
    width = widths.get(kind, taxonomy.num_nodes - 1)
    logits = torch.randn(*batch, width, generator=generator) * 4 * scale
    logits = logits.round() if scale == 0.5 else logits
    return kind(taxonomy, torch.nn.functional.logsigmoid(logits) if kind is Told else logits)


def single(log_prob: Tensor) -> list[float]:
    """The compared values: log-probabilities in single precision, at most 0."""
    return np.minimum(log_prob.numpy().astype(np.float32), 0).tolist()


@given(taxonomies(max_nodes=16), kinds, st.sampled_from([0.2, 0.5, 3.0, 30.0]), st.integers(0, 10**6), st.data())
@settings(max_examples=50)
def test_agrees_with_a_full_sort(taxonomy: Taxonomy, kind, scale: float, seed: int, data: st.DataObject) -> None:
    prediction = predict(kind, taxonomy, seed, scale, (5,))
    min_prob = data.draw(st.sampled_from([0.0, 0.3]))
    _, _, log_prob = prediction.best_leaf_and_rivals(torch.arange(taxonomy.num_nodes))
    sequence = pareto_sequence(prediction, min_prob)
    threshold = data.draw(st.sampled_from([0.1, 0.3, 0.9]))
    decided = OperatingPoint(threshold)(prediction)
    for i, nodes in enumerate(rows(sequence)):
        of_image = single(log_prob[i])
        expected = curves_twin.pareto(taxonomy, of_image, np.log(min_prob) if min_prob else None)
        assert nodes == [v for v, _ in expected]
        found = sequence.log_prob[sequence.offsets[i] : sequence.offsets[i + 1]].tolist()
        assert found == [of_image[v] for v in nodes]
        whole = curves_twin.pareto(taxonomy, of_image)
        reached = [v for v, p in whole if p >= np.log(threshold)]
        assert decided.node[i].item() == (reached[-1] if reached else 0)
        assert decided.log_prob[i].item() == (of_image[reached[-1]] if reached else 0.0)


@given(taxonomies(max_nodes=20), kinds, st.sampled_from([0.5, 3.0, 30.0, 1e4]), st.integers(0, 10**6))
@settings(max_examples=35)
def test_rivals_of_the_best_leaf_are_as_probable_as_they_are(taxonomy: Taxonomy, kind, scale: float, seed: int) -> None:
    prediction = predict(kind, taxonomy, seed, scale, (2, 3))
    nodes = torch.randperm(taxonomy.num_nodes, generator=torch.Generator().manual_seed(seed))
    place, best, rivals = prediction.best_leaf_and_rivals(nodes)
    of_leaves, of_nodes = (prediction.log_prob[..., v] for v in (torch.tensor(taxonomy.leaf_nodes), nodes))
    torch.testing.assert_close(best, of_leaves.amax(-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(of_leaves.gather(-1, place[..., None]).squeeze(-1), best, atol=1e-5, rtol=1e-5)
    reach = of_nodes >= best[..., None]
    torch.testing.assert_close(rivals[reach], of_nodes[reach], atol=1e-5, rtol=1e-5)
    assert (rivals[~reach] <= best[..., None].expand_as(rivals)[~reach] + 1e-5).all()
    again = prediction.flat()
    assert all(
        map(torch.equal, again[1:3].best_leaf_and_rivals(nodes), (x.flatten(0, 1)[1:3] for x in (place, best, rivals)))
    )


@given(taxonomies(max_nodes=20), kinds, st.sampled_from([0.5, 3.0]), st.integers(0, 10**6))
@settings(max_examples=25)
def test_probability_falls_and_information_rises(taxonomy: Taxonomy, kind, scale: float, seed: int) -> None:
    sequence = pareto_sequence(predict(kind, taxonomy, seed, scale, (4,)))
    same = sequence.image[1:] == sequence.image[:-1]
    assert (sequence.lengths >= 1).all()
    assert (sequence.log_prob.diff()[same] < 0).all()
    information = torch.tensor(taxonomy.information)[sequence.node]
    assert (information.diff()[same] > 0).all()
    last = sequence.node[sequence.offsets[1:] - 1]
    assert taxonomy.is_leaf[last.numpy()].all()


@given(taxonomies(max_nodes=20), st.sampled_from([0.5, 3.0]), st.integers(0, 10**6))
@settings(max_examples=15)
def test_any_parts_and_any_batch_shape(taxonomy: Taxonomy, scale: float, seed: int) -> None:
    prediction = predict(NodeSoftmax, taxonomy, seed, scale, (2, 3))
    whole = pareto_sequence(prediction)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(pareto, "CELLS_AT_ONCE", 2 * taxonomy.num_nodes)
        in_parts = pareto_sequence(prediction)
        flat = pareto_sequence(predict(NodeSoftmax, taxonomy, seed, scale, (6,)))
    by_image = ParetoSequence.cat([pareto_sequence(prediction[i, j]) for i in range(2) for j in range(3)])
    for other in (in_parts, flat, by_image):
        assert torch.equal(other.offsets, whole.offsets)
        assert torch.equal(other.node, whole.node)
        torch.testing.assert_close(other.log_prob, whole.log_prob)
    assert OperatingPoint()(prediction).node.shape == (2, 3)


@given(taxonomies(max_nodes=20, min_nodes=2), st.integers(0, 10**6))
@settings(max_examples=18)
def test_numbering_does_not_matter(taxonomy: Taxonomy, seed: int) -> None:
    if len(set(taxonomy.names.tolist())) < taxonomy.num_nodes:
        return
    moved, number = reordered(taxonomy, seed)
    old = predict(Told, taxonomy, seed, 3.0, (4,))
    new = torch.empty_like(old.log_prob)
    new[:, number] = old.log_prob
    before, after = pareto_sequence(old), pareto_sequence(Told(moved, new))
    assert torch.equal(torch.as_tensor(number)[before.node], after.node)


def test_the_points_may_leave_the_path() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("a", "d"), ("e",), ("f",)])
    p = LeafSoftmax(taxonomy, torch.tensor([[0.15, 0.15, 0.15, 0.3, 0.25]]).log())
    assert pareto_sequence(p).node.tolist() == [0, taxonomy.find("a"), taxonomy.find("e")]


def test_a_saturated_chain_starts_below_the_root() -> None:
    sure = LeafSoftmax(t9(), torch.tensor([[0.0, 0.0, 0.0, 1e4, 0.0]])[:, [0, 1, 3, 2, 4]])
    sequence = pareto_sequence(sure)
    assert len(sequence.node) == 1
    assert t9().is_leaf[sequence.node.item()]


@pytest.mark.parametrize("names", [[("a",)], [("a", "b", "c")], [("a", "b"), ("a", "c")]])
def test_a_root_with_one_child_is_passed_over(names: list[tuple[str, ...]]) -> None:
    taxonomy = Taxonomy.from_paths(names)
    nodes = pareto_sequence(LeafSoftmax(taxonomy, torch.zeros(1, taxonomy.num_leaves))).node.tolist()
    assert nodes == ([taxonomy.num_nodes - 1] if len(names) == 1 else [1, 2])


def test_a_lone_root() -> None:
    sequence = pareto_sequence(LeafSoftmax(Taxonomy([-1], ["all"]), torch.zeros(3, 1)))
    assert rows(sequence) == [[0], [0], [0]]


def test_nothing_above_the_minimum_is_the_root() -> None:
    prediction = Told(t9(), torch.full((2, 9), 0.1).log())
    sequence = pareto_sequence(prediction, min_prob=0.5)
    assert rows(sequence) == [[0], [0]]
    assert OperatingPoint(0.5)(prediction).node.tolist() == [0, 0]


def test_a_threshold_is_reached_even_against_rounding() -> None:
    third = Taxonomy.from_paths([("a", str(i)) for i in range(10)] + [("d", str(i)) for i in range(10)])
    for shift in (0.0, 3.3, -17.1):
        even = LeafSoftmax(third, torch.full((1, 20), shift))
        assert OperatingPoint(0.5)(even).node.item() == third.find("a")
        assert Majority()(even).node.item() == 0
    assert OperatingPoint(0.0)(flat_t9()).node.item() == t9_nodes(5)[0]
    assert OperatingPoint(1.0)(flat_t9()).node.item() == 0


def test_a_threshold_read_off_the_sequence_gives_its_node_back() -> None:
    prediction = predict(LeafSoftmax, t9(), 3, 1.0, (1,))
    sequence = pareto_sequence(prediction)
    for node, log_prob in zip(sequence.node.tolist(), sequence.log_prob.double().exp().tolist(), strict=True):
        assert OperatingPoint(log_prob)(prediction).node.item() == node


def test_extreme_scores_and_half_precision() -> None:
    for logits in (torch.tensor([[1e4, -1e4, 0.0, 1e4, -1e4]]), torch.randn(2, 5).bfloat16(), torch.randn(2, 5).half()):
        sequence = pareto_sequence(LeafSoftmax(t9(), logits))
        assert sequence.log_prob.dtype == torch.float32
        assert sequence.log_prob.isfinite().all()
    impossible = torch.tensor([[0.0, -torch.inf, -torch.inf, -torch.inf, 0.0]])
    assert pareto_sequence(LeafSoftmax(t9(), impossible)).log_prob.isfinite().all()
    assert pareto_sequence(Told(t9(), torch.full((1, 9), -torch.inf))).node.tolist() == [t9().leaf_nodes[0]]


def test_empty_batch() -> None:
    sequence = pareto_sequence(LeafSoftmax(t9(), torch.zeros(0, 5)))
    assert (sequence.num_images, len(sequence.node), sequence.offsets.tolist()) == (0, 0, [0])
    assert OperatingPoint()(LeafSoftmax(t9(), torch.zeros(0, 5))).node.shape == (0,)


def test_on_another_device(device: torch.device) -> None:
    here, there = flat_t9()[None], flat_t9()[None].to(device)
    assert pareto_sequence(there).node.device.type == device.type
    assert pareto_sequence(there).node.tolist() == pareto_sequence(here).node.tolist()


def test_is_listed() -> None:
    assert decisions.make("operating-point", threshold=0.25) == OperatingPoint(0.25)
    assert OperatingPoint(0.8).handle == "operating-point-0.8"


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (lambda: OperatingPoint(1.1), r"Expected a threshold in \[0, 1\], but got 1.1"),
        (lambda: OperatingPoint(float("nan")), "but got nan"),
        (lambda: pareto_sequence(flat_t9(), 1.0), r"a minimum probability in \[0, 1\), but got 1.0"),
    ],
)
def test_mistakes_are_named(call, text: str) -> None:
    with pytest.raises(InputError, match=text):
        call()
