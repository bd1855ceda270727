"""Time of each decision rule, on a tree and batch of a given size.

Rules are timed without computing the log-probabilities. Times are relative to flat cross-entropy over the leaves,
forward only, in the same run. Fitted rules are timed with a fixed caution; fitting it is timed separately.

    python benchmarks/decisions.py --tree inat21 --batch 256 --repeats 15
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import time
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from rich.console import Console
from rich.table import Table

from cladewise import decisions
from cladewise.decisions import CRM, Conformal, Decision, Hedging, Optimal, Plurality
from cladewise.predictions import Fittable, LeafSoftmax, NodeSigmoid, Prediction
from losses import LEVEL_SIZES, synthetic_tree


def milliseconds(function: Callable[[], object], unit: Callable[[], object], repeats: int) -> tuple[float, float]:
    """Median times of a function and of the unit, called alternately so that other load affects both."""
    times: list[tuple[float, float]] = []
    for _ in range(repeats + 1):
        start = time.perf_counter()
        function()
        middle = time.perf_counter()
        unit()
        times.append(((middle - start) * 1e3, (time.perf_counter() - middle) * 1e3))
    first, second = zip(*times[1:], strict=True)
    return statistics.median(first), statistics.median(second)


def ready_to_use(rule: Decision, prediction: Prediction) -> Decision:
    """The rule with a caution of its own choice, or fitted to labels that the prediction gets right."""
    if not isinstance(rule, Fittable):
        return rule
    if "caution" in {field.name for field in dataclasses.fields(rule)}:
        return dataclasses.replace(rule, caution=0.5)
    return rule.fit(prediction, prediction.best_leaf().node)  # pyright: ignore[reportReturnType]


def cases(coherent: Prediction, incoherent: Prediction) -> dict[str, tuple[Decision, Prediction]]:
    rules = {name: decisions.make(name) for name in decisions.available()}
    ready = {name: ready_to_use(rule, coherent) for name, rule in rules.items()}
    named = {name: (rule, coherent) for name, rule in ready.items()}
    named["crm, all nodes by path"] = (CRM("nodes", "path-length"), coherent)
    named["plurality, sigmoids"] = (Plurality(), incoherent)
    named["optimal, depth-f1"] = (Optimal("depth-f1"), coherent)
    named["optimal, hf, sets"] = (Optimal("hf", "set"), coherent)
    third = coherent.leaf_ranking(3)[:, -1]
    for rule in (Conformal(score="aps"), Conformal(answer="set"), Conformal(answer="set", max_nodes=3)):
        named[rule.handle] = (rule.fit(coherent, third), coherent)
    return named


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tree", choices=LEVEL_SIZES, default="inat21")
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--scale", type=float, default=8.0, help="standard deviation of the logits")
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--validation", type=int, default=2560, help="images used to fit hedging")
    options = parser.parse_args()

    torch.manual_seed(0)
    taxonomy = synthetic_tree(LEVEL_SIZES[options.tree])
    logits = torch.randn(options.batch, taxonomy.num_leaves) * options.scale
    target = torch.zeros(options.batch, dtype=torch.int64)
    coherent = LeafSoftmax(taxonomy, logits)
    incoherent = NodeSigmoid(taxonomy, torch.randn(options.batch, taxonomy.num_nodes - 1) - 3)
    _ = coherent.log_prob, coherent.own_log_prob, incoherent.log_prob

    title = f"{taxonomy.num_nodes:,} nodes, {taxonomy.num_leaves:,} leaves, batch {options.batch}"
    table = Table("rule", "ms", "× flat cross-entropy", title=title)
    for column in table.columns[1:]:
        column.justify = "right"

    def row(name: str, function: Callable[[], object], repeats: int = options.repeats) -> None:
        value, unit = milliseconds(function, lambda: F.cross_entropy(logits, target), repeats)
        table.add_row(name, f"{value:.1f}", f"{value / unit:.2f}")

    row("(log-probabilities of all nodes)", lambda: LeafSoftmax(taxonomy, logits).log_prob)
    for name, (rule, prediction) in cases(coherent, incoherent).items():
        row(name, lambda rule=rule, prediction=prediction: rule(prediction))

    many = LeafSoftmax(taxonomy, torch.randn(options.validation, taxonomy.num_leaves) * options.scale)
    labels = coherent.scored_nodes[torch.multinomial(many.leaf_logits.softmax(-1), 1).squeeze(1)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        row(f"(fit hedging on {options.validation:,})", lambda: Hedging().fit(many, labels), 3)
    Console().print(table)


if __name__ == "__main__":
    main()
