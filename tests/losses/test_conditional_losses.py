"""The losses over node scores against values worked out elsewhere, their slow twins, and what must hold for them."""

from __future__ import annotations

import itertools
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
    ConditionalSigmoidLoss,
    ConditionalSoftmaxLoss,
    DeepRTCLoss,
    FlatSoftmaxLoss,
    HXELoss,
    Loss,
    MultilabelFocalLoss,
    PSSoftmaxLoss,
    random_cut_loss,
)
from cladewise.predictions import ConditionalSigmoid, PathSumSoftmax, SiblingSoftmax
from cladewise.taxonomy import Taxonomy
from reference import losses_conditional as reference
from reference.laws import case
from reference.small_trees import T9_THETA, t9, t9_nodes, t9_order
from strategies import taxonomies_with_nodes

T9 = t9()
THETA = torch.tensor(T9_THETA, dtype=torch.float64)[t9_order()][1:]
LABELS = torch.tensor(t9_nodes(3, 4, 5, 7, 8))

GOLDEN: list[tuple[Loss, list[float]]] = [
    (ConditionalSoftmaxLoss(T9), [1.861995, 2.482412, 1.082412, 1.045896, 2.645896]),
    (HXELoss(T9, 0.0, logits="conditional"), [1.861995, 2.482412, 1.082412, 1.045896, 2.645896]),
    (ConditionalSigmoidLoss(T9), [2.767378, 3.975967, 2.575967, 3.83139, 5.43139]),
    (MultilabelFocalLoss(T9, 0.25, 2.0), [1.319017, 1.12265, 0.6465, 0.903554, 1.37267]),
    (MultilabelFocalLoss(T9, 0.95, 1.0), [0.901583, 1.00218, 0.442461, 1.395196, 2.189274]),
    (PSSoftmaxLoss(T9), [2.373181, 1.973181, 0.573181, 1.773181, 3.373181]),
    (DeepRTCLoss(T9), [2.373181, 1.973181, 0.573181, 1.773181, 3.373181]),
    (DeepRTCLoss(T9, rho=1.0), [1.861995, 0.861995, 0.861995, 0.861995, 0.861995]),
]


@pytest.mark.parametrize(("loss", "expected"), GOLDEN)
def test_golden_values(loss: Loss, expected: list[float]) -> None:
    np.testing.assert_allclose(loss(THETA.expand(5, -1), LABELS), expected, atol=6e-7)


def test_golden_binary_cross_entropy() -> None:
    twice = 2 * MultilabelFocalLoss(T9, 0.5, 0.0)(THETA.expand(5, -1), LABELS)
    np.testing.assert_allclose(twice, [6.039978, 5.639978, 4.239978, 5.439978, 7.039978], atol=6e-7)


# ---------------------------------------------------------------- the slow twins, on any tree and any label

Twin = Callable[..., float]
EVERY_KIND: dict[str, tuple[Callable[[Taxonomy], Loss], Twin]] = {
    **{
        f"conditional softmax {weights} {smoothing}": (
            lambda t, w=weights, s=smoothing: ConditionalSoftmaxLoss(t, w, s),
            lambda *image, w=weights, s=smoothing: reference.conditional_softmax(*image, w, s),
        )
        for weights, smoothing in (("none", 0.0), ("parent", 0.0), ("none", 0.2), ("parent", 1.0))
    },
    **{
        f"tree hxe {weighting}": (
            lambda t, w=weighting: HXELoss(t, 0.4, w, "conditional"),
            lambda *image, w=weighting: reference.tree_hxe(*image, 0.4, w),
        )
        for weighting in ("parent-depth", "child-depth", "normalised")
    },
    "conditional sigmoid": (ConditionalSigmoidLoss, reference.conditional_sigmoid),
    **{
        f"multilabel {alpha} {gamma} {below}": (
            lambda t, o=(alpha, gamma, below): MultilabelFocalLoss(t, *o),
            lambda *image, o=(alpha, gamma, below): reference.multilabel_focal(*image, *o),
        )
        for alpha, gamma, below in (
            (0.95, 1.0, "negative"),
            (0.25, 2.0, "ignored"),
            (0.5, 0.0, "negative"),
            (0.3, 0.5, "ignored"),
        )
    },
    "ps softmax": (PSSoftmaxLoss, reference.ps_softmax),
    "ps softmax smoothed": (lambda t: PSSoftmaxLoss(t, 0.1), lambda *image: reference.ps_softmax(*image, 0.1)),
    "deep rtc original": (
        lambda t: DeepRTCLoss(t, "original", 0.0, 0.5),
        lambda *image: reference.consistency(*image) + 0.5 * reference.ps_softmax(*image),
    ),
}


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=14, max_batch=3), seed=st.integers(0, 99))
def test_every_loss_is_its_twin(tree: tuple[Taxonomy, list[int]], seed: int) -> None:
    taxonomy, nodes = tree
    for kind, (make, twin) in EVERY_KIND.items():
        with case(kind):
            logits = 2 * np.random.default_rng(seed).standard_normal((len(nodes), taxonomy.num_nodes - 1))
            expected = [twin(taxonomy, row, node) for row, node in zip(logits, nodes, strict=True)]
            np.testing.assert_allclose(
                make(taxonomy)(torch.tensor(logits), torch.tensor(nodes)), expected, rtol=1e-8, atol=1e-9
            )


@settings(max_examples=12)
@given(tree=taxonomies_with_nodes(max_nodes=14, max_batch=3), seed=st.integers(0, 99), rho=st.sampled_from([0.2, 0.7]))
def test_a_cut_tree_is_its_twin(tree: tuple[Taxonomy, list[int]], seed: int, rho: float) -> None:
    taxonomy, nodes = tree
    random = np.random.default_rng(seed)
    logits = 2 * random.standard_normal((len(nodes), taxonomy.num_nodes - 1))
    dropped = random.random(logits.shape) < rho
    expected = [
        reference.random_cut(taxonomy, row, node, (np.flatnonzero(cut) + 1).tolist())
        for row, node, cut in zip(logits, nodes, dropped, strict=True)
    ]
    loss = random_cut_loss(torch.tensor(logits), torch.tensor(nodes), taxonomy, torch.tensor(dropped))
    np.testing.assert_allclose(loss, expected, rtol=1e-8, atol=1e-9)


# ---------------------------------------------------------------- closed forms

RAGGED = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g", "h", "i"), ("j",)])
LEAVES = torch.tensor(RAGGED.leaf_nodes)
EVERY_NODE = torch.arange(RAGGED.num_nodes)
STAR = Taxonomy.from_parents([-1, 0, 0, 0], ["root", "a", "b", "c"])


def test_softmax_losses_are_the_likelihoods_of_their_predictions() -> None:
    logits = torch.randn(RAGGED.num_nodes, RAGGED.num_nodes - 1)
    for loss, prediction in ((ConditionalSoftmaxLoss, SiblingSoftmax), (PSSoftmaxLoss, PathSumSoftmax)):
        expected = -prediction(RAGGED, logits).log_prob.gather(1, EVERY_NODE[:, None]).squeeze(1)
        torch.testing.assert_close(loss(RAGGED)(logits, EVERY_NODE), expected, atol=1e-6, rtol=1e-5)


def test_conditional_sigmoid_costs_the_path_and_its_siblings() -> None:
    logits = torch.full((1, RAGGED.num_nodes - 1), -40.0)
    path = torch.tensor(RAGGED.path(RAGGED.find("e"))[1:])
    logits[0, path - 1] = torch.randn(len(path))
    target = path[-1:]
    expected = -ConditionalSigmoid(RAGGED, logits).log_prob[0, target]
    torch.testing.assert_close(ConditionalSigmoidLoss(RAGGED)(logits, target), expected)


def test_trees_of_depth_one() -> None:
    target, logits = torch.tensor([1, 2, 3]), torch.randn(3, 3)
    expected = F.cross_entropy(logits, target - 1, reduction="none")
    for loss in (
        ConditionalSoftmaxLoss(STAR),
        PSSoftmaxLoss(STAR),
        DeepRTCLoss(STAR, rho=0.5),
        HXELoss(STAR, 0.7, logits="conditional"),
    ):
        torch.testing.assert_close(loss(logits, target), expected)
    torch.testing.assert_close(ConditionalSoftmaxLoss(STAR, "parent")(logits, target), expected)
    torch.testing.assert_close(DeepRTCLoss(STAR, "original", 0.3, 2.0)(logits, target), 3 * expected)
    smoothed = F.cross_entropy(logits, target - 1, reduction="none", label_smoothing=0.1)
    torch.testing.assert_close(ConditionalSoftmaxLoss(STAR, "none", 0.1)(logits, target), smoothed)
    binary = F.binary_cross_entropy_with_logits(logits, torch.eye(3), reduction="none").sum(1)
    torch.testing.assert_close(ConditionalSigmoidLoss(STAR)(logits, target), binary)
    torch.testing.assert_close(2 * MultilabelFocalLoss(STAR, 0.5, 0.0)(logits, target), binary)


def test_a_chain_leaves_nothing_to_choose() -> None:
    chain = Taxonomy.from_paths([("a", "b", "c")])
    logits = torch.randn(4, 3, requires_grad=True)
    target = torch.arange(4)
    for loss in (
        ConditionalSoftmaxLoss(chain),
        ConditionalSoftmaxLoss(chain, "parent", 0.1),
        HXELoss(chain, 0.3, logits="conditional"),
        PSSoftmaxLoss(chain),
        DeepRTCLoss(chain, "original", 0.5),
    ):
        values = loss(logits, target)
        torch.testing.assert_close(values, torch.zeros(4), atol=1e-6, rtol=0)
        (gradient,) = torch.autograd.grad(values.sum(), logits)
        torch.testing.assert_close(gradient, torch.zeros(4, 3), atol=1e-6, rtol=0)
    steps = F.softplus(-logits).cumsum(1)  # an only child is still a question
    expected = torch.cat([torch.zeros(1), steps[torch.arange(1, 4), torch.arange(3)]])
    torch.testing.assert_close(ConditionalSigmoidLoss(chain)(logits, target), expected)


@pytest.mark.parametrize("loss", [ConditionalSoftmaxLoss(RAGGED), ConditionalSigmoidLoss(RAGGED)])
def test_only_the_sibling_groups_of_the_path_have_gradients(loss: Loss) -> None:
    logits = torch.randn(RAGGED.num_nodes, RAGGED.num_nodes - 1, requires_grad=True)
    (gradient,) = torch.autograd.grad(loss(logits, EVERY_NODE).sum(), logits)
    parents = torch.tensor(RAGGED.parents[1:].copy())
    for node in range(RAGGED.num_nodes):
        asked = torch.isin(parents, torch.tensor(RAGGED.path(node)[:-1], dtype=torch.int64))
        assert (gradient[node][~asked] == 0).all()
        several = asked & torch.tensor(RAGGED.num_children[parents] > 1)
        assert (gradient[node][several] != 0).all()


def test_parent_weights_make_every_choice_count_the_same() -> None:
    tree = Taxonomy.from_paths([("a", "b", "c"), ("a", "b", "d"), ("a", "e"), ("f", "g"), ("j",)])
    leaves = torch.tensor(tree.leaf_nodes)
    logits = torch.randn(1, tree.num_nodes - 1, requires_grad=True)
    loss = ConditionalSoftmaxLoss(tree, "parent")(logits.expand(len(leaves), -1), leaves).mean()
    edges = -reference_steps(tree, logits)
    expected = torch.stack(
        [
            sum((tree.num_leaves_under[c] / tree.num_leaves_under[v]) * edges[c - 1] for c in tree.children(v).tolist())
            for v in range(tree.num_nodes)
            if tree.num_children[v] > 1
        ]
    ).mean()
    torch.testing.assert_close(loss, expected)


def reference_steps(tree: Taxonomy, logits: torch.Tensor) -> torch.Tensor:
    row = logits.detach().double().numpy()[0]
    return torch.tensor([reference.log_conditional(tree, row, v) for v in range(1, tree.num_nodes)]).float()


def test_full_smoothing_wants_the_even_leaves() -> None:
    logits = torch.randn(len(LEAVES), RAGGED.num_nodes - 1)
    log_prob = SiblingSoftmax(RAGGED, logits).log_prob[:, LEAVES]
    torch.testing.assert_close(ConditionalSoftmaxLoss(RAGGED, "none", 1.0)(logits, LEAVES), -log_prob.mean(1))


def test_sums_at_one_level_alone_are_the_flat_softmax() -> None:
    logits = torch.zeros(len(LEAVES), RAGGED.num_nodes - 1)
    leaf_logits = torch.randn(len(LEAVES), len(LEAVES))
    logits[:, LEAVES - 1] = leaf_logits
    expected = FlatSoftmaxLoss(RAGGED)(leaf_logits, LEAVES)
    torch.testing.assert_close(PSSoftmaxLoss(RAGGED)(logits, LEAVES), expected)


# ---------------------------------------------------------------- random cuts


def test_random_cuts_are_drawn_with_their_probability() -> None:
    rho, target = 0.3, RAGGED.find("c")
    logits = torch.randn(RAGGED.num_nodes - 1, dtype=torch.float64)
    internal = (np.flatnonzero(~RAGGED.is_leaf)[1:]).tolist()
    expected = squared = 0.0
    for drops in itertools.product([False, True], repeat=len(internal)):
        chance = math.prod(rho if drop else 1 - rho for drop in drops)
        dropped = [node for node, drop in zip(internal, drops, strict=True) if drop]
        value = reference.random_cut(RAGGED, logits.numpy(), target, dropped)
        expected, squared = expected + chance * value, squared + chance * value**2
    torch.manual_seed(0)
    draws = DeepRTCLoss(RAGGED, rho=rho)(logits.expand(20_000, -1), torch.full((20_000,), target))
    error = math.sqrt((squared - expected**2) / 20_000)
    assert abs(float(draws.mean()) - expected) < 4 * error
    assert draws.unique().numel() > 3


def test_cuts_follow_from_the_seed_and_stop_in_evaluation() -> None:
    logits, target = torch.randn(50, RAGGED.num_nodes - 1), torch.full((50,), RAGGED.find("c"))
    loss = DeepRTCLoss(RAGGED, rho=0.5)
    first, second = (torch.manual_seed(seed) and loss(logits, target) for seed in (3, 3))
    assert torch.equal(first, second)
    assert not torch.equal(first, loss(logits, target))
    torch.testing.assert_close(loss.eval()(logits, target), PSSoftmaxLoss(RAGGED)(logits, target))


def test_every_cut_is_at_the_root_s_children_if_all_is_dropped() -> None:
    logits = torch.randn(RAGGED.num_nodes, RAGGED.num_nodes - 1)
    tops = torch.tensor(RAGGED.children(0).copy())
    top = torch.tensor([0, *(RAGGED.path(v)[1] for v in range(1, RAGGED.num_nodes))])
    expected = FlatSoftmaxLoss(Taxonomy.from_paths([("a",), ("f",), ("j",)]))(
        logits[:, tops - 1], torch.searchsorted(tops, top).add(1).where(top > 0, 0)
    )
    torch.testing.assert_close(DeepRTCLoss(RAGGED, rho=1.0)(logits, EVERY_NODE), expected)


# ---------------------------------------------------------------- gradients, precision, hostile input

MAKERS: dict[str, Callable[[Taxonomy], Loss]] = {
    "conditional softmax": ConditionalSoftmaxLoss,
    "conditional softmax weighted, smoothed": lambda t: ConditionalSoftmaxLoss(t, "parent", 0.1),
    "tree hxe": lambda t: HXELoss(t, 0.3, logits="conditional"),
    "conditional sigmoid": ConditionalSigmoidLoss,
    "multilabel": MultilabelFocalLoss,
    "multilabel, gamma below 1": lambda t: MultilabelFocalLoss(t, 0.25, 0.5, "ignored"),
    "multilabel, gamma 0": lambda t: MultilabelFocalLoss(t, 0.5, 0.0),
    "ps softmax": PSSoftmaxLoss,
    "deep rtc": lambda t: DeepRTCLoss(t, "original", 0.3),
}


def again(loss: Loss, logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """The loss with the same draws every time."""
    torch.manual_seed(0)
    return loss(logits, target)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("scale", [1.0, 8.0])
def test_node_losses_gradcheck(make: Callable[[Taxonomy], Loss], scale: float, device: torch.device) -> None:
    loss, target = make(RAGGED), EVERY_NODE.to(device)
    torch.manual_seed(0)
    logits = (scale * torch.randn(len(target), loss.num_outputs, dtype=torch.float64, device=device)).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: again(loss, z, target), logits, fast_mode=True)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
@pytest.mark.parametrize("half", [None, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("scale", [1.0, 40.0, 1e4])
def test_node_losses_are_finite_and_exact_at_any_scale(
    make: Callable[[Taxonomy], Loss], half: torch.dtype | None, scale: float, device: torch.device
) -> None:
    loss, target = make(RAGGED).eval(), EVERY_NODE.to(device)
    torch.manual_seed(1)
    logits = (scale * torch.randn(len(target), loss.num_outputs, device=device).clamp(-1, 1)).to(half or torch.float32)
    logits.requires_grad_()
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


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_sure_and_right_costs_nothing(make: Callable[[Taxonomy], Loss]) -> None:
    loss = make(RAGGED).eval()
    if getattr(loss, "label_smoothing", 0.0):
        return
    logits = torch.full((len(LEAVES), RAGGED.num_nodes - 1), -1e4)
    for row, leaf in enumerate(LEAVES.tolist()):
        logits[row, [v - 1 for v in RAGGED.path(leaf)[1:]]] = 1e4
    torch.testing.assert_close(loss(logits, LEAVES), torch.zeros(len(LEAVES)), atol=1e-7, rtol=0)


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_node_losses_take_any_batch_shape(make: Callable[[Taxonomy], Loss]) -> None:
    loss = make(RAGGED).eval()
    flat, target = torch.randn(6, loss.num_outputs), torch.tensor([1, 2, 3, 4, 5, 6])
    torch.testing.assert_close(loss(flat.view(2, 3, -1), target.view(2, 3)).flatten(), loss(flat, target))
    torch.testing.assert_close(loss(flat[0], target[0]), loss(flat, target)[0])
    assert loss(flat[:0], target[:0]).shape == (0,)
    assert not loss.state_dict()


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_the_root_costs_nothing_where_nothing_is_asked(make: Callable[[Taxonomy], Loss]) -> None:
    loss = make(RAGGED)
    root = torch.zeros(3, dtype=torch.int64)
    values = loss(torch.randn(3, loss.num_outputs), root)
    if isinstance(loss, MultilabelFocalLoss) and loss.below == "negative":  # every node is then a negative
        assert (values > 0).all()
    else:
        assert torch.equal(values, torch.zeros(3))


@pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)
def test_a_lone_root_has_no_logits(make: Callable[[Taxonomy], Loss]) -> None:
    loss = make(Taxonomy.from_parents([-1], ["all"]))
    logits = torch.zeros(2, 0, requires_grad=True)
    values = loss(logits, torch.zeros(2, dtype=torch.int64))
    assert torch.equal(values, torch.zeros(2))
    values.sum().backward()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: ConditionalSoftmaxLoss(T9, "child"), "Expected node weights among none, parent, but got 'child'."),  # type: ignore[arg-type]
        (lambda: ConditionalSoftmaxLoss(T9, "none", -0.1), "Expected a label smoothing in [0, 1], but got -0.1."),
        (lambda: PSSoftmaxLoss(T9, 2.0), "Expected a label smoothing in [0, 1], but got 2.0."),
        (lambda: MultilabelFocalLoss(T9, 1.5), "Expected an alpha in [0, 1], but got 1.5."),
        (lambda: MultilabelFocalLoss(T9, 0.5, -1.0), "Expected a gamma in [0, 100], but got -1.0."),
        (
            lambda: MultilabelFocalLoss(T9, 0.5, 1.0, "masked"),  # type: ignore[arg-type]
            "Expected what nodes below a target are among negative, ignored, but got 'masked'.",
        ),
        (lambda: DeepRTCLoss(T9, rho=math.nan), "Expected a rho in [0, 1], but got nan."),
        (lambda: DeepRTCLoss(T9, "published"), "Expected a form among random-cut, original, but got 'published'."),  # type: ignore[arg-type]
        (lambda: DeepRTCLoss(T9, "original", 0.1, -1.0), "Expected a sampling weight in [0, 1e+06], but got -1.0."),
        (lambda: HXELoss(T9, logits="nodes"), "Expected logits among leaf, conditional, but got 'nodes'."),  # type: ignore[arg-type]
        (
            lambda: PSSoftmaxLoss(T9)(torch.zeros(2, 9), LABELS[:2]),
            "Expected logits [*batch, 8] and targets [*batch], but",
        ),
    ],
)
def test_mistakes_of_node_losses_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InputError) as caught:
        make()
    assert str(caught.value).startswith(message)
