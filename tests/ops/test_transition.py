"""Transitions of low rank against the same with the matrix formed: values, gradients, tiles, precision."""

from __future__ import annotations

import pytest
import torch

from cladewise.ops import (
    LowRank,
    TransitionEdges,
    full_transition,
    full_transition_sum,
    low_rank_transition,
    low_rank_transition_sum,
)
from cladewise.ops.kernels import has_kernels, without_kernels
from cladewise.ops.transition import BOUNDED, BOUNDED_COMPILED

Factors = list[torch.Tensor]

pytestmark = pytest.mark.usefixtures("arithmetic")
every_order = pytest.mark.parametrize("order", ["f2c", "c2f"])
every_scale = pytest.mark.parametrize("scale", [0.5, 8.0, 40.0])  # bounded, some of each, and none


def given(
    order: str, scale: float, images: int = 5, rank: int = 2, dtype: torch.dtype = torch.float64
) -> tuple[Factors, TransitionEdges]:
    """Scores of the sources, both factors, the bonus; and edges with one source of none and one of several."""
    generator = torch.Generator().manual_seed(1)
    parent = torch.tensor([0, 0, 2, 1, 2, 2, 4, 4, 0])
    ends = (torch.arange(9), parent) if order == "f2c" else (parent, torch.arange(9))
    sizes = (9, 5) if order == "f2c" else (5, 9)
    root = scale**0.5

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    factors = [
        scale * normal(images, sizes[0]),
        root * normal(images, sizes[0], rank),
        root * normal(images, rank, sizes[1]),
        normal(images),
    ]
    factors[1][0] *= 1e-3  # the first image is bounded always
    return [x.to(dtype).requires_grad_() for x in factors], TransitionEdges.of(*ends, num_sources=sizes[0])


def low_rank(factors: Factors, edges: TransitionEdges, cells: int | None = None) -> tuple[torch.Tensor, torch.Tensor]:
    return low_rank_transition(factors[0].log_softmax(-1), LowRank(*factors[1:], edges), cells=cells)


def formed(factors: Factors, edges: TransitionEdges) -> torch.Tensor:
    scores = factors[1] @ factors[2]
    there = torch.zeros(scores.shape[1:], dtype=scores.dtype)
    there[edges.source, edges.target] = 1
    return scores + factors[3][:, None, None] * there


def gradients(out: tuple[torch.Tensor, torch.Tensor], factors: Factors) -> tuple[torch.Tensor, ...]:
    generator = torch.Generator().manual_seed(2)
    weights = [torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x.dtype) for x in out]
    return torch.autograd.grad(sum((x * w).sum() for x, w in zip(out, weights, strict=True)), factors)  # type: ignore


@every_order
@every_scale
@pytest.mark.parametrize("rank", [1, 2, 4])
@pytest.mark.parametrize("cells", [None, 1, 12, 60])
def test_low_rank_is_the_matrix_formed(order: str, scale: float, rank: int, cells: int | None) -> None:
    factors, edges = given(order, scale, rank=rank)
    expected = full_transition(factors[0].log_softmax(-1), formed(factors, edges))
    found = low_rank(factors, edges, cells)
    torch.testing.assert_close(found, expected, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(gradients(found, factors), gradients(expected, factors), rtol=1e-9, atol=1e-9)


def test_some_images_are_bounded_and_others_are_not() -> None:
    bounded = [LowRank(*given("f2c", scale)[0][1:], given("f2c", scale)[1]).is_bounded() for scale in (0.5, 8.0, 40.0)]
    assert bounded[0].all()
    assert 0 < int(bounded[1].sum()) < 5
    assert bounded[2].tolist() == [True, False, False, False, False]


@every_order
@every_scale
def test_gradient_of_low_rank(order: str, scale: float) -> None:
    factors, edges = given(order, scale, images=2)
    assert torch.autograd.gradcheck(lambda *x: low_rank(list(x), edges, 20), factors, fast_mode=True)


@every_order
@pytest.mark.parametrize("scale", [0.5, 40.0])
def test_single_precision_is_near(order: str, scale: float) -> None:
    exact, edges = given(order, scale)
    factors = [x.detach().float().requires_grad_() for x in exact]
    exact = [x.detach().double().requires_grad_() for x in factors]
    found, expected = low_rank(factors, edges, 20), low_rank(exact, edges)
    near_far = [(found, expected), (gradients(found, factors), gradients(expected, exact))]
    for near, far in (pair for both in near_far for pair in zip(*both, strict=True)):
        torch.testing.assert_close(near.double(), far, rtol=2e-5, atol=2e-5 * max(1.0, scale))


def test_underflow_loses_nothing() -> None:
    """A target that probabilities in single precision could not tell from one that cannot be."""
    factors, edges = given("f2c", 1.0, images=2, dtype=torch.float32)
    with torch.no_grad():
        factors[1].zero_()
        factors[1][..., 0] = 1.0
        factors[2].zero_()
        factors[2][:, 0, 1] = -300.0
        factors[3].zero_()
    log_prob, _ = low_rank(factors, edges)
    torch.testing.assert_close(log_prob[:, 1], torch.full((2,), -300.0 - torch.tensor(4.0).log().item()))
    log_prob[:, 1].sum().backward()
    assert factors[2].grad is not None
    torch.testing.assert_close(factors[2].grad[:, 0, 1], torch.ones(2))


@every_order
@pytest.mark.parametrize("longest", [0.9, 0.2])
def test_sources_that_are_rare_still_lead_somewhere(order: str, longest: float) -> None:
    """A classifier that is certain, and transitions as sharp as plain sums take them."""
    exact, edges = given(order, 1.0)
    bound = BOUNDED_COMPILED if has_kernels(exact[0]) else BOUNDED
    with torch.no_grad():
        exact[0] *= 100
        for factor, dim in ((exact[1], 2), (exact[2], 1)):
            factor *= (longest * bound) ** 0.5 / factor.norm(dim=dim, keepdim=True)
        exact[3].zero_()
    assert LowRank(*exact[1:], edges).is_bounded(bound).all()
    factors = [x.detach().float().requires_grad_() for x in exact]
    exact = [x.detach().double().requires_grad_() for x in factors]
    expected = full_transition(exact[0].log_softmax(-1), formed(exact, edges))
    wanted = *expected, *gradients(expected, exact)
    for some in (factors, exact):
        found = low_rank(some, edges)
        for near, far in zip((*found, *gradients(found, some)), wanted, strict=True):
            torch.testing.assert_close(near.double(), far, rtol=1e-5, atol=1e-5)


@every_order
@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_extreme_factors_stay_finite(order: str, value: float) -> None:
    factors, edges = given(order, 1.0, dtype=torch.float32)
    with torch.no_grad():
        for x in factors:
            x.copy_(value * x.sign())
    found = low_rank(factors, edges)
    assert all(x.isfinite().all() for x in found)
    assert (found[1] <= 1e-6).all()
    assert all(x.isfinite().all() for x in gradients(found, factors))


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16])
def test_half_precision_is_computed_with_in_single(half: torch.dtype) -> None:
    factors, edges = given("f2c", 1.0, dtype=torch.float32)
    factors = [x.detach().to(half).requires_grad_() for x in factors]
    with torch.autocast("cpu", dtype=half):
        found = low_rank_transition(factors[0], LowRank(*factors[1:], edges))
        total = low_rank_transition_sum(LowRank(*factors[1:], edges))
    single = [x.detach().float() for x in factors]
    torch.testing.assert_close(found, low_rank_transition(single[0], LowRank(*single[1:], edges)))
    assert found[0].dtype == total.dtype == torch.float32
    sum(x.sum() for x in found).backward()  # type: ignore[union-attr]
    assert all(x.grad is not None and x.grad.dtype == half and x.grad.isfinite().all() for x in factors)


@every_order
@every_scale
@pytest.mark.parametrize("cells", [None, 1, 12])
def test_sums_are_those_of_the_matrices(order: str, scale: float, cells: int | None) -> None:
    factors, edges = given(order, scale)
    scores = formed(factors, edges)
    expected = scores.softmax(-1).sum(0)
    torch.testing.assert_close(low_rank_transition_sum(LowRank(*factors[1:], edges), cells=cells), expected)
    torch.testing.assert_close(full_transition_sum(scores, cells=cells or 1 << 20), expected)


def test_one_hot_and_uniform_shares() -> None:
    log_prob = torch.tensor([[0.2, 0.3, 0.5]]).log()
    one_hot = torch.full((1, 3, 2), -torch.inf)
    one_hot[0, [0, 1, 2], [0, 0, 1]] = 0.0
    one_hot.requires_grad_()
    there, negative_entropy = full_transition(log_prob, one_hot)
    torch.testing.assert_close(there.exp(), torch.tensor([[0.5, 0.5]]))
    assert negative_entropy.item() == 0.0
    (there.sum() + negative_entropy.sum()).backward()
    assert one_hot.grad is not None
    assert one_hot.grad.isfinite().all()
    there, negative_entropy = full_transition(log_prob, torch.zeros(1, 3, 2))
    torch.testing.assert_close(there.exp(), torch.tensor([[0.5, 0.5]]))
    torch.testing.assert_close(negative_entropy.exp(), torch.tensor([0.5]))


def test_no_image_and_one_class(device: torch.device) -> None:
    edges = TransitionEdges.of(torch.tensor([0], device=device), torch.tensor([0], device=device), 1)
    matrix = LowRank(torch.zeros(0, 1, 2, device=device), torch.zeros(0, 2, 1, device=device), torch.zeros(0), edges)
    there, negative_entropy = low_rank_transition(torch.zeros(0, 1, device=device), matrix)
    assert there.shape == (0, 1)
    assert negative_entropy.shape == (0,)
    one = LowRank(
        torch.ones(3, 1, 2), torch.ones(3, 2, 1), torch.ones(3), TransitionEdges.of(*torch.zeros(2, 1).long(), 1)
    )
    there, negative_entropy = low_rank_transition(torch.zeros(3, 1), one)
    torch.testing.assert_close(there, torch.zeros(3, 1))
    torch.testing.assert_close(negative_entropy, torch.zeros(3))


@pytest.mark.skipif(not has_kernels(torch.zeros(1)), reason="numba is not installed")
@every_order
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("rank", [1, 2, 5])
def test_many_sources_and_targets_in_tiles_are_those_of_plain_torch(order: str, dtype: torch.dtype, rank: int) -> None:
    """More classes than a tile has, more targets than are summed in single precision, and images around both bounds."""
    generator = torch.Generator().manual_seed(3)
    parent = torch.randint(130, (700,), generator=generator)
    ends = (torch.arange(700), parent) if order == "f2c" else (parent, torch.arange(700))
    sizes = (700, 130) if order == "f2c" else (130, 700)
    factors = [torch.randn(6, sizes[0], generator=generator, dtype=torch.float64)]
    for shape in ((6, sizes[0], rank), (6, rank, sizes[1]), (6,)):
        factors.append(torch.randn(*shape, generator=generator, dtype=torch.float64))
    factors[1] *= torch.linspace(0.1, 3.0, 6, dtype=torch.float64)[:, None, None]
    edges = TransitionEdges.of(*ends, num_sources=sizes[0])
    exact = [x.requires_grad_() for x in factors]
    with without_kernels():
        expected = low_rank(exact, edges)
        wanted = *expected, *gradients(expected, exact)
    some = [x.detach().to(dtype).requires_grad_() for x in exact]
    found = low_rank(some, edges)
    tolerance = 1e-9 if dtype is torch.float64 else 1e-5
    for near, far in zip((*found, *gradients(found, some)), wanted, strict=True):
        size = float(far.detach().abs().max())
        torch.testing.assert_close(near.double(), far, rtol=tolerance, atol=tolerance * max(1.0, size))
