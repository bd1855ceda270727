"""Share of a training step that a method's head and loss cost over those of a flat softmax, at 10,000 leaves.

    python benchmarks/taxonomy_share.py --rounds 7

A step is the encoder forward and backward, the head, the loss and the update of all weights by the optimiser of the
method, as in training. Heads and losses are timed on fixed features, forward, backward and update, all in one process
and in alternation; the encoder's forward and backward are timed in the same rounds. The share of a method is

    (its head, loss and update - those of a flat softmax) / (encoder + head, loss and update of a flat softmax)

within a round, in processor time; the table gives the median with the smallest and largest, and the ratio of a method
to a flat softmax without the encoder. The tree is synthetic: five levels, the last of them with 10,000 leaves.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from cladewise import backbones, methods
from cladewise.catalogue import from_spec
from cladewise.engine.classifier import Classifier
from cladewise.engine.training.stepping import optimiser_of
from cladewise.records import TrainingConfig, settings
from cladewise.taxonomy import Taxonomy
from losses import synthetic_tree

LEVELS = (20, 200, 1200, 4000, 10_000)
FLAT = "flat-softmax"
METHODS = (
    "hxe",
    "hace",
    "soft-labels",
    "conditional-softmax",
    "conditional-sigmoid",
    "ps-softmax",
    "soft-max-margin",
    "descendant-softmax",
    "level-softmax",
    "hyperbolic-cones",
    "joint-softmax",
)
Work = Callable[[], object]


def seconds(work: Work) -> float:
    begun = time.process_time()
    work()
    return time.process_time() - begun


def head_work(name: str, taxonomy: Taxonomy, features: torch.Tensor, nodes: torch.Tensor) -> Work:
    """Head and loss of a method on features, with the gradient of both and an update."""
    method = from_spec(methods.available(), "method", name)
    classifier, loss = Classifier(method.head(taxonomy, features.shape[1])), method.loss(taxonomy)
    optimizer, _ = optimiser_of(classifier, settings(TrainingConfig, method.training()), 1)

    def work() -> None:
        given = features.detach().requires_grad_()
        classifier.head.foresee(nodes)
        optimizer.zero_grad()
        total = loss(classifier.head(given).logits, nodes).mean()
        own = classifier.head.own_loss()
        (total if own is None else total + own).backward()
        optimizer.step()

    return work


def encoder_work(name: str, batch: int, side: int) -> tuple[Work, int]:
    """An encoder forward and backward with an update, and the width of its features."""
    backbone = backbones.load(name, pretrained=False, image_size=side).train()
    network = backbone.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, fused=True)
    images = torch.randn(batch, 3, side, side).contiguous(memory_format=torch.channels_last)
    gradient = torch.randn(batch, backbone.num_features)

    def work() -> None:
        optimizer.zero_grad()
        network(images).backward(gradient)
        optimizer.step()

    return work, backbone.num_features


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=[*METHODS], help="specs, such as hace:dilution=0.7")
    parser.add_argument("--encoder", default="resnet50")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=224, help="pixels")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=3, help="steps of a head in a round")
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    taxonomy = synthetic_tree(LEVELS, only_children=0.0)
    encoder, width = encoder_work(options.encoder, options.batch, options.side)
    features = torch.randn(options.batch, width)
    nodes = torch.tensor(taxonomy.leaf_nodes.copy())[torch.randint(taxonomy.num_leaves, (options.batch,))]
    names = [FLAT, *options.methods]
    works = {name: head_work(name, taxonomy, features, nodes) for name in names}
    encoding: list[float] = []
    times: dict[str, list[float]] = {name: [] for name in names}
    for turn in range(options.rounds + 1):
        took = seconds(encoder)
        if turn:  # the first warms up
            encoding.append(took)
        for name, work in works.items():
            took = min(seconds(work) for _ in range(options.steps))
            if turn:
                times[name].append(took)
    title = f"{options.encoder} at {options.side} px, batch {options.batch}, {taxonomy.num_leaves} leaves"
    table = Table("method", "share of the step", "ms", "relative to flat softmax", title=title)
    for name in names:
        shares = [
            100 * (own - flat) / (flat + rest)
            for own, flat, rest in zip(times[name], times[FLAT], encoding, strict=True)
        ]
        spread = f"{statistics.median(shares):.2f}% ({min(shares):.2f} to {max(shares):.2f})"
        ratio = statistics.median(own / flat for own, flat in zip(times[name], times[FLAT], strict=True))
        table.add_row(name, spread, f"{1000 * statistics.median(times[name]):.1f}", f"{ratio:.2f}")
    table.add_row("encoder", "", f"{1000 * statistics.median(encoding):.1f}")
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
