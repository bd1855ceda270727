"""Transition matrices beside the naive ones."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save_file

from cladewise import InputError, Taxonomy
from cladewise.records.layout import RunFolder
from cladewise.records.transitions import naive_transition
from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.sections.transitions import shrunk, transition_rows, transition_sections, transitions_of

ragged = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=12)


def groups_of(folders):
    return Comparison.read(folders).groups


def sections_of(folders):
    return list(transition_sections(Comparison.read(folders)))


@pytest.fixture
def learnt(maker):
    """A flat run without matrices, and two seeds of one that learnt some."""
    folders = [maker.write("f"), *(maker.write(f"l{seed}", method="level-softmax", seed=seed) for seed in range(2))]
    matrices = [maker.write_transitions(folder, seed=seed) for seed, folder in enumerate(folders[1:])]
    return folders, matrices


@settings(max_examples=50, deadline=None)
@given(ragged)
def test_naive_matrices_against_walking_the_paths(paths):
    tree = Taxonomy.from_paths(paths)
    for coarse in range(1, tree.num_levels):
        for fine in range(coarse + 1, tree.num_levels + 1):
            up, down = (naive_transition(tree, coarse, fine, order) for order in ("f2c", "c2f"))
            rows, columns = tree.level_nodes(coarse).tolist(), tree.level_nodes(fine).tolist()
            assert up.shape == down.shape == (len(rows), len(columns))
            for i, row in enumerate(rows):
                below = [
                    j
                    for j, node in enumerate(columns)
                    if [v for v in tree.path(node) if tree.level[v] <= coarse][-1] == row
                ]
                for j in range(len(columns)):
                    assert up[i, j] == (j in below)
                    assert down[i, j] == (np.float32(1 / len(below)) if j in below else 0)
            assert (up.sum(axis=0) == 1).all()


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 4), st.integers(0, 10**6))
def test_a_shrunk_matrix_keeps_the_greatest_of_each_block(rows, columns, height, width, seed):
    matrix = np.random.default_rng(seed).uniform(size=(rows, columns))
    small = shrunk(matrix, height, width)
    assert small.shape == (-(-rows // height), -(-columns // width))
    for i in range(small.shape[0]):
        for j in range(small.shape[1]):
            block = matrix[i * height : (i + 1) * height, j * width : (j + 1) * width]
            assert small[i, j] == block.max()


def test_seeds_are_averaged_and_groups_without_are_left_out(learnt, taxonomy):
    folders, matrices = learnt
    found = transitions_of(groups_of(folders))
    assert [each.kind for each in found] == [("f2c", 1, 2), ("f2c", 2, 3)]
    for each in found:
        assert list(each.learnt) == [1]
        coarse = each.kind[1]
        mean = np.mean([made[coarse] for made in matrices], axis=0)
        assert each.learnt[1] == pytest.approx(mean, abs=1e-6)
        assert each.rows.tolist() == taxonomy.level_nodes(coarse).tolist()


def test_what_lies_outside_the_tree(learnt):
    folders, _ = learnt
    groups = groups_of(folders)
    for each in transitions_of(groups):
        matrix, outside = each.learnt[1], 0.0
        for i in range(matrix.shape[0]):
            for j in range(matrix.shape[1]):
                outside += matrix[i, j] * (each.naive[i, j] == 0)
        assert each.outside(groups[1]) == pytest.approx(outside / matrix.shape[1])


def test_coarse_to_fine_and_chosen_levels(maker):
    down, skipping = maker.write("d", method="level-softmax"), maker.write("s", method="level-softmax", seed=1)
    maker.write_transitions(down, order="c2f")
    maker.write_transitions(skipping, levels=[1, 3])
    groups = groups_of([down, skipping])
    found = transitions_of(groups)
    assert [each.kind for each in found] == [("f2c", 1, 3), ("c2f", 1, 2), ("c2f", 2, 3)]
    assert found[1].learnt[0].sum(axis=1) == pytest.approx(1)
    rows = transition_rows(found, groups)
    assert [row.title for row in rows] == ["species to kingdom", "kingdom to family", "family to species"]
    assert rows[0].reading == "A column is a node at species; its 2 cells sum to 100%."
    assert rows[1].reading == "A row is a node at kingdom; its 6 cells sum to 100%."


def test_the_charts_hold_percent_in_the_order_of_the_tree(learnt, taxonomy):
    groups = groups_of(learnt[0])
    found = transitions_of(groups)
    for each, row in zip(found, transition_rows(found, groups), strict=True):
        naive, learnt_map = (entry.chart.figure.data[0] for entry in row.maps)
        assert np.asarray(naive.z) == pytest.approx(100 * each.naive)
        assert np.asarray(learnt_map.z) == pytest.approx(100 * each.learnt[1], abs=1e-3)
        assert len(naive.x) == each.columns.size
        assert [entry.group for entry in row.maps] == [None, groups[1]]
        assert "<script>" not in row.maps[1].chart.json()


def test_large_matrices_are_small_on_the_page_and_say_how(make_maker):
    tree = Taxonomy.from_paths([(f"g{i // 10}", f"n{i}") for i in range(2000)])
    maker = make_maker(tree)
    folder = maker.write("l", with_operating=False)
    maker.write_transitions(folder)
    groups = groups_of([folder])
    (row,) = transition_rows(transitions_of(groups), groups)
    assert row.reading.endswith("Each cell of the map is the maximum of 2 × 7 neighbours in the order of the tree.")
    trace = row.maps[1].chart.figure.data[0]
    assert np.asarray(trace.z).shape == (100, 286)
    assert trace.x[0] == "n0 … n6"
    assert trace.y[-1] == "g198 … g199"
    assert len(row.maps[1].chart.json()) < 250_000


def test_the_page_shows_them_or_leaves_the_section_out(learnt):
    folders, _ = learnt
    section = section_html(*sections_of(folders))
    assert section.count('class="chart"') == 4
    assert section.count("is outside the blocks of the tree") == 2
    assert sections_of(folders[:1]) == []


@pytest.mark.parametrize(
    ("tensors", "about", "text"),
    [
        (
            {"level_1": np.ones((3, 3), np.float32)},
            {"order": "f2c", "levels": [1, 2, 3], "num_images": 1},
            r"level_1 of shape \[2, 6\], but got \[3, 3\]",
        ),
        (
            {"level_1": np.ones((2, 6), np.float32)},
            {"order": "up", "levels": [1, 2], "num_images": 1},
            "an order: f2c or c2f, but got 'up'",
        ),
        (
            {"level_2": np.ones((2, 6), np.float32)},
            {"order": "f2c", "levels": [1, 2], "num_images": 1},
            r"matrices of the levels \(1,\), but got matrices of \(2,\)",
        ),
        ({"level_1": np.ones((2, 6), np.float32)}, {"order": "f2c"}, "a file of mean transitions"),
    ],
)
def test_matrices_of_something_else(maker, tensors, about, text):
    folder = maker.write("f")
    file = RunFolder(folder).transitions("test")
    file.parent.mkdir()
    save_file(tensors, file, metadata={"about": json.dumps(about)})
    with pytest.raises(InputError, match=text):
        transitions_of(groups_of([folder]))
    file.write_bytes(b"no tensors")
    with pytest.raises(InputError, match="a file of mean transitions"):
        transitions_of(groups_of([folder]))


def test_a_network_that_knows_another_tree_has_no_place_here(maker):
    folder = maker.write("f")
    maker.write_transitions(folder, known=Taxonomy.from_paths([("a",), ("b",)]))
    assert transitions_of(groups_of([folder])) == []


def test_the_files_hold_every_pair_that_matters(learnt, drawn):
    (section,) = sections_of(learnt[0])
    pictures, ((name, frame),) = drawn(section), section.frames()
    assert (name, list(pictures)) == ("transitions", ["transitions-family-to-kingdom", "transitions-species-to-family"])
    assert "a column sums to 100" in pictures["transitions-family-to-kingdom"]
    frame, each = frame.filter(pl.col("fine_level") == "family"), section.found[0]
    assert frame["naive"].sum() == each.naive.sum()
    assert frame["learnt"].sum() == pytest.approx(each.learnt[1].sum(), abs=0.0005 * each.naive.size)
    assert set(frame["group"]) == {"level-softmax"}


def test_the_strongest_pairs_outside_the_tree_are_named(learnt, taxonomy):
    groups = groups_of(learnt[0])
    found = transitions_of(groups)
    for each, row in zip(found, transition_rows(found, groups), strict=True):
        naive, shown = row.maps
        assert naive.strongest == ()
        outside = sorted(each.learnt[1][each.naive == 0], reverse=True)
        assert [pair.probability for pair in shown.strongest] == pytest.approx(outside[:5])
        names = {taxonomy.path_name(node).split("/")[-1] for node in each.columns.tolist()}
        assert shown.strongest[0].start.split(" › ")[-1] in names, "from the finer to the coarser"
        assert not row.is_wide


def test_names_beside_a_matrix_have_the_room_that_they_need(make_maker):
    tree = Taxonomy.from_paths([(f"group {i // 10}", f"a rather long name of species {i}") for i in range(80)])
    maker = make_maker(tree)
    folder = maker.write("l", with_operating=False)
    maker.write_transitions(folder)
    groups = groups_of([folder])
    (row,) = transition_rows(transitions_of(groups), groups)
    chart = row.maps[1].chart
    axis = chart.figure.layout.xaxis
    assert row.is_wide
    assert len(axis.ticktext) == 80
    assert max(map(len, axis.ticktext)) == 24
    assert chart.figure.data[0].x[3] == "a rather long name of species 3", "the pointer tells the whole name"
    assert chart.min_width >= 80 * 11
    assert chart.figure.layout.margin.b > 24 * 6
