"""Images per second of compiled encoders and of torch, relative to torch in single precision, in alternating turns.

Run: python benchmarks/encoders.py [--backbone efficientnet_lite0 ...] [--threads 1 2] [--batch 32] [--turns 5].
Encoders other than the packaged one have random weights. A runtime that is not installed, or that fails its check, is
left out with a word.
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time

import torch

from cladewise import backbones, runtimes
from cladewise.backbones.lite0 import NAME
from cladewise.errors import InputError, MissingExtraError
from cladewise.runtimes.dead_leaves import dead_leaves


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--backbone", nargs="+", default=[NAME])
    parser.add_argument("--threads", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args()
    columns = f"{'runtime':12}{'precision':10}{'ms/image':>9}{'× torch':>9}{'difference':>12}"
    print(f"{'encoder':24}{'threads':>8}  {columns}")
    for name, threads in itertools.product(options.backbone, options.threads):
        torch.set_num_threads(threads)
        measure(name, threads, options.batch, options.turns)


def measure(name: str, threads: int, batch: int, turns: int) -> None:
    torch.manual_seed(0)
    backbone = backbones.load(name, pretrained=name == NAME)
    images = dead_leaves(batch, backbone.image_size, backbone.mean, backbone.std, seed=1)
    encoders: list[runtimes.Encoder] = []
    known = {"torch": ("fp32", "bf16")} | {kind.name: kind.precisions for kind in runtimes.available().values()}
    for runtime, precision in [(one, precision) for one in known for precision in known[one]]:
        try:
            encoders.append(runtimes.compile(backbone, runtime, precision=precision, check=images))  # type: ignore[arg-type]
        except (InputError, MissingExtraError) as error:
            print(f"{name:24}{threads:8}  {runtime:12}{precision:10} {error}")
    seconds: list[list[float]] = [[] for _ in encoders]
    features = [encoder(images) for encoder in encoders]
    for turn in range(turns):
        for place in range(len(encoders)) if turn % 2 else reversed(range(len(encoders))):
            start = time.perf_counter()
            encoders[place](images)
            seconds[place].append(time.perf_counter() - start)
    for encoder, times, found in zip(encoders, seconds, features, strict=True):
        ratio = statistics.median(first / own for first, own in zip(seconds[0], times, strict=True))
        off = (found - features[0]).abs().max() / features[0].abs().max()
        spent = 1000 * statistics.median(times) / batch
        row = f"{name:24}{threads:8}  {encoder.runtime:12}{encoder.precision:10}{spent:9.1f}{ratio:9.2f}{off:12.0e}"
        print(row, flush=True)


if __name__ == "__main__":
    main()
