"""Which runs belong together, and what they are called."""

from __future__ import annotations

import pytest

from cladewise import InputError, Taxonomy
from cladewise.report.runs.groups import find_baseline, group_runs
from cladewise.report.runs.run import read_run


def read_all(*folders):
    return [read_run(folder, "test") for folder in folders]


def test_runs_that_differ_in_their_seed_are_one_group(maker):
    runs = read_all(maker.write("b", seed=2), maker.write("h", method="hace", seed=0), maker.write("a", seed=1))
    groups = group_runs(runs)
    assert [(group.label, group.seeds) for group in groups] == [("flat-softmax", (1, 2)), ("hace", (0,))]
    assert groups[0].shown_run.folder.name == "a"


def test_labels_tell_what_differs_and_nothing_else(maker):
    backbone = {"backbone": {"name": "resnet50", "freeze": False}}
    groups = group_runs(
        read_all(
            maker.write("a", method="hxe", options={"alpha": 0.1}),
            maker.write("b", method="hxe", options={"alpha": 0.4}),
            maker.write("c", method="hace"),
            maker.write("d", method="hace", config=backbone),
        )
    )
    assert [group.label for group in groups] == [
        "hxe alpha=0.1",
        "hxe alpha=0.4",
        "hace backbone.name=efficientnet_lite0, backbone.freeze=true",
        "hace backbone.name=resnet50, backbone.freeze=false",
    ]


def test_a_name_of_one_s_own(maker):
    groups = group_runs(
        read_all(
            maker.write("a", method="hxe", config={"name": "leaves"}),
            maker.write("b", method="hxe", options={"alpha": 0.4}, config={"name": "steeper"}),
            maker.write("c", method="hxe", options={"alpha": 0.4}, config={"name": "steeper"}, seed=1),
            maker.write("d", method="hace", config={"name": "mine"}),
            maker.write("e", method="hace", seed=1, config={"name": "also mine"}),
        )
    )
    assert [group.label for group in groups] == ["leaves", "steeper", "hace"]


def test_an_option_that_only_one_has(maker):
    groups = group_runs(
        read_all(maker.write("a", method="hxe"), maker.write("b", method="hxe", options={"alpha": 0.4}))
    )
    assert [group.label for group in groups] == ["hxe alpha=unset", "hxe alpha=0.4"]


def test_other_machines_and_names_are_no_difference(maker, images):
    moved = {"images": {"name": "toys <&>", "root": "/elsewhere", "credit": "Drawn & 'free'"}}
    versions = {"cladewise": "0.2"}
    groups = group_runs(read_all(maker.write("a"), maker.write("b", seed=1, config=moved | versions)))
    assert len(groups) == 1


def test_one_seed_twice(maker):
    with pytest.raises(InputError, match=r"seed 0 in both .*a and .*b\. Leave one of them out"):
        group_runs(read_all(maker.write("a"), maker.write("b")))


def test_another_tree(maker, make_maker):
    other = make_maker(Taxonomy.from_paths([("x",), ("y",)]))
    with pytest.raises(InputError, match=r"runs over one taxonomy .* in .*strange\. See: cladewise taxonomy diff"):
        group_runs(read_all(maker.write("a"), other.write("strange")))


def test_other_images(maker, make_maker, taxonomy):
    with pytest.raises(
        InputError, match=r"the same images \(66 in .*a\), but got 11 images, not all the same, in .*few"
    ):
        group_runs(read_all(maker.write("a"), make_maker(taxonomy).write("few")))


class TestBaseline:
    @pytest.fixture
    def groups(self, maker):
        return group_runs(read_all(maker.write("h", method="hace"), maker.write("f"), maker.write("g", seed=1)))

    def test_the_first_flat_softmax(self, groups):
        assert find_baseline(groups).method == "flat-softmax"

    def test_the_first_where_there_is_none(self, groups):
        assert find_baseline(groups[:1]) is groups[0]

    @pytest.mark.parametrize("name", ["hace", "h", "h/"])
    def test_by_name(self, groups, name):
        assert find_baseline(groups, name) is groups[0]

    def test_by_a_later_seeds_folder(self, groups):
        assert find_baseline(groups, str(groups[1].runs[1].folder)) is groups[1]

    def test_unknown(self, groups):
        with pytest.raises(InputError, match=r"but got 'hxe'\. Choose one of: hace, flat-softmax\."):
            find_baseline(groups, "hxe")
