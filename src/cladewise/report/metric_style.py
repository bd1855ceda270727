"""How each metric is printed: title, number format, and which direction is better."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from cladewise.errors import InputError
from cladewise.records.metric_names import MetricText, metric_text

MINUS = "\N{MINUS SIGN}"


@dataclasses.dataclass(frozen=True)
class MetricStyle:
    """One metric with its texts and number format."""

    name: str
    text: MetricText

    def number(self, value: float) -> str:
        """A value as text: a share as a percentage with one decimal, any other number with two.

        Example:
            >>> style_of("top1").number(0.6149), style_of("severity").number(float("nan"))
            ('61.5', '–')
        """
        if math.isnan(value):
            return "–"
        text = f"{100 * value:.1f}" if self.text.is_share else f"{value:.2f}"
        return text.replace("-", MINUS)

    @property
    def arrow(self) -> str:
        """An arrow pointing in the better direction; empty if neither is better."""
        return {True: "↑", False: "↓", None: ""}[self.text.higher_is_better]

    @property
    def direction(self) -> str:
        """The better direction in words.

        Example:
            >>> style_of("severity").direction, style_of("labels_mean").direction
            ('lower is better', 'neither is better')
        """
        return {True: "higher", False: "lower", None: "neither"}[self.text.higher_is_better] + " is better"

    @property
    def heading(self) -> str:
        """Title with unit and arrow, in plain text.

        Example:
            >>> style_of("top1").heading
            'Top-1 % ↑'
        """
        unit = " %" if self.text.is_share else ""
        return f"{self.text.title}{unit} {self.arrow}".rstrip()

    def with_sd(self, mean: float, sd: float) -> str:
        """A mean with its standard deviation, if there is one.

        Example:
            >>> style_of("top1").with_sd(0.6149, 0.01), style_of("top1").with_sd(0.6149, float("nan"))
            ('61.5 ± 1.0', '61.5')
        """
        return self.number(mean) if math.isnan(sd) else f"{self.number(mean)} ± {self.number(sd)}"

    def change(self, value: float) -> str:
        """A difference of two values, with its sign.

        Example:
            >>> style_of("hd@1").change(0.25)
            '+0.25'
        """
        text = self.number(value)
        return text if math.isnan(value) or text.startswith(MINUS) else f"+{text}"

    def better(self, change: float) -> bool:
        """Whether a change is an improvement."""
        return {True: change > 0, False: change < 0, None: False}[self.text.higher_is_better]


def style_of(name: str) -> MetricStyle:
    """Style of a metric; an unknown one (from a newer version) is printed as a plain number, higher being better."""
    try:
        return MetricStyle(name, metric_text(name))
    except InputError:
        return MetricStyle(name, MetricText(name, True, "", is_share=False))


def best_text(style: MetricStyle, values: Iterable[float]) -> str:
    """The best value of a column as text, so that all cells printed the same are marked; empty if there is no choice.

    Example:
        >>> best_text(style_of("hd@1"), [1.25, float("nan"), 0.5]), best_text(style_of("top1"), [0.5])
        ('0.50', '')
    """
    column = list(values)
    defined = [value for value in column if not math.isnan(value)]
    if len(column) < 2 or not defined or style.text.higher_is_better is None:
        return ""
    return style.number(max(defined) if style.text.higher_is_better else min(defined))


def bold(text: str, is_best: bool) -> str:
    """A cell of a Markdown table, in bold if it is the best of its column.

    Example:
        >>> bold("61.5", True)
        '**61.5**'
    """
    return f"**{text}**" if is_best else text


FIRST_LOOK = ("top1", "top5", "level_accuracy", "severity", "hd@1", "hd@5", "hd@20", "full_path", "tice", "sibling")
"""Known metrics of the main table, which also shows all unknown ones."""

OPERATING_METRICS = ("ap", "ac", "r@90", "r@95", "majority_f1", "leaf_f1", "leaf_top1")
"""Summaries of the operating curves, compared across heads, losses and inferences in their own table."""

RISK_METRICS = ("haurc", "haurc_threshold")
"""Areas under the risk–coverage curves, likewise."""


def shown_metrics(names: Iterable[str]) -> list[MetricStyle]:
    """Styles of the metrics of the main table, in its order; metrics of single levels are shown in a chart instead.

    Example:
        >>> [style.text.title for style in shown_metrics(["mine", "hd@1", "top1", "level_accuracy/genus"])]
        ['Top-1', 'HD@1', 'mine']
    """
    whole = [name for name in names if "/" not in name]
    known = [style_of(name) for name in FIRST_LOOK if name in whole]
    return known + [style_of(name) for name in whole if not has_description(name)]


def further_metrics(names: Iterable[str]) -> list[MetricStyle]:
    """Styles of the metrics of the second table; those of the operating curves have their own table.

    Example:
        >>> [style.name for style in further_metrics(["correct", "top1", "ap", "mine"])]
        ['correct']
    """
    known = [name for name in names if "/" not in name and has_description(name)]
    return [style_of(name) for name in known if name not in FIRST_LOOK + OPERATING_METRICS + RISK_METRICS]


def has_description(name: str) -> bool:
    """Whether a metric has a description."""
    return bool(style_of(name).text.description)
