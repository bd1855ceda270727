"""Images per second of the training loader, relative to bare loops of torchvision and of timm over the same files.

    python benchmarks/input_pipeline.py FOLDER --rounds 6

The bare loops open an image with Pillow, convert it to RGB and apply the same augmentation, with v2 transforms in
torch's own loader, and in a loader that ``timm.data.create_loader`` makes. All have the same files, batch size,
interpolation and number of worker processes, which are kept between passes. Passes alternate; a figure is the median
over the rounds of the ratio within a round, with the smallest and largest, in processor time of the process and its
workers (which other load hardly affects) and by the clock. Loaders of 0 workers decode in the process itself.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from rich.console import Console
from rich.table import Table
from timm.data.loader import create_loader
from torch import Tensor
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import v2
from torchvision.transforms.functional import InterpolationMode

from cladewise.backbones.transforms import Augmentation, training_transform
from cladewise.datasets.files.walking import usable, walk
from cladewise.engine.feeding.files import unlabelled
from cladewise.engine.feeding.rows import DecodedRows
from cladewise.taxonomy import Taxonomy

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
OURS = "cladewise"
Loader = Any


class Files(Dataset[tuple[Any, int]]):
    """Images as most training scripts read them; timm sets ``transform``."""

    def __init__(self, paths: Sequence[Path], transform: Callable[[Image.Image], Tensor] | None = None) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> tuple[Any, int]:
        with Image.open(self.paths[position]) as image:
            picture = image.convert("RGB")
        return picture if self.transform is None else self.transform(picture), 0


def ours(paths: Sequence[Path], augmentation: Augmentation, options: argparse.Namespace, workers: int) -> Loader:
    transform = training_transform(
        options.side,
        MEAN,
        STD,
        augmentation=augmentation,
        crop_ratio=1.0,
        interpolation=options.interpolation,
        resize="square",
    )
    dataset = unlabelled(paths, Taxonomy.from_paths([("image",)]))
    rows = DecodedRows(dataset, np.arange(len(paths)), transform)
    return rows.loader(torch.randperm(len(paths)).tolist(), batch_size=options.batch, workers=workers)


def torchvisions(
    paths: Sequence[Path], augmentation: Augmentation, options: argparse.Namespace, workers: int
) -> Loader:
    mode, side = InterpolationMode(options.interpolation), options.side
    crops: dict[str, list[Any]] = {
        "crop-flip": [v2.RandomResizedCrop(side, interpolation=mode)],
        "pad-crop-flip": [v2.Resize((side, side), interpolation=mode), v2.RandomCrop(side, padding=4)],
    }
    scaled = [v2.ToImage(), v2.ToDtype(torch.float32, scale=True), v2.Normalize(MEAN, STD)]
    files = Files(paths, v2.Compose([*crops[augmentation], v2.RandomHorizontalFlip(), *scaled]))
    return DataLoader(files, options.batch, shuffle=True, num_workers=workers, persistent_workers=workers > 0)


def timms(paths: Sequence[Path], _: Augmentation, options: argparse.Namespace, workers: int) -> Loader:
    return create_loader(
        Files(paths),  # type: ignore[arg-type]
        input_size=(3, options.side, options.side),
        batch_size=options.batch,
        is_training=True,
        use_prefetcher=False,
        color_jitter=None,  # type: ignore[arg-type]
        interpolation=options.interpolation,
        mean=MEAN,
        std=STD,
        num_workers=workers,
        persistent_workers=workers > 0,
        pin_memory=False,
        device=torch.device("cpu"),
    )


RIVALS: dict[str, dict[Augmentation, Any]] = {
    "torchvision": {"crop-flip": torchvisions, "pad-crop-flip": torchvisions},
    "timm": {"crop-flip": timms},
}


def processor_seconds() -> float:
    """Seconds of this process and of its children that are alive."""
    ticks = 0
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            ticks += sum(map(int, Path(f"/proc/{child}/stat").read_text().rpartition(")")[2].split()[11:13]))
    return time.process_time() + ticks / os.sysconf("SC_CLK_TCK")


def seconds(loader: Loader) -> tuple[float, float]:
    """Processor time and time by the clock of a pass."""
    processor, clock = processor_seconds(), time.perf_counter()
    for _ in loader:
        pass
    return processor_seconds() - processor, time.perf_counter() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="photographs")
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--side", type=int, default=224, help="pixels")
    parser.add_argument("--interpolation", default="bicubic")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--workers", type=int, nargs="+", default=[0, 1])
    options = parser.parse_args()
    torch.manual_seed(0)
    torch.set_num_threads(1)
    found, _ = usable(options.folder, list(walk(options.folder)))
    chosen = [options.folder / name for name in found[:: max(1, len(found) // options.images)]][: options.images]
    table = Table("augmentation", "workers", "against", "processor time", "by the clock", "ms per image, ours")
    for augmentation in ("crop-flip", "pad-crop-flip"):
        for workers in options.workers:
            makers = {OURS: ours, **{name: by[augmentation] for name, by in RIVALS.items() if augmentation in by}}
            loaders = {name: make(chosen, augmentation, options, workers) for name, make in makers.items()}
            times: dict[str, list[tuple[float, float]]] = {name: [] for name in loaders}
            for turn in range(options.rounds + 1):
                loaders[OURS].dataset.epoch = turn  # other crops in every pass, as the others draw them
                for name, loader in loaders.items():
                    took = seconds(loader)
                    if turn:  # the first warms up
                        times[name].append(took)
            per_image = 1000 * statistics.median(own for own, _ in times[OURS]) / len(chosen)
            for name in [*loaders][1:]:
                ratios = [
                    [theirs[kind] / own[kind] for theirs, own in zip(times[name], times[OURS], strict=True)]
                    for kind in (0, 1)
                ]
                shown = [f"{statistics.median(r):.2f} ({min(r):.2f} to {max(r):.2f})" for r in ratios]
                table.add_row(augmentation, str(workers), name, *shown, f"{per_image:.2f}")
            del loaders
    title = f"{len(chosen)} images, {options.interpolation}: images per second relative to others"
    Console(width=120).print(title, table)


if __name__ == "__main__":
    main()
