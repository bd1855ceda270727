"""Images of every label in training and in the evaluated split."""

from __future__ import annotations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise import InputError, Taxonomy
from cladewise.records import counts
from cladewise.records.layout import RunFolder
from cladewise.report.comparison import Comparison
from cladewise.report.page import section_html
from cladewise.report.sections.counts import counts_sections, level_counts, training_data
from cladewise.statistics import images_at_level

ragged = st.lists(st.lists(st.sampled_from("abc"), min_size=1, max_size=4).map(tuple), min_size=1, max_size=12)


def sections_of(folders):
    return list(counts_sections(Comparison.read(folders)))


@pytest.fixture
def num_images(taxonomy):
    """A long tail over the leaves, one of them without an image, and some labels at internal nodes."""
    number = np.zeros(taxonomy.num_nodes, dtype=np.int64)
    number[taxonomy.leaf_nodes] = [300, 120, 61, 30, 14, 7, 3, 2, 1, 1, 0]
    number[taxonomy.find("birds")] = 9
    number[taxonomy.find("animals")] = 5
    return number


@settings(max_examples=50, deadline=None)
@given(ragged, st.data())
def test_counts_at_a_level_against_counting_one_by_one(paths, data):
    tree = Taxonomy.from_paths(paths)
    labels = data.draw(st.lists(st.integers(0, tree.num_nodes - 1), max_size=30))
    number = np.bincount(np.array(labels, dtype=np.int64), minlength=tree.num_nodes)
    for level in range(1, tree.num_levels + 1):
        expected, above = np.zeros(tree.num_nodes, dtype=np.int64), 0
        for label in labels:
            if tree.is_leaf[label] or tree.level[label] >= level:
                expected[[v for v in tree.path(label) if tree.level[v] <= level][-1]] += 1
            else:
                above += 1
        total, left_out = images_at_level(number, level, tree)
        assert total.tolist() == expected.tolist()
        assert left_out == above
        assert total.sum() == total[tree.level_nodes(level)].sum(), "every image is of a label of the level"


def test_labels_go_from_the_most_to_the_fewest(maker, num_images, taxonomy):
    folder = maker.write("f")
    maker.write_counts(folder, {"train": num_images, "val": np.ones_like(num_images)})
    (data,) = training_data(Comparison.read([folder]).groups)
    kingdom, family, species = level_counts(data)
    assert species.training.tolist() == [300, 120, 61, 30, 14, 7, 3, 2, 1, 1, 0]
    assert [taxonomy.names[v] for v in kingdom.nodes] == ["animals", "food"]
    assert kingdom.training.tolist() == [300 + 120 + 61 + 30 + 14 + 7 + 9 + 5, 3 + 2 + 1 + 1]
    assert family.above[0] == 5
    assert species.above[0] == 14
    assert species.evaluated.sum() + species.above[1] == 66


def test_splits_that_were_trained_on_together_are_added(maker, num_images):
    folder = maker.write("f", config={"training": {"train_split": "train+val"}})
    maker.write_counts(folder, {"train": num_images, "val": num_images, "test": num_images})
    (data,) = training_data(Comparison.read([folder]).groups)
    assert data.split == "train+val"
    assert data.num_images.tolist() == (2 * num_images).tolist()


def test_groups_that_were_trained_on_other_images_have_a_section_of_their_own(maker, num_images):
    folders = [
        maker.write("f"),
        maker.write("h", method="hace"),
        maker.write("x", method="hxe"),
        maker.write("old", method="deep-rtc"),
    ]
    for folder, factor in zip(folders, (1, 2, 1), strict=False):
        maker.write_counts(folder, {"train": factor * num_images})
    (section,) = sections_of(folders)
    assert [part.names for part in section.parts] == [("flat-softmax", "hxe"), ("hace",)]
    assert "Trained on by flat-softmax, hxe" in section_html(section)


def test_the_charts_hold_the_counts_on_a_logarithmic_axis(maker, num_images):
    folder = maker.write("f")
    maker.write_counts(folder, {"train": num_images})
    ((section,),) = (found.parts for found in sections_of([folder]))
    assert section.names == ()
    species = section.charts[2].figure
    bars, points = species.data
    assert species.layout.yaxis.type == "log"
    assert list(bars.customdata) == [300, 120, 61, 30, 14, 7, 3, 2, 1, 1, 0]
    assert np.array(bars.base) + np.array(bars.y) == pytest.approx([300, 120, 61, 30, 14, 7, 3, 2, 1, 1, 0.5])
    assert list(species.layout.yaxis.ticktext) == ["0", "1", "3", "10", "30", "100", "300"]
    assert sum(points.customdata) == level_counts(section.data)[2].evaluated.sum()
    assert "species: 11 labels, 0 to 300 training images" in species.layout.title.text
    assert section.notes[-1].startswith("At species, 14 training and ")


def test_many_labels_are_a_line(make_maker):
    tree = Taxonomy.from_paths([(f"g{i // 10}", f"n{i}") for i in range(100)])
    maker = make_maker(tree)
    folder = maker.write("f", with_operating=False)
    maker.write_counts(folder, {"train": np.arange(tree.num_nodes)})
    (section,) = sections_of([folder])
    assert [chart.figure.data[0].type for chart in section.charts] == ["bar", "scatter"]


def test_folders_without_counts_have_no_section(maker):
    folder = maker.write("f")
    assert sections_of([folder]) == []


def test_counts_of_another_tree_are_refused(maker, taxonomy):
    folder = maker.write("f")
    counts.write_counts(RunFolder(folder).counts, {"train": np.array([taxonomy.num_nodes])})
    with pytest.raises(
        InputError, match=r"a node from 0 to 17, a split and a number of images, but got 18,train,1 at .*counts.csv:2"
    ):
        sections_of([folder])


def test_the_files_hold_the_counts(maker, num_images, taxonomy, drawn):
    folder = maker.write("f")
    maker.write_counts(folder, {"train": num_images})
    (section,) = sections_of([folder])
    pictures, ((name, frame),) = drawn(section), section.frames()
    assert (name, list(pictures)) == ("label-counts", ["label-counts"])
    frame = frame.filter(pl.col("level") == "species")
    assert frame["training_images"].to_list() == [300, 120, 61, 30, 14, 7, 3, 2, 1, 1, 0]
    assert frame["label"][0] == taxonomy.path_name(int(taxonomy.leaf_nodes[0]))
    assert "training (train)" in pictures["label-counts"]
