"""Columns of tables and panels of figures: metrics, what training took, and accuracies of few-shot episodes."""

from __future__ import annotations

from cladewise.errors import InputError
from cladewise.records.metric_names import CALIBRATION_TEXTS, COUNT_PREFIXES, LEVEL_PREFIX, SET_COVERAGE, MetricText
from cladewise.records.resources import RESOURCE_TEXTS, column_text, resource_number
from cladewise.suites.entries import FigureEntry, TableEntry
from cladewise.suites.suite import FEW_SHOT_PREFIX, Suite, few_shot_ways

CONDITION_MARK = " | "
"""Stands between a column and the condition that it is under, where conditions are side by side."""

SHORT = {"majority_f1": "M-F1", "leaf_f1": "L-F1", "leaf_top1": "L-Top1", "ap": "AP", "ac": "AC"}
"""Names of these metrics in published tables."""


def column(name: str) -> MetricText:
    """Title, direction and description of a column.

    Raises:
        InputError: There is no such column.

    Example:
        >>> column("leaf_f1").title, column("few_shot/5").title, column("seconds").title
        ('L-F1', '5-way', 'Seconds')
    """
    name = name.partition(CONDITION_MARK)[0]
    for ways in few_shot_ways([name]):
        title = "intra-class" if ways == "intra" else f"{ways}-way"
        return MetricText(title, True, f"Accuracy over {title} few-shot episodes.")
    return column_text(name)


def title_of(name: str) -> str:
    """Head of a column.

    Example:
        >>> title_of("leaf_f1"), title_of("severity")
        ('L-F1', 'Severity')
    """
    return SHORT.get(name.partition(CONDITION_MARK)[0]) or column(name).title


def in_unit(name: str, value: float) -> float:
    """A value in the unit that tables show it in: percent if it is a share.

    Example:
        >>> in_unit("top1", 0.5), in_unit("severity", 0.5)
        (50.0, 0.5)
    """
    return 100 * value if column(name).is_share else value


def out_of_unit(name: str, value: float) -> float:
    """The reverse of :func:`in_unit`.

    Example:
        >>> out_of_unit("top1", 50.0), out_of_unit("severity", 0.5)
        (0.5, 0.5)
    """
    return value / 100 if column(name).is_share else value


def number(name: str, value: float) -> str:
    """A value as tables write it: percent with two digits if it is a share, three digits otherwise.

    Example:
        >>> number("top1", 0.51234), number("severity", 1.5), number("parameters", 7690.0)
        ('51.23', '1.500', '7,690')
    """
    if is_cost(name):
        return resource_number(name.partition(CONDITION_MARK)[0], value)
    return f"{in_unit(name, value):.{2 if column(name).is_share else 3}f}"


def is_cost(name: str) -> bool:
    """Whether a column says what training took, of which no row is the best.

    Example:
        >>> is_cost("seconds"), is_cost("top1")
        (True, False)
    """
    return name.partition(CONDITION_MARK)[0] in RESOURCE_TEXTS


def under_condition(name: str, condition: str) -> str:
    """A column under a condition, which has its title and unit.

    Example:
        >>> under_condition("top1", "90% missing"), column(under_condition("top1", "90% missing")).title
        ('top1 | 90% missing', 'Top-1')
    """
    return f"{name}{CONDITION_MARK}{condition}" if condition else name


def level_of(name: str) -> str:
    """The level that a column is about; empty if it is about none.

    Example:
        >>> level_of("level_accuracy/genus"), level_of("hit@1/genus"), level_of("top1"), level_of("few_shot/5")
        ('genus', 'genus', '', '')
    """
    metric, _, level = name.partition("/")
    of_levels = (LEVEL_PREFIX.rstrip("/"), SET_COVERAGE, *CALIBRATION_TEXTS)
    return level if metric in of_levels or metric.startswith(COUNT_PREFIXES) else ""


def check_columns(suite: Suite, entry: TableEntry | FigureEntry) -> None:
    """Check that the columns of a table or the panels of a figure exist, and that each has a heading, if any has.

    Raises:
        InputError: One does not.
    """
    if not entry.columns:
        raise InputError("at least one column", "none")
    ways = [f"{FEW_SHOT_PREFIX}{ways}" for episodes in suite.few_shot for ways in episodes.ways]
    for name in entry.columns:
        column(name)
        if few_shot_ways([name]) and name not in ways:
            known = ", ".join(ways) or "none, for there is no [[few_shot]]"
            raise InputError(f"few-shot columns of the suite: {known}", repr(name))
    if entry.headings and len(entry.headings) != len(entry.columns):
        raise InputError(f"{len(entry.columns)} headings, one per column", len(entry.headings))
