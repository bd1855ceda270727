"""Time of a training step for methods that compare images with labels, texts or images, relative to a flat softmax.

A step is the encoder forward and backward, the head, and the loss with its gradient, without an optimiser. Methods
alternate; the ratio is the median over the rounds of the ratio within a round. ``--frozen`` omits the encoder, which
leaves the cost of a probe on cached features. The tree has the level sizes of the emoji drawings (5, 49, 861).

    python benchmarks/training_step.py --turns 5
    python benchmarks/training_step.py --frozen --turns 20 --text minilm
    python benchmarks/training_step.py --frozen --turns 20 --batch 128 --methods vanilla-single lht
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn

from cladewise import backbones, methods
from cladewise.taxonomy import Taxonomy
from losses import synthetic_tree

LEVELS = (5, 49, 861)
FLAT = "flat-softmax"
OPTIONS = {"lht": {"transition": "low-rank"}}
"""Settings of methods other than their defaults."""
Step = Callable[[Tensor, Tensor], None]


def step_of(name: str, taxonomy: Taxonomy, encoder: nn.Module, num_features: int, text: str) -> Step:
    """A training step of a method, on images or on features."""
    options = {"text": text, "tune": False} if name in ("flyp", "hmcf") else OPTIONS.get(name, {})
    method = methods.make(name, **options)
    head, loss = method.head(taxonomy, num_features), method.loss(taxonomy)
    parameters = [p for part in (encoder, head) for p in part.parameters() if p.requires_grad]

    def step(inputs: Tensor, nodes: Tensor) -> None:
        head.foresee(nodes)
        loss(head(encoder(inputs)).logits, nodes).mean().backward()
        for parameter in parameters:
            parameter.grad = None

    return step


def seconds(step: Step, inputs: Tensor, nodes: Tensor) -> float:
    begun = time.perf_counter()
    step(inputs, nodes)
    return time.perf_counter() - begun


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--methods",
        nargs="+",
        default=["level-softmax", "hace", "vanilla-single", "lht", "supcon", "himulcon", "himulcone", "flyp", "hmcf"],
    )
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--side", type=int, default=96, help="pixels")
    parser.add_argument("--frozen", action="store_true", help="features instead of images")
    parser.add_argument("--text", default="characters", help="frozen text encoder")
    parser.add_argument("--turns", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    taxonomy = synthetic_tree(LEVELS, only_children=0.0)
    backbone = backbones.load("efficientnet_lite0", pretrained=False)
    width = backbone.num_features
    encoder = nn.Identity() if options.frozen else backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    shape = (options.batch, width) if options.frozen else (options.batch, 3, options.side, options.side)
    nodes = torch.tensor(taxonomy.leaf_nodes.copy())[torch.randint(taxonomy.num_leaves, (options.batch,))]
    names = [FLAT, *options.methods]
    steps = {name: step_of(name, taxonomy, encoder, width, options.text) for name in names}
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(options.turns + 1):
        inputs = torch.randn(shape)
        for name in names:
            took = seconds(steps[name], inputs, nodes)
            if turn:  # the first warms up
                times[name].append(took)
    table = Table(
        "method", "ms per step", "relative to flat softmax", title=f"batch size {options.batch}, {LEVELS[-1]} leaves"
    )
    for name in names:
        ratio = statistics.median(own / flat for own, flat in zip(times[name], times[FLAT], strict=True))
        table.add_row(name, f"{1000 * statistics.median(times[name]):.1f}", f"{ratio:.2f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
