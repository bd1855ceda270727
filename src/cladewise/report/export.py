"""The page's curves, diagrams and tables as files of their own, for papers and for other programs."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cladewise.drawing.paper import save_figure
from cladewise.drawing.tables import write_csv, write_markdown
from cladewise.report.export_pictures import write_pictures
from cladewise.report.groups import Group, baseline_of
from cladewise.report.lines import Line, lines_of
from cladewise.report.operating import MEASURES, MeanCurve, mean_curves
from cladewise.report.picture_drawings import operating_drawing, reliability_drawing
from cladewise.report.reliability import Bins, level_bins, reliability_levels
from cladewise.report.sections.confusion import confusion_rows, confusions_of
from cladewise.report.spread_table import SpreadTable, calibration_table, decision_table, operating_table
from cladewise.report.table import Table, further_table, make_table


def write_figures(groups: Sequence[Group], folder: Path, *, reference: str | None = None) -> list[Path]:
    """Write what the page draws of operating curves, calibration, classes, transitions, counts and tables.

    Pictures are PNG and SVG, numbers CSV (as fractions, not rounded), tables also Markdown (as the page shows them).
    What no run was evaluated for is left out.

    Args:
        groups: What is compared.
        folder: Where the files go; made if it is missing.
        reference: The baseline, as :func:`~cladewise.report.groups.baseline_of` takes it.

    Returns:
        The files written.
    """
    lines, baseline = lines_of(groups), baseline_of(groups, reference)
    curves = mean_curves(lines)
    bins = {level: level_bins(lines, level) for level in reliability_levels(lines)}
    written: list[Path] = []
    views = _views(lines)
    if curves:
        for measure, (ending, shown) in itertools.product(MEASURES, views.items()):
            found = [curve for curve in curves if curve.line in shown]
            if found:
                written += save_figure(operating_drawing(measure, found), folder / f"{measure.name}-recall{ending}")
        written.append(write_csv(_mean_points(curves), folder / "operating-curves.csv"))
        written.append(write_csv(_points(curves), folder / "operating-points.csv"))
    if bins:
        for ending, shown in views.items():
            found = {level: [each for each in entries if each.line in shown] for level, entries in bins.items()}
            if any(found.values()):
                written += save_figure(reliability_drawing(found), folder / f"reliability{ending}")
        written.append(write_csv(_bins(bins), folder / "reliability.csv"))
    for table in (operating_table(lines), decision_table(lines), calibration_table(lines)):
        if table is not None:
            written.append(write_csv(_spread_rows(table), folder / f"{table.key}.csv"))
            written.append(
                write_markdown(
                    _spread_cells(table),
                    folder / f"{table.key}.md",
                    num_names=1 + table.has_inferences + table.has_decisions,
                )
            )
    for name, table in (("results", make_table(groups, baseline)), ("more-metrics", further_table(groups, baseline))):
        if table.metrics:
            written.append(write_csv(_rows(table), folder / f"{name}.csv"))
            written.append(write_markdown(_cells(table), folder / f"{name}.md", num_names=1))
    if confusions := confusions_of([group for group in groups if not group.answers_with_sets]):
        written.append(write_csv(confusion_rows(confusions), folder / "confusion.csv"))
    return written + write_pictures(groups, folder, baseline)


def _views(lines: Sequence[Line]) -> dict[str, list[Line]]:
    """What a picture holds, by the end of its name: the lines that the page shows first, and those of one inference."""
    inferences = dict.fromkeys(line.inference for line in lines)
    own = {"": [line for line in lines if line.is_shown_first]}
    if len(inferences) < 2:
        return own
    return own | {f"-{name}": [line for line in lines if line.inference == name] for name in inferences}


def _mean_points(curves: Sequence[MeanCurve]) -> pl.DataFrame:
    """A row a line and recall."""
    columns = [f"{measure.name}_{part}" for measure in MEASURES for part in ("mean", "sd")]
    parts = [
        pl.DataFrame(
            {
                "group": curve.line.group.label,
                "inference": curve.line.inference,
                "num_seeds": len(curve.curves),
                "recall": curve.recall,
                "threshold_mean": curve.threshold,
            }
            | {f"{m.name}_{part}": getattr(curve, part)[m.name] for m in MEASURES for part in ("mean", "sd")}
        )
        for curve in curves
    ]
    return pl.concat(parts).with_columns(pl.col(columns).fill_nan(None))


def _points(curves: Sequence[MeanCurve]) -> pl.DataFrame:
    """A row a line, seed and threshold, as they were evaluated."""
    return pl.concat(
        pl.DataFrame(
            {
                "group": mean.line.group.label,
                "inference": mean.line.inference,
                "seed": curve.seed,
                "threshold": curve.threshold,
                "recall": curve.recall,
                "precision": curve.precision,
                "correct": curve.correct,
            }
        )
        for mean in curves
        for curve in mean.curves
    )


def _bins(by_level: dict[str, list[Bins]]) -> pl.DataFrame:
    """A row a level, line and bin."""
    return pl.concat(
        pl.DataFrame(
            {
                "level": level,
                "group": bins.line.group.label,
                "inference": bins.line.inference,
                "confidence": bins.confidence,
                "accuracy": bins.accuracy,
                "num_images": bins.count,
            }
        )
        for level, found in by_level.items()
        for bins in found
    )


def _spread_rows(table: SpreadTable) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"group": row.line.group.label, "inference": row.line.inference}
            | ({"decision": row.decision} if table.has_decisions else {})
            | {"num_seeds": row.num_seeds}
            | {f"{cell.style.name}_{part}": getattr(cell.spread, part) for cell in row.cells for part in ("mean", "sd")}
            for row in table.rows
        ],
        infer_schema_length=None,
    )


def _spread_cells(table: SpreadTable) -> list[list[str]]:
    names = ["group", *(["inference"] if table.has_inferences else []), *(["decision"] if table.has_decisions else [])]
    cells = [[*names, *(style.heading for style in table.metrics)]]
    for row in table.rows:
        place = {"group": row.line.group.label, "inference": row.line.inference, "decision": row.decision or ""}
        texts = [_bold(cell.style.with_sd(cell.spread.mean, cell.spread.sd), cell.is_best) for cell in row.cells]
        cells.append([*(place[name] for name in names), *texts])
    return cells


def _rows(table: Table) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {"group": row.group.label, "num_seeds": len(row.group.runs)}
            | {
                f"{cell.style.name}_{part}": value
                for cell in row.cells
                for part, value in (
                    ("mean", cell.spread.mean),
                    ("sd", cell.spread.sd),
                    ("low", cell.interval.low),
                    ("high", cell.interval.high),
                )
            }
            for row in table.rows
        ],
        infer_schema_length=None,
    )


def _cells(table: Table) -> list[list[str]]:
    cells = [["group", *(style.heading for style in table.metrics)]]
    for row in table.rows:
        texts = [_bold(cell.style.with_sd(cell.interval.value, cell.spread.sd), cell.is_best) for cell in row.cells]
        cells.append([row.group.label, *texts])
    return cells


def _bold(text: str, is_best: bool) -> str:
    return f"**{text}**" if is_best else text
