"""One of two processes whose collections each see a shard of the images; run by test_metrics_torchmetrics."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torchmetrics import MetricCollection

from cladewise import losses, metrics
from reference.small_trees import t9

NUM_IMAGES = 29
NAMES = [
    "top1",
    "severity",
    "hd@1",
    "level_accuracy/level_2",
    "ap",
    "r@99",
    "ece/level_1",
    "hit@3",
    "macro_f1",
    "leaf_f1",
]


def logits_and_target() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(5)
    logits = torch.randn(NUM_IMAGES, losses.HACELoss(t9()).num_outputs, generator=generator)
    return logits, torch.randint(9, (NUM_IMAGES,), generator=generator)


def collection_over(shard: slice, batch: int, compute_groups: bool = True) -> MetricCollection:
    logits, target = (x[shard] for x in logits_and_target())
    predict = losses.HACELoss(t9()).prediction
    made = metrics.collection(NAMES, t9(), predict=predict, decision="majority", compute_groups=compute_groups)
    for start in range(0, len(target), batch):
        made.update(logits[start : start + batch], target[start : start + batch])
    return made


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rank", type=int)
    parser.add_argument("--shard", type=int, nargs=2)
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    dist.init_process_group("gloo", init_method=f"file://{given.folder / 'meet'}", rank=given.rank, world_size=2)
    values = collection_over(slice(*given.shard), batch=4).compute()
    (given.folder / f"{given.rank}.json").write_text(json.dumps({name: x.item() for name, x in values.items()}))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
