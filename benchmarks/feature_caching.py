"""Images per second of the feature cache and of a plain loop over timm, on the same files in the same process.

Run: python benchmarks/feature_caching.py [--images 256] [--workers 2] [--rounds 3]. The ratio should be at least 0.9.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import timm.data
import torch
import torch.utils.data
from PIL import Image

from cladewise import Taxonomy, backbones
from cladewise.datasets.dataset import Dataset
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.feeding.images import default_workers


class PlainImages(torch.utils.data.Dataset[torch.Tensor]):
    def __init__(self, paths: list[Path], transform: object) -> None:
        self.paths, self.transform = paths, transform

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, position: int) -> torch.Tensor:
        return self.transform(Image.open(self.paths[position]).convert("RGB"))  # type: ignore[operator]


def make_photos(root: Path, count: int, width: int, height: int) -> list[Path]:
    """Smooth random colours with grain: JPEGs of about the size that cameras produce."""
    rng = np.random.default_rng(0)
    paths: list[Path] = []
    for number in range(count):
        colours = Image.fromarray(rng.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        photo = np.asarray(colours.resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        photo = photo + rng.normal(0, 6, photo.shape).astype(np.int16)
        paths.append(root / f"{number}.jpg")
        Image.fromarray(photo.clip(0, 255).astype(np.uint8)).save(paths[-1], quality=90)
    return paths


def plain_loop(paths: list[Path], backbone: backbones.Backbone, batch_size: int, workers: int) -> None:
    wanted = backbone.image_input
    transform = timm.data.create_transform(
        (3, wanted.image_size, wanted.image_size),
        interpolation=wanted.interpolation,
        mean=wanted.mean,
        std=wanted.std,
        crop_pct=wanted.crop_ratio,
    )
    batches = torch.utils.data.DataLoader(PlainImages(paths, transform), batch_size=batch_size, num_workers=workers)
    with torch.inference_mode():
        torch.cat([backbone(images) for images in batches])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--images", type=int, default=256)
    parser.add_argument("--size", type=int, nargs=2, default=(348, 464), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--workers", type=int, default=default_workers())
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    backbone = backbones.load("efficientnet_lite0").eval()
    rates: dict[str, list[float]] = {"plain timm loop": [], "cached_features": []}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        paths = make_photos(root, options.images, *options.size)
        nodes = np.ones(len(paths), dtype=np.int64)
        dataset = Dataset("photos", Taxonomy([-1, 0], ["all", "a"]), root, [path.name for path in paths], nodes, {})
        for number in range(options.rounds):
            start = time.perf_counter()
            plain_loop(paths, backbone, options.batch_size, options.workers)
            rates["plain timm loop"].append(len(paths) / (time.perf_counter() - start))
            start = time.perf_counter()
            cached_features(
                dataset,
                None,
                backbone,
                batch_size=options.batch_size,
                workers=options.workers,
                cache_dir=root / f"cache-{number}",
                progress=False,
            )
            rates["cached_features"].append(len(paths) / (time.perf_counter() - start))
    for name, values in rates.items():
        print(f"{name:16} {statistics.median(values):7.1f} images/s")
    ratios = [ours / plain for plain, ours in zip(*rates.values(), strict=True)]
    print(f"ratio {statistics.median(ratios):.2f} (rounds: {', '.join(f'{ratio:.2f}' for ratio in ratios)}; goal: 0.9)")


if __name__ == "__main__":
    main()
