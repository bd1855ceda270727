"""Confusion by level: the pairs, what the page holds of them, and the rows of the file."""

from __future__ import annotations

import json
from collections import Counter

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.records.layout import RunFolder
from cladewise.report import compare
from cladewise.report.comparison import Comparison
from cladewise.report.export import export_sections
from cladewise.report.page import section_html
from cladewise.report.runs.status import Status
from cladewise.report.sections import confusion
from cladewise.report.sections.confusion import confusion_rows, confusion_sections, confusions_of

paths = st.lists(st.lists(st.sampled_from("abcd"), min_size=1, max_size=4).map(tuple), min_size=2, max_size=14)


class MadeUpRun:
    """Labels and answers at random nodes, without a folder."""

    def __init__(self, taxonomy: Taxonomy, seed: int, number: int = 40) -> None:
        generator = np.random.default_rng(seed)
        self.taxonomy = taxonomy
        self.target, self.predicted = generator.integers(0, taxonomy.num_nodes, (2, number))
        self.outcomes = pl.DataFrame({"target": self.target})


class MadeUpGroup:
    """Two seeds over one tree."""

    def __init__(self, taxonomy: Taxonomy, seed: int) -> None:
        self.runs = (MadeUpRun(taxonomy, seed), MadeUpRun(taxonomy, seed + 1))
        self.runs[1].target = self.runs[0].target


def counted_by_walking(run, level: int) -> Counter[tuple[int, int, str]]:
    """Pairs of label and answer at a level with their worth, one image at a time."""
    tree, found = run.taxonomy, Counter()
    for target, predicted in zip(run.target.tolist(), run.predicted.tolist(), strict=True):
        if not (tree.is_leaf[target] or tree.level[target] >= level):
            continue
        label, answer = ([v for v in tree.path(node) if tree.level[v] <= level][-1] for node in (target, predicted))
        worth = "RIGHT" if label == answer else "COARSER" if answer in tree.path(label) else "WRONG"
        found[label, answer, worth] += 1
    return found


def pairs_of(found) -> dict[tuple[int, int, str], int]:
    names = [Status(status).name for status in found.status.tolist()]
    keys = zip(found.label.tolist(), found.answer.tolist(), names, strict=True)
    return dict(zip(keys, found.count.tolist(), strict=True))


@settings(max_examples=50, deadline=None)
@given(paths, st.integers(0, 10**6))
def test_counts_against_walking_the_paths(paths, seed):
    group = MadeUpGroup(Taxonomy.from_paths(paths), seed)
    for (found,) in confusions_of([group]):
        expected = sum((counted_by_walking(run, found.level) for run in group.runs), Counter())
        assert pairs_of(found) == expected
        by_label = Counter()
        for (label, _, _), count in expected.items():
            by_label[label] += count
        assert found.total.tolist() == [by_label[label] for label in found.label.tolist()]
        assert found.num_left_out == 40 - sum(counted_by_walking(group.runs[0], found.level).values())


def matrix_of(level, group, part):
    """The page's matrix of some classes as its script builds it: counts, and the rest of each row."""
    place = {node: index for index, node in enumerate(part)}
    matrix, rest = np.zeros((len(part), len(part)), dtype=int), dict(group["totals"])
    for label, answer, count in zip(group["label"], group["answer"], group["count"], strict=True):
        if label in place and answer in place:
            matrix[place[label], place[answer]] += count
            rest[label] -= count
    return matrix, [rest.get(node, 0) for node in part]


@settings(max_examples=40, deadline=None)
@given(paths, st.integers(0, 10**6))
def test_the_page_holds_every_matrix_and_names_the_worth_of_its_columns(paths, seed):
    tree = Taxonomy.from_paths(paths)
    group = MadeUpGroup(tree, seed)
    for (found,) in confusions_of([group]):
        level = confusion._level_data([found], room=10**6)
        expected, (data,) = pairs_of(found), level["groups"]
        nodes = sorted(
            {node for pair in expected for node in pair[:2]}, key=lambda v: (v not in tree.level_nodes(found.level), v)
        )
        assert level["paths"] == [tree.path_name(node) or "the root" for node in nodes]
        assert data["cut"] == 0
        for part in level["parts"]:
            matrix, rest = matrix_of(level, data, part["of"])
            for i, row in enumerate(part["of"]):
                of_row = {pair[1]: count for pair, count in expected.items() if pair[0] == nodes[row]}
                assert matrix[i].tolist() == [of_row.get(nodes[column], 0) for column in part["of"]]
                assert matrix[i].sum() + rest[i] == sum(of_row.values())
        for answer, (start, end) in enumerate(level["covers"], start=level["classes"]):
            for label in range(level["classes"]):
                assert (start <= label < end) == bool(tree.contains(nodes[answer], nodes[label]))


def test_parts_are_subtrees_of_at_most_a_screenful(make_maker):
    tree = Taxonomy.from_paths([(f"g{i // 8}", f"n{i}") for i in range(400)])
    maker = make_maker(tree)
    groups = Comparison.read([maker.write("f", with_operating=False, skill=0.3)]).groups
    _, fine = json.loads(confusion._section(groups, confusions_of(groups)).data)["levels"]
    first, *others = fine["parts"]
    assert first["name"] == "the 30 classes confused most often"
    assert len(first["of"]) == confusion.MOST_CLASSES
    assert first["of"] == sorted(first["of"])
    ((found,),) = confusions_of(groups)[1:]
    inside = {fine["paths"][index] for index in first["of"]}
    worst = found.most_frequent_mistakes(confusion.MOST_CLASSES)
    shown = [
        {tree.path_name(int(found.label[place])), tree.path_name(int(found.answer[place]))} <= inside
        for place in worst.tolist()
    ]
    assert sum(shown) >= confusion.MOST_CLASSES // 2, "they are confused with each other"
    assert others[0]["name"] == "g0"
    for part in others:
        assert {fine["paths"][index].split("/")[0] for index in part["of"]} == {part["name"]}
        assert 1 < len(part["of"]) <= confusion.MOST_CLASSES


def test_where_the_pairs_are_too_many_the_rarest_are_summed(make_maker):
    tree = Taxonomy.from_paths([(f"n{i}",) for i in range(60)])
    maker = make_maker(tree, per_leaf=4)
    groups = Comparison.read([maker.write("f", with_operating=False, skill=0.2)]).groups
    ((found,),) = confusions_of(groups)
    level = confusion._level_data([found], room=50)
    (data,) = level["groups"]
    assert len(data["label"]) == 50
    assert data["cut"] == found.count.size - 50
    assert sum(total for _, total in data["totals"]) == found.count.sum()
    kept = [a == b for a, b in zip(data["label"], data["answer"], strict=True)]
    assert sum(kept) == (found.status == Status.RIGHT).sum()


def test_ten_thousand_classes_stay_sparse(make_maker):
    tree = Taxonomy.from_paths([(f"g{i // 100}", f"s{i // 10}", f"n{i}") for i in range(10_000)])
    folder = make_maker(tree).write("f", with_operating=False, skill=0.3)
    (section,) = confusion_sections(Comparison.read([folder]))
    assert len(section.data) + len(section_html(section)) < 4e6
    ((_, rows),) = section.frames()
    assert rows.filter(pl.col("level") == "level_3")["num_answers"].sum() < 10_000
    assert "the 30 classes confused most often" in section.data


def test_answers_by_level_are_taken_level_by_level(maker, taxonomy):
    folder = maker.write("f", method="hace", with_operating=False)
    file = RunFolder(folder).outcomes("test", "none", "leaf")
    frame = pl.read_parquet(file)
    other = np.roll(maker.images.target, 7)
    columns = {f"predicted_{name}": taxonomy.at_level(k)[other] for k, name in enumerate(taxonomy.level_names, start=1)}
    frame.with_columns(pl.Series(name, values) for name, values in columns.items()).write_parquet(file)
    groups = Comparison.read([folder]).groups
    for (found,) in confusions_of(groups):
        representative = taxonomy.at_level(found.level)
        says = taxonomy.is_leaf[maker.images.target] | (taxonomy.level[maker.images.target] >= found.level)
        run = groups[0].runs[0]
        order = np.argsort(maker.images.paths, kind="stable")
        expected = Counter(
            zip(
                representative[maker.images.target[order]][says[order]].tolist(),
                representative[other[order]][says[order]].tolist(),
                strict=True,
            )
        )
        assert {pair[:2]: count for pair, count in pairs_of(found).items()} == expected
        assert run.outcomes.height == says.size


def test_the_panels_say_what_the_counts_say(maker):
    groups = Comparison.read([maker.write(f"f{seed}", seed=seed) for seed in range(2)]).groups
    section = confusion._section(groups, confusions_of(groups))
    ((panel,),) = section.panels[-1:]
    ((found,),) = confusions_of(groups)[-1:]
    assert panel.num_right + panel.num_coarser + panel.num_wrong == panel.num_answers == found.count.sum()
    assert panel.num_left_out == 7
    counts = [pair.num_answers for pair in panel.pairs]
    assert counts == sorted(counts, reverse=True)
    worst = panel.pairs[0]
    assert worst.num_answers == max(found.count[found.status == Status.WRONG])
    assert len(worst.pictures) <= confusion.EXAMPLES


def test_examples_are_images_of_the_pair(maker, images):
    groups = Comparison.read([maker.write("f", skill=0.2)]).groups
    for (found,) in confusions_of(groups):
        places = found.most_frequent_mistakes(5)
        run, representative = groups[0].runs[0], found.taxonomy.at_level(found.level)
        shown = confusion._examples(found, places)
        for place in places.tolist():
            behind = np.flatnonzero(
                (representative[run.target] == found.label[place])
                & (representative[run.predicted] == found.answer[place])
            )
            possible = {
                confusion.thumbnail(images.root / run.paths[row], confusion.EXAMPLE_SIDE) for row in behind.tolist()
            }
            assert shown[place]
            assert set(shown[place]) <= possible


def test_the_file_has_every_pair(maker, tmp_path):
    folders = [maker.write("f"), maker.write("h", method="hace", skill=0.8, decision="majority")]
    comparison = Comparison.read(folders)
    export_sections(confusion_sections(comparison), tmp_path)
    frame, groups = pl.read_csv(tmp_path / "confusion.csv"), comparison.groups
    for entries in confusions_of(groups):
        for found in entries:
            rows = frame.filter((pl.col("level") == found.name) & (pl.col("group") == found.group.label))
            assert rows["num_answers"].to_list() == found.count.tolist()
            assert rows["share_of_label"].to_numpy() == pytest.approx(found.share)
            assert set(rows["worth"]) <= {"right", "coarser", "wrong"}
    assert confusion_rows(confusions_of(groups)).height == frame.height


def test_a_single_class_and_a_single_image(make_maker, tmp_path):
    maker = make_maker(Taxonomy.from_paths([("only",)]))
    text = compare([maker.write("one", with_operating=False)], tmp_path / "page.html").read_text()
    assert 'id="confusion"' not in text
    assert "#confusion" not in text[text.index('id="contents"') : text.index("</nav>")]
