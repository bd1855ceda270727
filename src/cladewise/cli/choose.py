"""``cladewise choose``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cladewise.cli.checking import check_rules, check_runs, check_runtime
from cladewise.cli.context import Allowed, GroupBy, Pooling, context_of
from cladewise.cli.printing import print_table, tell
from cladewise.cli.settings import NAMES_HELP, RUNTIME_HELP, TREE_HELP, checked_tree

if TYPE_CHECKING:
    from rich.table import Table

    from cladewise.records import JudgedRule, RuleChoice

GOALS = (0.8, 0.9, 0.95, 0.99)
"""Shares of right answers for which a rule is named below the table."""


def choose(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    split: Annotated[str, typer.Option(help="Split to judge rules on; join several with +.")] = "test",
    out: Annotated[Path, typer.Option(help="The HTML file to write.")] = Path("choose.html"),
    record: Annotated[Path | None, typer.Option(help="Also write the figures to this JSON file.")] = None,
    decision: Annotated[
        list[str] | None,
        typer.Option(help="A further rule to judge, as name or name:key=value,... May be repeated."),
    ] = None,
    only: Annotated[bool, typer.Option("--only", help="Judge only the rules given with --decision.")] = False,
    inference: Annotated[
        str | None, typer.Option(help="Inference before every rule; none for none. Default: the method's own.")
    ] = None,
    fit_split: Annotated[
        str | None, typer.Option(help="Split to fit rules on, or 5-fold. Default: each rule's own.")
    ] = None,
    tree: Annotated[str, typer.Option(help=TREE_HELP)] = "true",
    allowed: Allowed = None,
    group_by: GroupBy = None,
    pool: Pooling = None,
    names: Annotated[str | None, typer.Option(help=NAMES_HELP, show_default=False)] = None,
    examples: Annotated[
        int, typer.Option(min=0, help="Largest number of example images on the page; 0 for none.")
    ] = 60,
    every: Annotated[bool, typer.Option("--every", help="Print the rules that another one beats, too.")] = False,
    runtime: Annotated[str | None, typer.Option(help=RUNTIME_HELP, show_default="auto")] = None,
) -> None:
    """Judge every decision rule on a run's images, and write a page on which one is chosen.

    cladewise choose runs/hace --split test --out choose.html
    """
    check_runs([run], network=False)
    check_rules(decisions=decision or (), inferences=[inference] if inference else [])
    check_runtime(runtime)
    where, context = checked_tree(tree), context_of(allowed, group_by, pool)

    from cladewise import choosing

    found = choosing.choose(
        run,
        split=split,
        out=out,
        record=record,
        decision=decision or (),
        only=only,
        inference=inference,
        fit_split=fit_split,
        tree=where,
        **context,
        names=names,
        examples=examples,
        runtime=runtime,
    )
    print_table(_table(found.choice, every=every), fold=False)
    for goal in GOALS:
        tell(f"right at least {100 * goal:g}%: {_told(found.choice, goal)}")
    for path in (found.page, found.record):
        if path is not None:
            tell(path)


def _table(choice: RuleChoice, *, every: bool) -> Table:
    """One row per rule, the most specific first."""
    from rich.table import Table

    from cladewise.report.choosing_page import percent

    rules = choice.rules if every else choice.unbeaten
    hidden = len(choice.rules) - len(rules)
    title = f"{choice.split}: {choice.num_images:,} {choice.unit}, "
    number = f"{len(rules)} of {len(choice.rules)}" if hidden else f"{len(rules)}"
    title += f"{number} rule{'s' * (len(choice.rules) != 1)}" + (", those that no other beats" if hidden else "")
    table = Table("rule", title=title, title_justify="left")
    for column in ("right, %", "95% interval", "sure of, %", "specificity, %", "leaves, %"):
        table.add_column(column, justify="right")
    table.add_column("promise")
    for rule in rules:
        table.add_row(
            rule.rule,
            percent(rule.correct),
            f"{percent(rule.low)} to {percent(rule.high)}",
            percent(rule.assured),
            percent(choice.specificity(rule), 0),
            percent(rule.leaves, 0),
            _promise(rule),
        )
    return table


def _promise(rule: JudgedRule) -> str:
    if rule.promise is None:
        return ""
    state = "held" if rule.held else "not held" if rule.held is False else "open"
    return f"{100 * rule.promise:g}% {state}, from {rule.num_fitted:,} of {rule.fitted_on}"


def _told(choice: RuleChoice, goal: float) -> str:
    rule = choice.most_specific(goal)
    if rule is None:
        return f"no rule is that sure on these {choice.unit}, apart from answers at the root"
    return f"{rule.rule} ({100 * choice.specificity(rule):.0f}% of a leaf's information)"
