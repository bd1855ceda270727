"""Checks of compiled encoders against torch, and how fast each is; both are kept beside the graph."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.atomic import write_text
from cladewise.runtimes import processor
from cladewise.runtimes.runtime import Forward

LARGEST_DIFFERENCE = {"fp32": 1e-5, "bf16": 1e-3}
"""In single precision relative to the largest feature; in bfloat16 one minus the cosine with torch's fp32 features."""
TIMES_TORCH = 3.0
"""A bfloat16 encoder may also be this many times as far from fp32 as torch's own is on the same images: how much eight
bits lose depends on encoder and images."""
_TURNS = 3
_SECONDS = 4.0
"""Time that each runtime is measured for, at most one turn more."""


@dataclasses.dataclass(frozen=True)
class Verdict:
    """Outcome of a check.

    Args:
        runtime: Name of the runtime.
        version: Its version.
        passed: Whether its features are those of torch.
        difference: The largest difference, as :data:`LARGEST_DIFFERENCE` defines it.
        seconds: Time per image.
        problem: The error of a runtime that could not run the graph; empty if it did.
    """

    runtime: str
    version: str
    passed: bool
    difference: float
    seconds: float
    problem: str = ""

    @property
    def reason(self) -> str:
        """Why it was refused; empty if it passed."""
        if self.passed:
            return ""
        differs = f"its features differ from torch's by {self.difference:.1e}"
        return f"{self.runtime} {self.version}: {self.problem or differs}"


def verdict_file(folder: Path, runtime: str, version: str, precision: str) -> Path:
    """The file of a verdict: one for each version, precision, processor and number of threads."""
    parts = (
        runtime,
        version,
        precision,
        processor.description(),
        torch.get_num_threads(),
        LARGEST_DIFFERENCE,
        TIMES_TORCH,
    )
    key = hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()
    return folder / f"{runtime}-{precision}-{key[:12]}.json"


def read_verdict(file: Path) -> Verdict | None:
    """A verdict, or ``None`` if there is none that can be read."""
    try:
        return Verdict(**json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def write_verdict(file: Path, verdict: Verdict) -> None:
    """Keep a verdict.

    Raises:
        InputError: The folder cannot be written to.
    """
    write_text(file, json.dumps(dataclasses.asdict(verdict)) + "\n")


def difference(
    features: Float[Tensor, "image feature"], wanted: Float[Tensor, "image feature"], precision: str
) -> float:
    """How far features are from those wanted; infinite or NaN features are infinitely far.

    Example:
        >>> wanted = torch.tensor([[1.0, -2.0]])
        >>> difference(torch.tensor([[1.0, -1.0]]), wanted, "fp32"), difference(2 * wanted, wanted, "bf16") < 1e-6
        (0.5, True)
    """
    if features.shape != wanted.shape or not bool(features.isfinite().all() and wanted.isfinite().all()):
        return float("inf")
    if precision == "fp32":
        return float((features - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30))
    return float(1 - torch.cosine_similarity(features.double(), wanted.double(), dim=1).min())


def worst_difference(forward: Forward, images: Tensor, wanted: Tensor, precision: str) -> float:
    """The largest difference over the whole batch, one image alone, and an odd number of them.

    A graph in which the size of the example batch was frozen fails for one of these.
    """
    parts = [slice(None), slice(0, 1), slice(1, 4)]
    return max(difference(forward(images[part].contiguous()), wanted[part], precision) for part in parts)


def seconds_per_image(ways: Mapping[str, Forward], images: Tensor) -> dict[str, float]:
    """The fastest of a few turns of each, in alternation, so that other work on the machine slows all of them."""
    fastest, spent = dict.fromkeys(ways, float("inf")), dict.fromkeys(ways, 0.0)
    for _ in range(_TURNS):
        for name, forward in ways.items():
            if spent[name] < _SECONDS:
                start = time.perf_counter()
                forward(images)
                taken = time.perf_counter() - start
                spent[name] += taken
                fastest[name] = min(fastest[name], taken / len(images))
    return fastest
