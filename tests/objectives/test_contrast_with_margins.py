"""Losses that compare images: cosine margins and queues, against twins that go pair by pair, and closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError
from cladewise.objectives import away_from_class, hierarchical_cosine_margin_loss, queued_contrast_loss
from cladewise.ops.batch_pairs import logsumexp_of_others, pairs_by_group
from reference.contrast_twin import cosine_margin, queued, relation


def some(seed: int, rows: int, dim: int = 6) -> tuple[torch.Tensor, torch.Tensor]:
    """Vectors, and groups within groups: images of two views, clusters, classes, families."""
    random = torch.Generator().manual_seed(seed)
    vectors = torch.randn(rows, dim, generator=random, dtype=torch.float64)
    image = torch.arange(rows) // 2
    cluster = torch.randint(8, (rows,), generator=random)[image]
    return vectors, torch.stack([image, cluster + 100, cluster // 2, cluster // 4])


MARGINS = torch.tensor([0.0, 0.2, 0.5, 0.75, 1.0], dtype=torch.float64)


@settings(max_examples=12)
@given(st.integers(0, 100), st.integers(1, 24), st.sampled_from([0.05, 0.2, 1.0]))
def test_margins_are_those_of_the_twin(seed: int, rows: int, temperature: float) -> None:
    vectors, groups = some(seed, rows)
    found = hierarchical_cosine_margin_loss(vectors, groups, MARGINS, temperature=temperature)
    expected = cosine_margin(vectors.numpy(), groups.numpy(), MARGINS.numpy(), temperature)
    np.testing.assert_allclose(found.nats.numpy(), expected, atol=1e-9)
    assert (found.nats > -1e-9).all()
    each = torch.rand(rows, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    found = hierarchical_cosine_margin_loss(vectors, groups, each, temperature=temperature)
    expected = cosine_margin(vectors.numpy(), groups.numpy(), each.numpy(), temperature)
    np.testing.assert_allclose(found.nats.numpy(), expected, atol=1e-9)


@settings(max_examples=12)
@given(st.integers(0, 100), st.integers(2, 24))
def test_every_pair_counts_once(seed: int, rows: int) -> None:
    vectors, groups = some(seed, rows)
    unit = torch.nn.functional.normalize(vectors, dim=1)
    found = pairs_by_group(unit, groups)
    for i in range(rows):
        kinds = [relation(groups.numpy(), i, j) for j in range(rows) if j != i]
        assert found.counts[i].tolist() == np.bincount(kinds, minlength=5).tolist()
    assert float(found.similarity.sum()) == pytest.approx(float((unit @ unit.T).sum() - rows))
    by_hand = hierarchical_cosine_margin_loss(vectors, groups, MARGINS).distances
    assert float(by_hand.sum()) == pytest.approx(float((1 - unit @ unit.T).sum()))


def test_golden_all_alike_is_log_of_the_others_less_the_entropy() -> None:
    groups = torch.tensor([[0, 0, 1, 1, 2, 2], [0, 0, 0, 0, 1, 1]])
    margins = torch.tensor([0.0, 0.3, 1.0])
    found = hierarchical_cosine_margin_loss(torch.ones(6, 4), groups, margins, temperature=0.2)
    for row, counts in ((0, [1, 2, 2]), (4, [1, 0, 4])):
        weight = np.array(counts) * np.exp(-margins.numpy() / 0.2)
        p = np.exp(-margins.numpy() / 0.2) / weight.sum()
        entropy = -sum(n * q * math.log(q) for n, q in zip(counts, p, strict=True) if n)
        assert float(found.nats[row]) == pytest.approx(math.log(5) - entropy, abs=1e-5)


def test_golden_distances_that_are_the_margins_cost_nothing() -> None:
    vectors = torch.eye(4)[[0, 0, 1, 1, 2, 2]]  # views alike, all others at a right angle
    groups = torch.tensor([[0, 0, 1, 1, 2, 2]])
    found = hierarchical_cosine_margin_loss(vectors * 7, groups, torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(found.nats, torch.zeros(6), atol=1e-6, rtol=0)
    shifted = hierarchical_cosine_margin_loss(vectors, groups, torch.tensor([0.5, 1.5]))  # up to a constant
    torch.testing.assert_close(shifted.nats, torch.zeros(6), atol=1e-6, rtol=0)


def test_the_exponential_map_at_the_origin_changes_nothing() -> None:
    from cladewise.geometry import exp_origin

    vectors, groups = some(3, 12)
    flat, ball = (hierarchical_cosine_margin_loss(v, groups, MARGINS).nats for v in (vectors, exp_origin(vectors)))
    torch.testing.assert_close(flat, ball)


def test_the_order_of_rows_changes_nothing() -> None:
    vectors, groups = some(1, 14)
    order = torch.randperm(14)
    found = hierarchical_cosine_margin_loss(vectors, groups, MARGINS).nats
    torch.testing.assert_close(
        hierarchical_cosine_margin_loss(vectors[order], groups[:, order], MARGINS).nats, found[order]
    )


def test_chunks_change_nothing_and_gradients_are_right(monkeypatch: pytest.MonkeyPatch) -> None:
    vectors, groups = some(2, 12)
    vectors.requires_grad_()

    def loss(v: torch.Tensor) -> torch.Tensor:
        return hierarchical_cosine_margin_loss(v, groups, MARGINS).nats

    assert torch.autograd.gradcheck(loss, vectors, fast_mode=True)
    whole = loss(vectors)
    (gradient,) = torch.autograd.grad(whole.sum(), vectors)
    monkeypatch.setattr("cladewise.ops.batch_pairs.PAIRS_AT_ONCE", 30)
    torch.testing.assert_close(loss(vectors), whole)
    torch.testing.assert_close(torch.autograd.grad(loss(vectors).sum(), vectors)[0], gradient)
    assert torch.autograd.gradcheck(loss, vectors, fast_mode=True)
    assert logsumexp_of_others(torch.ones(1, 2), 1.0).tolist() == [-math.inf]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_margins_are_finite_for_any_vectors(dtype: torch.dtype) -> None:
    signs = torch.randn(9, 5, generator=torch.Generator().manual_seed(0), dtype=dtype).sign()
    for vectors in (1e4 * signs, torch.zeros(9, 5, dtype=dtype), signs[:1], signs[:0], 1e-30 * signs):
        v = vectors.clone().requires_grad_()
        groups = torch.arange(len(v))[None] // 2
        nats = hierarchical_cosine_margin_loss(v, groups, torch.tensor([0.0, 1.0], dtype=dtype)).nats
        assert nats.isfinite().all()
        nats.sum().backward()
        assert v.grad is not None
        assert v.grad.isfinite().all()


def test_margins_that_do_not_fit() -> None:
    vectors, groups = some(0, 4)
    with pytest.raises(InputError, match="a margin for each kind and for strangers"):
        hierarchical_cosine_margin_loss(vectors, groups, MARGINS[:3])
    with pytest.raises(InputError, match="a temperature above 0, but got 0"):
        hierarchical_cosine_margin_loss(vectors, groups, MARGINS, temperature=0)


# ---------------------------------------------------------------- queues


def of_queue(seed: int, images: int = 7, entries: int = 11) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(seed)
    vectors = torch.nn.functional.normalize(torch.randn(2 * images + entries, 5, generator=random).double(), dim=1)
    return {
        "queries": vectors[:images],
        "keys": vectors[images : 2 * images],
        "queue": vectors[2 * images :],
        "image_groups": torch.randint(3, (images,), generator=random),
        "queue_groups": torch.randint(-1, 3, (entries,), generator=random),
        "image_index": torch.arange(images),
        "queue_index": torch.randint(images + 3, (entries,), generator=random),
    }


@settings(max_examples=12)
@given(st.integers(0, 100), st.sampled_from([0.1, 0.2, 1.0]))
def test_the_queue_is_that_of_the_twin(seed: int, temperature: float) -> None:
    given_ = of_queue(seed)
    counts = (given_["image_groups"][:, None] == given_["queue_groups"]) & (
        given_["image_index"][:, None] != given_["queue_index"]
    )
    found = queued_contrast_loss(**given_, temperature=temperature)
    arrays = [given_[name].numpy() for name in ("queries", "keys", "queue")]
    np.testing.assert_allclose(found.numpy(), queued(*arrays, counts.numpy(), temperature), atol=1e-9)


def test_entries_of_other_groups_have_no_effect() -> None:
    given_ = of_queue(1)
    before = queued_contrast_loss(**given_)
    other = given_["queue_groups"] != 2
    changed = torch.where(other[:, None], given_["queue"].flip(1), given_["queue"])
    after = queued_contrast_loss(**{**given_, "queue": changed})
    of_two = given_["image_groups"] == 2
    torch.testing.assert_close(after[of_two], before[of_two])
    alone = queued_contrast_loss(**{**given_, "queue_groups": torch.full((11,), -1)})
    assert alone.tolist() == [0] * 7


def test_a_long_queue_goes_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    given_ = of_queue(2)
    query = given_.pop("queries").requires_grad_()
    whole = queued_contrast_loss(query, **given_)
    (gradient,) = torch.autograd.grad(whole.sum(), query)
    monkeypatch.setattr("cladewise.objectives.queued_contrast.CELLS_AT_ONCE", 22)
    parts = queued_contrast_loss(query, **given_)
    torch.testing.assert_close(parts, whole)
    torch.testing.assert_close(torch.autograd.grad(parts.sum(), query)[0], gradient)
    assert torch.autograd.gradcheck(lambda q: queued_contrast_loss(q, **given_), query, fast_mode=True)


@settings(max_examples=12)
@given(st.floats(0.01, 100), st.floats(0.01, 100))
def test_the_direction_from_a_class_does_not_depend_on_lengths(long: float, wide: float) -> None:
    vectors, centres = some(0, 6)[0], some(1, 6)[0]
    found = away_from_class(vectors, centres)
    torch.testing.assert_close(away_from_class(long * vectors, wide * centres), found)
    torch.testing.assert_close(found.norm(dim=1), torch.ones(6, dtype=torch.float64))


def test_at_its_class_a_vector_has_no_direction() -> None:
    vectors = torch.eye(3, requires_grad=True)
    found = away_from_class(vectors, 2 * torch.eye(3))
    assert found.abs().max() == 0
    found.sum().backward()
    assert vectors.grad is not None
    assert vectors.grad.isfinite().all()
