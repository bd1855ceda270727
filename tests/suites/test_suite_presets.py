"""Suites that state a paper's preset: fixed rates, several datasets, published figures, parts of a suite."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from cladewise import InputError
from cladewise.statistics import mean_and_sd
from cladewise.suites import Suite, benchmark, read_suite
from cladewise.suites.curves import curve_points
from cladewise.suites.entries import FewShotEntry
from cladewise.suites.lighter import features_of, smoke_of
from cladewise.suites.locating import missing_options, with_data
from cladewise.suites.tables import Row, as_csv, as_markdown

PAPER = """
title = "A paper"
seeds = 3
baseline = "lht"
methods = ["lht", "vanilla"]

[backbone]
name = "resnet50"
freeze = false
image_size = 224

[training]
epochs = 80
lr = 0.1
backbone_lr = 0.01

[[data]]
name = "cifar-100"
backbone = { name = "resnet18", image_size = 32 }
training = { epochs = 10, batch_size = 32 }

[[data]]
name = "grocery-store"
train = "train+val"

[[variant]]
name = "448 px"
method = "lht"
backbone = { image_size = 448 }
training = { lr = 0.002 }
data = ["grocery-store"]

[[variant]]
name = "rival"
method = "hxe:alpha=0.2"
data = ["cifar-100"]

[[variant]]
name = "rival"
method = "hxe:alpha=0.5"
training = { epochs = 20 }
data = ["grocery-store"]

[[variant]]
name = "confusion 0"
method = "lht:confusion=0.0"
data = ["grocery-store"]

[[variant]]
name = "confusion 5"
method = "lht:confusion=5.0"
data = ["grocery-store"]

[[few_shot]]
ways = ["5", "intra"]
data = ["cifar-100"]

[[table]]
name = "table-1"
title = "Accuracy"
source = "Table 1"
methods = ["lht", "vanilla"]
columns = ["level_accuracy/coarse", "level_accuracy/fine", "severity"]
headings = ["superclass", "class", "mistakes"]
data = ["cifar-100"]

[[table.published]]
row = "lht"
values = [97.49, 78.13, 1.5]

[[table.published]]
row = "vanilla"
values = [95.5, nan, nan]

[[table]]
name = "table-1"
title = "Accuracy on groceries"
methods = ["lht", "448 px", "rival"]
columns = ["level_accuracy/fine"]
data = ["grocery-store"]

[[table]]
name = "table-2"
title = "Episodes"
methods = ["vanilla"]
columns = ["few_shot/5", "few_shot/intra", "seconds"]
data = ["cifar-100"]

[[figure]]
name = "figure-5"
title = "The weight of the confusion loss"
kind = "curve"
x = "confusion"
methods = ["lht", "confusion 0", "confusion 5"]
columns = ["level_accuracy/fine", "full_path"]
data = ["grocery-store"]
"""


def write(folder: Path, old: str = "", new: str = "") -> Path:
    assert old in PAPER
    (folder / "paper.toml").write_text(PAPER.replace(old, new) if old else PAPER)
    return folder / "paper.toml"


@pytest.fixture
def paper(tmp_path: Path) -> Suite:
    return read_suite(write(tmp_path))


def test_the_nearer_statement_holds(paper: Suite) -> None:
    method, options, backbone, training, ablation = paper.resolved("cifar-100", "lht")
    assert (method, options["confusion"]) == ("lht", 2.0)
    assert (backbone.name, backbone.image_size, backbone.freeze) == ("resnet18", 32, False)
    assert (training.epochs, training.batch_size, training.lr, training.backbone_lr) == (10, 32, 0.1, 0.01)
    assert (training.train_split, training.val_split, ablation.hierarchy) == ("train", "none", "true")
    large = paper.resolved("grocery-store", "448 px")
    assert (large.backbone.name, large.backbone.image_size) == ("resnet50", 448)
    assert (large.training.lr, large.training.epochs, large.training.train_split) == (0.002, 80, "train+val")


def test_one_name_stands_for_other_variants_on_other_data(paper: Suite) -> None:
    here, there = paper.resolved("cifar-100", "rival"), paper.resolved("grocery-store", "rival")
    assert (here.options["alpha"], there.options["alpha"]) == (0.2, 0.5)
    assert (here.training.epochs, there.training.epochs) == (10, 20)
    with pytest.raises(InputError, match="a row of paper on cifar-100: lht, vanilla, rival, but got '448 px'"):
        paper.resolved("cifar-100", "448 px")
    with pytest.raises(InputError, match=r"a dataset of the suite: .*'cifar-10'. Did you mean cifar-100"):
        paper.resolved("cifar-10", "lht")


def test_a_suite_on_one_dataset_has_its_rows_alone(paper: Suite) -> None:
    here = paper.on("grocery-store")
    assert here.methods == ("lht", "448 px", "rival", "confusion 0", "confusion 5")
    assert [table.title for table in here.tables] == ["Accuracy on groceries"]
    assert not here.few_shot
    there = paper.on("cifar-100")
    assert [table.name for table in there.tables] == ["table-1", "table-2"]
    assert (there.figures, there.methods) == ((), ("lht", "vanilla", "rival"))


def test_a_part_of_a_suite_has_the_rows_and_data_that_it_needs(paper: Suite) -> None:
    one = paper.only(["table-1"])
    assert one.methods == ("lht", "vanilla", "448 px", "rival")
    assert one.on("cifar-100").methods == ("lht", "vanilla")
    assert (len(one.data), len(one.tables), one.figures, one.few_shot) == (2, 2, (), ())
    two = paper.only(["table-2"])
    assert ([entry.name for entry in two.data], two.methods) == (["cifar-100"], ("vanilla",))
    assert two.few_shot == (dataclasses.replace(paper.few_shot[0], table=False),)
    drawn = paper.only(["figure-5"])
    assert ([entry.name for entry in drawn.data], drawn.tables) == (["grocery-store"], ())
    assert paper.only(["few-shot"]).on("cifar-100").methods == ("lht", "vanilla", "rival")
    with pytest.raises(InputError, match="a table or figure of paper: table-1, table-2, figure-5, few-shot, but got"):
        paper.only(["table-3"])


def test_published_values_stand_beside_ours(paper: Suite) -> None:
    here = paper.on("cifar-100")
    (table, _) = here.tables
    names = table.columns
    rows = [
        Row(
            "lht", "none", "leaf",
            dict(zip(names, map(mean_and_sd, ([0.97, 0.98], [0.78, 0.78], [1.25, 1.75])), strict=True)),
            {names[0]: 0.9749, names[1]: 0.7813, names[2]: 1.5},
        ),
        Row("vanilla", "none", "leaf", {names[0]: mean_and_sd([0.96, 0.96])}, {names[0]: 0.955}),
    ]  # fmt: skip
    assert as_markdown(here, table, rows).splitlines() == [
        "# Accuracy",
        "",
        "| method | superclass | class | mistakes |",
        "|---|---:|---:|---:|",
        "| `lht` | **97.50** ± 0.71 (97.49; +0.01) | 78.00 ± 0.00 (78.13; −0.13) | 1.500 ± 0.354 (1.500; +0.000) |",
        "| `vanilla` | 96.00 ± 0.00 (95.50; +0.50) | – | – |",
        "",
        "Mean ± standard deviation of 2 seeds; superclass, class in percent.",
        "",
        "In brackets: the published value (Table 1); the difference of ours from it.",
    ]
    lines = as_csv(table, rows).splitlines()
    assert lines[0].split(",")[3:8] == [
        f"{names[0]}{end}" for end in ("", "_sd", "_seeds", "_published", "_difference")
    ]
    assert lines[2].split(",")[3:] == ["0.96", "0.0", "2", "0.955", "0.005", "", "", "0", "", "", "", "", "0", "", ""]


def test_the_axis_of_a_figure_is_read_from_its_rows(paper: Suite) -> None:
    here = paper.on("grocery-store")
    points = curve_points(here, here.figures[0])
    assert [(point.method, point.x) for point in points] == [("confusion 0", 0.0), ("lht", 2.0), ("confusion 5", 5.0)]
    assert {point.curve for point in points} == {"lht"}


def test_curves_of_other_settings_are_named_by_them(paper: Suite) -> None:
    other = [
        dataclasses.replace(v, name=f"{v.name} slowly", training={"lr": 0.001})
        for v in paper.variants
        if v.name.startswith("confusion")
    ]
    labels = (*paper.methods, *(v.name for v in other))
    figure = dataclasses.replace(paper.figures[0], methods=("lht", "confusion 0", "confusion 5", *labels[-2:]))
    suite = dataclasses.replace(paper, methods=labels, variants=(*paper.variants, *other), figures=(figure,))
    points = curve_points(suite.on("grocery-store"), figure)
    assert {point.curve: point.x for point in points} == {"lht, lr=0.1": 5.0, "lht, lr=0.001": 5.0}
    assert [point.curve for point in points] == [f"lht, lr={rate}" for rate in (0.1, 0.001, 0.1, 0.1, 0.001)]


def test_curves_of_an_inference_are_told_apart(paper: Suite) -> None:
    rules = ("diffusion:alpha=0.2", "diffusion:alpha=0.7", "diffusion:alpha=0.2,steps=3+bottom-up")
    here = paper.on("grocery-store")
    figure = dataclasses.replace(here.figures[0], x="alpha", methods=("rival", "lht"), inferences=rules)
    points = curve_points(here, figure)  # though hxe has an alpha, too
    assert sorted({point.curve for point in points}) == [
        "lht, diffusion", "lht, diffusion:steps=3+bottom-up", "rival, diffusion", "rival, diffusion:steps=3+bottom-up",
    ]  # fmt: skip
    assert {point.x for point in points} == {0.2, 0.7}
    with pytest.raises(InputError, match=r"x to be an option or setting .*but got 'beta'"):
        curve_points(here, dataclasses.replace(figure, x="beta"))


def test_a_smoke_run_has_a_tiny_encoder_and_the_same_rows(paper: Suite) -> None:
    small = smoke_of(paper)
    for entry in small.data:
        assert small.on(entry.name).methods == paper.on(entry.name).methods
        for label in small.on(entry.name).methods:
            row = small.resolved(entry.name, label)
            assert (row.backbone.name, row.backbone.pretrained, row.backbone.image_size) == ("test_resnet", False, 32)
            assert row.training.epochs == 1
            assert row.options == paper.resolved(entry.name, label).options
            assert row.backbone.freeze is False


def test_linear_probes_have_a_frozen_encoder_and_a_search(paper: Suite) -> None:
    probes = features_of(paper)
    assert probes.search is not None
    assert probes.search.options == "default"
    for label in probes.on("grocery-store").methods:
        row = probes.resolved("grocery-store", label)
        assert (row.backbone.name, row.backbone.freeze, row.backbone.image_size) == ("efficientnet_lite0", True, 0)
        assert row.training.train_split == "train+val"
        assert row.options == paper.resolved("grocery-store", label).options


MISTAKES = {
    "row": ('row = "lht"', 'row = "lth"', "a row of the table: lht, vanilla, but got 'lth' at .*published lth.* lht"),
    "values": ("[97.49, 78.13, 1.5]", "[97.49, 78.13]", "3 values, one per column, .*but got 2 at paper.toml table"),
    "unit": ("[97.49,", "[974.9,", "a percentage from 0 to 100 for level_accuracy/coarse, but got 974.9"),
    "twice": ('row = "vanilla"', 'row = "lht"', "published figures of a row once, but got lht twice"),
    "headings": ('["superclass", "class", "mistakes"]', '["superclass"]', "3 headings, one per column, but got 1"),
    "column": ('"level_accuracy/fine", "severity"]', '"levels/fine", "severity"]', "a metric: .*but got 'levels/fine'"),
    "no list": ('columns = ["level_accuracy/fine"]', 'columns = "ap"', "columns to be a list of texts, but got 'ap'"),
    "episodes": ("few_shot/5", "few_shot/10", "few_shot/5, few_shot/intra, but got 'few_shot/10' at .* table-2"),
    "same name": ('name = "table-2"', 'name = "table-1"', "a unique name for every .*'table-1' twice"),
    "other data": (
        'data = ["cifar-100"]\n\n[[figure',
        'data = ["cifar"]\n\n[[figure',
        "data of the suite: cifar-100, .*",
    ),
    "kind": (
        'kind = "curve"',
        'kind = "curves"',
        "a kind of figure: curve, conditions, operating, t-sne, but got 'curves' at .* figure figure-5",
    ),
    "axis": (
        'x = "confusion"',
        'x = "confusions"',
        "x to be an option or setting .*but got 'confusions' at paper.toml",
    ),
    "rate": ("lr = 0.002", "lr = -0.002", "lr of at least 0, but got -0.002 at paper.toml variant 448 px"),
    "searched": (
        "[backbone]",
        "[search]\n[backbone]",
        r"no lr, since it is searched, but got 0.1 at paper.toml \[train",
    ),
    "grid": ("[backbone]", '[search]\noptions = "no"\n[backbone]', "no lr|options to be grid or default"),
    "smoke": ("[backbone]", "[smoke]\nbackbone = { size = 3 }\n[backbone]", r"but got 'size' at paper.toml \[smoke\]"),
    "option": (
        "[backbone]",
        "[features]\noptions = { lht = { confusing = 3 } }\n[backbone]",
        r"'confusing' at paper.toml \[features\] options",
    ),
    "search": (
        "[backbone]",
        "[features]\nsearch = { rates = 3 }\n[backbone]",
        r"'rates' at paper.toml \[features\] se",
    ),
    "type": (
        "[backbone]",
        "[features]\nsearch = { lr = 0.1 }\n[backbone]",
        r"lr to be a list of numbers, but got 0.1 at paper.toml \[features\] search",
    ),
    "infinite": ("78.13, 1.5]", "78.13, inf]", "a number of at least 0 for severity, but got inf"),
    "outside": ('name = "table-2"', 'name = "../table-2"', r"a name that files can have: .* at paper.toml \[\[table"),
    "other kind": ('kind = "curve"', 'kind = "curve"\nimages = 9', "no images, which only figures of kind t-sne have"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_preset_is_found_before_anything_runs(tmp_path: Path, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        read_suite(write(tmp_path, old, new))


def test_published_shares_are_in_percent(tmp_path: Path) -> None:
    file = write(tmp_path, "[97.49, 78.13, 1.5]", "[0.9749, 0.7813, 1.5]")
    file.write_text(file.read_text().replace("[95.5, nan, nan]", "[0.955, nan, nan]"))
    with pytest.raises(InputError, match=r"published shares in percent, but got at most 0.9749 at paper.toml table"):
        read_suite(file)
    with pytest.raises(InputError, match=r"published shares in percent, but got at most 0.9749 at paper.toml table"):
        read_suite(write(tmp_path, "[97.49, 78.13, 1.5]", "[0.9749, 0.7813, 1.5]"))  # next to a row in percent


def test_a_baseline_that_is_no_row_of_a_dataset_is_none_there(paper: Suite) -> None:
    for episodes in ((), (FewShotEntry(),)):
        suite = dataclasses.replace(paper, baseline="448 px", few_shot=episodes)
        assert [suite.on(entry.name).baseline for entry in suite.data] == ["", "448 px"]


def test_files_are_located_by_the_name_of_the_data(paper: Suite) -> None:
    given = ["cifar-100=a=b", "grocery-store=c", "cifar-100.partial=true"]
    assert [entry.options for entry in with_data(paper, given).data] == [
        {"path": "a=b", "partial": True},
        {"path": "c"},
    ]
    same = {"cifar-100": {"path": "a=b", "partial": True}, "grocery-store": Path("c")}
    assert with_data(paper, same) == with_data(paper, given)
    assert [missing_options(entry) for entry in with_data(paper, "cifar-100=a").data] == [[], ["path"]]
    one = paper.only(["table-2"])
    assert with_data(one, "there").data[0].options == {"path": "there"}
    with pytest.raises(InputError, match="data of paper: cifar-100, grocery-store, but got 'cifar'"):
        with_data(paper, "cifar=a")
    with pytest.raises(InputError, match="the dataset of a path, one of cifar-100, grocery-store, but got 'a/b'"):
        with_data(paper, "a/b")


def test_data_without_files_is_said_before_anything_runs(paper: Suite, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r'files of cifar-100 or grocery-store, .*pass data="cifar-100=the/folder"'):
        benchmark(paper, out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out").exists()
