"""How the values of each metric are written in the report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from cladewise.errors import InputError
from cladewise.records.metric_names import MetricText, metric_text

MINUS = "\N{MINUS SIGN}"


@dataclasses.dataclass(frozen=True)
class MetricStyle:
    """One metric with its words and its number format."""

    name: str
    text: MetricText

    def number(self, value: float) -> str:
        """A value of the metric: percent with one decimal where it is a share, else the number with two.

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
        """Which way is better; empty where neither is."""
        return {True: "↑", False: "↓", None: ""}[self.text.higher_is_better]

    @property
    def direction(self) -> str:
        """The same in words.

        Example:
            >>> style_of("severity").direction, style_of("labels_mean").direction
            ('lower is better', 'neither is better')
        """
        return {True: "higher", False: "lower", None: "neither"}[self.text.higher_is_better] + " is better"

    @property
    def heading(self) -> str:
        """Title with its unit and which way is better, in plain text.

        Example:
            >>> style_of("top1").heading
            'Top-1 % ↑'
        """
        unit = " %" if self.text.is_share else ""
        return f"{self.text.title}{unit} {self.arrow}".rstrip()

    def with_sd(self, mean: float, sd: float) -> str:
        """A mean with its deviation, where there is one.

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
        """Whether a change is for the better."""
        return {True: change > 0, False: change < 0, None: False}[self.text.higher_is_better]


def style_of(name: str) -> MetricStyle:
    """Style of a metric; one that is not known (a newer version's) is written plainly, higher being better."""
    try:
        return MetricStyle(name, metric_text(name))
    except InputError:
        return MetricStyle(name, MetricText(name, True, "", is_share=False))


def best_text(style: MetricStyle, values: Iterable[float]) -> str:
    """The best of a column as it is written, which marks all that read the same; empty where there is no choice.

    Example:
        >>> best_text(style_of("hd@1"), [1.25, float("nan"), 0.5]), best_text(style_of("top1"), [0.5])
        ('0.50', '')
    """
    column = list(values)
    defined = [value for value in column if not math.isnan(value)]
    if len(column) < 2 or not defined or style.text.higher_is_better is None:
        return ""
    return style.number(max(defined) if style.text.higher_is_better else min(defined))


FIRST_LOOK = ("top1", "top5", "level_accuracy", "severity", "hd@1", "hd@5", "hd@20", "full_path", "tice", "sibling")
"""What the first table shows of the metrics that are known; it shows all that are not."""

OPERATING_METRICS = ("ap", "ac", "r@90", "r@95", "majority_f1", "leaf_f1", "leaf_top1")
"""The seven columns that are compared across heads, losses and inferences; they have a table of their own."""


def shown_metrics(names: Iterable[str]) -> list[MetricStyle]:
    """Styles of the metrics of the first table, in its order: metrics of single levels have a chart of their own.

    Example:
        >>> [style.text.title for style in shown_metrics(["mine", "hd@1", "top1", "level_accuracy/genus"])]
        ['Top-1', 'HD@1', 'mine']
    """
    whole = [name for name in names if "/" not in name]
    known = [style_of(name) for name in FIRST_LOOK if name in whole]
    return known + [style_of(name) for name in whole if not is_known(name)]


def further_metrics(names: Iterable[str]) -> list[MetricStyle]:
    """Styles of the metrics that only the second table shows; those of the operating curves have one of their own.

    Example:
        >>> [style.name for style in further_metrics(["correct", "top1", "ap", "mine"])]
        ['correct']
    """
    known = [name for name in names if "/" not in name and is_known(name)]
    return [style_of(name) for name in known if name not in FIRST_LOOK + OPERATING_METRICS]


def is_known(name: str) -> bool:
    """Whether there are words for a metric."""
    return bool(style_of(name).text.description)
