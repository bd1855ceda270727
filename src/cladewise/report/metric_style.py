"""How the values of each metric are written in the report."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterable

from cladewise.records.metric_names import METRIC_TEXTS, MetricText

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
        return change > 0 if self.text.higher_is_better else change < 0


def style_of(name: str) -> MetricStyle:
    """Style of a metric; one that is not known (a newer version's) is written plainly, higher being better."""
    return MetricStyle(name, METRIC_TEXTS.get(name) or MetricText(name, True, "", is_share=False))


def shown_metrics(names: Iterable[str]) -> list[MetricStyle]:
    """Styles of the metrics of a table, in its order: metrics of single levels have a chart of their own.

    Example:
        >>> [style.text.title for style in shown_metrics(["mine", "hd@1", "top1", "level_accuracy/genus"])]
        ['Top-1', 'HD@1', 'mine']
    """
    whole = [name for name in names if "/" not in name]
    known = [style_of(name) for name in METRIC_TEXTS if name in whole]
    return known + [style_of(name) for name in whole if name not in METRIC_TEXTS]
