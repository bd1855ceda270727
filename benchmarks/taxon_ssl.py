"""Time of the objective of Taxon-SSL, forward and backward, relative to flat cross-entropy of as many rows.

Three views of each image are rows, as for a cross-entropy that trains on every view. Cases alternate; a ratio is the
median over the rounds of the ratio within a round, in processor time.

    python benchmarks/taxon_ssl.py --tree inat21 --batch 256 --repeats 10
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table

from cladewise import methods
from cladewise.losses import LevelSoftmaxLoss
from cladewise.objectives import TaxonSSLObjective, TrainingBatch
from cladewise.predictions import EmbeddedLevelSoftmax
from cladewise.taxonomy import Taxonomy
from losses import LEVEL_SIZES, synthetic_tree

WIDTH = 128
Case = Callable[[], float]


def of_loss(loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor], width: int, target: torch.Tensor) -> Case:
    def seconds() -> float:
        logits = torch.randn(len(target), width).requires_grad_()
        begun = time.process_time()
        loss(logits, target).mean().backward()
        return time.process_time() - begun

    return seconds


def of_objective(taxonomy: Taxonomy, nodes: torch.Tensor, views: int) -> Case:
    objective = TaxonSSLObjective(taxonomy, 50_000, ramp=0)
    head = methods.make("taxon-ssl", embedding=0, projection=WIDTH).head(taxonomy, 8)
    index = torch.arange(len(nodes)).repeat_interleave(views)
    width = LevelSoftmaxLoss(taxonomy).num_outputs + WIDTH

    def seconds() -> float:
        logits = torch.randn(len(index), width).requires_grad_()
        prediction = EmbeddedLevelSoftmax(taxonomy, logits, WIDTH)
        batch = TrainingBatch(prediction, nodes.repeat_interleave(views), index, views, head)
        begun = time.process_time()
        objective(batch).mean().backward()
        return time.process_time() - begun

    return seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", choices=LEVEL_SIZES, default="inat21")
    parser.add_argument("--batch", type=int, default=256, help="images")
    parser.add_argument("--views", type=int, default=3)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(options.threads)
    taxonomy = synthetic_tree(LEVEL_SIZES[options.tree])
    nodes = torch.randint(taxonomy.num_nodes, (options.batch,))
    rows = nodes.repeat_interleave(options.views)
    levels = LevelSoftmaxLoss(taxonomy)
    flat = "flat cross-entropy of all views"
    cases = {
        flat: of_loss(torch.nn.functional.cross_entropy, taxonomy.num_leaves, rows % taxonomy.num_leaves),
        "cross-entropy at every level of all views": of_loss(levels, levels.num_outputs, rows),
        "TaxonSSLObjective": of_objective(taxonomy, nodes, options.views),
    }
    times: dict[str, list[float]] = {name: [] for name in cases}
    for turn in range(options.repeats + 1):
        for name, case in cases.items():
            took = case()
            if turn:  # the first warms up
                times[name].append(took)
    table = Table("case", "ms", "relative", title=f"{options.batch} images, {taxonomy.num_leaves:,} leaves")
    for name, of_case in times.items():
        ratio = statistics.median(own / base for own, base in zip(of_case, times[flat], strict=True))
        table.add_row(name, f"{1000 * statistics.median(of_case):.0f}", f"{ratio:.1f}")
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
