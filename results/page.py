"""The page on which method to take, from the record of the suites; every number on it is computed."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence

from collecting import Figure, Line, Measured

from cladewise.records.resources import RESOURCE_TEXTS, column_text, resource_number

NOTHING = "–"
MINUS = "\u2212"
BASELINE = "flat-softmax"


@dataclasses.dataclass(frozen=True)
class Goal:
    """A goal that a user may have, and the metric that measures it."""

    wish: str
    metric: str
    heading: str


GOALS = (
    Goal("the right leaf, as often as possible", "leaf_top1", "leaf right"),
    Goal("answers that are near the label when they are wrong", "hd@1", "distance"),
    Goal("probabilities by which to answer higher in the tree", "ac", "AC"),
    Goal("much information at 90% right answers", "r@90", "R@90"),
)
"""The goals of the page; for all metrics but the distance, higher is better."""


def page(
    probes: Sequence[Measured],
    views: Sequence[Measured],
    trained: Sequence[Measured],
    missing: Sequence[str] = (),
) -> str:
    """The whole page as Markdown.

    Args:
        probes: Datasets with linear probes.
        views: Datasets with linear probes of methods that compare two views of each image.
        trained: Datasets with networks trained end to end.
        missing: Datasets that are still to be measured.
    """
    parts = [
        _opening(missing),
        _advice(probes, views),
        _plain(probes),
        *(_methods(data) for data in probes),
        _inferences(probes),
        *(_views(data) for data in views),
        *(_trained(data) for data in trained),
        _failed(probes),
        _how(probes),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _opening(missing: Sequence[str]) -> str:
    still = f"\n\nStill to be measured: {', '.join(missing)}." if missing else ""
    return f"""
<!-- Written by `make results` from run folders. Changes by hand are lost. -->
# Which method should I take?
Methods, inferences and decisions of this library on sets of images, and the advice that follows from the figures.
`make results` trains the runs and writes this page from them.{still}"""


def _advice(probes: Sequence[Measured], views: Sequence[Measured]) -> str:
    lines = ["## In short"]
    for goal in GOALS:
        lines.append(f"- **{goal.wish[0].upper()}{goal.wish[1:]}** (`{goal.metric}`): {_best_for(goal, probes)}")
    lines.append(
        f"- **One answer per image, credited for every level that is right** (`info_f1`): {_best_pair(probes)}"
    )
    if views:
        lines.append(f"- **With several views of each image**: {'; '.join(map(_ahead_and_behind, views))}.")
    return "\n".join([*lines, "", _tally(probes)])


def _ahead_and_behind(data: Measured) -> str:
    """The methods significantly ahead of a flat softmax at the leaves, and the number of those behind."""
    lines = next(iter(data.tables.values()))
    figures = {line.method: line.figures["leaf_top1"] for line in lines if line.method != BASELINE}
    ahead = [
        f"`{method}` ({_points('leaf_top1', figure.difference)})"
        for method, figure in sorted(figures.items(), key=lambda item: -item[1].difference)
        if _gain("leaf_top1", figure) > 0
    ]
    behind = sum(_gain("leaf_top1", figure) < 0 for figure in figures.values())
    which = f"{', '.join(ahead)} {'is' if len(ahead) == 1 else 'are'}" if ahead else "no method is"
    return f"on {data.name} {which} ahead of a flat softmax at the leaves, {_count(behind, 'method')} behind"


def _best_for(goal: Goal, probes: Sequence[Measured]) -> str:
    """The three methods with the most significant wins over the baseline, with the mean of their differences."""
    scored = []
    for method in methods_of(probes):
        found = [figure for data in probes if (figure := difference_of(data, method, goal.metric)) is not None]
        gains = [_gain(goal.metric, figure) for figure in found]
        wins, losses = sum(gain > 0 for gain in gains), sum(gain < 0 for gain in gains)
        if len(found) == len(probes) and method != BASELINE:
            mean = sum(figure.difference for figure in found) / len(found)
            scored.append((wins - losses, mean if _higher(goal.metric) else -mean, wins, losses, method, mean))
    scored.sort(reverse=True)
    leading = [one for one in scored if one[0] > 0][:3]
    if not leading:
        return "no method is significantly better than a flat softmax on more sets than it is worse."
    texts = [
        f"`{method}` (better on {wins} of {len(probes)} sets{f', worse on {losses}' if losses else ''}; "
        f"{_points(goal.metric, mean)} on average)"
        for _, _, wins, losses, method, mean in leading
    ]
    even = sum(one[0] == 0 for one in scored)
    behind = sum(one[0] < 0 for one in scored)
    return f"{'; '.join(texts)}. {_count(even, 'method')} came out even with a flat softmax, {behind} behind."


def _best_pair(probes: Sequence[Measured]) -> str:
    """Gain of the best decision after a flat softmax, and of the best pair of method and decision, per dataset."""
    texts = []
    for data in probes:
        lines = data.tables["decisions"]
        flat = [line for line in lines if line.method == BASELINE and "info_f1" in line.figures]
        rule = max(flat, key=lambda line: line.figures["info_f1"].mean)
        best = max((line for line in lines if "info_f1" in line.figures), key=lambda line: line.figures["info_f1"].mean)
        first, good, top = (line.figures["info_f1"].mean for line in (flat[0], rule, best))
        texts.append(
            f"on {data.name} a flat softmax has {_percent(first)} by `{flat[0].decision}` and {_percent(good)} by "
            f"`{rule.decision}`; the best of all, `{best.method}` by `{best.decision}`, has {_percent(top)}"
        )
    return "; ".join(texts) + "."


def _tally(probes: Sequence[Measured]) -> str:
    """A table with one sign per set for each method and goal."""
    names = ", ".join(data.name for data in probes)
    head = (
        f"Significantly better (+) or worse ({MINUS}) than a flat softmax, or neither (·), one sign per set ({names}):"
    )
    rows = [["method", *(goal.heading for goal in GOALS)]]
    for method in methods_of(probes):
        if method != BASELINE:
            signs = [
                "".join(_sign(goal.metric, difference_of(data, method, goal.metric)) for data in probes)
                for goal in GOALS
            ]
            rows.append([f"`{method}`", *signs])
    return f"{head}\n\n{_table(rows)}\n\n{_PICTURE}"


_PICTURE = """![Differences of all methods from a flat softmax on the sets](pictures/which-method.svg)

Differences from a flat softmax, each method with its own rules; filled marks are significant, and marks at the edge lie
beyond it."""


def _plain(probes: Sequence[Measured]) -> str:
    """The decisions after a flat softmax, one table per dataset."""
    lines = [
        "## A plain flat softmax with a good decision",
        "The same networks, answering by other rules: training stays as it is, and [the decision](decisions.md) can be",
        "changed later.",
    ]
    for data in probes:
        flat = [line for line in data.tables["decisions"] if line.method == BASELINE]
        lines += [
            "",
            f"**{data.name}**",
            "",
            _figures(flat, ("correct", "info_recall", "info_f1", "severity"), "decision"),
        ]
    return "\n".join(lines)


def _methods(data: Measured) -> str:
    metrics = [goal.metric for goal in GOALS] + ["info_f1", "correct", "cpu_seconds", "peak_memory"]
    text = _figures(data.tables["own"], metrics, "method")
    intro = f"Each with its own inference and decision, {data.num_images:,} test images."
    return f"## Methods on {data.name}\n{intro}\n\n{text}"


def _inferences(probes: Sequence[Measured]) -> str:
    lines = [
        "## Inferences",
        "Before the most probable leaf: the mean difference from the head's own prediction over all methods that an",
        "inference applies to, in points, and the number of methods whose AC rises or falls by more than .05 points.",
    ]
    rows = [["inference", "set", "methods", "AC", "leaf right", "AC rises", "AC falls"]]
    for data in probes:
        table = data.tables["inferences"]
        own = {line.method: line for line in table if line.inference == "none"}
        for rule in dict.fromkeys(line.inference for line in table if line.inference != "none"):
            pairs = [(line, own[line.method]) for line in table if line.inference == rule and line.method in own]
            changes = {
                metric: [
                    line.figures[metric].mean - other.figures[metric].mean
                    for line, other in pairs
                    if metric in line.figures and metric in other.figures
                ]
                for metric in ("ac", "leaf_top1")
            }
            if changes["ac"]:
                means = [_points(m, sum(changes[m]) / len(changes[m])) for m in ("ac", "leaf_top1")]
                gains = [
                    sum(change > 0.0005 for change in changes["ac"]),
                    sum(change < -0.0005 for change in changes["ac"]),
                ]
                rows.append([f"`{rule}`", data.name, str(len(pairs)), *means, *map(str, gains)])
    return "\n".join([*lines, "", _table(rows)])


def _views(data: Measured) -> str:
    return _only_table(
        data,
        f"Two views of each image, on {data.name}",
        "Each method, and a flat softmax, trained on features of four augmented copies of each image",
    )


def _trained(data: Measured) -> str:
    return _only_table(data, f"End to end, on {data.name}", "Encoder and head trained together")


def _only_table(data: Measured, title: str, how: str) -> str:
    lines = next(iter(data.tables.values()))
    metrics = list(dict.fromkeys(name for line in lines for name in line.figures))
    seeds = max(figure.seeds for line in lines for figure in line.figures.values())
    images = f"{data.num_images:,} test images, {_count(seeds, 'seed')}"
    return f"## {title}\n{how}; {images}.\n\n{_figures(lines, metrics, 'method')}"


def _failed(probes: Sequence[Measured]) -> str:
    lines = ["## What failed"]
    for data in probes:
        worst = [
            (figure.difference, method)
            for method in methods_of([data])
            if (figure := difference_of(data, method, "leaf_top1")) is not None and _gain("leaf_top1", figure) < 0
        ]
        if worst:
            texts = [f"`{method}` ({_points('leaf_top1', difference)})" for difference, method in sorted(worst)[:5]]
            lines.append(f"- On {data.name}, furthest below a flat softmax at the leaves: {', '.join(texts)}.")
        lines.append(f"- On {data.name}, {len(data.left_out)} combinations do not apply to the scores of a method.")
    return "\n".join(lines)


def _how(probes: Sequence[Measured]) -> str:
    most = max(figure.seeds for data in probes for line in data.tables["own"] for figure in line.figures.values())
    return f"""
## How it was measured
Linear probes on features of a frozen EfficientNet-Lite0, 20 epochs. The learning rate of each method was chosen among
0.01, 0.1 and 1 (and beyond, where the best was at an end) by AP on a held-out share of the training images; all other
options are the defaults. {most} seeds, mean ± standard deviation. Percent, except distances (mean height of the lowest
common ancestor of answer and label; 0 if right), seconds of processor time, and MB of the whole
process. Methods that compare two views are measured alike, with four cached views per image, and compared with a flat
softmax on the same views.

**Bold** is significantly better than a flat softmax by the same rules, *italic* worse: at 5%, by a paired t-test over
the images of the mean over the seeds, adjusted by Benjamini and Hochberg for the lines of a table. AC and R@90, which
have no value per image, are compared by Welch's test over the seeds. A flat softmax by other rules is compared with its
own answers by the first. The best of many figures is flattered by the choice among them; the signs per set are not."""


def difference_of(data: Measured, method: str, metric: str) -> Figure | None:
    """The figure of a method with its own rules; its difference is that from the baseline with its own."""
    line = next((line for line in data.tables["own"] if line.method == method), None)
    return None if line is None else line.figures.get(metric)


def methods_of(probes: Sequence[Measured]) -> list[str]:
    """All methods of some datasets, in the order of the suite."""
    return list(dict.fromkeys(line.method for data in probes for line in data.tables["own"]))


def _higher(metric: str) -> bool:
    return column_text(metric).higher_is_better is not False


def _gain(metric: str, figure: Figure) -> int:
    """1 if significantly better than the baseline, -1 if worse, else 0."""
    return figure.verdict if _higher(metric) else -figure.verdict


def _sign(metric: str, figure: Figure | None) -> str:
    return " " if figure is None else {1: "+", 0: "·", -1: MINUS}[_gain(metric, figure)]


def _figures(lines: Sequence[Line], metrics: Iterable[str], named: str) -> str:
    shown = [metric for metric in metrics if any(metric in line.figures for line in lines)]
    headings = {goal.metric: goal.heading for goal in GOALS}
    rows = [[named, *(headings.get(metric) or column_text(metric).title for metric in shown)]]
    rows += [[f"`{getattr(line, named)}`", *(_cell(m, line.figures.get(m)) for m in shown)] for line in lines]
    return _table(rows)


def _cell(metric: str, figure: Figure | None) -> str:
    if figure is None:
        return NOTHING
    if metric in RESOURCE_TEXTS:
        return resource_number(metric, figure.mean)
    scale, digits = (100, 1) if column_text(metric).is_share else (1, 3)
    sd = f" ± {scale * figure.sd:.{digits}f}" if figure.seeds > 1 else ""
    mark = {1: "**", 0: "", -1: "*"}[_gain(metric, figure)]
    return f"{mark}{scale * figure.mean:.{digits}f}{mark}{sd}"


def _points(metric: str, difference: float) -> str:
    scale, digits, unit = (100, 1, " points") if column_text(metric).is_share else (1, 3, "")
    text = f"{scale * difference:+.{digits}f}".replace("-", MINUS)
    return f"{text}{unit}"


def _percent(value: float) -> str:
    return f"{100 * value:.1f}"


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _table(rows: Sequence[Sequence[str]]) -> str:
    head, *body = rows
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    return "\n".join([*lines, *(f"| {' | '.join(row)} |" for row in body)])
