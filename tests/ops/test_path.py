from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import ops
from cladewise.errors import InputError
from cladewise.ops.path import Domain
from cladewise.taxonomy import Taxonomy
from reference import trees
from strategies import taxonomies_with_nodes

pytestmark = pytest.mark.usefixtures("arithmetic")

DOMAINS: list[Domain] = ["leaves", "nodes", "nodes-without-root"]


def _width(taxonomy: Taxonomy, domain: Domain) -> int:
    return {"leaves": taxonomy.num_leaves, "nodes": taxonomy.num_nodes}.get(domain, taxonomy.num_nodes - 1)


def _expected(taxonomy: Taxonomy, scores: np.ndarray, target: int, domain: Domain) -> list[float]:
    scored = trees.leaves_under(taxonomy, 0) if domain == "leaves" else list(range(taxonomy.num_nodes))
    scored = scored[1:] if domain == "nodes-without-root" else scored
    path = trees.path(taxonomy, target)
    path += path[-1:] * (taxonomy.max_depth + 1 - len(path))
    inside = [[i for i, u in enumerate(scored) if u in trees.under(taxonomy, v)] for v in path]
    return [trees.logsumexp(scores[places]) for places in inside]


@settings(max_examples=15)
@given(
    taxonomies_with_nodes(max_nodes=60),
    st.sampled_from(DOMAINS),
    st.sampled_from([1.0, 40.0, 1e4]),
    st.integers(0, 99),
)
def test_path_logsumexp_is_its_twin(tree: tuple[Taxonomy, list[int]], domain: Domain, scale: float, seed: int) -> None:
    taxonomy, nodes = tree
    scores = scale * np.random.default_rng(seed).standard_normal((len(nodes), _width(taxonomy, domain)))
    expected = [_expected(taxonomy, row, node, domain) for row, node in zip(scores, nodes, strict=True)]
    target = torch.tensor(nodes)
    double = ops.path_logsumexp(torch.tensor(scores), target, taxonomy, domain)
    np.testing.assert_allclose(double, expected, rtol=1e-12, atol=1e-12)
    single = ops.path_logsumexp(torch.tensor(scores, dtype=torch.float32), target, taxonomy, domain)
    np.testing.assert_allclose(single, expected, rtol=1e-5, atol=1e-5)


@settings(max_examples=15)
@given(taxonomies_with_nodes(max_nodes=60), st.sampled_from(DOMAINS), st.sampled_from([1.0, 40.0]), st.integers(0, 99))
def test_gradient_is_that_of_the_slow_sum(
    tree: tuple[Taxonomy, list[int]], domain: Domain, scale: float, seed: int
) -> None:
    taxonomy, nodes = tree
    if _width(taxonomy, domain) == 0:
        return
    torch.manual_seed(seed)
    target = torch.tensor(nodes)
    scores = (scale * torch.randn(len(nodes), _width(taxonomy, domain), dtype=torch.float64)).requires_grad_()
    result = ops.path_logsumexp(scores, target, taxonomy, domain)
    if domain == "leaves":
        full = ops.leaf_logsumexp(scores, taxonomy)
    else:
        missing = taxonomy.num_nodes - scores.shape[1]
        full = ops.subtree_logsumexp(torch.nn.functional.pad(scores, (missing, 0), value=-torch.inf), taxonomy)
    path = ops.ancestors(target, taxonomy)
    slow = full.gather(1, torch.where(path >= 0, path, target[:, None]))
    direction = torch.randn_like(result)
    known = torch.where(slow.isfinite(), direction, 0.0)  # the root alone, without a score: nothing to differentiate
    fast_gradient, slow_gradient = (torch.autograd.grad(out, scores, known)[0] for out in (result, slow))
    torch.testing.assert_close(fast_gradient, slow_gradient, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("scale", [1.0, 100.0])
def test_gradcheck(scale: float, device: torch.device) -> None:
    taxonomy = Taxonomy.from_paths([("a", "b", f"c{i}") for i in range(40)] + [("d", f"e{i}") for i in range(30)])
    target = torch.tensor([0, 1, 5, 60, taxonomy.num_nodes - 1], device=device)
    scores = scale * torch.randn(5, taxonomy.num_nodes, dtype=torch.float64, device=device)
    assert torch.autograd.gradcheck(
        lambda x: ops.path_logsumexp(x, target, taxonomy, "nodes"), scores.requires_grad_(), fast_mode=scale > 1
    )


def test_same_bits_twice_and_in_any_batch() -> None:
    taxonomy = Taxonomy.from_paths([("a", f"b{i}", f"c{i}") for i in range(300)])
    target = torch.randint(0, taxonomy.num_nodes, (50,))
    scores = torch.randn(50, taxonomy.num_leaves)
    whole = ops.path_logsumexp(scores, target, taxonomy)
    assert torch.equal(whole, ops.path_logsumexp(scores, target, taxonomy))
    assert torch.equal(whole[7:9], ops.path_logsumexp(scores[7:9], target[7:9], taxonomy))


def test_any_batch_shape() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c",)])
    for shape in ((), (0,), (2, 3)):
        target = torch.zeros(shape, dtype=torch.int64)
        assert ops.path_logsumexp(torch.zeros(*shape, 2), target, taxonomy).shape == (*shape, 3)


def test_wrong_widths_and_domains_are_refused() -> None:
    taxonomy = Taxonomy.from_paths([("a", "b"), ("c",)])
    with pytest.raises(InputError, match=r"Expected scores \[\*batch, 2\]"):
        ops.path_logsumexp(torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64), taxonomy)
    with pytest.raises(InputError, match="Expected a domain among leaves, nodes"):
        ops.path_logsumexp(torch.zeros(1, 4), torch.zeros(1, dtype=torch.int64), taxonomy, "leaf")  # type: ignore[arg-type]
