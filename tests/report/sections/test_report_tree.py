"""The tree coloured by accuracy."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import Taxonomy
from cladewise.report.comparison import Comparison
from cladewise.report.runs.run import read_run
from cladewise.report.sections import by_node
from cladewise.report.sections.by_node import deepest_within, most_confused, node_section, score_nodes, subtree_counts


@st.composite
def trees_with_answers(draw):
    paths = draw(st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=12))
    tree = Taxonomy.from_paths(paths)
    nodes = st.integers(0, tree.num_nodes - 1)
    pairs = draw(st.lists(st.tuples(nodes, nodes), min_size=1, max_size=20))
    target, predicted = np.array(pairs).T
    return tree, target, predicted


@settings(max_examples=60, deadline=None)
@given(trees_with_answers())
def test_counts_against_walking_the_paths(case):
    tree, target, predicted = case
    total, right = subtree_counts(target, tree), subtree_counts(tree.lca(target, predicted), tree)
    for node in range(tree.num_nodes):
        labelled = [(t, p) for t, p in zip(target.tolist(), predicted.tolist(), strict=True) if node in tree.path(t)]
        assert total[node] == len(labelled)
        assert right[node] == sum(node in tree.path(p) for _, p in labelled)


@settings(max_examples=60, deadline=None)
@given(trees_with_answers())
def test_confusions_against_counting_one_by_one(case):
    tree, target, predicted = case
    other, count = most_confused(target, predicted, tree)
    for node in range(tree.num_nodes):
        level = int(tree.level[node])
        left = Counter(
            [v for v in tree.path(p) if tree.level[v] <= level][-1]
            for t, p in zip(target.tolist(), predicted.tolist(), strict=True)
            if node in tree.path(t) and node not in tree.path(p)
        )
        best = min(left, key=lambda v: (-left[v], v)) if left else -1
        assert (other[node], count[node]) == (best, left.get(best, 0))


def test_seeds_are_averaged_and_images_counted_once(maker, taxonomy, images):
    wrong = images.target.copy()
    apple, pear = taxonomy.find("apple"), taxonomy.find("pear")
    wrong[images.target == apple] = pear
    runs = [
        read_run(maker.write("a", predicted=images.target), "test"),
        read_run(maker.write("b", seed=1, predicted=wrong), "test"),
    ]
    scores = score_nodes(runs)
    apples = int((images.target == apple).sum())
    assert scores.num_images[apple] == apples
    assert scores.accuracy[apple] == 0.5
    assert scores.accuracy[0] == 1
    assert (scores.confused_with[apple], scores.confused[apple]) == (pear, 0.5)
    assert scores.confused_with[pear] == -1


def test_every_node_with_images_is_in_the_chart_under_its_parent(maker, taxonomy):
    groups = Comparison.read([maker.write("f"), maker.write("h", method="hace", skill=0.8)]).groups
    section = node_section(groups)
    trace = section.chart.figure.data[0]
    assert len(trace.ids) == taxonomy.num_nodes
    assert trace.parents[0] == ""
    assert set(trace.parents[1:]) <= set(trace.ids)
    by_id = dict(zip(trace.ids, trace.values, strict=True))
    for node in range(taxonomy.num_nodes):
        below = sum(by_id[str(child)] for child in taxonomy.children(node))
        assert below <= by_id[str(node)]  # the rest is labelled at the node itself
    assert [view.label for view in section.chart.views] == ["flat-softmax", "hace"]
    assert "&lt;/script&gt;" in "".join(trace.labels)
    assert section.left_out == ""


@pytest.mark.parametrize(("most", "depth"), [(5, 1), (11, 1), (110, 1), (111, 2), (1110, 2), (1111, 3), (10**6, 3)])
def test_how_deep_a_wide_tree_is_shown(most, depth):
    tree = Taxonomy.from_paths([(f"g{i // 100}", f"s{i // 10}", f"n{i}") for i in range(1000)])
    assert deepest_within(subtree_counts(tree.leaf_nodes, tree), tree, most) == depth


def test_a_wide_tree_is_cut_and_says_so(make_maker, monkeypatch):
    monkeypatch.setattr(by_node, "MOST_NODES", 20)
    tree = Taxonomy.from_paths([(f"g{i // 7}", f"n{i}") for i in range(70)])
    section = node_section(Comparison.read([make_maker(tree).write("f")]).groups)
    assert len(section.chart.figure.data[0].ids) == 11
    assert section.left_out.endswith("The tree is shown down to depth 1; 63 deeper nodes with images are left out.")


def test_nodes_without_images_are_left_out_and_counted(make_maker):
    tree = Taxonomy.from_paths([("a", f"n{i}") for i in range(10)] + [("b", "m")])
    maker = make_maker(tree)
    keep = slice(0, 4)
    maker.images.paths[:] = maker.images.paths[keep]
    object.__setattr__(maker.images, "target", maker.images.target[keep])
    section = node_section(Comparison.read([maker.write("f")]).groups)
    assert len(section.chart.figure.data[0].ids) == 6
    assert section.left_out == "8 of 14 nodes have no image in this split and are left out."


@pytest.mark.slow
def test_ten_thousand_leaves(make_maker):
    tree = Taxonomy.from_paths([(f"o{i // 1000}", f"f{i // 100}", f"g{i // 10}", f"s{i}") for i in range(10_000)])
    run = make_maker(tree, per_leaf=2).write("f", with_operating=False)  # made up point by point, they would take hours
    section = node_section(Comparison.read([run]).groups)
    assert len(section.chart.figure.data[0].ids) == 11_111
    assert len(section.chart.json()) < 3_000_000
