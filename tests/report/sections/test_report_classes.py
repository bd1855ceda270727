"""Accuracy by class against the baseline."""

from __future__ import annotations

import itertools

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.drawing.node_names import axis_names
from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.sections.classes import (
    ClassAccuracy,
    bars_of,
    class_accuracies,
    class_charts,
    class_sections,
)


@pytest.fixture
def groups(maker):
    folders = [maker.write(f"f{seed}", seed=seed) for seed in range(2)]
    folders += [maker.write("h", method="hace", skill=0.8), maker.write("x", method="hxe", skill=0.5)]
    return Comparison.read(folders).groups


def accuracy_by_walking(run, level: int, node: int) -> tuple[list[bool], int]:
    """Whether each image of a class is right at a level, one image at a time."""
    tree, right = run.taxonomy, []
    for target, predicted in zip(run.target.tolist(), run.predicted.tolist(), strict=True):
        if not (tree.is_leaf[target] or tree.level[target] >= level):
            continue
        true_part = [v for v in tree.path(target) if tree.level[v] <= level][-1]
        if true_part == node:
            right.append(true_part == [v for v in tree.path(predicted) if tree.level[v] <= level][-1])
    return right, len(right)


def test_accuracies_against_walking_the_paths(groups, taxonomy):
    found = class_accuracies(groups, groups[0])
    assert [each.level for each in found] == ["kingdom", "family", "species"]
    for level, each in enumerate(found, start=1):
        for place, node in enumerate(each.nodes.tolist()):
            for group in groups:
                answers = [accuracy_by_walking(run, level, node) for run in group.runs]
                assert each.num_images[place] == answers[0][1]
                expected = np.mean([np.mean(right) for right, _ in answers])
                assert each.accuracy[group.index][place] == pytest.approx(expected)
        assert each.num_images.sum() == sum(
            taxonomy.is_leaf[target] or taxonomy.level[target] >= level for target in groups[0].runs[0].target.tolist()
        )


def test_classes_go_from_the_hardest_to_the_easiest_of_the_baseline(groups):
    for baseline in groups:
        for each in class_accuracies(groups, baseline):
            assert (np.diff(each.accuracy[baseline.index]) >= 0).all()
            assert not each.change(baseline).any()
            weighted = np.average(each.accuracy[baseline.index], weights=each.num_images)
            metric = np.mean([run.evaluation.value(f"level_accuracy/{each.level}") for run in baseline.runs])
            assert weighted == pytest.approx(metric)


def test_the_charts_hold_these_numbers(groups, taxonomy):
    found = class_accuracies(groups, groups[0])
    charts = class_charts(found, groups)
    assert [chart.key for chart in charts] == ["classes-0", "classes-1", "classes-2"]
    for each, chart in zip(found, charts, strict=True):
        baseline, hace, hxe, images = chart.figure.data
        assert list(baseline.y) == pytest.approx((100 * each.accuracy[0]).tolist(), abs=1e-4)
        assert list(hace.y) == pytest.approx((100 * each.change(groups[1])).tolist(), abs=1e-4)
        assert list(hxe.y) == pytest.approx((100 * each.change(groups[2])).tolist(), abs=1e-4)
        assert list(images.y) == each.num_images.tolist()
        assert len(set(baseline.x)) == each.nodes.size
        assert "<script>" not in chart.json()
        ranges = [chart.figure.layout[f"yaxis{row}"].range for row in (2, 3)]
        assert ranges[0] == ranges[1], "panels are drawn to one scale"
        assert ranges[0][1] >= max(np.abs(hace.y).max(), np.abs(hxe.y).max()) - 1e-4


def test_panels_lie_one_under_another(groups):
    layout = class_charts(class_accuracies(groups, groups[0]), groups)[0].figure.layout
    domains = [layout[name].domain for name in ("yaxis", "yaxis2", "yaxis3", "yaxis4")]
    assert all(upper[0] > lower[1] for upper, lower in itertools.pairwise(domains))
    assert domains[-1][0] >= 0
    assert domains[0][1] < 1


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.randoms(use_true_random=False))
def test_a_bar_of_several_classes_is_their_mean(number, most, random):
    tree = Taxonomy.from_paths([(f"n{i}",) for i in range(number)])

    class One:
        index, label = 0, "a"

    class Two:
        index, label = 1, "b"

    values = [np.array([random.random() for _ in range(number)]) for _ in range(2)]
    found = ClassAccuracy("level", One, tree.leaf_nodes, np.arange(number) + 1, dict(enumerate(values)))
    bars = bars_of(found, [One, Two], tree, most=most)
    assert len(bars.names) == len(set(bars.names)) == bars.accuracy.size <= most
    assert bars.num_images.sum() == found.num_images.sum()
    for place in range(bars.accuracy.size):
        part = slice(place * bars.per_bar, (place + 1) * bars.per_bar)
        assert bars.accuracy[place] == pytest.approx(100 * values[0][part].mean())
        assert bars.change[1][place] == pytest.approx(100 * (values[1] - values[0])[part].mean())


def test_names_of_an_axis_are_all_different():
    tree = Taxonomy.from_paths([("a", "x"), ("b", "x"), ("b", "y"), ("c",)])
    assert axis_names(tree.leaf_nodes, tree) == ["a › x", "b › x", "y", "c"]
    twice = Taxonomy.from_parents([-1, 0, 0], ["", "n", "n"], synthetic_root=True)
    assert axis_names(np.array([1, 2]), twice) == ["n", "n (2)"]


def test_one_group_has_nothing_to_be_compared_with(maker):
    folder = maker.write("f")
    assert list(class_sections(Comparison.read([folder]))) == []


def test_a_chosen_baseline_is_the_one_of_the_page(maker):
    folders = [maker.write("f"), maker.write("h", method="hace", skill=0.8)]
    (section,) = class_sections(Comparison.read(folders, baseline="hace"))
    assert "from the hardest for <b><bdi>hace</bdi></b>" in section_html(section)


def test_many_classes_scroll_on_a_narrow_screen(make_maker):
    tree = Taxonomy.from_paths([(f"g{i // 40}", f"n{i}") for i in range(400)])
    maker = make_maker(tree)
    folders = [maker.write("f", with_operating=False), maker.write("h", method="hace", with_operating=False)]
    groups = Comparison.read(folders).groups
    coarse, fine = class_charts(class_accuracies(groups, groups[0]), groups)
    assert coarse.min_width == 0
    assert fine.min_width == len(fine.figure.data[0].x) > 300


def test_the_files_hold_the_numbers_and_draw_them(groups, drawn):
    (section,) = class_sections(Comparison(groups, groups[0]))
    pictures, ((name, frame),) = drawn(section), section.frames()
    assert (name, list(pictures)) == ("classes", ["classes-kingdom", "classes-family", "classes-species"])
    found = section.by_level[2]
    there = frame.filter((pl.col("level") == "species") & (pl.col("group") == "hace"))
    assert there["difference"].to_numpy() == pytest.approx(found.change(groups[1]))
    assert there["num_images"].to_list() == found.num_images.tolist()
    assert "percentage points" in pictures["classes-species"]
