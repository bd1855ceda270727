from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import ops
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from reference import ops_twin
from strategies import taxonomies_with_nodes

pytestmark = pytest.mark.usefixtures("arithmetic")

SCALES = st.sampled_from([1.0, 40.0, 1e4])


def _scores(taxonomy: Taxonomy, batch: int, scale: float, seed: int) -> np.ndarray:
    generator = np.random.default_rng(seed)
    scores = scale * generator.standard_normal((batch, taxonomy.num_nodes - 1))
    scores[generator.random(scores.shape) < 0.1] = -np.inf
    return scores


@settings(max_examples=15)
@given(taxonomies_with_nodes(), SCALES, st.integers(0, 99))
def test_both_are_their_twins(tree: tuple[Taxonomy, list[int]], scale: float, seed: int) -> None:
    taxonomy, nodes = tree
    scores, target = _scores(taxonomy, len(nodes), scale, seed), torch.tensor(nodes)
    everywhere = [ops_twin.sibling_log_softmax(taxonomy, row) for row in scores]
    on_path = [ops_twin.path_sibling_nll(taxonomy, row, node) for row, node in zip(scores, nodes, strict=True)]
    for dtype, tolerance in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        x = torch.tensor(scores, dtype=dtype)
        close = {"rtol": tolerance, "atol": tolerance * max(1.0, scale)}
        np.testing.assert_allclose(ops.sibling_log_softmax(x, taxonomy), everywhere, **close)
        np.testing.assert_allclose(ops.path_sibling_nll(x, target, taxonomy), on_path, **close)


@settings(max_examples=15)
@given(taxonomies_with_nodes(), SCALES, st.integers(0, 99))
def test_gradient_of_the_path_is_that_of_all_groups(tree: tuple[Taxonomy, list[int]], scale: float, seed: int) -> None:
    taxonomy, nodes = tree
    torch.manual_seed(seed)
    scores = (scale * torch.randn(len(nodes), taxonomy.num_nodes - 1, dtype=torch.float64)).requires_grad_()
    target = torch.tensor(nodes)
    path = ops.ancestors(target, taxonomy)[:, 1:]
    steps = torch.nn.functional.pad(ops.sibling_log_softmax(scores, taxonomy), (1, 0))
    slow = torch.where(path >= 0, -steps.gather(1, path.clamp(min=0)), 0.0)
    fast = ops.path_sibling_nll(scores, target, taxonomy)
    weight = torch.randn_like(fast)
    wanted, found = (torch.autograd.grad(out, scores, weight, allow_unused=True)[0] for out in (slow, fast))
    torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_gradcheck(scale: float, device: torch.device) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", f"c{i}") for i in range(9)] + [("d", f"e{i}") for i in range(7)])
    target = torch.tensor([0, 1, 5, taxonomy.num_nodes - 1], device=device)
    scores = scale * torch.randn(4, taxonomy.num_nodes - 1, dtype=torch.float64, device=device)
    scores.requires_grad_()
    assert torch.autograd.gradcheck(lambda x: ops.path_sibling_nll(x, target, taxonomy), scores, fast_mode=True)
    assert torch.autograd.gradcheck(lambda x: ops.sibling_log_softmax(x, taxonomy), scores, fast_mode=True)


def test_impossible_groups_give_no_nan() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("a", "c"), ("d", "e")])
    scores = torch.tensor([[0.0, -torch.inf, -torch.inf, 0.0, -torch.inf]]).expand(3, -1).clone().requires_grad_()
    nll = ops.path_sibling_nll(scores, torch.tensor([2, 1, 5]), taxonomy)
    log_two = float(np.log(2.0))
    torch.testing.assert_close(nll, torch.tensor([[log_two, torch.inf], [log_two, 0.0], [log_two, torch.inf]]))
    (gradient,) = torch.autograd.grad(nll[1].sum(), scores)
    assert gradient[1].tolist() == [-0.5, 0, 0, 0.5, 0]
    assert not ops.sibling_log_softmax(scores, taxonomy).isnan().any()


def test_same_bits_in_any_batch() -> None:
    taxonomy = Taxonomy.from_paths([("a", f"b{i}", f"c{j}") for i in range(30) for j in range(i % 7 + 1)])
    target = torch.randint(0, taxonomy.num_nodes, (50,))
    scores = torch.randn(50, taxonomy.num_nodes - 1)
    assert torch.equal(ops.sibling_log_softmax(scores, taxonomy)[7:9], ops.sibling_log_softmax(scores[7:9], taxonomy))
    assert torch.equal(
        ops.path_sibling_nll(scores, target, taxonomy)[7:9],
        ops.path_sibling_nll(scores[7:9], target[7:9], taxonomy),
    )


@pytest.mark.parametrize("shape", [(), (0,), (2, 3), (2, 0)])
def test_any_batch_shape(shape: tuple[int, ...]) -> None:
    for taxonomy in (Taxonomy.from_paths([("a", "b"), ("c",)]), Taxonomy([-1], ["alone"])):
        width = taxonomy.num_nodes - 1
        scores, target = torch.zeros(*shape, width), torch.zeros(shape, dtype=torch.int64)
        assert ops.sibling_log_softmax(scores, taxonomy).shape == (*shape, width)
        assert ops.path_sibling_nll(scores, target, taxonomy).shape == (*shape, taxonomy.max_depth)


def test_wrong_widths_are_refused() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c",)])
    with pytest.raises(InputError, match=r"Expected scores \[\*batch, 3\]"):
        ops.path_sibling_nll(torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64), taxonomy)
