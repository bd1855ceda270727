"""One of several processes that each see a shard of the same images; run by test_metrics_streaming."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor

from cladewise.decisions import LabelSets, Nodes
from cladewise.metrics import HierarchicalMetrics, HitAtK, LabelCounts, OperatingCurves, Reliability, SetSizes
from cladewise.predictions import LeafSoftmax
from reference.small_trees import t9

NUM_IMAGES = 23


def images() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(7)
    predicted, target = torch.randint(9, (2, NUM_IMAGES), generator=generator)
    ranking = torch.stack([torch.randperm(9, generator=generator) for _ in range(NUM_IMAGES)])
    return predicted, ranking, target


def run_over(shard: slice, batch: int) -> HierarchicalMetrics:
    predicted, ranking, target = (x[shard] for x in images())
    metrics = HierarchicalMetrics(t9())
    for start in range(0, len(target), batch):
        part = slice(start, start + batch)
        metrics.add(Nodes(predicted[part], torch.zeros(len(predicted[part]))), ranking[part], target[part])
    return metrics


def exact_values_over(shard: slice, batch: int) -> dict[str, list[float | None]]:
    """Everything that the classes made of whole numbers compute: bit for bit the same however images are dealt out."""
    predicted, _, target = (x[shard] for x in images())
    logits = torch.randn(NUM_IMAGES, 5, generator=torch.Generator().manual_seed(3))[shard]
    curves, reliability, counts, hits = (kind(t9()) for kind in (OperatingCurves, Reliability, LabelCounts, HitAtK))
    sizes = SetSizes(t9())
    by_depth = OperatingCurves(t9(), measure="depth")
    for start in range(0, len(target), batch):
        part = slice(start, start + batch)
        prediction = LeafSoftmax(t9(), logits[part])
        for metric in (curves, by_depth, reliability, hits):
            metric.update(prediction, target[part])
        counts.update(Nodes(predicted[part], torch.zeros(len(predicted[part]))), target[part])
        sizes.update(LabelSets(prediction.log_prob > -1.5, prediction.log_prob), target[part])
    values = curves.compute().to_dict()
    values |= {f"{name} by depth": numbers for name, numbers in by_depth.compute().to_dict().items()}
    for level, curve in reliability.compute().items():
        values |= {f"{name}/{level}": numbers for name, numbers in curve.to_dict().items()}
    counted = counts.compute() | hits.compute() | sizes.compute()
    return values | {name: [x.item()] for name, x in counted.items()}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rank", type=int)
    parser.add_argument("--world-size", type=int)
    parser.add_argument("--shard", type=int, nargs=2)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    dist.init_process_group(
        "gloo", init_method=f"file://{given.folder / 'meet'}", rank=given.rank, world_size=given.world_size
    )
    values = run_over(slice(*given.shard), batch=4).compute()
    (given.folder / f"{given.rank}.json").write_text(json.dumps({name: x.item() for name, x in values.items()}))
    exact = exact_values_over(slice(*given.shard), batch=4)
    (given.folder / f"{given.rank}-exact.json").write_text(json.dumps(exact))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
