"""Margin, descendant, level and soft-label losses: golden values, slow twins, closed forms, hostile input."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.losses import (
    DescendantSoftmaxLoss,
    FlatSoftmaxLoss,
    HACELoss,
    HACESoftLoss,
    LevelSoftmaxLoss,
    Loss,
    SoftLabelLoss,
    SoftMaxMarginLoss,
    soft_targets,
)
from cladewise.losses.distances import distance_by_lca
from cladewise.ops.rings import fill_rings, leaf_ranges, node_ranges, path_to, ring_logsumexp
from cladewise.predictions import LevelSoftmax
from cladewise.taxonomy import Taxonomy
from reference import losses_margin as reference
from reference import trees
from reference.laws import case
from reference.small_trees import T9_THETA, ragged_taxonomies, reordered, t9, t9_nodes, t9_order
from strategies import taxonomies, taxonomies_with_nodes

T9 = t9()
NODE_LOGITS = torch.tensor(T9_THETA, dtype=torch.float64)[t9_order()]
LEAF_LOGITS = NODE_LOGITS[torch.tensor(T9.leaf_nodes)]
LABELS = torch.tensor(t9_nodes(3, 4, 5, 7, 8))

GOLDEN: list[tuple[Loss, list[float]]] = [
    (SoftMaxMarginLoss(T9, 0.0), [2.960295, 2.760295, 1.360295, 1.560295, 3.160295]),
    (SoftMaxMarginLoss(T9), [7.851697, 7.467038, 5.769381, 5.976703, 7.837914]),
    (DescendantSoftmaxLoss(T9, "all"), [3.552354, 4.332501, 2.932501, 4.712648, 6.312648]),
    (DescendantSoftmaxLoss(T9), [2.907101, 3.294142, 1.894142, 3.345312, 4.945312]),
    (SoftLabelLoss(T9, 4.0), [2.437733, 2.000713, 1.218817, 1.442131, 2.335727]),
]


@pytest.mark.parametrize(("loss", "expected"), GOLDEN)
def test_golden_values(loss: Loss, expected: list[float]) -> None:
    logits = LEAF_LOGITS if loss.num_outputs == 5 else NODE_LOGITS
    np.testing.assert_allclose(loss(logits.expand(5, -1), LABELS), expected, atol=6e-7)


def test_golden_soft_label_and_distances() -> None:
    leaves = torch.tensor([T9.leaf_nodes.tolist().index(v) for v in LABELS.tolist()])
    wanted = soft_targets(T9, 4.0)(torch.tensor(t9_nodes(4)), torch.float64)[0, leaves]
    np.testing.assert_allclose(wanted, [0.013891, 0.758412, 0.199915, 0.013891, 0.013891], atol=6e-7)
    height = distance_by_lca(T9) * 3
    rows = [[0, 3, 3, 3, 3], [3, 0, 1, 3, 3], [3, 1, 0, 3, 3], [3, 3, 3, 0, 1], [3, 3, 3, 1, 0]]
    labels = LABELS.numpy()
    np.testing.assert_allclose(height[T9.lca(labels[:, None], labels)], rows)


# ---------------------------------------------------------------- the slow twins, on any tree and any label

MARGINS = ["incorrect", "depth-distance", "information-distance", "depth-deficit", "log-f1"]

EVERY_KIND: dict[str, tuple[Callable[[Taxonomy], Loss], Callable[..., float]]] = {
    **{
        f"margin {kind} {form}": (
            lambda t, k=kind, f=form: SoftMaxMarginLoss(t, 2.3, f, k),
            lambda *image, k=kind, f=form: reference.soft_max_margin(*image, tau=2.3, form=f, kind=k),
        )
        for kind in MARGINS
        for form in ("soft", "hard")
    },
    **{
        f"descendant {form}": (
            lambda t, f=form: DescendantSoftmaxLoss(t, f),
            lambda *image, f=form: reference.descendant_softmax(*image, form=f),
        )
        for form in ("complement", "all")
    },
    **{
        f"soft labels {distance} {beta} {reduction}": (
            lambda t, d=distance, b=beta, r=reduction: SoftLabelLoss(t, b, d, r),
            lambda t, *image, d=distance, b=beta, r=reduction: reference.soft_labels(
                t, *image, beta=b, distances=reference.leaf_distances(t, d), reduction=r
            ),
        )
        for distance, beta, reduction in (
            ("lca-height", 4.0, "sum"),
            ("lca-height", 30.0, "elementwise"),
            ("hace", 10.0, "sum"),
            ("hace", 0.0, "sum"),
            ("hace", 1e7, "elementwise"),
        )
    },
    "soft labels, own distances": (
        lambda t: SoftLabelLoss(t, 4.0, reference.leaf_distances(t, "hace")),
        lambda t, *image: reference.soft_labels(t, *image, beta=4.0, distances=reference.leaf_distances(t, "hace")),
    ),
    **{
        f"hace soft {distance} {domain}": (
            lambda t, d=distance, k=domain: HACESoftLoss(
                t, 0.7, 4.0, d, "leaves" if k == "leaves" else "nodes", with_root=k != "nodes-without-root"
            ),
            lambda t, *image, d=distance, k=domain: reference.hace_soft(
                t, *image, dilution=0.7, beta=4.0, distances=reference.leaf_distances(t, d), domain=k
            ),
        )
        for distance, domain in (("hace", "nodes"), ("lca-height", "nodes-without-root"), ("hace", "leaves"))
    },
}


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=14, max_batch=3), seed=st.integers(0, 99))
def test_every_loss_is_its_twin(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    for kind, (make, twin) in EVERY_KIND.items():
        if taxonomy.num_nodes == 1 and "without-root" in kind:
            continue
        with case(kind):
            loss = make(taxonomy)
            logits = 2 * np.random.default_rng(seed).standard_normal((len(nodes), loss.num_outputs))
            expected = [twin(taxonomy, row, node) for row, node in zip(logits, nodes, strict=True)]
            tolerance = 1e-6 if "own distances" in kind else 1e-9  # its table is in single precision
            np.testing.assert_allclose(
                loss(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=tolerance, atol=tolerance / 1000
            )


@settings(max_examples=12)
@given(taxonomy=ragged_taxonomies(), seed=st.integers(0, 99), tied=st.booleans(), data=st.data())
def test_level_softmax_is_its_twin(taxonomy: Taxonomy, seed: int, tied: bool, data: st.DataObject) -> None:
    finest = taxonomy.num_levels
    coarser = st.lists(st.integers(1, finest - 1), unique=True) if finest > 1 else st.just([])
    levels = [*sorted(data.draw(coarser)), finest]
    loss = LevelSoftmaxLoss(taxonomy, tuple(levels), tied)
    nodes = np.arange(taxonomy.num_nodes)
    logits = 2 * np.random.default_rng(seed).standard_normal((nodes.size, loss.num_outputs))
    expected = [reference.level_softmax(taxonomy, logits[v], v, levels, tied) for v in nodes]
    np.testing.assert_allclose(loss(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=1e-9, atol=1e-12)


@settings(max_examples=12)
@given(taxonomy=ragged_taxonomies(), tied=st.booleans())
def test_level_softmax_agrees_with_its_prediction(taxonomy: Taxonomy, tied: bool) -> None:
    loss = LevelSoftmaxLoss(taxonomy, tied=tied)
    leaves = torch.tensor(taxonomy.leaf_nodes)
    prediction = LevelSoftmax(taxonomy, torch.randn(len(leaves), loss.num_outputs, dtype=torch.float64), tied=tied)
    expected = torch.zeros(len(leaves), dtype=torch.float64)
    for level in range(1, taxonomy.num_levels + 1):
        nodes, log_prob = prediction.level_log_prob(level)
        label = torch.tensor(taxonomy.at_level(level))[leaves]
        expected -= log_prob.masked_select(nodes == label[:, None])
    torch.testing.assert_close(loss(prediction.logits, leaves), expected)


# ---------------------------------------------------------------- rings


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(), seed=st.integers(0, 99), over_leaves=st.booleans())
def test_rings_hold_the_nodes_that_share_an_ancestor(
    tree: tuple[Taxonomy, list[int]], seed: int, over_leaves: bool
) -> None:
    taxonomy, nodes = tree
    path = path_to(torch.tensor(nodes), taxonomy)
    ranges = (leaf_ranges if over_leaves else node_ranges)(path, taxonomy)
    columns = taxonomy.leaf_nodes if over_leaves else np.arange(taxonomy.num_nodes)
    shared = np.array([[trees.lca(taxonomy, v, int(u)) for u in columns] for v in nodes])
    depth = torch.arange(path.shape[1]).double().expand_as(path).minimum(torch.tensor(taxonomy.depth)[path])
    np.testing.assert_array_equal(fill_rings(depth, ranges, len(columns)), taxonomy.depth[shared])

    values = np.random.default_rng(seed).standard_normal((len(nodes), len(columns)))
    rings = ring_logsumexp(torch.tensor(values), ranges)
    for row, node in enumerate(nodes):
        for place in range(int(taxonomy.depth[node])):
            inside = values[row][shared[row] == int(path[row, place])]
            np.testing.assert_allclose(rings[row, place], trees.logsumexp(inside), rtol=1e-12)


def test_a_small_ring_beside_a_large_one_is_exact() -> None:
    values = torch.tensor([[-30.0, 60.0, 5.0, -31.0]])
    ranges = torch.tensor([[0, 1, 2]]), torch.tensor([[4, 3, 3]])
    expected = torch.tensor([[float(np.logaddexp(-30.0, -31.0)), 60.0, 5.0]])
    torch.testing.assert_close(ring_logsumexp(values, ranges), expected, rtol=1e-6, atol=0)


@pytest.mark.parametrize("width", [1, 31, 32, 33, 100, 257])
def test_rings_of_rows_longer_than_a_block(width: int) -> None:
    generator = np.random.default_rng(width)
    bounds = np.sort(generator.integers(0, width + 1, (6, 8)), axis=1)
    starts = torch.tensor(np.concatenate([np.zeros((6, 1), dtype=np.int64), bounds[:, :4]], axis=1))
    ends = torch.tensor(np.concatenate([np.full((6, 1), width), bounds[:, :3:-1]], axis=1))
    values = torch.randn(6, width, dtype=torch.float64, requires_grad=True)
    column = torch.arange(width)
    within = (column >= starts[..., None]) & (column < ends[..., None])
    inner = torch.cat([within[:, 1:], torch.zeros_like(within[:, :1])], dim=1)
    expected = values[:, None].expand_as(within).masked_fill(~(within & ~inner), -torch.inf).logsumexp(-1)
    rings = ring_logsumexp(values, (starts, ends))
    torch.testing.assert_close(rings, expected)
    some = expected > -torch.inf
    weight = torch.randn_like(expected)
    both = [torch.autograd.grad((weight * y)[some].sum(), values, retain_graph=True)[0] for y in (rings, expected)]
    torch.testing.assert_close(both[0], both[1].nan_to_num(0.0))


# ---------------------------------------------------------------- closed forms

RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h", "i"), ("j",)])
LEAVES = torch.tensor(RAGGED.leaf_nodes)
STAR = Taxonomy.from_parents([-1, 0, 0, 0], ["root", "a", "b", "c"])


@pytest.mark.parametrize("margin", MARGINS)
def test_no_margin_is_cross_entropy_over_the_nodes(margin: str) -> None:
    target = torch.arange(RAGGED.num_nodes)
    logits = torch.randn(RAGGED.num_nodes, RAGGED.num_nodes)
    expected = F.cross_entropy(logits, target, reduction="none")
    torch.testing.assert_close(SoftMaxMarginLoss(RAGGED, 0.0, "soft", margin)(logits, target), expected)  # type: ignore[arg-type]


@settings(max_examples=12)
@given(taxonomies_with_nodes(), st.floats(0.0, 20.0), st.floats(0.0, 20.0))
def test_a_wider_margin_costs_more(tree: tuple[Taxonomy, list[int]], first: float, second: float) -> None:
    taxonomy, nodes = tree
    logits = torch.randn(len(nodes), taxonomy.num_nodes, dtype=torch.float64)
    low, high = (SoftMaxMarginLoss(taxonomy, tau)(logits, torch.tensor(nodes)) for tau in sorted((first, second)))
    assert (low <= high + 1e-12).all()


def test_the_soft_margin_is_close_to_the_hard_one_where_one_rival_leads() -> None:
    logits = 100 * torch.randn(5, RAGGED.num_nodes, dtype=torch.float64)
    both = [SoftMaxMarginLoss(RAGGED, 5.0, form)(logits, LEAVES) for form in ("soft", "hard")]
    assert ((both[0] - both[1]) >= -1e-9).all()
    assert ((both[0] - both[1]) <= math.log(RAGGED.num_nodes)).all()


def test_descendant_softmax_of_a_star_is_cross_entropy_over_its_leaves() -> None:
    logits = torch.randn(3, 4)
    expected = F.cross_entropy(logits[:, 1:], torch.arange(3), reduction="none")
    torch.testing.assert_close(DescendantSoftmaxLoss(STAR)(logits, torch.tensor([1, 2, 3])), expected)


def test_the_complement_leaves_out_what_does_not_contradict() -> None:
    """The root's score and those strictly under an internal label have no part in the published form."""
    label = RAGGED.find("a")
    logits = torch.randn(1, RAGGED.num_nodes, requires_grad=True)
    (gradient,) = torch.autograd.grad(DescendantSoftmaxLoss(RAGGED)(logits, torch.tensor([label])).sum(), logits)
    without = [0, *range(label + 1, int(RAGGED.end[label]))]
    assert (gradient[0, without] == 0).all()
    assert (np.delete(gradient[0].numpy(), without) != 0).all()


@pytest.mark.parametrize("distance", ["lca-height", "hace"])
def test_soft_labels_between_their_extremes(distance: str) -> None:
    logits = torch.randn(5, 5)
    for beta in (1e7, math.inf):
        torch.testing.assert_close(
            SoftLabelLoss(RAGGED, beta, distance)(logits, LEAVES), FlatSoftmaxLoss(RAGGED)(logits, LEAVES)
        )
    torch.testing.assert_close(SoftLabelLoss(RAGGED, 0.0, distance)(logits, LEAVES), -logits.log_softmax(-1).mean(-1))


def test_the_elementwise_reduction_is_that_of_the_divergence_in_torch() -> None:
    logits = torch.randn(len(MIXED), 5)
    wanted = soft_targets(RAGGED, 4.0)(MIXED)
    expected = F.kl_div(logits.log_softmax(-1), wanted, reduction="none").mean()  # its default
    torch.testing.assert_close(SoftLabelLoss(RAGGED, 4.0, reduction="elementwise")(logits, MIXED).mean(), expected)


@settings(max_examples=12)
@given(taxonomies(), st.sampled_from([0.0, 4.0, 30.0, 1e7]), st.sampled_from(["lca-height", "hace"]))
def test_soft_targets_are_distributions_and_means_of_their_leaves(taxonomy: Taxonomy, beta: float, name: str) -> None:
    rows = soft_targets(taxonomy, beta, name)(torch.arange(taxonomy.num_nodes), torch.float64)
    assert (rows >= 0).all()
    torch.testing.assert_close(rows.sum(-1), torch.ones_like(rows[:, 0]))
    of_leaf = rows[torch.tensor(taxonomy.leaf_nodes)]
    torch.testing.assert_close(of_leaf.diagonal(), of_leaf.amax(-1))
    for node in range(taxonomy.num_nodes):
        mean = of_leaf[taxonomy.leaf_start[node] : taxonomy.leaf_end[node]].mean(0)
        torch.testing.assert_close(rows[node], mean, rtol=1e-9, atol=1e-12)


def test_soft_targets_of_internal_labels_stay_exact_in_a_large_tree() -> None:
    """Terms above the label are subtracted: what is left must not be their rounding."""
    generator = np.random.default_rng(0)
    parents = np.concatenate([[-1], generator.integers(0, np.arange(1, 1000) // 3 + 1)])
    taxonomy = Taxonomy.from_parents(parents, [str(v) for v in range(1000)])
    for beta in (0.0, 30.0, 200.0):
        distances = distance_by_lca(taxonomy)[taxonomy.lca(taxonomy.leaf_nodes[:, None], taxonomy.leaf_nodes)]
        for dtype, precision in ((torch.float32, 2e-6), (torch.float64, 1e-9)):
            rings = soft_targets(taxonomy, beta)(torch.arange(0, 1000, 7), dtype)
            table = soft_targets(taxonomy, beta, distances)(torch.arange(0, 1000, 7), dtype)
            assert table.dtype is dtype
            torch.testing.assert_close(rings, table, rtol=precision, atol=1e-30)


def test_hace_of_hard_soft_labels_is_hace() -> None:
    logits = torch.randn(5, RAGGED.num_nodes)
    for with_root in (False, True):
        scores = logits if with_root else logits[:, 1:]
        soft, hard = (
            HACESoftLoss(RAGGED, 0.3, math.inf, with_root=with_root),
            HACELoss(RAGGED, 0.3, with_root=with_root),
        )
        torch.testing.assert_close(soft(scores, LEAVES), hard(scores, LEAVES))


def test_a_level_alone_is_cross_entropy() -> None:
    logits = torch.randn(3, 3)
    expected = F.cross_entropy(logits, torch.arange(3), reduction="none")
    torch.testing.assert_close(LevelSoftmaxLoss(STAR)(logits, torch.tensor([1, 2, 3])), expected)
    finest = LevelSoftmaxLoss(RAGGED, (RAGGED.num_levels,))
    logits = torch.randn(5, 5)
    torch.testing.assert_close(finest(logits, LEAVES), F.cross_entropy(logits, torch.arange(5), reduction="none"))


def test_a_level_finer_than_the_label_learns_nothing() -> None:
    loss = LevelSoftmaxLoss(RAGGED)
    first = RAGGED.level_nodes(1).size
    logits = torch.zeros(1, loss.num_outputs, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, torch.tensor([RAGGED.find("a")])).sum(), logits)
    assert (gradient[:, :first] != 0).all()
    assert (gradient[:, first:] == 0).all()


def test_a_tied_leaf_has_one_score_for_all_its_levels() -> None:
    tied, own = LevelSoftmaxLoss(RAGGED, tied=True), LevelSoftmaxLoss(RAGGED)
    assert tied.num_outputs == RAGGED.num_nodes - 1
    assert own.num_outputs == sum(RAGGED.level_nodes(k).size for k in range(1, 5))


@pytest.mark.parametrize("seed", [0, 1])
def test_the_order_of_siblings_changes_nothing(seed: int) -> None:
    moved, number = reordered(RAGGED, seed)
    target = torch.arange(RAGGED.num_nodes)
    logits = torch.randn(RAGGED.num_nodes, RAGGED.num_nodes)
    again = torch.empty_like(logits).index_copy(1, torch.tensor(number), logits)
    leaf_logits, leaf_again = logits[:, LEAVES], again[:, torch.tensor(moved.leaf_nodes)]
    for make in MAKERS:
        here, there = make(RAGGED), make(moved)
        if here.num_outputs == RAGGED.num_nodes:
            values = here(logits, target), there(again, torch.tensor(number))
        elif here.num_outputs == RAGGED.num_leaves:
            values = here(leaf_logits, target), there(leaf_again, torch.tensor(number))
        else:
            continue
        torch.testing.assert_close(*values)


# ---------------------------------------------------------------- gradients, precision, hostile input

MAKERS: list[Callable[[Taxonomy], Loss]] = [
    SoftMaxMarginLoss,
    lambda t: SoftMaxMarginLoss(t, form="hard"),
    lambda t: SoftMaxMarginLoss(t, 2.0, margin="depth-distance"),
    lambda t: SoftMaxMarginLoss(t, 2.0, margin="information-distance"),
    lambda t: SoftMaxMarginLoss(t, 2.0, margin="log-f1"),
    DescendantSoftmaxLoss,
    lambda t: DescendantSoftmaxLoss(t, "all"),
    SoftLabelLoss,
    lambda t: SoftLabelLoss(t, 4.0, "hace", "elementwise"),
    LevelSoftmaxLoss,
    lambda t: LevelSoftmaxLoss(t, tied=True),
    HACESoftLoss,
    lambda t: HACESoftLoss(t, domain="leaves"),
]
MIXED = torch.tensor([0, 1, 2, 3, 5, 9, 10])


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("scale", [1.0, 40.0])
def test_gradcheck(make: Callable[[Taxonomy], Loss], scale: float, device: torch.device) -> None:
    loss = make(RAGGED)
    torch.manual_seed(0)
    logits = (scale * torch.randn(len(MIXED), loss.num_outputs, dtype=torch.float64, device=device)).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: loss(z, MIXED.to(device)), logits, fast_mode=True)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("half", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1.0, 40.0, 1e4])
def test_finite_and_exact_at_any_scale(
    make: Callable[[Taxonomy], Loss], half: torch.dtype | None, scale: float, device: torch.device
) -> None:
    loss = make(RAGGED)
    torch.manual_seed(1)
    logits = (scale * torch.randn(len(MIXED), loss.num_outputs, device=device).clamp(-1, 1)).to(half or torch.float32)
    logits.requires_grad_()
    target = MIXED.to(device)
    with torch.autocast(device.type, dtype=half or torch.bfloat16, enabled=half is not None):
        values = loss(logits, target)
    assert values.dtype == torch.float32
    (gradient,) = torch.autograd.grad(values.sum(), logits)
    assert gradient.isfinite().all()
    exact = logits.detach().double().requires_grad_()
    twin = loss(exact, target)
    (exact_gradient,) = torch.autograd.grad(twin.sum(), exact)
    torch.testing.assert_close(values.double(), twin, rtol=2e-6, atol=1e-6 * max(1.0, scale))
    rounding = 1e-7 * max(10.0, scale)  # of a logit with its margin
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=1e-4, atol=rounding if half is None else 0.05)


def test_a_loss_keeps_nothing_in_checkpoints() -> None:
    for make in MAKERS:
        assert not make(RAGGED).state_dict()


def test_a_loss_of_a_half_precision_model_is_as_exact() -> None:
    for make in MAKERS:
        logits = torch.randn(len(MIXED), make(RAGGED).num_outputs)
        torch.testing.assert_close(make(RAGGED).bfloat16()(logits, MIXED), make(RAGGED)(logits, MIXED), rtol=0, atol=0)


def test_any_batch_shape() -> None:
    for make in MAKERS:
        loss = make(RAGGED)
        flat = torch.randn(6, loss.num_outputs)
        target = torch.tensor([1, 2, 3, 4, 5, 6])
        torch.testing.assert_close(loss(flat.view(2, 3, -1), target.view(2, 3)).flatten(), loss(flat, target))
        assert loss(flat[0], target[0]).shape == ()
        assert loss(flat[:0], target[:0]).shape == (0,)


def test_one_label_costs_nothing() -> None:
    lonely = Taxonomy.from_parents([-1], ["all"])
    target = torch.zeros(2, dtype=torch.int64)
    for make in MAKERS:
        loss = make(lonely)
        logits = torch.randn(2, loss.num_outputs, requires_grad=True)
        values = loss(logits, target)
        torch.testing.assert_close(values, torch.zeros(2))
        values.sum().backward()


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SoftMaxMarginLoss(T9, -1.0), "Expected a tau in [0, "),
        (lambda: SoftMaxMarginLoss(T9, form="firm"), "Expected a form among soft, hard, but got 'firm'."),  # type: ignore[arg-type]
        (lambda: SoftMaxMarginLoss(T9, margin="f1"), "Expected a margin among incorrect, depth-distance, "),  # type: ignore[arg-type]
        (lambda: DescendantSoftmaxLoss(T9, "some"), "Expected a form among complement, all, but got 'some'."),  # type: ignore[arg-type]
        (
            lambda: LevelSoftmaxLoss(T9, (1, 2)),
            "Expected ascending levels among 1 to 3, the finest among them, but got",
        ),
        (lambda: SoftLabelLoss(T9, -1.0), "Expected a beta in [0, "),
        (lambda: SoftLabelLoss(T9, math.nan), "Expected a beta in [0, "),
        (lambda: SoftLabelLoss(T9, reduction="mean"), "Expected a reduction among sum, elementwise, but got 'mean'."),  # type: ignore[arg-type]
        (lambda: SoftLabelLoss(T9, 4.0, "height"), "Expected a distance among lca-height, hace, or a file, but got"),
        (
            lambda: SoftLabelLoss(T9, 4.0, np.zeros((4, 4))),
            "Expected distances [5, 5], one row per leaf, but got shape [4, 4].",
        ),
        (lambda: HACESoftLoss(T9, 0.0), "Expected a dilution in (0, 1], but got 0.0."),
        (
            lambda: SoftMaxMarginLoss(T9)(torch.zeros(2, 5), LABELS[:2]),
            "Expected logits [*batch, 9] and targets [*batch]",
        ),
    ],
)
def test_mistakes_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(message)
