"""Rules chosen on some images, judged on others: are they right as often as promised? Over random halves of a split.

On one half the most specific rule is taken whose share of right answers reaches a goal: by the bound of
``cladewise choose``, which allows for the choice among all rules; by each rule's own 95% bound; and by the measured
share. The other half tells how often its share of right answers reaches the goal there.

    python benchmarks/choosing.py runs/hace --split test --halves 300
"""

from __future__ import annotations

import argparse
import dataclasses
import warnings

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table
from scipy.special import betaincinv

from cladewise.choosing import candidate_rules
from cladewise.choosing.judging import Answers, answers_of, is_right
from cladewise.engine import Run
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.answering.scoring import scored
from cladewise.engine.rules import decision_of
from cladewise.errors import InputError

GOALS = (0.8, 0.9, 0.95, 0.99)


def all_answers(run: Run, split: str) -> Answers:
    """The answers of every candidate that applies."""
    tree, before = run.answer_tree(), ready(run, run.inference, progress=False)
    rules = []
    for text in candidate_rules():
        try:
            rule = ready(run, decision_of(text, run.decision), before=before.rule, tree=tree, progress=False)
        except InputError:
            continue
        rules.append(dataclasses.replace(rule, spec=text))
    return answers_of(rules, scored(run, split, progress=False), tree, before.rule)


def bounds(right: NDArray[np.int64], count: int) -> dict[str, NDArray[np.float64]]:
    """The share of right answers that each way of choosing assumes of a rule, given the number of right ones."""

    def lower(risk: float) -> NDArray[np.float64]:
        return np.where(right > 0, betaincinv(np.maximum(right, 1), count - right + 1, risk), 0.0)

    return {"for all rules together": lower(0.05 / len(right)), "of the rule": lower(0.05), "none": right / count}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="+")
    parser.add_argument("--split", default="test")
    parser.add_argument("--halves", type=int, default=300)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    table = Table("run", "rules", "goal", "bound", "chosen", "kept on the other half", "specificity")
    for path in arguments.runs:
        run = Run.open(path)
        answers, taxonomy = all_answers(run, arguments.split), run.taxonomy
        nodes = answers.nodes[answers.distinct()[0]]
        right = np.stack([is_right(row, answers.target, taxonomy) for row in nodes])
        share = np.log2(taxonomy.num_leaves / taxonomy.num_leaves_covered)[nodes].mean(1) / np.log2(taxonomy.num_leaves)
        for goal in GOALS:
            random = np.random.default_rng(0)
            found: dict[str, list[tuple[bool, float]]] = {}
            for _ in range(arguments.halves):
                order = random.permutation(right.shape[1])
                here, there = np.array_split(order, 2)
                for name, bound in bounds(right[:, here].sum(1), len(here)).items():
                    sure = np.flatnonzero((bound >= goal) & (share > 0))
                    if sure.size:
                        chosen = sure[share[sure].argmax()]
                        kept = bool(right[chosen, there].mean() >= goal)
                        found.setdefault(name, []).append((kept, share[chosen]))
            for name, halves in found.items():
                kept, specific = np.mean(halves, axis=0)
                cells = (f"{len(halves)} of {arguments.halves}", f"{100 * kept:.1f}%", f"{100 * specific:.0f}%")
                table.add_row(run.path.name, str(len(right)), f"{100 * goal:g}%", name, *cells)
    Console().print(table)


if __name__ == "__main__":
    main()
