"""The slider: answers at each threshold, and the images that show them."""

from __future__ import annotations

import json

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.runs.sequences import LOG_PROBS, NODES, Sequences, read_sequences
from cladewise.report.runs.status import Status, judge
from cladewise.report.sections.operating_point import (
    NUM_EXAMPLES,
    START,
    THRESHOLDS,
    choose_examples,
    operating_point_sections,
)

PROBABILITIES = [1.0, 0.9, 0.75, 0.5, 0.3, 0.1]


def read_lines(*folders):
    return Comparison.read(folders).lines


def answer_at(sequence, threshold):
    """The last element that reaches the threshold, else the first."""
    return [node for node, p in sequence if p >= threshold][-1:] or [sequence[0][0]]


def joined(images):
    """One sequence an image, as ``(node, probability)`` pairs."""
    image = np.repeat(np.arange(len(images)), [len(sequence) for sequence in images])
    node, probability = (np.array(column) for column in zip(*(pair for each in images for pair in each), strict=True))
    last = np.diff(image, append=-1) != 0
    return Sequences(image, node, probability, np.where(last, 0, np.append(probability[1:], 0)), len(images))


@st.composite
def sequences(draw):
    images = []
    for _ in range(draw(st.integers(1, 6))):
        falling = sorted(draw(st.sets(st.sampled_from(PROBABILITIES), min_size=1)), reverse=True)
        images.append([(draw(st.integers(0, 9)), p) for p in falling])
    return images


@settings(max_examples=60, deadline=None)
@given(sequences(), st.lists(st.sampled_from([*PROBABILITIES, 0.0, 0.2, 0.95]), min_size=1))
def test_means_at_thresholds_against_answering_every_image(images, thresholds):
    flat = joined(images)
    found = flat.mean_at(flat.node.astype(float) ** 2, np.array(thresholds))
    for threshold, mean in zip(thresholds, found.tolist(), strict=True):
        slow = np.mean([answer_at(sequence, threshold)[0] ** 2 for sequence in images])
        assert mean == pytest.approx(slow)


def test_sequences_are_read_in_the_order_of_the_images(maker):
    folder = maker.write("f")
    file = RunFolder(folder).outcomes("test", "none", "leaf")
    frame = pl.read_parquet(file)
    frame.sample(fraction=1.0, shuffle=True, seed=3).write_parquet(file)
    ((run, found),) = read_sequences(read_lines(folder)[0])
    ordered = frame.sort("path")
    assert found.num_images == run.outcomes.height == 66
    for image in (0, 17, 65):
        nodes, probability = found.of(image)
        assert nodes.tolist() == ordered[NODES][image].to_list()
        assert probability == pytest.approx(np.exp(ordered[LOG_PROBS][image].to_numpy()))
        assert (np.diff(probability) < 0).all()


def test_other_images_under_another_inference(maker):
    folder = maker.write("f")
    maker.write_inference(folder, "bottom-up", skill=0.7)
    file = RunFolder(folder).outcomes("test", "bottom-up", "leaf")
    frame = pl.read_parquet(file)
    frame.with_columns(pl.col("path") + "x").write_parquet(file)
    with pytest.raises(InputError, match=r"the same images \(66 in .*\), but got 66 images, not all the same, in .*up"):
        read_sequences(read_lines(folder)[1])
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(
        InputError, match=r"a Parquet file, but got .*bottom-up-leaf\.parquet\. Run: cladewise evaluate"
    ):
        read_sequences(read_lines(folder)[1])
    file.unlink()
    with pytest.raises(InputError, match=r"no such file at .*bottom-up-leaf\.parquet"):
        read_sequences(read_lines(folder)[1])


def test_answers_are_right_coarser_or_wrong(taxonomy):
    apple, fruit, pear, bread = (taxonomy.find(name) for name in ("apple", "fruit", "pear", "food/bread"))
    target = np.array([apple, apple, apple, apple, fruit, fruit])
    answer = np.array([apple, fruit, 0, pear, apple, bread])
    assert judge(target, answer, taxonomy).tolist() == [0, 1, 1, 2, 0, 2]


def test_examples_pass_through_a_right_node_and_go_wrong(taxonomy):
    """Three images of each kind: rescued by the genus, right to the end, wrong from the start."""
    names = ("apple", "pear", "cherry", "fruit", "food", "animals")
    apple, pear, cherry, fruit, food, animals = (taxonomy.find(name) for name in names)
    root = (0, 1.0)
    rescued = [[root, (food, 0.9), (fruit, up_to), (pear, 0.2)] for up_to in (0.8, 0.6, 0.4)]
    right = [[root, (food, 0.8), (fruit, 0.5), (pear, p)] for p in (0.45, 0.3, 0.1)]
    hopeless = [[root, (animals, p)] for p in (0.9, 0.5, 0.2)]
    flat = joined([*rescued, *right, *hopeless])
    target = np.array([apple, cherry, apple, pear, pear, pear, apple, apple, apple])
    chosen = choose_examples([flat], target, taxonomy, number=4)
    assert chosen == [0, 1, 5, 6], "two rescued ones with different labels, then the best of each other kind"
    assert choose_examples([flat, flat], target, taxonomy, number=4) == chosen
    assert sorted(choose_examples([flat], target, taxonomy, number=50)) == list(range(9))


def test_the_slider_holds_what_every_image_is_answered(maker, taxonomy, images):
    folders = [maker.write(f"f{seed}", seed=seed) for seed in range(2)] + [maker.write("h", method="hace", skill=0.8)]
    maker.write_inference(folders[2], "bottom-up", skill=0.7)
    comparison = Comparison.read(folders)
    lines, (point,) = comparison.lines, operating_point_sections(comparison)
    data = json.loads(point.data)
    assert [line["label"] for line in data["lines"]] == ["flat-softmax", "hace", "hace + bottom-up"]
    assert THRESHOLDS[START] == 0.5
    assert len(point.examples) == NUM_EXAMPLES == len(set(point.examples))
    first, (run, found) = data["lines"][0], read_sequences(lines[0])[0]
    for example, answers in zip(point.examples, first["answers"], strict=True):
        assert answers["node"] == found.of(example.row)[0].tolist()
        assert (
            answers["status"]
            == judge(
                np.full(len(answers["node"]), run.target[example.row]), np.array(answers["node"]), taxonomy
            ).tolist()
        )
        assert all(str(node) in data["names"] for node in answers["node"])
        assert example.true == taxonomy.path_names(int(run.target[example.row]))
    for stop in (0, START, THRESHOLDS.size - 1):
        answers = [
            [answer_at(list(zip(*each.of(image), strict=True)), THRESHOLDS[stop])[0] for image in range(66)]
            for _, each in read_sequences(lines[0])
        ]
        assert first["leaves"][stop] == pytest.approx(100 * taxonomy.is_leaf[np.array(answers)].mean(), abs=0.01)
        assert first["depth"][stop] == pytest.approx(taxonomy.depth[np.array(answers)].mean(), abs=0.001)
        assert all(0 <= first[name][stop] <= 100 for name in ("correct", "recall", "precision"))
    assert first["correct"][0] >= first["correct"][-1]


def test_at_the_ends_the_numbers_are_those_of_the_root_and_the_leaves(maker):
    (line,) = json.loads(next(operating_point_sections(Comparison.read([maker.write("f")]))).data)["lines"]
    assert (line["correct"][0], line["recall"][0], line["leaves"][0], line["depth"][0]) == (100, 0, 0, 0)
    assert line["leaves"][-1] == 100


def test_most_examples_change_along_the_way(maker):
    (line,) = json.loads(next(operating_point_sections(Comparison.read([maker.write("f")]))).data)["lines"]
    kinds = [tuple(answers["status"][1:]) for answers in line["answers"]]
    assert sum(Status.COARSER in kind and kind[-1] == Status.WRONG for kind in kinds) >= 5
    assert sum(kind[-1] == Status.RIGHT for kind in kinds) >= 2


def test_no_slider_without_sequences(maker):
    folder = maker.write("f")
    file = RunFolder(folder).outcomes("test", "none", "leaf")
    pl.read_parquet(file).drop(NODES, LOG_PROBS).write_parquet(file)
    assert list(operating_point_sections(Comparison.read([folder]))) == []


def test_images_without_a_sequence_are_passed_over(maker):
    folder = maker.write("f")
    file = RunFolder(folder).outcomes("test", "none", "leaf")
    frame = pl.read_parquet(file).sort("path")
    empty = pl.int_range(frame.height) < 3
    frame.with_columns(
        pl.when(empty).then(None).otherwise(pl.col(NODES)).alias(NODES),
        pl.when(empty).then(None).otherwise(pl.col(LOG_PROBS)).alias(LOG_PROBS),
    ).write_parquet(file)
    ((_, found),) = read_sequences(read_lines(folder)[0])
    assert set(found.image.tolist()) == set(range(3, 66))
    assert found.of(1)[0].size == 0


def test_names_of_a_tree_with_a_root_of_its_own(make_maker):
    tree = Taxonomy.from_paths([("life", "a", "x"), ("life", "a", "y"), ("life", "b")], level_names=["all", "g", "s"])
    (point,) = operating_point_sections(Comparison.read([make_maker(tree, per_leaf=3).write("f")]))
    data = json.loads(point.data)
    assert {tuple(data["names"][str(answers["node"][0])]) for answers in data["lines"][0]["answers"]} == {("life",)}
