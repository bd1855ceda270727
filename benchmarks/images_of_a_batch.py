"""Time and memory of losses that compare all images of a batch, relative to one product of its vectors.

The unit of time is forward and backward of ``X Xᵀ`` in the same process: the similarities alone. The reference of
each loss holds every pair in memory and uses automatic differentiation. Every measurement runs in its own process, so
that peaks are separate; a peak is the memory of the step in addition to the vectors. Cases alternate; numbers are
medians over the rounds.

    python benchmarks/images_of_a_batch.py --turns 5
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor
from torch.nn import functional

from cladewise.objectives import hierarchical_cosine_margin_loss, supervised_contrast_loss

BATCHES = (256, 1024, 4096)
DIM, TEMPERATURE = 128, 0.2
MARGINS = (0.0, 0.2, 0.5, 1.0)

Step = Callable[[Tensor, Tensor], Tensor]


def product(vectors: Tensor, groups: Tensor) -> Tensor:
    return vectors @ vectors.T


def margins(vectors: Tensor, groups: Tensor) -> Tensor:
    return hierarchical_cosine_margin_loss(vectors, groups, torch.tensor(MARGINS), temperature=TEMPERATURE).nats


def margins_of_pairs(vectors: Tensor, groups: Tensor) -> Tensor:
    unit, others = functional.normalize(vectors, dim=1), ~torch.eye(len(vectors), dtype=torch.bool)
    relation = (groups[:, :, None] != groups[:, None]).sum(0)
    wanted, found = (
        (-distance / TEMPERATURE).masked_fill(~others, -torch.inf).log_softmax(1)
        for distance in (torch.tensor(MARGINS)[relation], 1 - unit @ unit.T)
    )
    return (wanted.exp() * (wanted - found).masked_fill(~others, 0)).sum(1)


def contrast(vectors: Tensor, groups: Tensor) -> Tensor:
    return supervised_contrast_loss(functional.normalize(vectors, dim=1), groups[-1:], temperature=TEMPERATURE).nats[0]


def contrast_of_pairs(vectors: Tensor, groups: Tensor) -> Tensor:
    unit, others = functional.normalize(vectors, dim=1), ~torch.eye(len(vectors), dtype=torch.bool)
    log_share = (unit @ unit.T / TEMPERATURE).masked_fill(~others, -torch.inf).log_softmax(1)
    same = (groups[-1][:, None] == groups[-1]) & others
    return -(log_share.masked_fill(~same, 0)).sum(1) / same.sum(1).clamp_min(1)


STEPS: dict[str, tuple[Step, Step]] = {
    "hierarchical cosine margins": (margins, margins_of_pairs),
    "supervised contrast": (contrast, contrast_of_pairs),
}
CASES = [(name, twin, batch) for batch in BATCHES for name in STEPS for twin in (False, True)]


def sample(batch: int) -> tuple[Tensor, Tensor]:
    """Two views of each image, of 256 clusters in 64 classes."""
    generator = torch.Generator().manual_seed(0)
    image = torch.arange(batch) // 2
    cluster = torch.randint(256, (batch // 2,), generator=generator)[image]
    vectors = torch.randn(batch, DIM, generator=generator) + 2 * torch.randn(256, DIM, generator=generator)[cluster]
    return vectors.requires_grad_(), torch.stack([image, cluster, cluster // 4])


def step(function: Step, vectors: Tensor, groups: Tensor) -> tuple[Tensor, Tensor]:
    value = function(vectors, groups)
    (gradient,) = torch.autograd.grad(value.sum(), vectors)
    return value.detach(), gradient


def seconds(function: Step, vectors: Tensor, groups: Tensor, repeats: int = 5) -> float:
    times: list[float] = []
    for _ in range(repeats):
        begin = time.perf_counter()
        step(function, vectors, groups)
        times.append(time.perf_counter() - begin)
    return statistics.median(times)


def peak() -> float:
    """Megabytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measure(name: str, twin: bool, batch: int) -> dict[str, float]:
    function, slow = STEPS[name][twin], STEPS[name][True]
    step(function, *sample(8))  # first use loads libraries
    vectors, groups = sample(batch)
    before = peak()
    value, gradient = step(function, vectors, groups)
    taken = peak() - before
    exact, exact_gradient = step(slow, vectors.detach().double().requires_grad_(), groups)
    return {
        "peak": taken,
        "ratio": seconds(function, vectors, groups) / seconds(product, vectors, groups),
        "loss": float((value - exact).abs().max()),
        "gradient": float((gradient - exact_gradient).abs().max() / exact_gradient.abs().max()),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--case", type=int, help="run only this case, in this process, and print JSON")
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(*CASES[options.case])))
        return
    found: list[list[dict[str, float]]] = [[] for _ in CASES]
    for _ in range(options.turns):
        for case in range(len(CASES)):
            run = subprocess.run(
                [sys.executable, __file__, "--case", str(case)], capture_output=True, text=True, check=True
            )
            found[case].append(json.loads(run.stdout))
    table = Table(title=f"{DIM} dimensions, {torch.get_num_threads()} threads, torch {torch.__version__}")
    for heading in ("loss", "rows", "× X Xᵀ", "peak MB", "error", "error of the gradient"):
        table.add_column(heading, justify="left" if heading == "loss" else "right")
    for (name, twin, batch), turns in zip(CASES, found, strict=True):
        middle = {key: statistics.median(turn[key] for turn in turns) for key in turns[0]}
        table.add_row(
            f"{name}, every pair held" if twin else name,
            f"{batch:,}",
            f"{middle['ratio']:.1f}",
            f"{middle['peak']:.0f}",
            f"{middle['loss']:.0e}",
            f"{middle['gradient']:.0e}",
        )
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
