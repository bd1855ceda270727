"""The report of a migration as text for people."""

from __future__ import annotations

from cladewise.records.migration import GroupAccuracy, MigrationReport

MOST_LISTED = 200
"""Largest number of classes listed in the text; the JSON file has all."""

WAYS = {
    "carried": "The head is unchanged. Its answers and probabilities are translated into the new tree, which is exact.",
    "rewritten": "The rows of the head were moved to their nodes in the new tree, bit for bit, which is exact here.",
    "refit": "The head was fitted again in the new tree, on translated labels.",
}


def short_lines(report: MigrationReport) -> list[str]:
    """The report in a few lines, for the terminal.

    Example:
        >>> group = GroupAccuracy("untouched", 40, 30, 30, 0, 35, 35)
        >>> report = MigrationReport(
        ...     "carried", "", "a", "old", "new", {"same": 8, "added": 1}, "", "test", "leaf", (group,)
        ... )
        >>> for line in short_lines(report):
        ...     print(line)
        carried over: 8 same, 1 added
        test, untouched: 75.0% before, 75.0% after, 40 images; equal to the last bit
    """
    said = {"carried": "carried over", "rewritten": "rewritten row by row", "refit": "fitted again"}[report.way]
    lines = [f"{said}: {', '.join(f'{count:,} {kind}' for kind, count in report.changes.items())}"]
    for group in report.accuracy:
        lines.append(f"{report.split}, {group.change}: {_figures(group)}")
    if report.note:
        lines.append(f"no accuracies: {report.note}")
    if report.needs_images:
        first, number = report.needs_images[0].path, len(report.needs_images)
        need = "1 class needs images" if number == 1 else f"{number:,} classes need images"
        lines.append(f"{need}: {first}" + (", ..." if number > 1 else ""))
    return lines


def markdown(report: MigrationReport) -> str:
    """The whole report."""
    parts = [
        f"# Migration of {report.origin}",
        f"From {report.old}\nto {report.new}.",
        WAYS[report.way] + (f" It was not rewritten: {report.reason}." if report.reason else ""),
        "## Changes\n\n| change | rows |\n|---|---|\n"
        + "\n".join(f"| {kind} | {count:,} |" for kind, count in report.changes.items()),
    ]
    if report.accuracy:
        rows = [
            f"| {g.change} | {g.images:,} | {_percent(g.right_before, g)} | {_percent(g.right_after, g)} "
            f"| {_percent(g.above_before, g)} | {_percent(g.above_after, g)} |"
            for g in report.accuracy
        ]
        parts.append(
            f"## Accuracy on {report.split}, by what happened to the label\n\n"
            f"Answers by the rule `{report.decision}`: right if they are the label, at or above if they contain it. "
            "A label is untouched if nothing else is placed at its node and nothing was moved out of it.\n\n"
            "| label | images | right before | right after | at or above before | after |\n|---|---|---|---|---|---|\n"
            + "\n".join(rows)
        )
    elif report.note:
        parts.append(f"## Accuracy\n\nNot measured: {report.note}.")
    if report.needs_images:
        listed = [
            f"| {_cell(each.path)} | {_cell(each.origin) or 'added'} | {each.ambiguous or ''} |"
            for each in report.needs_images[:MOST_LISTED]
        ]
        more = len(report.needs_images) - MOST_LISTED
        parts.append(
            "## Classes that need images\n\nNothing is known about these classes. Images of a class that was split are "
            "ambiguous until they are labelled again.\n\n| class | split from | ambiguous images |\n|---|---|---|\n"
            + "\n".join(listed)
            + (f"\n\nand {more:,} more in report.json." if more > 0 else "")
        )
    return "\n\n".join(parts) + "\n"


def _figures(group: GroupAccuracy) -> str:
    text = f"{_percent(group.right_before, group)} before, {_percent(group.right_after, group)} after"
    images = f"{group.images:,} image" + ("" if group.images == 1 else "s")
    same = group.change == "untouched" and not group.turned
    return f"{text}, {images}" + ("; equal to the last bit" if same else "")


def _percent(right: int, group: GroupAccuracy) -> str:
    return f"{100 * right / group.images:.1f}%"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
