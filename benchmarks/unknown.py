"""Images of classes that a run does not know: tables over data sets, heads and draws of held-out classes.

Each run is a head on frozen features, trained without a fifth of the leaves of every parent. Two tables per data set:
the area under the ROC curve of every novelty score, and the measures of every rule; means over the draws.

    python benchmarks/unknown.py runs/unknown grocery-store=photos/grocery-store emoji-food-animals clipart=png/

Data sets are folders, manifests or names of datasets, with a name before ``=`` if they have none. Those without
validation images are split anew. Runs that are finished are used as they are.
"""

from __future__ import annotations

import argparse
import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

import cladewise as cw
from cladewise.datasets import Dataset, hold_out_classes, split
from cladewise.datasets.finding import find_data
from cladewise.records import Unknown, UnknownRule, UnknownScore
from cladewise.unknowns import RULES, SCORES

METHODS = ("flat-softmax", "hxe", "hace", "level-softmax")
MORE_RULES = ("new-class:share=0.2,place=0.3", "prohoc:form=complement+new-class:share=0.2,score=own-mass")


def main() -> None:
    """Train what is missing, measure, and print Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="folder of the runs")
    parser.add_argument("data", nargs="+", help="folder, manifest or name of a dataset, or name=one of them")
    parser.add_argument("--methods", nargs="+", default=METHODS)
    parser.add_argument("--seeds", type=int, default=3, help="draws of held-out classes")
    parser.add_argument("--share", type=float, default=0.2)
    parser.add_argument("--epochs", type=int, default=30)
    chosen = parser.parse_args()
    warnings.simplefilter("ignore", UserWarning)
    for text in chosen.data:
        name, _, place = text.rpartition("=")
        dataset = with_validation(find_data(place))
        for method in chosen.methods:
            found = [
                measured(chosen.out / f"{name or place}-{method}-{seed}", dataset, method, seed, chosen)
                for seed in range(chosen.seeds)
            ]
            print(tables(f"{name or place}, `{method}`", found), flush=True)


def with_validation(dataset: Dataset) -> Dataset:
    """The data, split anew if it has no validation images, on which rules are fitted."""
    return dataset if len(dataset.splits.get("val", ())) else split(dataset)


def measured(out: Path, dataset: Dataset, method: str, seed: int, chosen: argparse.Namespace) -> Unknown:
    """One run and what it makes of the classes that it does not know."""
    known = hold_out_classes(dataset, chosen.share, seed=seed)
    run = cw.train(
        known, method=method, freeze=True, epochs=chosen.epochs, seed=seed, out=out, reuse=True, progress=False
    )
    return cw.evaluate_unknown(run, rules=(*RULES, *MORE_RULES), scores=SCORES, progress=False)


def tables(title: str, found: Sequence[Unknown]) -> str:
    """Two Markdown tables of the means over runs."""
    depths = sorted({d for one in found for d, count in one.new_by_depth.items() if count}, key=int)
    images = f"{np.mean([one.num_known for one in found]):.0f} known, {np.mean([one.num_new for one in found]):.0f} new"
    lines = [f"\n## {title} ({images} images, {len(found)} draws)\n"]
    lines += _head("score", "AUROC", "at parent", *(f"depth {d}" for d in depths), "missed@95")
    for k, score in enumerate(found[0].scores):
        columns: list[Callable[[UnknownScore], float]] = [lambda s: s.auroc, lambda s: s.at_parent]
        columns += [lambda s, d=d: s.by_depth.get(d, math.nan) for d in depths]  # type: ignore[misc]
        lines.append(_row(score.score, [[column(one.scores[k]) for one in found] for column in (*columns, _missed)]))
    lines += ["", *_head("decision", "known right", "called new", "new found", "placed", "balanced", "edges off")]
    of_rules: list[Callable[[UnknownRule], float]] = [
        *(lambda r: r.known_right, lambda r: r.known_called_new, lambda r: r.new_found),
        *(lambda r: r.placed, lambda r: r.balanced, lambda r: r.distance_balanced),
    ]
    for k, rule in enumerate(found[0].rules):
        lines.append(_row(rule.rule, [[column(one.rules[k]) for one in found] for column in of_rules]))
    return "\n".join(lines)


def _missed(score: UnknownScore) -> float:
    return score.missed


def _head(*names: str) -> list[str]:
    return [f"| {' | '.join(names)} |", f"|---|{'---:|' * (len(names) - 1)}"]


def _row(name: str, values: Sequence[Sequence[float]]) -> str:
    means = [np.nanmean(some) if not np.isnan(some).all() else math.nan for some in values]
    return f"| `{name}` | {' | '.join('–' if math.isnan(mean) else f'{mean:.3f}' for mean in means)} |"


if __name__ == "__main__":
    main()
