"""``cladewise evaluate``."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cladewise.catalogue import nearest
from cladewise.cli.checking import check_rules, check_runs, check_runtime
from cladewise.cli.context import Allowed, GroupBy, Pooling, context_of
from cladewise.cli.printing import print_table, say, tell
from cladewise.cli.settings import RUNTIME_HELP, TREE_HELP, checked_tree, with_threshold
from cladewise.errors import InputError
from cladewise.hub_access import address_or_path

if TYPE_CHECKING:
    from rich.table import Table

    from cladewise.records import Evaluation
    from cladewise.records.metric_names import MetricText

COMPARED = (
    "majority_f1",
    "leaf_f1",
    "leaf_top1",
    "top1",
    "correct",
    "specificity",
    "leaf_answers",
    "info_f1",
    "severity",
)
"""Metrics in the table that compares rules, after the areas of the curve and every recall."""
SETS_COMPARED = ("set_coverage", "set_nodes")
"""Further metrics if any of the answers are sets."""

BY_FREQUENCY = ("many_recall", "medium_recall", "few_recall")
"""Metrics of labels with many, medium and few training images, printed where there are such labels."""

LABELS, FEW_SHOT, UNKNOWN = "labels", "Few-shot", "unknown"
"""The protocols; the second is the heading of its options too."""
PROTOCOLS = (LABELS, FEW_SHOT.lower(), UNKNOWN)


def evaluate(
    runs: Annotated[list[Path], typer.Argument(help="Run folders.")],
    split: Annotated[str, typer.Option(help="Split of the data; join several with +.")] = "test",
    decision: Annotated[
        list[str] | None,
        typer.Option(
            help="Decision, as name or name:key=value,...; see cladewise list decisions. Default: the method's own. "
            "May be repeated."
        ),
    ] = None,
    inference: Annotated[
        list[str] | None,
        typer.Option(
            help="Inference rule, likewise; chain several with +; none leaves the prediction unchanged. See "
            "cladewise list inferences. Default: the method's own. May be repeated."
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Shorthand for the decision's option, as in threshold:threshold=0.9.")
    ] = None,
    fit_split: Annotated[
        str | None,
        typer.Option(
            help="Split on which fitted rules are fitted, or 5-fold: the training images, each scored by a network "
            "trained without it. Default: each rule's own split."
        ),
    ] = None,
    recall_at: Annotated[
        list[float] | None,
        typer.Option(min=0, max=1, help="Report the recall at this share of correct answers too: 0.99 for R@99."),
    ] = None,
    few_below: Annotated[
        int | None,
        typer.Option(min=0, help="Training images below which a label counts as one with few.", show_default="20"),
    ] = None,
    many_above: Annotated[
        int | None,
        typer.Option(min=0, help="Training images above which a label counts as one with many.", show_default="100"),
    ] = None,
    allowed: Allowed = None,
    group_by: GroupBy = None,
    pool: Pooling = None,
    tree: Annotated[str, typer.Option(help=TREE_HELP)] = "true",
    runtime: Annotated[str | None, typer.Option(help=RUNTIME_HELP, show_default="auto")] = None,
    protocol: Annotated[
        str,
        typer.Option(
            help="labels: score the answers; few-shot: test how well features separate new classes; unknown: score "
            "the answers for images of classes that were held out of training, with --decision rules such as "
            "new-class or prohoc+majority."
        ),
    ] = "labels",
    novelty: Annotated[
        list[str] | None,
        typer.Option(
            help="With --protocol unknown: novelty score, as name or name:key=value, after inferences joined with +. "
            "May be repeated.",
            show_default="a list of baselines",
        ),
    ] = None,
    ways: Annotated[
        list[str] | None,
        typer.Option(
            help="Classes per episode: a number, 5 by default; all; or intra, up to 5 of one coarse class. "
            "May be repeated.",
            rich_help_panel=FEW_SHOT,
        ),
    ] = None,
    shots: Annotated[
        int | None,
        typer.Option(min=1, help="Support images per class.", show_default="1", rich_help_panel=FEW_SHOT),
    ] = None,
    episodes: Annotated[
        int | None,
        typer.Option(min=2, help="Number of episodes.", show_default="1000; 100 for all", rich_help_panel=FEW_SHOT),
    ] = None,
    queries: Annotated[
        int | None,
        typer.Option(min=1, help="Maximum query images per class.", show_default="15", rich_help_panel=FEW_SHOT),
    ] = None,
    support_views: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Augmented copies that replace each support image; 0: the image itself.",
            show_default="5",
            rich_help_panel=FEW_SHOT,
        ),
    ] = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Features to use: own, the embedding before the classes of the head; encoder, those of the encoder.",
            show_default="own",
            rich_help_panel=FEW_SHOT,
        ),
    ] = None,
    apart: Annotated[
        bool | None,
        typer.Option(
            "--apart",
            help="Take support and query images from different top-level folders, such as vendors or shops.",
            rich_help_panel=FEW_SHOT,
        ),
    ] = None,
    coarse_level: Annotated[
        str | None,
        typer.Option(
            help="Level of the coarse classes for intra. Default: the level the run was trained on, or the parents.",
            rich_help_panel=FEW_SHOT,
        ),
    ] = None,
    episode_seed: Annotated[
        int | None, typer.Option(min=0, help="Seed of the episodes.", show_default="0", rich_help_panel=FEW_SHOT)
    ] = None,
) -> None:
    """Evaluate runs on a split with every combination of inference and decision; print and store the metrics.

    cladewise evaluate runs/hace --inference none --inference diffusion:alpha=0.5 --decision greedy:threshold=0.5

    cladewise evaluate runs/hcm --protocol few-shot --ways 5 --ways all --ways intra
    """
    chosen = {
        "shots": shots,
        "episodes": episodes,
        "queries": queries,
        "support_views": support_views,
        "space": space,
        "apart": apart,
        "coarse_level": coarse_level,
        "seed": episode_seed,
    }
    check_runs(runs, network=protocol != LABELS)
    check_runtime(runtime)
    given = {name: value for name, value in chosen.items() if value is not None}
    if protocol not in PROTOCOLS:
        raise InputError(f"a protocol: {', '.join(PROTOCOLS)}", repr(protocol), advice=nearest(protocol, PROTOCOLS))
    if protocol != FEW_SHOT.lower() and (ways or given):
        raise InputError("--protocol few-shot with options of episodes", f"--protocol {protocol}")
    if protocol != UNKNOWN and novelty:
        raise InputError("--protocol unknown with --novelty", f"--protocol {protocol}")
    named = {"few_below": few_below, "many_above": many_above}
    bounds = {name: value for name, value in named.items() if value is not None}
    if protocol == UNKNOWN:
        context = allowed or group_by or pool or bounds
        if inference or threshold is not None or fit_split or recall_at or context or tree != "true":
            raise InputError(
                "only --split, --decision and --novelty with --protocol unknown",
                "others",
                advice="Join an inference to a decision with +: --decision prohoc+majority.",
            )
        from cladewise.cli.unknown_tables import by_unknown

        by_unknown(runs, split, decision, novelty, runtime)
        return
    if protocol == LABELS:
        context = context_of(allowed, group_by, pool) | bounds
        _by_labels(runs, split, decision, inference, threshold, fit_split, recall_at, tree, runtime, context)
        return
    context = allowed or group_by or pool or bounds
    if decision or inference or threshold is not None or fit_split or recall_at or context or tree != "true":
        raise InputError("no rules, recalls or tree with --protocol few-shot", "some", advice="Leave them out.")
    from cladewise.runtimes import using

    with using(runtime):
        _by_episodes(runs, split, ways or ["5"], given)


def _by_episodes(runs: list[Path], split: str, ways: list[str], given: dict[str, Any]) -> None:
    """One row per kind of episode, one column per run."""
    from rich.table import Table

    from cladewise import episodes

    found = {run: episodes.few_shot_all(run, ways=ways, split=split, **given) for run in runs}
    table = Table("episodes", title=f"{split}: accuracy in %, ± 95%", title_justify="left")
    for run in runs:
        table.add_column(run.name, justify="right")
    for of_kind in zip(*found.values(), strict=True):
        cells = [f"{100 * result.accuracy:.2f} ± {100 * result.half_width:.2f}" for result in of_kind]
        table.add_row(of_kind[0].title, *cells)
    print_table(table)
    for of_run in found.values():
        for note in dict.fromkeys(note for result in of_run for note in result.notes):
            say(f"cladewise: {note}")
    for run in runs:
        tell(f"{run / 'few_shot'}")


def _by_labels(
    runs: list[Path],
    split: str,
    decision: list[str] | None,
    inference: list[str] | None,
    threshold: float | None,
    fit_split: str | None,
    recall_at: list[float] | None,
    tree: str,
    runtime: str | None,
    context: dict[str, Any],
) -> None:
    decisions = with_threshold(decision or [], threshold)
    check_rules(decisions=decisions, inferences=inference or [])
    where = checked_tree(tree)

    from cladewise import engine

    scores = {
        run: engine.evaluate_all(
            run,
            split=split,
            decisions=decisions or [None],
            inferences=inference or [None],
            fit_split=fit_split,
            recall_at=recall_at or (),
            tree=where,
            runtime=runtime,
            **context,
        )
        for run in runs
    }
    print_evaluations(scores, split)
    for of_run in scores.values():
        for score in of_run:
            tell(score.path)


def print_evaluations(scores: dict[Path, list[Evaluation]], split: str, told: Collection[str] = ()) -> None:
    """Print the metrics of evaluations, a line with the verdict of each, and their warnings, each once per run.

    Args:
        scores: The evaluations of each run.
        split: The split that they are of.
        told: Warnings that are not printed, since the user has been told.
    """
    single = all(len(of_run) == 1 for of_run in scores.values())
    first = next(iter(scores.values()))[0]
    compared = _compared(scores)
    table = _every_metric(scores) if single else _every_rule(scores, compared)
    one, several = ("group of images", "groups of images") if first.grouped_by else ("image", "images")
    table.title = f"{split}: {first.num_images:,} {one if first.num_images == 1 else several}"
    print_table(table, fold=single)
    if not single:
        print_table(_legend(compared))
    for run, of_run in scores.items():
        for score in of_run:
            after = "" if score.inference == "none" else f" after {score.inference}"
            tell(f"{address_or_path(run)}, {score.decision}{after}: {score.verdict}.")
    for of_run in scores.values():
        for warning in dict.fromkeys(text for score in of_run for text in score.warnings if text not in told):
            say(f"cladewise: {warning}")


def _every_metric(scores: dict[Path, list[Evaluation]]) -> Table:
    """One row per metric, with what it says; one column per run, with the interval."""
    from rich.table import Table

    from cladewise.records.metric_names import metric_text

    table = Table("metric", title_justify="left")
    for run in scores:
        table.add_column(run.name, justify="right")
    table.add_column("what it says")
    found = [(name, value) for of_run in scores.values() for name, value in of_run[0].metrics.items()]
    absent = {name for name, value in found if name.startswith(BY_FREQUENCY) and math.isnan(value.value)}
    names = dict.fromkeys(name for name, _ in found if _is_printed(name) and name not in absent)
    for name in names:
        cells = [_cell(of_run[0].metrics.get(name)) for of_run in scores.values()]
        table.add_row(metric_text(name).title, *cells, _meaning(metric_text(name)))
    return table


def _meaning(text: MetricText) -> str:
    return f"{text.description}{' Lower is better.' if text.higher_is_better is False else ''}"


def _legend(names: Sequence[str]) -> Table:
    """Legend of the table of rules: one row per column."""
    from rich.table import Table

    from cladewise.records.metric_names import metric_text

    legend = Table("column", "what it says", box=None, title_justify="left")
    for name in names:
        legend.add_row(metric_text(name).title, _meaning(metric_text(name)))
    return legend


def _is_printed(name: str) -> bool:
    """Whether a metric is printed; the file has more metrics by level."""
    return "/" not in name or name.startswith(("level_accuracy/", "ece/", *BY_FREQUENCY))


def _compared(scores: dict[Path, list[Evaluation]]) -> list[str]:
    """Metrics in the table of rules: areas, every requested recall, and :data:`COMPARED`, of sets as well.

    If a rule calibrates, also the calibration error at each level.
    """
    every = [score for of_run in scores.values() for score in of_run]
    calibrates = any("calibrate" in text for score in every for text in score.rules.values())
    errors = dict.fromkeys(name for score in every for name in score.metrics if calibrates and name.startswith("ece/"))
    recalls = dict.fromkeys(name for score in every for name in score.metrics if name.startswith("r@"))
    sets = SETS_COMPARED if any(SETS_COMPARED[0] in score.metrics for score in every) else ()
    return ["ap", "ac", *recalls, *COMPARED, *sets, *errors]


def _every_rule(scores: dict[Path, list[Evaluation]], compared: Sequence[str]) -> Table:
    """One row per evaluation, one column per metric."""
    from rich.table import Table

    from cladewise.records.metric_names import metric_text

    table = Table("run", "inference", "decision", title_justify="left")
    for name in compared:
        table.add_column(metric_text(name).title, justify="right")
    for run, of_run in scores.items():
        for score in of_run:
            values = [f"{score.metrics[name].value:.4f}" if name in score.metrics else "–" for name in compared]
            table.add_row(run.name, score.inference, score.decision, *values)
    return table


def _cell(interval: object) -> str:
    value, low, high = (getattr(interval, name, math.nan) for name in ("value", "low", "high"))
    return f"{value:.4f}" + ("" if math.isnan(low) else f" [{low:.4f}, {high:.4f}]")
