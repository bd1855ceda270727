"""Time and accuracy of diffusion on a tree, and time of every inference rule relative to a network.

Three tables: the exact solution against 12 sparse products, forward and with gradient, with the error of each against
a dense solve in double precision; the same on a tree of 1.5 million nodes, where nothing dense fits; and every rule,
including the log-probabilities of all nodes, against the forward pass of a ResNet-50 for one image of 224 pixels.

    python benchmarks/diffusion.py --batch 256 --repeats 15
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable

import timm
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cladewise import inference, ops
from cladewise.inference import Inference
from cladewise.predictions import Fittable, LevelSoftmax, Prediction, level_width
from cladewise.taxonomy import Taxonomy
from losses import LEVEL_SIZES, synthetic_tree

MILLIONS = (20, 150, 1_000, 9_000, 60_000, 400_000, 1_029_829)
"""Level sizes of a tree of 1.5 million nodes."""
STEPS = 12
SMALL = (3, 13, 51, 273, 700, 1_000)
"""Level sizes of a tree that is small enough for a dense matrix."""
Diffuse = Callable[[Tensor], Tensor]


def sparse_iterations(taxonomy: Taxonomy, alpha: float) -> Diffuse:
    """The published algorithm: repeated products with a sparse matrix, in its fastest layout (images as columns)."""
    parent, child = torch.tensor(taxonomy.parents[1:].copy()), torch.arange(1, taxonomy.num_nodes)
    ends = torch.cat([parent, child]), torch.cat([child, parent])
    degree = torch.bincount(ends[0], minlength=taxonomy.num_nodes).double()
    weight = (degree[ends[0]] * degree[ends[1]]).rsqrt().float()
    size = (taxonomy.num_nodes, taxonomy.num_nodes)
    matrix = torch.sparse_coo_tensor(torch.stack(ends), weight, size, check_invariants=False).to_sparse_csr()

    class Iterations(torch.autograd.Function):
        """The gradient has the same form, since the matrix is symmetric."""

        @staticmethod
        def forward(ctx: object, values: Tensor) -> Tensor:
            start = values.t().contiguous()
            now = start
            for _ in range(STEPS):
                now = torch.add((1 - alpha) * start, matrix @ now, alpha=alpha)
            return now.t()

        @staticmethod
        def backward(ctx: object, *grads: Tensor) -> Tensor:
            return Iterations.apply(grads[0])

    return Iterations.apply


def forward_time(function: Diffuse, values: Tensor) -> float:
    begin = time.perf_counter()
    with torch.no_grad():
        function(values)
    return time.perf_counter() - begin


def gradient_time(function: Diffuse, values: Tensor) -> float:
    leaf = values.clone().requires_grad_()
    begin = time.perf_counter()
    torch.autograd.grad(function(leaf), leaf, torch.ones_like(values))
    return time.perf_counter() - begin


def ways(taxonomy: Taxonomy, alpha: float) -> dict[str, Diffuse]:
    return {
        f"{STEPS} sparse products": sparse_iterations(taxonomy, alpha),
        f"ops.diffuse, {STEPS} steps": lambda x: ops.diffuse(x, taxonomy, alpha, steps=STEPS),
        "ops.diffuse, exact": lambda x: ops.diffuse(x, taxonomy, alpha),
    }


def solve_times(console: Console, title: str, taxonomy: Taxonomy, batch: int, repeats: int) -> None:
    table = Table(title=f"{title}: {taxonomy.num_nodes:,} nodes, batch {batch}, {torch.get_num_threads()} threads")
    for heading in ("", "forward, × sparse", "with gradient, × sparse"):
        table.add_column(heading, justify="left" if heading == "" else "right")
    values = torch.randn(batch, taxonomy.num_nodes, generator=torch.Generator().manual_seed(0))
    chosen = ways(taxonomy, 0.3)
    times: dict[str, tuple[list[float], list[float]]] = {name: ([], []) for name in chosen}
    for function in chosen.values():
        gradient_time(function, values)
    for _ in range(repeats):  # interleaved, so that other load affects all of them
        for name, function in chosen.items():
            times[name][0].append(forward_time(function, values))
            times[name][1].append(gradient_time(function, values))
    middle = {name: [statistics.median(kind) for kind in kinds] for name, kinds in times.items()}
    unit = middle[f"{STEPS} sparse products"]
    for name, medians in middle.items():
        table.add_row(name, *(f"{t / u:.3f}" for t, u in zip(medians, unit, strict=True)))
    console.print(table)


def solve_errors(console: Console) -> None:
    taxonomy = synthetic_tree(SMALL)
    table = Table(title=f"Largest error against a dense solve in double precision, {taxonomy.num_nodes:,} nodes")
    alphas = (0.3, 0.9, 0.99)
    table.add_column("")
    for alpha in alphas:
        table.add_column(f"alpha {alpha}", justify="right")
    parent, child = torch.tensor(taxonomy.parents[1:].copy()), torch.arange(1, taxonomy.num_nodes)
    dense = torch.zeros(taxonomy.num_nodes, taxonomy.num_nodes, dtype=torch.float64)
    dense[parent, child] = dense[child, parent] = 1.0
    dense *= dense.sum(0).rsqrt()[:, None] * dense.sum(0).rsqrt()[None, :]
    values = torch.randn(64, taxonomy.num_nodes, generator=torch.Generator().manual_seed(0))
    rows: dict[str, list[str]] = {}
    for alpha in alphas:
        inverse = (1 - alpha) * torch.linalg.inv(torch.eye(len(dense), dtype=torch.float64) - alpha * dense)
        wanted = values.double() @ inverse
        for name, function in ways(taxonomy, alpha).items():
            leaf = values.clone().requires_grad_()
            result = function(leaf)
            (gradient,) = torch.autograd.grad(result, leaf, values)  # symmetric: the gradient is the same solve
            for what, got in ((name, result.detach()), (f"{name}, gradient", gradient)):
                rows.setdefault(what, []).append(f"{(got - wanted).abs().max():.0e}")
    for name, row in rows.items():
        table.add_row(name, *row)
    console.print(table)


def rules(taxonomy: Taxonomy, prediction: Prediction) -> dict[str, Inference]:
    options = {
        "subset": {"allowed": tuple(range(1, taxonomy.num_nodes, 3))},
        "differentiable-diffusion": {"form": "neighbourhood", "epochs": 0},
    }
    made = {name: inference.make(name, **options.get(name, {})) for name in inference.available()}
    target = torch.zeros(2, dtype=torch.int64)
    return {n: r.fit(prediction[:2], target) if isinstance(r, Fittable) else r for n, r in made.items()}  # type: ignore[misc]


def rule_times(console: Console, taxonomy: Taxonomy, batch: int, repeats: int) -> None:
    levels = tuple(range(1, taxonomy.num_levels + 1))
    logits = torch.randn(batch, level_width(taxonomy, levels, tied=False), generator=torch.Generator().manual_seed(0))
    images = 4
    network, picture = timm.create_model("resnet50", pretrained=False).eval(), torch.randn(images, 3, 224, 224)
    chosen = rules(taxonomy, LevelSoftmax(taxonomy, logits))
    times: dict[str, list[float]] = {name: [] for name in ("ResNet-50, 224 px", "none", *chosen)}
    with torch.no_grad():
        for repeat in range(repeats + 1):  # the first warms up
            begin = time.perf_counter()
            network(picture)
            spent = {"ResNet-50, 224 px": (time.perf_counter() - begin) / images}
            for name, rule in (("none", None), *chosen.items()):
                prediction = LevelSoftmax(taxonomy, logits)
                begin = time.perf_counter()
                (prediction if rule is None else rule(prediction)).log_prob.sum()
                spent[name] = (time.perf_counter() - begin) / batch
            for name, seconds in spent.items():
                if repeat:
                    times[name].append(seconds)
    unit = statistics.median(times["ResNet-50, 224 px"])
    table = Table(
        title=f"Rules, with the log-probabilities of all {taxonomy.num_nodes:,} nodes; batch {batch}",
        caption="part of the time of a ResNet-50 for one image, medians",
    )
    table.add_column("")
    table.add_column("of a ResNet-50", justify="right")
    for name, values in times.items():
        table.add_row(name, f"{statistics.median(values) / unit:.2%}")
    table.add_row("all rules together", f"{sum(statistics.median(times[name]) for name in chosen) / unit:.2%}")
    console.print(table)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--no-millions", action="store_true", help="skip the tree of 1.5 million nodes")
    options = parser.parse_args()
    warnings.filterwarnings("ignore", message="Sparse")
    console = Console(width=120)
    inat = synthetic_tree(LEVEL_SIZES["inat18"])
    solve_errors(console)
    solve_times(console, "iNat18", inat, options.batch, options.repeats)
    if not options.no_millions:
        solve_times(console, "A large tree", synthetic_tree(MILLIONS), 4, max(3, options.repeats // 3))
    rule_times(console, inat, options.batch, options.repeats)


if __name__ == "__main__":
    main()
