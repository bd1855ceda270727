"""Time of the metrics per image, and the memory they need in addition to the logits.

The operating curve is timed from leaf logits: softmax, sums up the tree, operating points, scores and the areas under
the curve. For comparison: a log-softmax alone; a straightforward implementation of the published procedure (a full
sort of the nodes of every image), on fewer images; and the hierarchical F1 of the package ``hiclass``, with the
difference in value.

    python benchmarks/metrics.py --tree inat18 --images 25000 --chunk 500
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from torch import Tensor

from cladewise import metrics
from cladewise.decisions import Leaf, Nodes, ParetoSequence, pareto_sequence
from cladewise.metrics.operating import best_at, pareto_integral
from cladewise.predictions import LeafSoftmax
from cladewise.taxonomy import Taxonomy
from losses import LEVEL_SIZES, synthetic_tree


def chunks(taxonomy: Taxonomy, images: int, chunk: int) -> Iterator[tuple[Tensor, Tensor]]:
    """Logits and labels in chunks: noise plus a signal that decreases with the distance from the label."""
    generator = torch.Generator().manual_seed(0)
    leaves = torch.tensor(taxonomy.leaf_nodes)
    noise = torch.randn(chunk, len(leaves), generator=generator) * 1.5
    for start in range(0, images, chunk):
        size = min(chunk, images - start)
        place = torch.randint(len(leaves), (size,), generator=generator)
        logits = noise[:size].roll(start + 1, 1)
        logits[torch.arange(size), place] += 6 * torch.rand(size, generator=generator) + 3
        near = (place[:, None] + torch.arange(-3, 4)).clamp(0, len(leaves) - 1)
        logits.scatter_add_(1, near, torch.full(near.shape, 3.0))
        yield logits, leaves[place]


def peak() -> float:
    """Peak resident memory so far, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


class Timer:
    """CPU seconds of all threads, by purpose; unaffected by other processes."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def __call__(self, name: str, call: Callable[[], Any]) -> Any:
        start = time.process_time()
        result = call()
        self.seconds[name] = self.seconds.get(name, 0.0) + time.process_time() - start
        return result


def stream(taxonomy: Taxonomy, images: int, chunk: int, timer: Timer) -> tuple[metrics.OperatingCurve, float]:
    """The curve over all images, and its memory in addition to the logits."""
    curves = metrics.OperatingCurves(taxonomy)
    warm = LeafSoftmax(taxonomy, torch.zeros(2, taxonomy.num_leaves))
    metrics.OperatingCurves(taxonomy).update(warm, torch.tensor(taxonomy.leaf_nodes[:2]))
    source = chunks(taxonomy, images, chunk)
    logits, target = next(source)
    before = peak()
    while True:
        timer("curve", lambda x=logits, t=target: curves.update(LeafSoftmax(taxonomy, x), t))
        try:
            logits, target = next(source)
        except StopIteration:
            break
    curve = timer("curve", curves.compute)
    timer("curve", lambda: (curve.average_precision, curve.average_correct, curve.recall_at(0.95)))
    return curve, peak() - before


def others(taxonomy: Taxonomy, images: int, chunk: int, timer: Timer) -> None:
    """The rest of an evaluation, each metric separately; log-probabilities are computed once, as in the engine."""
    reliability, hits, counts = (kind(taxonomy) for kind in (metrics.Reliability, metrics.HitAtK, metrics.LabelCounts))
    parts: list[ParetoSequence] = []
    targets: list[Tensor] = []
    for logits, target in chunks(taxonomy, images, chunk):
        timer("log-softmax", lambda x=logits: x.log_softmax(-1))
        prediction = LeafSoftmax(taxonomy, logits)
        timer("log-probabilities of all nodes", lambda p=prediction: p.log_prob)
        parts.append(timer("operating points", lambda p=prediction: pareto_sequence(p)))
        targets.append(target)
        answer, ranking = Leaf()(prediction), prediction.ranking(metrics.RANKING_LENGTH)
        timer("score_answer", lambda a=answer, r=ranking, t=target: metrics.score_answer(a, r, t, taxonomy))
        timer("score_prediction", lambda p=prediction, t=target: metrics.score_prediction(p, t))
        timer("hops", lambda p=prediction, t=target: metrics.hops(p, t))
        timer("Reliability", lambda p=prediction, t=target: reliability.update(p, t))
        timer("HitAtK", lambda p=prediction, t=target: hits.update(p, t))
        timer("LabelCounts", lambda a=answer, t=target: counts.update(a, t))
    sequence, target = ParetoSequence.cat(parts), torch.cat(targets)
    timer("curve_intervals, 200 resamples", lambda: metrics.curve_intervals(sequence, target, taxonomy))


# ---------------------------------------------------------------- the published procedure, straightforwardly


def plain_curve(taxonomy: Taxonomy, logits: Tensor, target: NDArray[np.int64]) -> tuple[float, float, float]:
    """AP, AC and R@95: probabilities of all nodes of all images at once, and a full sort of every image's nodes."""
    p_leaf = logits.double().softmax(-1).numpy()
    p = np.zeros((len(p_leaf), taxonomy.num_nodes))
    p[:, taxonomy.leaf_nodes] = p_leaf
    for nodes in reversed(taxonomy.nodes_by_depth[1:]):
        np.add.at(p.T, taxonomy.parents[nodes], p.T[nodes])
    p = np.minimum(np.exp(np.log(np.maximum(p, 1e-38)).astype(np.float32)), 1)
    information = taxonomy.information
    eligible = np.flatnonzero(taxonomy.num_children != 1)
    start, scores, changes = np.zeros(3), [], []
    for image in range(len(p)):
        order = eligible[np.lexsort((-information[eligible], -p[image, eligible]))]
        running = np.maximum.accumulate(information[order])
        kept = order[np.concatenate([[True], running[1:] > running[:-1]])]
        label = np.full(len(kept), target[image])
        shared = taxonomy.lca(kept, label)
        recall = information[shared] / information[label]
        precision = np.divide(
            information[shared], information[kept], out=np.ones(len(kept)), where=information[kept] > 0
        )
        of_image = np.stack([recall, precision, (shared == kept) | (shared == label)], 1)
        start += of_image[0]
        scores.append(p[image, kept[1:]])
        changes.append(np.diff(of_image, axis=0))
    score, change = np.concatenate(scores), np.concatenate(changes)
    order = np.argsort(-score, kind="stable")
    total = np.concatenate([start[None], start + np.cumsum(change[order], 0)]) / len(p)
    last = np.append(np.diff(score[order]) != 0, True)
    recall, precision, correct = torch.from_numpy(total[np.append(True, last)]).T
    areas = (pareto_integral(recall, precision), pareto_integral(recall, correct), best_at(correct, recall, 0.95))
    ap, ac, at_95 = (float(x) for x in areas)
    return ap, ac, at_95


# ---------------------------------------------------------------- hiclass


def against_hiclass(taxonomy: Taxonomy, rows: int, timer: Timer) -> float | None:
    """Micro F1 of label sets for leaves of equal depth, by both; their difference, or None without the package."""
    try:
        from hiclass.metrics import f1
    except ImportError:
        return None
    generator = np.random.default_rng(0)
    leaves = taxonomy.leaf_nodes
    true = leaves[generator.integers(len(leaves), size=rows)]
    said = np.where(generator.random(rows) < 0.6, true, leaves[generator.integers(len(leaves), size=rows)])
    names = np.stack([taxonomy.names[taxonomy.at_level(k + 1)] for k in range(taxonomy.num_levels)], 1)
    theirs = timer("hiclass f1", lambda: f1(names[true], names[said], average="micro"))

    def ours() -> float:
        counts = metrics.LabelCounts(taxonomy)
        counts.update(Nodes(torch.from_numpy(said), torch.zeros(rows)), torch.from_numpy(true))
        return float(counts.compute()["micro_f1"])

    ours()
    return abs(timer("LabelCounts f1", ours) - theirs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tree", choices=LEVEL_SIZES, default="inat18")
    parser.add_argument("--images", type=int, default=25000)
    parser.add_argument("--chunk", type=int, default=500)
    parser.add_argument("--plain-images", type=int, default=200)
    parser.add_argument("--rows", type=int, default=100_000)
    given = parser.parse_args()
    taxonomy = synthetic_tree(LEVEL_SIZES[given.tree])
    timer, console = Timer(), Console(width=110)

    with torch.inference_mode():
        curve, memory = stream(taxonomy, given.images, given.chunk, timer)
        others(taxonomy, given.images, given.chunk, timer)
        few, target = next(chunks(taxonomy, given.plain_images, given.plain_images))
        plain = timer("plain", lambda: plain_curve(taxonomy, few, target.numpy()))
        same = metrics.operating_curve(pareto_sequence(LeafSoftmax(taxonomy, few.double())), target, taxonomy)
    ours = (same.average_precision, same.average_correct, same.recall_at(0.95))
    apart = max(abs(a - b) for a, b in zip(ours, plain, strict=True))
    softmax = timer.seconds["log-softmax"] / given.images

    table = Table("", title=f"{given.tree}: {taxonomy}, {given.images} images, {given.chunk} at a time")
    for heading in ("ms per image", "× a log-softmax"):
        table.add_column(heading, justify="right")
    plainly = f"plain procedure, {given.plain_images} images"
    lines = {"operating curve, from logits to areas": timer.seconds["curve"] / given.images}
    lines[plainly] = timer.seconds["plain"] / given.plain_images
    lines |= {
        name: timer.seconds[name] / given.images for name in list(timer.seconds) if name not in ("curve", "plain")
    }
    for name, seconds in lines.items():
        table.add_row(name, f"{1e3 * seconds:.4f}", f"{seconds / softmax:.1f}")
    console.print(table)
    ratio = lines[plainly] / lines["operating curve, from logits to areas"]
    console.print(
        f"AP {curve.average_precision:.4f}, AC {curve.average_correct:.4f}, R@95 {curve.recall_at(0.95):.4f}; "
        f"{memory:.0f} MB in addition to the logits; {ratio:.1f} times as fast as the published procedure, "
        f"difference {apart:.0e}"
    )
    differs = against_hiclass(taxonomy, given.rows, timer)
    if differs is not None:
        theirs, own = timer.seconds["hiclass f1"], timer.seconds["LabelCounts f1"]
        console.print(
            f"micro F1 of {given.rows} rows: {own:.3f} s, hiclass {theirs:.2f} s: {theirs / own:.0f} times as fast, "
            f"values differ by {differs:.0e}"
        )


if __name__ == "__main__":
    main()
