"""Time and peak memory of linear-probe steps and an evaluation on a taxonomy of a million leaves.

The probe has 256 features; a step is forward, loss, backward and an SGD update on a batch of 64. The head alone is a
gigabyte of weights and one of gradients. Every task runs in its own process, so that peaks are separate; the first
line is plain cross-entropy over the leaves. No peak should exceed 8 GB.

    python benchmarks/million_leaves.py [--leaves 1000000] [--steps 3]
"""

from __future__ import annotations

import argparse
import importlib
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from cladewise import decisions, losses, ops
from cladewise.ops.kernels import has_kernels
from cladewise.predictions import LeafSoftmax, SiblingSoftmax
from cladewise.taxonomy import Taxonomy

FEATURES, BATCH, GOAL = 256, 64, 8.0


def tree(num_leaves: int) -> Taxonomy:
    """Levels that grow from 12 classes to the leaves; 40% of the internal nodes have one child."""
    generator = np.random.default_rng(0)
    sizes = [12, 60, 400, 3_000, 30_000, 200_000]
    sizes = [size for size in sizes if size < num_leaves // 2] + [num_leaves]
    parents, first, above = [np.array([-1])], 0, 1
    for size in sizes:
        branching = np.flatnonzero(generator.random(above) >= 0.4) if above > 12 else np.arange(above)
        chosen = np.concatenate([np.arange(above), generator.choice(branching, size - above)])
        parents.append(chosen + first)
        first, above = first + above, size
    count = sum(map(len, parents))
    return Taxonomy.from_parents(np.concatenate(parents), np.arange(count).astype(str))


def probe(taxonomy: Taxonomy, width: int, loss: Callable[[Tensor, Tensor], Tensor], steps: int) -> list[float]:
    torch.manual_seed(0)
    head = torch.nn.Linear(FEATURES, width)
    optimiser = torch.optim.SGD(head.parameters(), lr=0.1)
    features = torch.randn(BATCH, FEATURES)
    target = torch.tensor(taxonomy.leaf_nodes)[torch.randint(taxonomy.num_leaves, (BATCH,))]
    times: list[float] = []
    values: list[float] = []
    for _ in range(steps + 1):  # the first one compiles, and builds the index
        begin = time.perf_counter()
        value = loss(head(features), target).mean()
        value.backward()
        optimiser.step()
        optimiser.zero_grad(set_to_none=False)
        times.append(time.perf_counter() - begin)
        values.append(value.item())
    assert values[-1] < values[0], values
    return times[1:]


def train(name: str) -> Callable[[Taxonomy, int], list[float]]:
    def task(taxonomy: Taxonomy, steps: int) -> list[float]:
        if name == "cross-entropy":
            position = torch.tensor(taxonomy.leaf_start)

            def plain(logits: Tensor, target: Tensor) -> Tensor:
                return torch.nn.functional.cross_entropy(logits, position[target], reduction="none")

            return probe(taxonomy, taxonomy.num_leaves, plain, steps)
        loss = getattr(losses, name)(taxonomy)
        return probe(taxonomy, loss.num_outputs, loss, steps)

    return task


def evaluate(kind: type[LeafSoftmax] | type[SiblingSoftmax]) -> Callable[[Taxonomy, int], list[float]]:
    """Ranking, the best leaf and the majority rule of one batch."""

    def task(taxonomy: Taxonomy, steps: int) -> list[float]:
        width = taxonomy.num_leaves if kind is LeafSoftmax else taxonomy.num_nodes - 1
        logits = 3 * torch.randn(BATCH, width, generator=torch.Generator().manual_seed(0))
        times: list[float] = []
        with torch.inference_mode():
            for _ in range(steps + 1):
                begin = time.perf_counter()
                prediction = kind(taxonomy, logits)
                prediction.ranking(20)
                decisions.Majority()(prediction)
                times.append(time.perf_counter() - begin)
        return times[1:]

    return task


def diffuse(taxonomy: Taxonomy, steps: int) -> list[float]:
    """Exact diffusion of one batch of scores."""
    inference = importlib.import_module("cladewise.inference")
    rule = inference.Diffusion(alpha=0.5)
    logits = torch.randn(BATCH, taxonomy.num_leaves)
    times: list[float] = []
    with torch.inference_mode():
        for _ in range(steps + 1):
            begin = time.perf_counter()
            rule(LeafSoftmax(taxonomy, logits)).log_prob.sum()
            times.append(time.perf_counter() - begin)
    return times[1:]


def lowest_common_ancestors(taxonomy: Taxonomy, steps: int) -> list[float]:
    """Height of the lowest common ancestor of a million pairs."""
    first, second = torch.randint(taxonomy.num_nodes, (2, 1_000_000))
    times: list[float] = []
    for _ in range(steps + 1):
        begin = time.perf_counter()
        ops.lca_height(first, second, taxonomy)
        times.append(time.perf_counter() - begin)
    return times[1:]


TASKS: dict[str, Callable[[Taxonomy, int], list[float]]] = {
    "step, cross-entropy": train("cross-entropy"),
    "step, FlatSoftmaxLoss": train("FlatSoftmaxLoss"),
    "step, HXELoss": train("HXELoss"),
    "step, HACELoss": train("HACELoss"),
    "step, ConditionalSoftmaxLoss": train("ConditionalSoftmaxLoss"),
    "evaluation, LeafSoftmax": evaluate(LeafSoftmax),
    "evaluation, SiblingSoftmax": evaluate(SiblingSoftmax),
    "diffusion": diffuse,
    "LCA of a million pairs": lowest_common_ancestors,
}


def measure(task: str, num_leaves: int, steps: int) -> dict[str, float]:
    begin = time.perf_counter()
    taxonomy = tree(num_leaves)
    built = time.perf_counter() - begin
    seconds = statistics.median(TASKS[task](taxonomy, steps))
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    return {"seconds": seconds, "peak": peak, "nodes": taxonomy.num_nodes, "built": built}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--leaves", type=int, default=1_000_000)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--task", choices=TASKS, help="run only this task, in this process, and print JSON")
    options = parser.parse_args()
    if options.task:
        print(json.dumps(measure(options.task, options.leaves, options.steps)))
        return
    print(f"{options.leaves} leaves, batch {BATCH}, {FEATURES} features, {torch.get_num_threads()} threads, ", end="")
    print(f"kernels {'compiled' if has_kernels(torch.zeros(1)) else 'absent'}; goal: peaks under {GOAL:g} GB")
    print(f"{'':28}{'seconds':>9}{'x first':>9}{'peak GB':>9}")
    unit = 0.0
    for task in TASKS:
        arguments = ["--task", task, "--leaves", str(options.leaves), "--steps", str(options.steps)]
        run = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=False)
        if run.returncode:
            print(f"{task:28}  failed: {run.stderr.strip().splitlines()[-1]}")
            continue
        now = json.loads(run.stdout)
        unit = unit or now["seconds"]
        print(f"{task:28}{now['seconds']:9.2f}{now['seconds'] / unit:9.2f}{now['peak']:9.1f}", flush=True)


if __name__ == "__main__":
    main()
