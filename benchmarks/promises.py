"""Frequency with which promises hold, and their cost, over many draws of fitting images from the scored images of runs.

The images of each run are the population. A rule is fitted on half as many, drawn with replacement, and judged on the
whole population, so that the judge has no sampling noise: its share of right answers is the truth. Per share promised,
rule and variant of the scores, the table has the share of draws in which the promise holds (the least over the runs and
the mean), and the means of right answers, specificity, and draws in which every answer is the root.
Scores are as they are; divided by the temperature of least cross-entropy; times 10 after that (overconfident); with
Gaussian noise (noisy); and all of a leaf or nothing (saturated).

Beside the rules with a promise: majority, which promises nothing; and the climbing rule of hierarchical selective
classification (Goren et al., NeurIPS 2024), with the split-conformal quantile of the thresholds at which the images
become right, which holds on average over draws rather than with a confidence.

    python benchmarks/promises.py runs/grocery-* --draws 1000

With --before, the scores are used as they are, and hedging is compared with hedging after inferences that are fitted
anew on every draw: on one half of it while hedging is fitted on the other, as in ``calibrate+hedging``; and, for
contrast, both on all of it.

    python benchmarks/promises.py runs/grocery-flat-softmax --draws 1000 --before calibrate
"""

from __future__ import annotations

import argparse
import dataclasses
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cladewise.decisions import HedgedExpectation, HedgedMajority, Hedging, LeafOrRoot, Majority
from cladewise.decisions.caution import Steps
from cladewise.decisions.guarantee import Guaranteed
from cladewise.engine import Composed
from cladewise.engine.answering.scoring import scored
from cladewise.engine.rules import inference_of
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.ops import ancestors, is_ancestor
from cladewise.predictions import Fittable, LeafSoftmax, Prediction
from cladewise.statistics import least_successes
from cladewise.taxonomy import Taxonomy

CONFIDENCE = 0.95
DRAWS_AT_ONCE = 50
RULES: dict[str, type[Guaranteed]] = {
    "hedging": Hedging,
    "hedged-majority (a threshold)": HedgedMajority,
    "hedged-expectation": HedgedExpectation,
    "leaf-or-root": LeafOrRoot,
}
Floats = NDArray[np.float64]


@dataclasses.dataclass(frozen=True)
class Judged:
    """The promise and specificity of a rule, draw by draw."""

    accuracy: Floats
    specificity: Floats


def specificity(taxonomy: Taxonomy) -> Floats:
    return np.asarray(taxonomy.information / math.log2(taxonomy.num_leaves))


def walked(
    steps: Steps, labels: Tensor, taxonomy: Taxonomy, draws: NDArray[np.int64], shares: list[float]
) -> dict[float, Judged]:
    """The rule of each draw by fixed-sequence testing, judged on the population."""
    before, label = steps.node_before(), labels[steps.image]
    change = is_ancestor(steps.node, label, taxonomy).long() - is_ancestor(before, label, taxonomy).long()
    order = steps.caution.argsort(descending=True)
    image, change, caution = (x[order].numpy() for x in (steps.image, change, steps.caution))
    told = specificity(taxonomy)
    more = (told[steps.node.numpy()] - told[before.numpy()])[order.numpy()]
    last = np.append(caution[1:] != caution[:-1], True)
    population, size = len(labels), draws.shape[1]
    truth = np.append(1.0, 1 + change.cumsum()[last] / population)
    specific = np.append(0.0, more.cumsum()[last] / population)
    found: dict[float, list[NDArray[np.int64]]] = {share: [] for share in shares}
    for start in range(0, len(draws), DRAWS_AT_ONCE):
        some = draws[start : start + DRAWS_AT_ONCE]
        weight = np.stack([np.bincount(one, minlength=population) for one in some]).astype(np.int32)
        right = size + np.cumsum(weight[:, image] * change.astype(np.int32), axis=1)[:, last]
        right = np.concatenate([np.full((len(some), 1), size), right], axis=1)
        for share in shares:
            failed = right < least_successes(size, share, confidence=CONFIDENCE)
            first = np.where(failed.any(1), failed.argmax(1), right.shape[1])
            found[share].append(np.maximum(first - 1, 0))
    return {x: Judged(truth[np.concatenate(p)], specific[np.concatenate(p)]) for x, p in found.items()}


def after(
    inference: Inference,
    prediction: Prediction,
    labels: Tensor,
    draws: NDArray[np.int64],
    shares: list[float],
    halves: bool,
) -> dict[float, Judged]:
    """Hedging after an inference, each fitted on its half of every draw, or both on all of it."""
    found: dict[float, list[Judged]] = {share: [] for share in shares}
    rule = Composed((inference,), Hedging())
    for draw in draws:
        drawn = torch.from_numpy(draw)
        first, second = rule.fitting_rows(len(draw)) if halves else (slice(None), slice(None))
        learner = (
            inference.fit(prediction[drawn[first]], labels[drawn[first]])
            if isinstance(inference, Fittable)
            else inference
        )
        seen = learner(prediction)
        for share, judged in walked(
            Hedging().steps_of(seen), labels, seen.taxonomy, drawn[second].numpy()[None], shares
        ).items():
            found[share].append(judged)
    return {
        share: Judged(np.concatenate([one.accuracy for one in all_]), np.concatenate([one.specificity for one in all_]))
        for share, all_ in found.items()
    }


def climbed(
    prediction: Prediction, labels: Tensor, draws: NDArray[np.int64], shares: list[float]
) -> dict[float, Judged]:
    """Climbing from the best leaf to the first ancestor that reaches the threshold, which is a conformal quantile."""
    taxonomy = prediction.taxonomy
    path = ancestors(prediction.best_leaf().node, taxonomy)
    inside = (path >= 0).numpy()
    nodes = path.clamp_min(0)
    p = prediction.log_prob_of(nodes).double().exp().numpy().copy()
    p[~inside] = -np.inf
    p[:, 0] = np.inf  # the root reaches every threshold
    right = is_ancestor(nodes, labels[:, None], taxonomy).numpy()
    wrong = np.where(inside & ~right, p, -np.inf).max(1)  # right at every threshold above that
    told, result = specificity(taxonomy)[nodes.numpy()], {}
    size = draws.shape[1]
    for share in shares:
        place = math.ceil((size + 1) * share)
        found: list[tuple[float, float]] = []
        for draw in draws:
            threshold = np.sort(wrong[draw])[place - 1] if place <= size else np.inf
            at = (inside & (p > threshold)).shape[1] - 1 - np.argmax((p > threshold)[:, ::-1], axis=1)
            rows = np.arange(len(at))
            found.append((float(right[rows, at].mean()), float(told[rows, at].mean())))
        result[share] = Judged(*np.array(found).T)
    return result


def judged_once(prediction: Prediction, labels: Tensor, rule: Callable[[Prediction], Tensor]) -> Judged:
    node = rule(prediction)
    right = float(is_ancestor(node, labels, prediction.taxonomy).double().mean())
    return Judged(np.array([right]), np.array([specificity(prediction.taxonomy)[node.numpy()].mean()]))


def scaled(prediction: Prediction, factor: float) -> Prediction:
    return prediction.map(lambda logits: logits.double() * factor)


def cross_entropy(prediction: Prediction, labels: Tensor) -> float:
    return -float(prediction.log_prob_of(labels[:, None]).double().clamp_min(-1e4).mean())


def variants(prediction: Prediction, labels: Tensor) -> Iterator[tuple[str, Prediction]]:
    factors = np.logspace(-1.5, 1.5, 31)
    best = min(factors, key=lambda factor: cross_entropy(scaled(prediction, float(factor)), labels))
    generator = torch.Generator().manual_seed(0)
    yield "as it is", prediction
    yield "calibrated", scaled(prediction, float(best))
    yield "overconfident", scaled(prediction, 10 * float(best))
    spread = prediction.logits.double().std(-1).median()

    def noisy(logits: Tensor) -> Tensor:
        return logits.double() + spread * torch.randn(logits.shape, generator=generator, dtype=torch.float64)

    yield "noisy", prediction.map(noisy)
    leaves = torch.as_tensor(prediction.taxonomy.leaf_nodes.copy())
    best_leaf = prediction.best_leaf().node[:, None] == leaves
    yield "saturated", LeafSoftmax(prediction.taxonomy, torch.where(best_leaf, 0.0, -torch.inf).double())


def population(folder: Path) -> tuple[Prediction, Tensor]:
    """Scores and labels of the images that the run was not trained on."""
    run = Run.open(folder)
    for split in ("val+test", "test", "val"):
        try:
            seen = scored(run, split, progress=False)
        except InputError:
            continue
        tree = run.answer_tree()
        scores, rows = seen.sample()
        return tree.prediction(scores), tree.nodes(torch.as_tensor(seen.target[rows]))
    raise InputError("a run with a split val or test", str(folder))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.8, 0.9, 0.95, 0.99])
    parser.add_argument("--images", type=int, help="images to fit on; half of the population by default")
    parser.add_argument(
        "--before", nargs="+", help="inferences to fit before hedging, instead of the variants of scores"
    )
    parser.add_argument("--tables", action="store_true", help="a table for every run too")
    options = parser.parse_args()

    found: dict[tuple[str, str, float], list[Judged]] = {}
    for folder in options.runs:
        prediction, labels = population(folder)
        size = options.images or len(labels) // 2
        draws = np.random.default_rng(0).integers(0, len(labels), (options.draws, size))
        of_run: dict[tuple[str, str, float], list[Judged]] = {}
        kinds = [] if options.before else variants(prediction, labels)
        if options.before:
            plain = walked(Hedging().steps_of(prediction), labels, prediction.taxonomy, draws, options.shares)
            of_run |= {("as it is", "hedging", share): [judged] for share, judged in plain.items()}
        for text in options.before or ():
            inference = inference_of(text, None)
            assert inference is not None
            for variant, halves in {f"after {text}, halves": True, f"after {text}, same images": False}.items():
                results = after(inference, prediction, labels, draws, options.shares, halves)
                of_run |= {(variant, "hedging", share): [judged] for share, judged in results.items()}
        for variant, scores in kinds:
            results = {
                rule: walked(kind().steps_of(scores), labels, scores.taxonomy, draws, options.shares)
                for rule, kind in RULES.items()
            }
            results["climbing (Goren et al.)"] = climbed(scores, labels, draws, options.shares)
            plain = judged_once(scores, labels, lambda p: Majority()(p).node)
            results["majority (no promise)"] = dict.fromkeys(options.shares, plain)
            for rule, by_share in results.items():
                of_run |= {(variant, rule, share): [judged] for share, judged in by_share.items()}
        for key, judged in of_run.items():
            found.setdefault(key, []).extend(judged)
        title = f"{folder.name}: {len(labels):,} images, {size:,} to fit on, {options.draws:,} draws"
        if options.tables:
            show(title, of_run)
        else:
            print(title, flush=True)
    show(f"all {len(options.runs)} runs", found)


def show(title: str, found: dict[tuple[str, str, float], list[Judged]]) -> None:
    """One row per variant, rule and share, in percent: the least over the runs of what was kept, means of the rest."""
    columns = ("variant", "rule", "promised", "kept, least", "kept, mean", "right", "specific", "root only")
    table = Table(*columns, title=f"{title}, in %", title_justify="left")
    for column in table.columns[2:]:
        column.justify = "right"
    for (variant, rule, share), runs in found.items():
        kept = [float(np.mean(one.accuracy >= share - 1e-12)) for one in runs]
        means = [
            np.mean([x.mean() for x in each]) for each in zip(*((r.accuracy, r.specificity) for r in runs), strict=True)
        ]
        root = np.mean([np.mean(one.specificity == 0) for one in runs])
        values = (share, min(kept), np.mean(kept), *means, root)
        table.add_row(variant, rule, *(f"{100 * value:.1f}" for value in values))
    Console(width=120).print(table)


if __name__ == "__main__":
    main()
