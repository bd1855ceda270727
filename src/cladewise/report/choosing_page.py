"""The HTML page for choosing a decision rule: how often each is right on the user's own images, and how specific."""

from __future__ import annotations

import datetime
import json
import math
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from markupsafe import Markup
from plotly.offline import get_plotlyjs

from cladewise.drawing.palette import color, faded
from cladewise.drawing.thumbnails import thumbnail
from cladewise.records.rule_choice import JudgedRule, RuleChoice
from cladewise.report.charts import Chart, as_script_data, blank_figure, chart_text
from cladewise.report.templating import environment, write_html
from cladewise.version import __version__

__all__ = ["write_choosing_page"]

GOALS = (0.8, 0.9, 0.95, 0.98, 0.99)
"""Shares of right answers in the table that answers without a script."""

KINDS = ("with a promise", "with a threshold", "neither")
"""Kinds of rules that the chart tells apart, in the order of their colours."""

PROMISES_EACH = 4
"""Largest number of rules of one promised share in the table of promises; the others are in the table of all rules."""

SIDE = 112
"""Longest side of an example picture in pixels."""


def write_choosing_page(choice: RuleChoice, out: str | PathLike[str], *, title: str | None = None) -> Path:
    """Write judged rules as one self-contained page, on which a person chooses one by a share of right answers.

    A slider picks the most specific rule that is right at least so often, by a lower bound; a chart and a table show
    all rules, and example images two that differ. It needs no network; without scripts its tables remain.

    Args:
        choice: The rules with their figures.
        out: The file to write.
        title: Heading; by default made from the run and the split.

    Raises:
        InputError: The file cannot be written.

    Example:
        >>> rule = JudgedRule(rule="leaf", name="leaf", right=8, low=0.44, high=0.97, assured=0.44, information=1.0,
        ...     depth=1.0, leaves=1.0, answers=(0, 10), wrong=(0, 2), severity=1.0, distance=0.2)
        >>> choice = RuleChoice(run="runs/a", split="test", num_images=10, fingerprint="0", level_names=("kind",),
        ...     num_leaves=2, max_depth=1, rules=(rule,))
        >>> "Which rule" in write_choosing_page(choice, getfixture("tmp_path") / "choose.html").read_text()
        True
    """
    name = Path(choice.run).name or choice.run
    pictures = [_picture(choice, example.path) for example in choice.examples]
    html = (
        environment()
        .get_template("choosing.html")
        .render(
            title=title or f"Which rule? {name} on {choice.split}",
            version=__version__,
            choice=choice,
            name=name,
            levels=level_titles(choice),
            goals=[(goal, choice.most_specific(goal)) for goal in GOALS],
            chart=rules_chart(choice),
            kinds=[(kind, color(index)) for index, kind in enumerate(KINDS)],
            has_pictures=any(pictures),
            data=Markup(as_script_data(json.dumps(_data(choice, pictures), separators=(",", ":")))),
            percent=percent,
            of_thousand=of_thousand,
            has_number=math.isfinite,
            breakable=breakable,
            promising=promising(choice),
            plotly_js=Markup(get_plotlyjs()),
            date=datetime.date.today().isoformat(),
        )
    )
    return write_html(Path(out), html)


def promising(choice: RuleChoice) -> list[JudgedRule]:
    """The most specific rules of each promised share, :data:`PROMISES_EACH` at most, by the share."""
    found: list[JudgedRule] = []
    for share in sorted({rule.promise for rule in choice.rules if rule.promise is not None}):
        of_share = sorted((rule for rule in choice.rules if rule.promise == share), key=lambda rule: -rule.information)
        found += of_share[:PROMISES_EACH]
    return found


def level_titles(choice: RuleChoice) -> list[str]:
    """Names of the levels from the root on: those of the tree, ``level 2`` for one without a name.

    Example:
        >>> rule = JudgedRule(rule="leaf", name="leaf", right=1, low=0, high=1, assured=0, information=1, depth=1,
        ...     leaves=1, answers=(0, 1, 0), wrong=(0, 0, 0), severity=1, distance=0)
        >>> level_titles(RuleChoice(run="a", split="test", num_images=1, fingerprint="", num_leaves=2, max_depth=2,
        ...     level_names=("genus", "level_2"), rules=(rule,)))
        ['the root', 'genus', 'level 2']
    """
    unnamed = {f"level_{level}": f"level {level}" for level in range(1, len(choice.level_names) + 1)}
    return ["the root", *(unnamed.get(name, name) for name in choice.level_names)]


def percent(share: float, digits: int = 1) -> str:
    """A share in percent, as ``100`` only if it is exactly 1, and as ``0`` only if it is exactly 0.

    Example:
        >>> percent(0.5), percent(0.99999), percent(1.0), percent(0.00001), percent(0.0)
        ('50.0', '>99.9', '100', '<0.1', '0')
    """
    if share in (0, 1):
        return f"{100 * share:.0f}"
    text, least = f"{100 * share:.{digits}f}", 10.0**-digits
    if float(text) == 100:
        return f">{100 - least:g}"
    return text if float(text) else f"<{least:g}"


def of_thousand(count: int, total: int) -> str:
    """How many of 1,000 a count stands for; ``<1`` for a positive one that rounds to 0.

    Example:
        >>> of_thousand(20, 80), of_thousand(1, 9000), of_thousand(0, 9)
        ('250', '<1', '0')
    """
    number = round(1000 * count / total)
    return "<1" if count and not number else f"{number:,}"


def breakable(rule: str) -> Markup:
    """The text of a rule, which may be broken between its parts.

    Example:
        >>> breakable("calibrate+threshold:threshold=0.9")
        Markup('calibrate+<wbr>threshold:<wbr>threshold=0.9')
    """
    return Markup("<wbr>").join(re.split(r"(?<=[:,+])", rule))


def rules_chart(choice: RuleChoice) -> Chart:
    """Share of right answers against specificity: one dot per rule, a line through those that no other beats."""
    figure = blank_figure(hovermode="closest", hoverdistance=30)
    unbeaten = choice.unbeaten
    figure.add_trace(
        go.Scatter(
            x=[100 * choice.specificity(rule) for rule in unbeaten],
            y=[100 * rule.correct for rule in unbeaten],
            mode="lines",
            line={"color": "#8b948f", "width": 1.4, "shape": "linear"},
            hoverinfo="skip",
        )
    )
    for index, kind in enumerate(KINDS):
        for beaten in (True, False):
            places = [
                place
                for place, rule in enumerate(choice.rules)
                if _kind(rule) == kind and bool(rule.beaten_by) is beaten
            ]
            if places:
                figure.add_trace(_dots(choice, places, color(index), beaten=beaten))
    figure.add_trace(_ring("chosen", 19))
    figure.add_trace(_ring("other", 19))
    lowest = min(rule.correct for rule in choice.rules)
    figure.update_xaxes(title={"text": "specificity, % of the information of a leaf"}, range=[-2, 103], nticks=6)
    figure.update_yaxes(title={"text": "right answers, %"}, range=[max(-2, 100 * lowest - 5), 101.5], nticks=7)
    summary = f"Share of right answers against specificity of {len(choice.rules)} rules; the table has the numbers."
    return Chart("rules", figure, 430, summary)


def _kind(rule: JudgedRule) -> str:
    if rule.promise is not None:
        return KINDS[0]
    return KINDS[1] if "threshold=" in rule.rule else KINDS[2]


def _dots(choice: RuleChoice, places: Sequence[int], tone: str, *, beaten: bool) -> go.Scatter:
    rules = [choice.rules[place] for place in places]
    correct = [100 * rule.correct for rule in rules]
    return go.Scatter(
        x=[round(100 * choice.specificity(rule), 2) for rule in rules],
        y=[round(value, 2) for value in correct],
        error_y=None
        if beaten
        else {
            "type": "data",
            "symmetric": False,
            "array": [round(100 * rule.high - value, 2) for rule, value in zip(rules, correct, strict=True)],
            "arrayminus": [round(value - 100 * rule.low, 2) for rule, value in zip(rules, correct, strict=True)],
            "color": faded(tone, 0.4),
            "thickness": 1.3,
            "width": 0,
        },
        mode="markers",
        marker={
            "size": 7 if beaten else 11,
            "color": faded(tone, 0.35) if beaten else tone,
            "line": {"width": 0 if beaten else 1, "color": "#ffffff"},
        },
        customdata=[[place, chart_text(rule.rule)] for place, rule in zip(places, rules, strict=True)],
        hovertemplate="%{customdata[1]}<br>%{y:.1f}% right, %{x:.0f}% specific<extra></extra>",
        meta={"role": "rules"},
    )


def _ring(role: str, size: int) -> go.Scatter:
    """The mark of a chosen rule, which the page's script moves."""
    return go.Scatter(
        x=[None],
        y=[None],
        mode="markers",
        marker={
            "size": size,
            "color": "rgba(0,0,0,0)",
            "line": {"width": 2.6 if role == "chosen" else 1.6, "color": "#66706b"},
        },
        hoverinfo="skip",
        meta={"role": role},
    )


def _picture(choice: RuleChoice, path: str) -> str | None:
    """A small picture of an example, if its file is there."""
    return thumbnail(Path(choice.image_root) / path, SIDE) if choice.image_root else None


def _data(choice: RuleChoice, pictures: Sequence[str | None]) -> dict[str, Any]:
    """Everything that the page's script needs."""
    return {
        "levels": level_titles(choice),
        "numImages": choice.num_images,
        "unit": choice.unit,
        "rules": [
            {
                "rule": rule.rule,
                "about": rule.about,
                "correct": round(rule.correct, 6),
                "low": round(rule.low, 6),
                "high": round(rule.high, 6),
                "assured": round(rule.assured, 6),
                "specificity": round(choice.specificity(rule), 6),
                "leaves": round(rule.leaves, 6),
                "answers": rule.answers,
                "wrong": rule.wrong,
                "severity": None if math.isnan(rule.severity) else round(rule.severity, 4),
                "promise": rule.promise,
                "confidence": rule.confidence,
                "held": rule.held,
                "fittedOn": rule.fitted_on,
                "numFitted": rule.num_fitted,
                "isSeen": rule.is_seen,
                "isBeaten": bool(rule.beaten_by),
            }
            for rule in choice.rules
        ],
        "examples": [
            {
                "path": example.path,
                "picture": picture,
                "target": example.target,
                "answers": example.answers,
                "right": "".join("1" if right else "0" for right in example.right),
            }
            for example, picture in zip(choice.examples, pictures, strict=True)
        ],
        "names": {str(node): names for node, names in choice.names.items()},
    }
