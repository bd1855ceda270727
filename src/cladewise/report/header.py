"""The header of the page: what was compared, and the best results at a glance."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from cladewise.records import Tree
from cladewise.report.comparison import Comparison
from cladewise.report.metric_table import MetricCell, MetricTable
from cladewise.report.runs.groups import Group
from cladewise.report.verdicts import Verdict, verdicts_of
from cladewise.version import __version__

HEADLINE_METRICS = ("top1", "level_accuracy", "severity", "hd@1")


@dataclasses.dataclass(frozen=True)
class Headline:
    """The best group by one metric."""

    group: Group
    cell: MetricCell


@dataclasses.dataclass(frozen=True)
class PageHeader:
    """Facts about the comparison, its verdicts and its headline results."""

    title: str
    data_name: str
    split: str
    num_images: int
    num_leaves: int
    num_nodes: int
    level_names: tuple[str, ...]
    tree: Tree
    num_runs: int
    inferences: tuple[str, ...]
    decisions: tuple[str, ...]
    credit: str
    skipped: tuple[tuple[str, str], ...]
    num_skipped: int
    warnings: tuple[str, ...]
    verdicts: tuple[Verdict, ...]
    headlines: tuple[Headline, ...]
    date: str
    version: str = __version__


def page_header(comparison: Comparison, title: str | None) -> PageHeader:
    """Gather the header of the page from all runs."""
    groups = comparison.groups
    runs = [run for group in groups for run in group.runs]
    first = runs[0]
    taxonomy, images = first.taxonomy, first.config.get("images", {})
    data_name = str(images.get("name", "images"))
    skipped = {path: reason for run in runs for path, reason in run.log.skipped}
    methods = list(dict.fromkeys(group.method for group in groups))
    return PageHeader(
        title=title or f"{_listed(methods)} on {data_name}",
        data_name=data_name,
        split=first.evaluation.split,
        num_images=first.outcomes.height,
        num_leaves=taxonomy.num_leaves,
        num_nodes=taxonomy.num_nodes,
        level_names=taxonomy.level_names,
        tree=first.evaluation.tree,
        num_runs=len(runs),
        inferences=tuple(dict.fromkeys(run.evaluation.inference for run in runs)),
        decisions=tuple(dict.fromkeys(run.evaluation.decision for run in runs)),
        credit=str(images.get("credit", "")),
        skipped=tuple(skipped.items()),
        num_skipped=max(run.evaluation.num_skipped for run in runs),
        warnings=tuple(dict.fromkeys(text for run in runs for text in run.log.warnings)),
        verdicts=verdicts_of(groups, comparison.baseline),
        headlines=_headlines(comparison.results),
        date=datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d"),
    )


def _headlines(table: MetricTable) -> tuple[Headline, ...]:
    """The best group by each headline metric, if there are several groups."""
    found: list[Headline] = []
    for name in HEADLINE_METRICS:
        if any(style.name == name for style in table.metrics):
            best = next(
                ((row.group, cell) for row, cell in zip(table.rows, table.column(name), strict=True) if cell.is_best),
                None,
            )
            if best is not None:
                found.append(Headline(*best))
    return tuple(found)


def _listed(names: Sequence[str]) -> str:
    if len(names) > 4:
        return f"{len(names)} methods"
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
