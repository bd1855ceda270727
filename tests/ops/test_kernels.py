"""Compiled kernels against plain torch, on trees too large for the slow twins, and where they run."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.utils.data
from torch import Tensor

from cladewise import ops
from cladewise.ops.kernels import WORTH_A_THREAD, has_kernels, without_kernels
from cladewise.ops.log_mass import RingWeights, ring_log_mass
from cladewise.ops.random_cut import random_cut_nll
from cladewise.ops.rings import path_to
from cladewise.taxonomy import Taxonomy

pytestmark = pytest.mark.skipif(not has_kernels(torch.zeros(1)), reason="numba is not installed")

BATCH = 37  # no multiple of any block


def _tree() -> Taxonomy:
    generator = np.random.default_rng(3)
    parents = [-1] + [int(generator.integers(max(0, v - 200), v)) for v in range(1, 1200)]
    return Taxonomy.from_parents(parents, [str(v) for v in range(1200)])


TREE = _tree()
TARGET = torch.from_numpy(np.random.default_rng(4).integers(0, TREE.num_nodes, BATCH))
PATH = path_to(TARGET, TREE)
WEIGHTS = RingWeights(
    PATH,
    torch.ones(*PATH.shape, 1, dtype=torch.float64),
    torch.rand(1, TREE.num_nodes, dtype=torch.float64) / TREE.num_nodes,
    torch.zeros(PATH.shape, dtype=torch.float64),
)
DROPPED = torch.rand(BATCH, TREE.num_nodes - 1) < 0.1
OPERATIONS: dict[str, tuple[int, Callable[[Tensor], Tensor]]] = {
    "path_logsumexp": (TREE.num_nodes, lambda x: ops.path_logsumexp(x, TARGET, TREE, "nodes")),
    "leaf_logsumexp": (TREE.num_leaves, lambda x: ops.leaf_logsumexp(x, TREE)),
    "subtree_logsumexp": (TREE.num_nodes, lambda x: ops.subtree_logsumexp(x, TREE)),
    "subtree_sum": (TREE.num_nodes, lambda x: ops.subtree_sum(x, TREE)),
    "path_sum": (TREE.num_nodes, lambda x: ops.path_sum(x, TREE)),
    "leaf_path_sum": (TREE.num_nodes - 1, lambda x: ops.leaf_path_sum(x, TREE)),
    "leaf_subtree_sum": (TREE.num_leaves, lambda x: ops.leaf_subtree_sum(x, TREE, share=0.3)),
    "sibling_log_softmax": (TREE.num_nodes - 1, lambda x: ops.sibling_log_softmax(x, TREE)),
    "diffuse": (TREE.num_nodes, lambda x: ops.diffuse(x, TREE, 0.9)),
    "ring_log_mass": (TREE.num_nodes, lambda x: ring_log_mass(x, WEIGHTS, TREE)),
    "random_cut_nll": (TREE.num_nodes - 1, lambda x: random_cut_nll(x, TARGET, TREE, DROPPED)),
    "path_sibling_nll": (TREE.num_nodes - 1, lambda x: ops.path_sibling_nll(x, TARGET, TREE)),
}


def _both(operation: Callable[[Tensor], Tensor], x: Tensor) -> tuple[Tensor, Tensor]:
    out = operation(x)
    (grad,) = torch.autograd.grad(out, x, torch.linspace(-1, 1, out.numel(), dtype=x.dtype).view_as(out))
    return out, grad


@pytest.mark.parametrize("scale", [1.0, 40.0, 1e4])
@pytest.mark.parametrize("name", OPERATIONS)
def test_kernels_agree_with_torch_in_double_precision(name: str, scale: float) -> None:
    width, operation = OPERATIONS[name]
    x = (scale * torch.randn(BATCH, width, dtype=torch.float64)).requires_grad_()
    with without_kernels():
        wanted, wanted_grad = _both(operation, x)
    for dtype, rtol in ((torch.float64, 1e-11), (torch.float32, 2e-5)):
        out, grad = _both(operation, x.detach().to(dtype).requires_grad_())
        torch.testing.assert_close(out.double(), wanted, rtol=rtol, atol=rtol * max(1.0, scale))
        size = float(wanted_grad.abs().max())  # logits that are rounded shift shares by their rounding error
        torch.testing.assert_close(grad.double(), wanted_grad, rtol=rtol * scale, atol=rtol * max(1.0, scale) * size)


@pytest.mark.parametrize("name", OPERATIONS)
def test_nan_is_not_hidden(name: str) -> None:
    width, operation = OPERATIONS[name]
    assert operation(torch.full((BATCH, width), torch.nan)).isnan().any()


@pytest.mark.parametrize("name", OPERATIONS)
def test_infinity_is_no_finite_mistake(name: str) -> None:
    width, operation = OPERATIONS[name]
    x = torch.randn(BATCH, width)
    x[:, ::3] = torch.inf
    with without_kernels():
        wanted = operation(x)
    out = operation(x)
    assert not (out.isfinite() & ~wanted.isfinite()).any()


def test_threads_share_the_rows_alike() -> None:
    x = torch.randn(5 * BATCH, TREE.num_nodes)
    assert x.numel() >= 5 * WORTH_A_THREAD  # or fewer threads than asked for would run
    before = torch.get_num_threads()
    try:
        results: list[Tensor] = []
        for threads in (1, 2, 5):
            torch.set_num_threads(threads)
            results.append(ops.subtree_logsumexp(x, TREE))
    finally:
        torch.set_num_threads(before)
    assert torch.equal(results[0], results[1])
    assert torch.equal(results[0], results[2])


def test_many_threads_may_call_at_once() -> None:
    x = torch.randn(BATCH, TREE.num_nodes)
    wanted = ops.subtree_sum(x, TREE)
    with ThreadPoolExecutor(4) as pool:
        assert all(torch.equal(out, wanted) for out in pool.map(lambda _: ops.subtree_sum(x, TREE), range(16)))


class _InWorker(torch.utils.data.Dataset[Tensor]):
    def __len__(self) -> int:
        return 4

    def __getitem__(self, position: int) -> Tensor:
        values = torch.from_numpy(np.full((BATCH, TREE.num_nodes), position, dtype=np.float32))
        return ops.subtree_sum(values, TREE)[:, 0]


def test_forked_workers_can_compute() -> None:
    ops.subtree_sum(torch.ones(BATCH, TREE.num_nodes), TREE)
    loader = torch.utils.data.DataLoader(
        _InWorker(), batch_size=None, num_workers=2, multiprocessing_context="fork", timeout=60
    )
    assert [float(out[0]) for out in loader] == [position * TREE.num_nodes for position in range(4)]


def test_a_kernel_is_compiled_again_when_another_file_of_its_package_changes(tmp_path: Path) -> None:
    folder = tmp_path / "some_kernels"
    folder.mkdir()
    (folder / "__init__.py").touch()
    head = "from cladewise.ops.compiled.decorators import kernel\n"
    (folder / "caller.py").write_text(
        f"{head}from some_kernels.helper import helper\n\n@kernel\ndef called(x):\n    return helper(x)\n"
    )
    found: list[tuple[int, int]] = []
    for factor in (2, 2, 3):
        (folder / "helper.py").write_text(f"{head}\n@kernel\ndef helper(x):\n    return {factor} * x\n")
        command = "import some_kernels.caller as c; print(c.called(7), sum(c.called.stats.cache_hits.values()))"
        answer, hits = subprocess.run(
            [sys.executable, "-c", command], cwd=tmp_path, capture_output=True, text=True, check=True
        ).stdout.split()
        found.append((int(answer), int(hits)))
    assert found == [(14, 0), (14, 1), (21, 0)]


def test_environment_switches_them_off(monkeypatch: pytest.MonkeyPatch) -> None:
    for value, expected in (("0", False), ("1", True)):
        monkeypatch.setenv("CLADEWISE_KERNELS", value)
        spec = importlib.util.find_spec("cladewise.ops.kernels")  # a second copy of the module, as if freshly imported
        assert spec is not None
        assert spec.loader is not None
        fresh = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(fresh)
        assert fresh.has_kernels(torch.zeros(1)) is expected
        assert fresh._load.cache_info().currsize == expected  # switched off, nothing looks for numba
