"""Run folders → one HTML page that needs nothing but a browser."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from markupsafe import Markup
from plotly.offline import get_plotlyjs

from cladewise.errors import InputError
from cladewise.records import Tree
from cladewise.report.charts import Chart
from cladewise.report.class_accuracy import class_accuracies
from cladewise.report.class_charts import class_charts
from cladewise.report.count_charts import EVALUATED, TRAINING, counts_sections
from cladewise.report.curves import curve_charts
from cladewise.report.explanations import explanations_of
from cladewise.report.few_shot import few_shot_table
from cladewise.report.groups import Group, baseline_of, group_runs
from cladewise.report.heights import height_chart
from cladewise.report.levels import level_chart
from cladewise.report.lines import lines_of
from cladewise.report.mistakes import mistakes_of
from cladewise.report.operating import MEASURES, mean_curves, operating_charts
from cladewise.report.operating_point import operating_point
from cladewise.report.overview import make_overview
from cladewise.report.plates import plate_sections
from cladewise.report.reliability import reliability_charts
from cladewise.report.resources import resource_table
from cladewise.report.run import read_run
from cladewise.report.sections.confusion import confusion_section
from cladewise.report.sections.verdicts import verdicts_of
from cladewise.report.spread_table import calibration_table, decision_table, operating_table
from cladewise.report.table import further_table, make_table
from cladewise.report.templating import environment, write_html
from cladewise.report.transition_charts import gradient, scale_ticks, transition_rows
from cladewise.report.transitions import transitions_of
from cladewise.report.tree import tree_section


def write_page(
    run_folders: Iterable[str | Path],
    out: str | Path,
    *,
    split: str = "test",
    title: str | None = None,
    reference: str | None = None,
    decision: str | None = None,
    inference: str | None = None,
    tree: Tree = "true",
    figures: str | Path | None = None,
) -> Path:
    """Compare runs on one self-contained HTML page: no network, no other file.

    Args:
        run_folders: Run folders, each evaluated on the split; those that differ only in their seed are averaged.
        out: The file to write.
        split: Which evaluation to show.
        title: Heading of the page; made from methods and data set where it is not given.
        reference: Baseline of the differences: a method, a group or a folder's name. The first flat softmax else.
        decision: Which decision's evaluation to show, where a run has several.
        inference: After which inference, likewise.
        tree: In which tree the runs were evaluated: the true one, or their own, which has to be one and the same.
        figures: Folder for the curves, diagrams and tables as files of their own; none are written without it.

    Returns:
        The path written.

    Raises:
        InputError: A folder is not a run, was not evaluated so, or its numbers do not compare with the others'.
    """
    folders = list({Path(folder).resolve(): Path(folder) for folder in run_folders}.values())
    if not folders:
        raise InputError("at least one run folder", "none", advice="Name some: cladewise compare runs/*")
    groups = group_runs([read_run(folder, split, decision, inference, tree) for folder in folders])
    page = write_html(Path(out), render(groups, title=title, reference=reference))
    if figures is not None:
        from cladewise.report.export import write_figures  # matplotlib takes its time, and most pages need none

        write_figures(groups, Path(figures), reference=reference)
    return page


def render(groups: tuple[Group, ...], *, title: str | None = None, reference: str | None = None) -> str:
    """The page as text."""
    baseline = baseline_of(groups, reference)
    table = make_table(groups, baseline)
    placing = [group for group in groups if not group.answers_with_sets]
    tree, heights = (tree_section(placing), height_chart(placing)) if placing else (None, None)
    levels, curves = level_chart(placing), curve_charts(groups)
    lines = lines_of(groups)
    mean = mean_curves(lines)
    operating, reliability = operating_charts(mean), reliability_charts(lines)
    by_class = class_accuracies(placing, baseline) if baseline in placing else []
    classes = class_charts(by_class, placing) if by_class else []
    transitions = transition_rows(transitions_of(groups), groups)
    counts = counts_sections(groups)
    pictures = [
        *classes,
        *(each.chart for row in transitions for each in row.maps),
        *(chart for section in counts for chart in section.charts),
    ]
    charts: list[Chart] = [
        chart
        for chart in (*operating, levels, heights, *reliability, tree.chart if tree else None, *pictures, *curves)
        if chart is not None
    ]
    return (
        environment()
        .get_template("page.html")
        .render(
            overview=make_overview(groups, table, title),
            verdicts=verdicts_of(groups, baseline),
            groups=groups,
            placing=placing,
            baseline=baseline,
            table=table,
            further=further_table(groups, baseline),
            few_shot=few_shot_table(groups),
            lines=lines,
            operating=operating,
            measures=MEASURES,
            operating_has_bands=any(len(curve.curves) > 1 for curve in mean),
            operating_table=operating_table(lines),
            point=operating_point(mean),
            decision_table=decision_table(lines),
            reliability=reliability,
            calibration=calibration_table(lines),
            levels=levels,
            heights=heights,
            confusion=confusion_section(placing),
            classes=classes,
            class_levels=[found.level for found in by_class],
            transitions=transitions,
            transition_scale=scale_ticks(),
            transition_gradient=gradient(),
            counts=counts,
            count_colors=(TRAINING, EVALUATED),
            explanations=explanations_of(groups),
            plates=plate_sections(groups),
            tree=tree,
            curves=curves,
            charts=charts,
            resources=resource_table(groups),
            mistakes=[mistakes_of(group) for group in placing],
            configs={
                group.index: (group.shown_run.folder / "config.toml").read_text(encoding="utf-8") for group in groups
            },
            plotly_js=Markup(get_plotlyjs()),
        )
    )
