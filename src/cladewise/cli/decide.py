"""``cladewise decide``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cladewise.cli.checking import check_rules, check_runs
from cladewise.cli.context import Allowed, GroupBy, Pooling, context_of
from cladewise.cli.evaluate import print_evaluations
from cladewise.cli.prediction_target import FORMATS_HELP, Target
from cladewise.cli.printing import say, tell
from cladewise.cli.reading_options import read_tree, with_reading
from cladewise.cli.scores_options import options_of_scores, with_scores_options
from cladewise.cli.settings import NAMES_HELP, with_threshold
from cladewise.cli.tables import SUFFIXES
from cladewise.cli.wording import Wording
from cladewise.errors import InputError
from cladewise.taxonomy.formats.options import ReadOptions

if TYPE_CHECKING:
    from cladewise.engine import Decided
    from cladewise.interchange import About
    from cladewise.records import Evaluation

LABELS = "With labels"


@with_reading(beside="taxonomy", short=False)
@with_scores_options
def decide(
    context: typer.Context,
    scores: Annotated[
        list[Path],
        typer.Argument(help="Files of scores: tables with a column per class, lists of classes, or other tools' JSON."),
    ],
    reading: ReadOptions,
    scores_options: dict[str, Any],
    taxonomy: Annotated[
        Path | None, typer.Option(help="File of the label tree. Default: that of --fitted-on.", show_default=False)
    ] = None,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Table of the true labels of some or all rows, perhaps with a column split, to fit rules on and to "
            "evaluate by.",
            show_default=False,
            rich_help_panel=LABELS,
        ),
    ] = None,
    decision: Annotated[
        list[str] | None,
        typer.Option(
            help="Decision, as name or name:key=value,...; see cladewise list decisions. With labels or a folder as "
            "--out it may be repeated.",
            show_default="majority",
        ),
    ] = None,
    inference: Annotated[
        str | None,
        typer.Option(
            help="Inference rule before every decision, likewise; chain several with +. See cladewise list inferences.",
            show_default="none",
        ),
    ] = None,
    threshold: Annotated[
        float | None, typer.Option(help="Shorthand for the decision's option, as in threshold:threshold=0.9.")
    ] = None,
    fit_share: Annotated[
        float | None,
        typer.Option(
            min=0,
            max=1,
            help="Share of the labelled rows, drawn at random, to fit rules on; the others are judged. Not if the "
            "labels have a column split.",
            show_default="0.5; 0 without --out FOLDER if no rule has something to learn",
            rich_help_panel=LABELS,
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Seed of that draw.", rich_help_panel=LABELS)] = 0,
    fit_split: Annotated[
        str | None,
        typer.Option(
            help="Split of the labels to fit rules on.", show_default="each rule's own, val", rich_help_panel=LABELS
        ),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(help="Split of the labels to evaluate.", show_default="test", rich_help_panel=LABELS),
    ] = None,
    recall_at: Annotated[
        list[float] | None,
        typer.Option(
            min=0,
            max=1,
            help="Report the recall at this share of correct answers too: 0.99 for R@99.",
            rich_help_panel=LABELS,
        ),
    ] = None,
    fitted_on: Annotated[
        Path | None,
        typer.Option(
            help="Folder of earlier scores of the same classifier, or of any run over the taxonomy, whose labelled "
            "rows rules are fitted on instead.",
            show_default=False,
        ),
    ] = None,
    allowed: Allowed = None,
    group_by: GroupBy = None,
    pool: Pooling = None,
    format_: Annotated[str | None, typer.Option("--format", help=FORMATS_HELP, show_default=False)] = None,
    out: Annotated[
        str | None,
        typer.Option(
            help=f"File to write the answers to ({', '.join(SUFFIXES)}), or a folder for the scores, answers and "
            "evaluations, which evaluate and compare take like a run.",
            show_default="the answers, or with labels the evaluation, on standard output",
        ),
    ] = None,
    top: Annotated[int, typer.Option(min=0, help="List this many most probable nodes per row.")] = 0,
    names: Annotated[str | None, typer.Option(help=NAMES_HELP, show_default=False)] = None,
    name: Annotated[
        str | None, typer.Option(help="Name of the classifier in reports.", show_default="that of the file")
    ] = None,
    root: Annotated[
        Path | None,
        typer.Option(
            help="Folder that the names of the rows are relative to, if they are paths of images, for the pictures of "
            "reports.",
            show_default="the present one, or that of the scores",
        ),
    ] = None,
    quiet: Annotated[
        bool, typer.Option("--quiet", help="Show no progress and no notes on what was recognised.")
    ] = False,
) -> None:
    """Decide on scores that any classifier made: no training, no images.

    Prints a table with one row per row of the scores, as predict does. With labels it prints the evaluation instead,
    and with --out FOLDER stores scores, answers and evaluations where evaluate and compare find them.

    cladewise decide scores.csv --taxonomy classes.csv --decision majority --out answers.csv

    cladewise decide scores.parquet --taxonomy classes.csv --labels labels.csv --decision hedging:guarantee=0.95
    """
    rules = with_threshold(decision or [], threshold)
    check_rules(decisions=rules, inferences=[inference] if inference else [])
    if fitted_on is not None:
        check_runs([fitted_on], network=False)
    elif taxonomy is None:
        raise InputError("--taxonomy FILE", "none", advice="Or --fitted-on FOLDER, whose taxonomy is used.")
    about_rows = context_of(allowed, group_by, pool)
    target = _target(format_, out)
    tree = read_tree(taxonomy, reading)

    from cladewise import engine

    with options_of_scores():
        decided = engine.decide(
            [str(file) for file in scores],
            tree,
            labels=labels,
            decision=rules or None,
            inference=inference,
            out=target.folder,
            fit_share=fit_share,
            fit_split=fit_split,
            fitted_on=fitted_on,
            seed=seed,
            name=name,
            root=root,
            progress=not quiet,
            **about_rows,
            **scores_options,
        )
    worded, told = Wording(context.command), list(decided.notes)
    for note in told if not quiet else ():
        say(f"cladewise: {worded(note)}")
    judged = split or decided.splits.judged
    if len(rules) > 1 and not judged and target.folder is None:
        advice = "Give --out FOLDER for the answers of each, or --labels to evaluate them."
        raise InputError("one --decision for a table of answers", f"{len(rules)}", advice=advice)
    target.check(decided)
    _write(decided, target, names=names, top=top, prints=not judged)
    if judged:
        found = _evaluate(decided, judged, recall_at or [], told, stored=target.folder is not None)
        told += [text for evaluation in found for text in evaluation.warnings]
    for text in decided.warnings:
        if text not in told:
            say(f"cladewise: {text}")


def _target(format_: str | None, out: str | None) -> Target:
    target = Target.of(format_, out)
    if target.folder is not None and "://" in target.folder:
        raise InputError("a folder on this machine as --out", repr(out))
    return target


def _write(decided: Decided, target: Target, *, names: str | None, top: int, prints: bool) -> None:
    """Write the answers: into the folder by every rule, to the file or to standard output by the first."""
    if target.folder is not None:
        for rule in decided.rules:
            decided.write_answers(rule, names=names, top=top)
    elif target.file is not None or prints:
        with target.writer(lambda: _about(decided)) as write:
            for table in decided.tables(names=names, top=top):
                write(table)


def _evaluate(
    decided: Decided, split: str, recall_at: list[float], told: list[str], *, stored: bool
) -> list[Evaluation]:
    found = decided.evaluate_all(split=split, recall_at=recall_at)
    print_evaluations({decided.run.path if stored else Path(decided.name): found}, split, told)
    if stored:
        for evaluation in found:
            tell(evaluation.path)
        tell(f"Next: cladewise compare {decided.run.path}")
    return found


def _about(decided: Decided) -> About:
    from cladewise.interchange import About

    return About(decided.taxonomy, model=decided.name)
