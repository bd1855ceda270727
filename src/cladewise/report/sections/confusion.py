"""Section *Confusion matrix*: which classes are answered for which, as a matrix, as pairs and as CSV rows."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar

import numpy as np
import polars as pl

from cladewise.drawing.node_names import axis_names
from cladewise.drawing.thumbnails import thumbnail
from cladewise.report.charts import as_script_data
from cladewise.report.comparison import Comparison
from cladewise.report.runs.groups import Group
from cladewise.report.runs.outcomes import PREDICTED_LEVEL
from cladewise.report.runs.run import FloatArray, ReportedRun
from cladewise.report.runs.status import IntArray, Status
from cladewise.report.sections.section import Section
from cladewise.taxonomy import Taxonomy

MOST_CLASSES = 30
"""Most rows of a matrix on the page; at levels with more classes, the reader chooses a part of the tree."""

MOST_PARTS = 200
"""Most parts of the tree to choose from, those with the most mistakes inside."""

MOST_PAIRS = 200_000
"""Most pairs in the page over all groups and levels; about 2 MB."""

LISTED = 12
"""Pairs in the list below the matrix."""

EXAMPLES, EXAMPLE_SIDE, MOST_PICTURES = 2, 72, 240
"""Pictures next to each pair, their longest side in pixels, and most pictures in the section."""


@dataclasses.dataclass(frozen=True)
class Confusion:
    """How often each label was answered with each node at one level, by one group.

    Labels and answers are represented by their nodes at the level; an answer above the level represents itself. Images
    labelled above the level are left out. Pairs are sorted by label and then by answer; no dense matrix is made.

    Args:
        level: Level, counted from 1.
        group: The group that gave the answers.
        label: Node of the label ``[pair]``.
        answer: Node of the answer ``[pair]``.
        count: Number of answers, summed over the seeds ``[pair]``.
        num_left_out: Number of images labelled above the level.
    """

    level: int
    group: Group
    label: IntArray
    answer: IntArray
    count: IntArray
    num_left_out: int

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree of labels and answers."""
        return self.group.runs[0].taxonomy

    @property
    def name(self) -> str:
        """Name of the level."""
        return self.taxonomy.level_names[self.level - 1]

    @cached_property
    def status(self) -> IntArray:
        """:class:`~cladewise.report.runs.status.Status` of each answer ``[pair]``."""
        coarser = self.taxonomy.covers(self.answer, self.label)
        other = np.where(coarser, Status.COARSER, Status.WRONG)
        return np.where(self.answer == self.label, Status.RIGHT, other)

    @cached_property
    def total(self) -> IntArray:
        """Number of answers to all images of each pair's label ``[pair]``."""
        _, place = np.unique(self.label, return_inverse=True)
        return np.bincount(place, weights=self.count).astype(np.int64)[place]

    @property
    def share(self) -> FloatArray:
        """Share of the answers to each pair's label that are the pair's answer ``[pair]``."""
        return self.count / self.total

    def sum_of(self, status: Status) -> int:
        """Number of answers with a status."""
        return int(self.count[self.status == status].sum())

    def most_frequent_mistakes(self, most: int) -> IntArray:
        """Indices of the wrong pairs, the most frequent first; ties are ranked by share of the label's images."""
        wrong = np.flatnonzero(self.status == Status.WRONG)
        return wrong[np.lexsort((-self.share[wrong], -self.count[wrong]))][:most]


def confusions_of(groups: Sequence[Group]) -> list[list[Confusion]]:
    """For each level, coarse to fine, one entry per group; levels of a single class are left out."""
    if not groups:
        return []
    taxonomy = groups[0].runs[0].taxonomy
    levels = [level for level in range(1, taxonomy.num_levels + 1) if taxonomy.level_nodes(level).size > 1]
    found = [[_confusion(group, level, taxonomy.at_level(level)) for group in groups] for level in levels]
    return [entries for entries in found if entries[0].count.size]


def _confusion(group: Group, level: int, representative: IntArray) -> Confusion:
    pairs = [_placed(run, level, representative) for run in group.runs]
    label, answer = (np.concatenate(part) for part in zip(*pairs, strict=True))
    codes, count = np.unique(label * representative.size + answer, return_counts=True)
    num_left_out = group.runs[0].target.size - pairs[0][0].size
    return Confusion(level, group, *np.divmod(codes, representative.size), count, num_left_out)


def _placed(run: ReportedRun, level: int, representative: IntArray) -> tuple[IntArray, IntArray]:
    """Representatives of labels and answers at a level, for the images whose label reaches it.

    If the decision gives one node per level, the answer is the one at this level.
    """
    reaches = run.taxonomy.speaks(level)[run.target]
    column = PREDICTED_LEVEL + run.taxonomy.level_names[level - 1]
    answers = run.outcomes[column].to_numpy().astype(np.int64) if column in run.outcomes.columns else run.predicted
    return representative[run.target[reaches]], representative[answers[reaches]]


@dataclasses.dataclass(frozen=True)
class ConfusedPair:
    """A label that was answered with another node; ``pictures`` are addresses of example images."""

    label: str
    answer: str
    label_path: str
    answer_path: str
    num_answers: int
    share: float
    pictures: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class ConfusionPanel:
    """A group at a level: the share of right, coarser and wrong answers, and the pairs confused most often."""

    group: Group
    level: str
    num_answers: int
    num_right: int
    num_coarser: int
    num_wrong: int
    num_left_out: int
    pairs: tuple[ConfusedPair, ...]

    def percent(self, number: int) -> str:
        """Share of the answers.

        Example:
            >>> ConfusionPanel(None, "genus", 8, 7, 0, 1, 0, ()).percent(7)
            '87.5%'
        """
        return f"{100 * number / max(1, self.num_answers):.1f}%"


@dataclasses.dataclass(frozen=True)
class ConfusionSection(Section):
    """One panel per level, coarse to fine, and group; all pairs as JSON for the page's matrix."""

    template: ClassVar[str] = "confusion.html"
    levels: tuple[str, ...]
    groups: tuple[Group, ...]
    panels: tuple[tuple[ConfusionPanel, ...], ...]
    data: str
    found: Sequence[Sequence[Confusion]]

    @property
    def script_data(self) -> Mapping[str, str]:
        return {"confusion": self.data}

    def frames(self) -> Iterator[tuple[str, pl.DataFrame]]:
        yield "confusion", confusion_rows(self.found)


def confusion_sections(comparison: Comparison) -> Iterator[ConfusionSection]:
    """The section, if any level has two classes."""
    if found := confusions_of(comparison.placing):
        yield _section(comparison.placing, found)


def _section(groups: Sequence[Group], found: Sequence[Sequence[Confusion]]) -> ConfusionSection:
    room = MOST_PAIRS // (len(found) * len(groups))
    pictures = MOST_PICTURES // (len(found) * len(groups))
    content = {"levels": [_level_data(entries, room) for entries in found]}
    return ConfusionSection(
        levels=tuple(entries[0].name for entries in found),
        groups=tuple(groups),
        panels=tuple(tuple(_panel(each, pictures) for each in entries) for entries in found),
        data=as_script_data(json.dumps(content, separators=(",", ":"))),
        found=found,
    )


def _panel(found: Confusion, most_pictures: int) -> ConfusionPanel:
    places = found.most_frequent_mistakes(LISTED)
    taxonomy = found.taxonomy
    label, answer = found.label[places], found.answer[places]
    names = _names(np.concatenate([label, answer]), taxonomy)
    examples = _examples(found, places[: most_pictures // EXAMPLES])
    return ConfusionPanel(
        group=found.group,
        level=found.name,
        num_answers=int(found.count.sum()),
        num_right=found.sum_of(Status.RIGHT),
        num_coarser=found.sum_of(Status.COARSER),
        num_wrong=found.sum_of(Status.WRONG),
        num_left_out=found.num_left_out,
        pairs=tuple(
            ConfusedPair(
                label=names[int(label[i])],
                answer=names[int(answer[i])],
                label_path=taxonomy.path_name(int(label[i])),
                answer_path=taxonomy.path_name(int(answer[i])) or names[int(answer[i])],
                num_answers=int(found.count[place]),
                share=float(found.share[place]),
                pictures=examples.get(int(place), ()),
            )
            for i, place in enumerate(places.tolist())
        ),
    )


def _names(nodes: IntArray, taxonomy: Taxonomy) -> dict[int, str]:
    """Short names of nodes, or paths where two nodes share a name."""
    different = np.unique(nodes)
    return dict(zip(different.tolist(), axis_names(different, taxonomy), strict=True))


def _examples(found: Confusion, places: IntArray) -> dict[int, tuple[str, ...]]:
    """Pictures of images behind some of the pairs, from the shown run, the most confident answers first."""
    run, taxonomy = found.group.shown_run, found.taxonomy
    representative = taxonomy.at_level(found.level)
    rows = np.flatnonzero(run.taxonomy.speaks(found.level)[run.target])
    label, answer = _placed(run, found.level, representative)
    code = label * taxonomy.num_nodes + answer
    order = np.lexsort((-np.nan_to_num(run.confidence[rows], nan=-1.0), code))
    wanted = found.label[places] * taxonomy.num_nodes + found.answer[places]
    starts, ends = (np.searchsorted(code[order], wanted, side) for side in ("left", "right"))
    chosen = {
        place: [str(run.paths[row]) for row in rows[order[start : min(end, start + EXAMPLES)]].tolist()]
        for place, start, end in zip(places.tolist(), starts.tolist(), ends.tolist(), strict=True)
    }
    made = {
        place: [thumbnail(run.image_root / path, EXAMPLE_SIDE) for path in paths] for place, paths in chosen.items()
    }
    return {place: tuple(picture for picture in pictures if picture) for place, pictures in made.items()}


def _level_data(entries: Sequence[Confusion], room: int) -> dict[str, Any]:
    """Data of one level for the page's script.

    Classes are numbered in the order of the tree, followed by the nodes above the level, each with the range of the
    classes below it.
    """
    taxonomy, level = entries[0].taxonomy, entries[0].level
    nodes = np.unique(np.concatenate([part for each in entries for part in (each.label, each.answer)]))
    is_class = np.isin(nodes, taxonomy.level_nodes(level), assume_unique=True)
    classes, above = nodes[is_class], nodes[~is_class]
    number = np.empty(nodes.size, dtype=np.int64)
    number[is_class], number[~is_class] = np.arange(classes.size), classes.size + np.arange(above.size)
    every = np.concatenate([classes, above])
    return {
        "name": entries[0].name,
        "names": axis_names(every, taxonomy),
        "paths": [taxonomy.path_name(node) or "the root" for node in every.tolist()],
        "classes": int(classes.size),
        "covers": np.stack([np.searchsorted(classes, above), np.searchsorted(classes, taxonomy.end[above])], 1).tolist()
        if above.size
        else [],
        "parts": _parts(entries, classes),
        "groups": [_group_data(each, nodes, number, room) for each in entries],
    }


def _group_data(found: Confusion, nodes: IntArray, number: IntArray, room: int) -> dict[str, Any]:
    """Pairs of one group: the right ones, and as many others as there is room for, the most frequent first."""
    order = np.lexsort((-found.count, found.status != Status.RIGHT))[:room]
    label, answer = (number[np.searchsorted(nodes, part[order])] for part in (found.label, found.answer))
    first = np.unique(found.label, return_index=True)[1]
    totals = np.stack([number[np.searchsorted(nodes, found.label[first])], found.total[first]], axis=1)
    return {
        "seeds": len(found.group.runs),
        "label": label.tolist(),
        "answer": answer.tolist(),
        "count": found.count[order].tolist(),
        "totals": totals.tolist(),
        "cut": int(found.count.size - order.size),
    }


def _parts(entries: Sequence[Confusion], classes: IntArray) -> list[dict[str, Any]]:
    """The sets of classes to choose from: all classes or those confused most often, and subtrees.

    A subtree is named by its lowest node; subtrees with one class or too many for a matrix are left out.
    """
    taxonomy = entries[0].taxonomy
    wrong = np.zeros(classes.size, dtype=np.int64)
    for each in entries:
        mistakes = each.status == Status.WRONG
        for part in (each.label, each.answer):
            there = np.minimum(np.searchsorted(classes, part), classes.size - 1)
            counts = mistakes & (classes[there] == part)
            np.add.at(wrong, there[counts], each.count[counts])
    if classes.size <= MOST_CLASSES:
        name = f"all {classes.size} classes" if classes.size > 1 else "the only class"
        first = {"name": name, "of": list(range(classes.size))}
    else:
        most = _most_mixed_up(entries, classes)
        first = {"name": f"the {most.size} classes confused most often", "of": most.tolist()}
    lowest: dict[tuple[int, int], int] = {}
    for node in _ancestors(classes, taxonomy).tolist():
        start, end = np.searchsorted(classes, [node, taxonomy.end[node]]).tolist()
        if 1 < end - start <= min(MOST_CLASSES, classes.size - 1):
            lowest[start, end] = node  # in the order of the tree, so that the deepest node of a chain is kept
    inside = np.concatenate([[0], np.cumsum(wrong)])
    chosen = sorted(lowest, key=lambda span: (inside[span[0]] - inside[span[1]], span))[:MOST_PARTS]
    subtrees = [{"name": taxonomy.path_name(lowest[span]), "of": list(range(*span))} for span in sorted(chosen)]
    return [first, *subtrees]


def _most_mixed_up(entries: Sequence[Confusion], classes: IntArray) -> IntArray:
    """Indices of the classes in the most frequent wrong pairs over all groups, in the order of the tree."""
    wrong = [(each.status == Status.WRONG) & np.isin(each.answer, classes) for each in entries]
    size = entries[0].taxonomy.num_nodes
    codes = np.concatenate(
        [each.label[is_wrong] * size + each.answer[is_wrong] for each, is_wrong in zip(entries, wrong, strict=True)]
    )
    counts = np.concatenate([each.count[is_wrong] for each, is_wrong in zip(entries, wrong, strict=True)])
    pairs, place = np.unique(codes, return_inverse=True)
    order = np.argsort(-np.bincount(place, weights=counts), kind="stable")
    nodes = np.stack(np.divmod(pairs[order], size), axis=1).ravel()
    nodes = np.concatenate([nodes, classes])  # if there are too few mistakes, fill up with classes without any
    appears = np.unique(nodes, return_index=True)[1]
    return np.sort(np.searchsorted(classes, nodes[np.sort(appears)[:MOST_CLASSES]]))


def _ancestors(nodes: IntArray, taxonomy: Taxonomy) -> IntArray:
    """All ancestors of the nodes except the root, ascending."""
    found = np.zeros(taxonomy.num_nodes, dtype=bool)
    current = np.unique(taxonomy.parents[nodes])
    while (current := current[(current > 0) & ~found[current]]).size:
        found[current] = True
        current = np.unique(taxonomy.parents[current])
    return np.flatnonzero(found)


def confusion_rows(found: Sequence[Sequence[Confusion]]) -> pl.DataFrame:
    """One row per level, group and pair of label and answer that occurs; counts are sums over the seeds."""
    parts: list[pl.DataFrame] = []
    for each in (each for entries in found for each in entries):
        nodes = np.unique(np.concatenate([each.label, each.answer]))
        path = np.array([each.taxonomy.path_name(node) for node in nodes.tolist()], dtype=object)
        label, answer = (path[np.searchsorted(nodes, part)].tolist() for part in (each.label, each.answer))
        worth = np.array([status.name.lower() for status in Status])[each.status]
        parts.append(
            pl.DataFrame(
                {
                    "level": each.name,
                    "group": each.group.label,
                    "num_seeds": len(each.group.runs),
                    "label": pl.Series(label, dtype=pl.String),
                    "answer": pl.Series(answer, dtype=pl.String),
                    "worth": worth.tolist(),
                    "num_answers": each.count,
                    "share_of_label": each.share,
                }
            )
        )
    return pl.concat(parts)
