"""Time and memory of low-rank transitions, loss and gradient, relative to forming every image's matrix.

Two levels of iNaturalist 2021 and the transition between them: genera from species, and families from species. Each
case runs in its own process, so that peaks are separate, and a peak is the memory of the step in addition to the
logits. Cases alternate, and a ratio of times per image is the median over the rounds of the ratio within a round.
Errors are given at a scale of 1 and of 40, for the loss (relative) and the gradient (absolute) of one image, against
double precision in log space: in probability space both are lost where probabilities underflow.

    python benchmarks/transition.py --turns 3
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cladewise.losses import LHTLoss
from cladewise.ops import full_transition
from cladewise.predictions import transition_layout
from cladewise.taxonomy import Taxonomy
from losses import synthetic_tree

RANK, CONFUSION, GOAL = 2, 2.0, 1.0
LossFunction = Callable[[Tensor, Tensor], Tensor]
CASES = [
    ("4,900 × 10,000", "formed", 4),
    ("4,900 × 10,000", "low rank", 4),
    ("4,900 × 10,000", "low rank", 64),
    ("1,103 × 10,000", "formed", 4),
    ("1,103 × 10,000", "low rank", 4),
    ("1,103 × 10,000", "low rank", 64),
]
"""Sizes, form and batch; the formed matrix at batch size 64 would need 16 times the memory."""


def tree(sizes: str) -> Taxonomy:
    coarse, fine = (int(part.replace(",", "")) for part in sizes.split(" × "))
    return synthetic_tree((coarse, fine), only_children=0.3)


def scores_of(logits: Tensor, taxonomy: Taxonomy) -> tuple[Tensor, Tensor]:
    """Scores of the species and of every pair, with the matrix formed."""
    layout = transition_layout(taxonomy, rank=RANK)
    (step,) = layout.steps
    matrix = layout.low_rank(logits, step, RANK)
    hierarchy = torch.zeros(step.source_nodes.size, step.target_nodes.size, dtype=logits.dtype)
    hierarchy[matrix.edges.source, matrix.edges.target] = 1.0
    return logits[:, : step.source_nodes.size], matrix.left @ matrix.right + matrix.bonus[:, None, None] * hierarchy


def formed(taxonomy: Taxonomy) -> LossFunction:
    """In probability space, as in the authors' code, but with the paper's sums instead of means."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        first, scores = scores_of(logits, taxonomy)
        share = scores.softmax(-1)
        species = first.softmax(-1)
        family = (share.mT @ species[..., None])[..., 0]
        confusion = (share * (share + 1e-10).log()).sum(-1).mean(-1)
        return nats(species.log(), family.log(), target, taxonomy) + CONFUSION * confusion

    return loss


def in_logs(taxonomy: Taxonomy) -> LossFunction:
    """The reference for the errors, in double precision and log space."""

    def loss(logits: Tensor, target: Tensor) -> Tensor:
        first, scores = scores_of(logits, taxonomy)
        species = first.log_softmax(-1)
        family, confusion = full_transition(species, scores)
        return nats(species, family, target, taxonomy) + CONFUSION * confusion

    return loss


def nats(species: Tensor, family: Tensor, target: Tensor, taxonomy: Taxonomy) -> Tensor:
    """Cross-entropy at both levels for leaves."""
    place = torch.tensor(taxonomy.leaf_start)[target]
    above = torch.tensor(taxonomy.parents)[target]
    row = torch.searchsorted(torch.tensor(taxonomy.level_nodes(1)), above)
    return -species.gather(1, place[:, None])[:, 0] - family.gather(1, row[:, None])[:, 0]


FORMS: dict[str, Callable[[Taxonomy], LossFunction]] = {
    "formed": formed,
    "low rank": lambda taxonomy: LHTLoss(taxonomy, CONFUSION, rank=RANK),
}


def sample(taxonomy: Taxonomy, batch: int, scale: float) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(batch, transition_layout(taxonomy, rank=RANK).width, generator=generator)
    logits[:, : taxonomy.num_leaves] *= (
        scale  # the factors by its square root, so that their product has that scale too
    )
    logits[:, taxonomy.num_leaves :] *= scale**0.5
    target = torch.tensor(taxonomy.leaf_nodes)[torch.randint(taxonomy.num_leaves, (batch,), generator=generator)]
    return logits.requires_grad_(), target


def step(loss: LossFunction, logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor]:
    value = loss(logits, target)
    (gradient,) = torch.autograd.grad(value.sum(), logits)
    return value.detach(), gradient


def errors(loss: LossFunction, taxonomy: Taxonomy, scale: float) -> tuple[float, float]:
    """Relative error of the loss and absolute error of the gradient, for one image."""
    logits, target = sample(taxonomy, 1, scale)
    value, gradient = step(loss, logits, target)
    exact, exact_gradient = step(in_logs(taxonomy), logits.detach().double().requires_grad_(), target)
    return float((value / exact - 1).abs().max()), float((gradient - exact_gradient).abs().max())


def measure(sizes: str, form: str, batch: int, *, check: bool) -> dict[str, float]:
    taxonomy = tree(sizes)
    loss = FORMS[form](taxonomy)
    small = synthetic_tree((3, 9))
    step(FORMS[form](small), *sample(small, 2, 1.0))  # first use loads libraries
    logits, target = sample(taxonomy, batch, 1.0)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    begin = time.perf_counter()
    step(loss, logits, target)
    seconds = (time.perf_counter() - begin) / batch
    found = {"seconds": seconds, "peak": (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e6}
    if check:
        for scale in (1, 40):
            found[f"loss at {scale}"], found[f"gradient at {scale}"] = errors(loss, taxonomy, float(scale))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--case", type=int, help="run only this case, in this process, and print JSON")
    parser.add_argument("--check", action="store_true", help="also compute the errors")
    options = parser.parse_args()
    if options.case is not None:
        print(json.dumps(measure(*CASES[options.case], check=options.check)))
        return
    found: list[list[dict[str, float]]] = [[] for _ in CASES]
    for turn in range(options.turns):
        for case in range(len(CASES)):
            arguments = ["--case", str(case), *(["--check"] if turn == 0 else [])]
            run = subprocess.run([sys.executable, __file__, *arguments], capture_output=True, text=True, check=True)
            found[case].append(json.loads(run.stdout))
    table = Table(
        title=f"rank {RANK}, {torch.get_num_threads()} threads, torch {torch.__version__}; goal: batch 64 in under "
        f"{GOAL:g} GB",
        caption="× formed: time per image, forward and backward, relative to formed matrices, same round; medians",
    )
    headings = ("sizes", "form", "batch", "× formed", "peak GB", *(k for k in found[0][0] if " at " in k))
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("sizes", "form") else "right")
    for case, (sizes, form, batch) in enumerate(CASES):
        unit = found[next(i for i, other in enumerate(CASES) if other[:2] == (sizes, "formed"))]
        ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in zip(found[case], unit, strict=True))
        peak = statistics.median(one["peak"] for one in found[case])
        precise = [f"{value:.0e}" for name, value in found[case][0].items() if " at " in name]
        table.add_row(sizes, form, str(batch), f"{ratio:.2f}", f"{peak:.3f}", *precise)
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
