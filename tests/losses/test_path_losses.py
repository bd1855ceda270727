"""The losses against values worked out elsewhere, their slow twins, and what must hold for any of them."""

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
from cladewise.losses import FlatSoftmaxLoss, HACELoss, HXELoss, Loss, ancestral_weights
from cladewise.taxonomy import Taxonomy
from reference import losses as reference
from reference.laws import case
from strategies import taxonomies_with_nodes

# A tree of nine nodes with its logits, both listed breadth-first; the labels are its five leaves
T9 = Taxonomy.from_parents([-1, 0, 0, 0, 1, 1, 2, 6, 6], [str(i) for i in range(9)])
LISTED = [int(name) for name in T9.names.tolist()]
NODE_LOGITS = torch.tensor([-0.8, 0.2, 0.2, -0.8, -0.6, 0.8, -1.0, 0.6, -1.0], dtype=torch.float64)[LISTED]
LEAF_LOGITS = NODE_LOGITS[torch.tensor(T9.leaf_nodes)]
LABELS = torch.tensor([LISTED.index(i) for i in (3, 4, 5, 7, 8)])

GOLDEN: list[tuple[Loss, list[float]]] = [
    (FlatSoftmaxLoss(T9), [2.488929, 2.288929, 0.888929, 1.088929, 2.688929]),
    (HXELoss(T9, 0.5), [2.488929, 1.651344, 0.802202, 0.972682, 1.561289]),
    (HXELoss(T9, 0.5, "child-depth"), [1.509612, 1.001591, 0.48656, 0.589961, 0.946969]),
    (HXELoss(T9, 0.5, "normalised"), [0.345489, 0.229224, 0.111354, 0.135018, 0.216723]),
    (HXELoss(T9, 0.0, "normalised"), [0.276548, 0.254325, 0.09877, 0.120992, 0.29877]),
    (HACELoss(T9, 1.0), [2.960295, 2.760295, 1.360295, 1.560295, 3.160295]),
    (HACELoss(T9, 0.7), [2.072206, 2.094969, 1.114969, 1.400979, 2.520979]),
    (HACELoss(T9, 0.5), [1.480147, 1.573913, 0.873913, 1.189272, 1.989272]),
    (HACELoss(T9, 0.2), [0.592059, 0.676069, 0.396069, 0.613775, 0.933775]),
    (HACELoss(T9, 0.7, with_root=False), [2.907101, 2.111531, 1.131531, 1.370216, 2.490216]),
    (HACELoss(T9, 0.5, with_root=False), [2.907101, 1.714485, 1.014485, 1.239923, 2.039923]),
]


def _t9_logits(loss: Loss) -> torch.Tensor:
    full = {5: LEAF_LOGITS, 9: NODE_LOGITS, 8: NODE_LOGITS[1:]}[loss.num_outputs]
    return full.expand(5, -1)


@pytest.mark.parametrize(("loss", "expected"), GOLDEN)
def test_golden_values(loss: Loss, expected: list[float]) -> None:
    np.testing.assert_allclose(loss(_t9_logits(loss), LABELS), expected, atol=6e-7)


def test_golden_value_of_an_internal_label() -> None:
    label = torch.tensor([LISTED.index(1)])
    np.testing.assert_allclose(FlatSoftmaxLoss(T9)(LEAF_LOGITS[None], label), [0.668512], atol=6e-7)


# ---------------------------------------------------------------- the slow twins, on any tree and any label

EVERY_KIND: dict[str, tuple[Callable[[Taxonomy], Loss], Callable[..., float]]] = {
    "flat": (FlatSoftmaxLoss, reference.flat_softmax),
    "flat smoothed": (
        lambda t: FlatSoftmaxLoss(t, 0.1),
        lambda *image: reference.flat_softmax(*image, label_smoothing=0.1),
    ),
    **{
        f"hxe {weighting}": (
            lambda t, w=weighting: HXELoss(t, 0.4, w),
            lambda *image, w=weighting: reference.hxe(*image, alpha=0.4, weighting=w),
        )
        for weighting in ("parent-depth", "child-depth", "normalised")
    },
    **{
        f"hace {options}": (
            lambda t, o=options: HACELoss(t, **{"with_root": True, **o}),
            lambda *image, o=options: reference.hace(*image, **{"dilution": 0.5, **o}),
        )
        for options in (
            {"dilution": 0.7},
            {"dilution": 1.0, "with_root": False},
            {"dilution": 0.2, "domain": "leaves", "with_root": False},
            {"eps": 1e-6},
            {"smoothing": 0.1},
            {"smoothing": 0.1, "with_root": False, "dilution": 0.2},
            {"smoothing": 0.3, "smoothing_over": "nodes"},
            {"smoothing": 0.3, "smoothing_over": "nodes", "with_root": False},
            {"smoothing": 0.1, "domain": "leaves", "eps": 1e-6},
        )
    },
}


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=14, max_batch=3), seed=st.integers(0, 99))
def test_every_loss_is_its_twin(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    for kind, (make, twin) in EVERY_KIND.items():
        if taxonomy.num_nodes == 1 and "'with_root': False" in kind:
            continue
        with case(kind):
            loss = make(taxonomy)
            logits = 2 * np.random.default_rng(seed).standard_normal((len(nodes), loss.num_outputs))
            expected = [twin(taxonomy, row, node) for row, node in zip(logits, nodes, strict=True)]
            np.testing.assert_allclose(loss(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=1e-9, atol=1e-12)


# ---------------------------------------------------------------- closed forms

RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h", "i"), ("j",)])
LEAVES = torch.tensor(RAGGED.leaf_nodes)


def test_flat_softmax_is_cross_entropy_at_the_leaves() -> None:
    logits = torch.randn(5, 5)
    for smoothing in (0.0, 0.1):
        expected = F.cross_entropy(logits, torch.arange(5), reduction="none", label_smoothing=smoothing)
        torch.testing.assert_close(FlatSoftmaxLoss(RAGGED, smoothing)(logits, LEAVES), expected)


def test_a_label_at_the_root_costs_nothing() -> None:
    root = torch.zeros(3, dtype=torch.int64)
    for loss in (FlatSoftmaxLoss(RAGGED), HXELoss(RAGGED), HACELoss(RAGGED), HACELoss(RAGGED, with_root=True)):
        assert torch.equal(loss(torch.randn(3, loss.num_outputs), root), torch.zeros(3))


def test_hxe_without_discount_is_cross_entropy() -> None:
    logits = torch.randn(5, 5)
    torch.testing.assert_close(HXELoss(RAGGED, 0.0)(logits, LEAVES), FlatSoftmaxLoss(RAGGED)(logits, LEAVES))


@pytest.mark.parametrize("alpha", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("logits", ["leaf", "conditional"])
def test_the_three_scalings_of_hxe_differ_by_a_constant(logits: str, alpha: float) -> None:
    losses = {w: HXELoss(RAGGED, alpha, w, logits) for w in ("parent-depth", "child-depth", "normalised")}  # type: ignore[arg-type]
    target = torch.arange(RAGGED.num_nodes)
    scores = torch.randn(RAGGED.num_nodes, losses["child-depth"].num_outputs, dtype=torch.float64)
    values = {w: loss(scores, target) for w, loss in losses.items()}
    torch.testing.assert_close(values["parent-depth"], math.exp(alpha) * values["child-depth"])
    all_nodes = np.exp(-alpha * RAGGED.depth).sum()  # the root too
    torch.testing.assert_close(values["normalised"], values["child-depth"] / all_nodes)


def test_trees_of_depth_one() -> None:
    star = Taxonomy.from_parents([-1, 0, 0, 0], ["root", "a", "b", "c"])
    target = torch.tensor([1, 2, 3])
    logits = torch.randn(3, 4)
    torch.testing.assert_close(
        HXELoss(star, 0.7)(logits[:, 1:], target), F.cross_entropy(logits[:, 1:], target - 1, reduction="none")
    )
    expected = 0.3 * F.cross_entropy(logits, target, reduction="none")
    torch.testing.assert_close(HACELoss(star, 0.3)(logits, target), expected)


def test_undiluted_hace_is_cross_entropy_over_the_nodes() -> None:
    logits = torch.randn(5, RAGGED.num_nodes)
    expected = F.cross_entropy(logits, LEAVES, reduction="none")
    torch.testing.assert_close(HACELoss(RAGGED, 1.0, with_root=True)(logits, LEAVES), expected)


@pytest.mark.parametrize("dilution", [0.2, 0.5, 1.0])
def test_hace_vanishes_where_the_leaf_has_all_the_mass(dilution: float) -> None:
    logits = torch.full((5, RAGGED.num_nodes), -100.0)
    logits[torch.arange(5), LEAVES] = 100.0
    torch.testing.assert_close(HACELoss(RAGGED, dilution, with_root=True)(logits, LEAVES), torch.zeros(5))


@settings(max_examples=12)
@given(taxonomies_with_nodes(), st.sampled_from([0.2, 0.5, 1.0]), st.booleans())
def test_dilution_keeps_the_mass(tree: tuple[Taxonomy, list[int]], dilution: float, with_root: bool) -> None:
    taxonomy, nodes = tree
    target = torch.tensor(nodes)
    mass = ancestral_weights(target, taxonomy, dilution=dilution, with_root=with_root).sum(-1)
    inside = (target > 0) | with_root
    torch.testing.assert_close(mass, inside.float())


def test_a_synthetic_root_has_no_logit_by_default() -> None:
    assert HACELoss(RAGGED).num_outputs == RAGGED.num_nodes - 1
    assert HACELoss(T9).num_outputs == T9.num_nodes


def test_an_only_child_changes_no_flat_loss() -> None:
    chained = Taxonomy.from_paths([("a", "b", "x", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h", "i"), ("j",)])
    logits = torch.randn(5, 5)
    both = [FlatSoftmaxLoss(t)(logits, torch.tensor(t.leaf_nodes)) for t in (RAGGED, chained)]
    torch.testing.assert_close(*both)


# ---------------------------------------------------------------- gradients, precision, hostile input

MAKERS: list[Callable[[Taxonomy], Loss]] = [
    FlatSoftmaxLoss,
    lambda t: FlatSoftmaxLoss(t, 0.1),
    HXELoss,
    HACELoss,
    lambda t: HACELoss(t, with_root=True, eps=1e-6),
    lambda t: HACELoss(t, smoothing=0.1),
    lambda t: HACELoss(t, smoothing=0.1, domain="leaves"),
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
    tolerance = 1e-6 * max(10.0, scale) if half is None else 0.05
    torch.testing.assert_close(gradient.double(), exact_gradient, rtol=1e-4, atol=tolerance)


def test_a_loss_has_no_state() -> None:
    for make in MAKERS:
        assert not make(RAGGED).state_dict()


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
    for loss in (FlatSoftmaxLoss(lonely), HXELoss(lonely), HACELoss(lonely), HACELoss(lonely, smoothing=0.1)):
        assert torch.equal(loss(torch.randn(2, 1), target), torch.zeros(2))


# ---------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: FlatSoftmaxLoss(T9, 1.5), "Expected a label smoothing in [0, 1], but got 1.5."),
        (lambda: HXELoss(T9, -0.1), "Expected an alpha in [0, "),
        (lambda: HXELoss(T9, math.nan), "Expected an alpha in [0, "),
        (lambda: HXELoss(T9, 1e39), "Expected an alpha in [0, "),  # infinite in single precision
        (
            lambda: HXELoss(T9, 0.1, "depth"),
            "Expected a weighting among parent-depth, child-depth, normalised, but got",
        ),  # type: ignore[arg-type]
        (lambda: HACELoss(T9, 0.0), "Expected a dilution in (0, 1], but got 0.0."),
        (lambda: HACELoss(T9, smoothing=1.0), "Expected a smoothing in [0, 1), but got 1.0."),
        (lambda: HACELoss(T9, domain="leaf"), "Expected domain among leaves, nodes, but got 'leaf'."),  # type: ignore[arg-type]
        (lambda: HACELoss(Taxonomy.from_paths([])), "Expected a taxonomy with a node below its synthetic root"),
        (
            lambda: HXELoss(T9)(torch.zeros(2, 9), LABELS[:2]),
            "Expected logits [*batch, 5] and targets [*batch], but got",
        ),
        (lambda: HXELoss(T9)(torch.zeros(2, 5), LABELS), "Expected logits [*batch, 5] and targets [*batch], but got"),
        (
            lambda: HXELoss(T9)(torch.zeros(1, 5), torch.tensor([9])),
            "Expected targets that are nodes, 0 to 8, but got 9.",
        ),
        (
            lambda: HXELoss(T9)(torch.zeros(1, 5), torch.tensor([-1])),
            "Expected targets that are nodes, 0 to 8, but got -1.",
        ),
    ],
)
def test_mistakes_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(message)
