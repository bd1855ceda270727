"""The tables of ``cladewise evaluate --protocol unknown``."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cladewise.cli.printing import print_table, say, tell

if TYPE_CHECKING:
    from rich.table import Table

    from cladewise.records import Unknown


def by_unknown(
    runs: Sequence[Path], split: str, rules: list[str] | None, scores: list[str] | None, runtime: str | None
) -> None:
    """Measure and print: one row per run and score, and one per run and rule."""
    from cladewise import unknowns
    from cladewise.records import RunFolder, local_run_folder
    from cladewise.runtimes import using

    chosen: dict[str, Any] = {"rules": rules, "scores": scores}
    given = {name: texts for name, texts in chosen.items() if texts}
    with using(runtime):
        found = {run: unknowns.evaluate_unknown(run, split=split, **given) for run in runs}
    first = next(iter(found.values()))
    print_table(_score_table(found, first))
    print_table(_rule_table(found))
    for run, result in found.items():
        left = f"; {result.left_out:,} labelled at inner nodes take no part" if result.left_out else ""
        tell(
            f"{run}: {result.num_known:,} images of known classes, {result.num_new:,} of {len(result.held_out):,} "
            f"held-out ones{left}"
        )
    for result in found.values():
        for warning in result.warnings:
            say(f"cladewise: {warning}")
    for run in runs:
        tell(RunFolder(local_run_folder(run)).unknown(split))


def _score_table(found: Mapping[Path, Unknown], first: Unknown) -> Table:
    from rich.table import Table

    depths = [d for d in first.scores[0].by_depth if any(result.new_by_depth.get(d) for result in found.values())]
    table = Table("run", "score", title=f"{first.split}: is it new? (AUROC)", title_justify="left")
    for name in ("anywhere", "at parent", *(f"depth {d}" for d in depths), "missed@95"):
        table.add_column(name, justify="right")
    for run, result in found.items():
        for one in result.scores:
            by_depth = [one.by_depth.get(d, math.nan) for d in depths]
            table.add_row(run.name, one.score, *map(_cell, (one.auroc, one.at_parent, *by_depth, one.missed)))
    return table


def _rule_table(found: Mapping[Path, Unknown]) -> Table:
    from rich.table import Table

    table = Table("run", "decision", title="answers", title_justify="left")
    for name in ("known right", "called new", "new found", "placed", "balanced", "edges off"):
        table.add_column(name, justify="right")
    for run, result in found.items():
        for one in result.rules:
            values = (one.known_right, one.known_called_new, one.new_found, one.placed, one.balanced)
            table.add_row(run.name, one.rule, *map(_cell, values), _cell(one.distance_balanced))
    return table


def _cell(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:.3f}"
