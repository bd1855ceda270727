"""Conditions: every row of a suite under each of them, a search under one, and tables with conditions side by side."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest

from cladewise import InputError, Taxonomy, methods, suites
from cladewise.datasets.relabelling import level_shares
from cladewise.engine import Run
from cladewise.errors import InputWarning
from cladewise.records import read_evaluation
from cladewise.statistics import mean_and_sd
from cladewise.suites import read_suite
from suites.small_suites import SETTINGS, go_to, write_photographs

SMALL = (
    """
title = "Colours"
seeds = 2
baseline = "flat-softmax"
methods = ["flat-softmax", "taxon-ssl:embedding=0"]
"""
    + SETTINGS
    + """
[search]
metric = "hit@1"
lr = [0.01, 0.1]
refine = []
condition = "half"

[[variant]]
name = "smooth"
method = "flat-softmax"
training = { epochs = 1 }

[[condition]]
name = "all fine"

[[condition]]
name = "half"
ablation = { label_levels = "1=0.5,2=0.5" }

[[table]]
name = "side-by-side"
title = "Side by side"
decisions = ["levels", "consistent"]
columns = ["top1", "severity"]
across = true

[[table]]
name = "one-below-another"
title = "One below another"
methods = ["smooth", "half, flat-softmax"]
decisions = ["levels"]
columns = ["top1", "cpu_seconds"]
"""
)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photographs, a cache and a suite."""
    write_photographs(tmp_path)
    (tmp_path / "small.toml").write_text(SMALL)
    go_to(tmp_path, monkeypatch)
    return tmp_path


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / "out" / "photos" / f"{name}.csv").open() as file:
        return list(csv.DictReader(file))


def test_rows_are_everything_under_every_condition_and_rates_are_searched_under_one(here: Path) -> None:
    suite = read_suite("small.toml")
    plain = ["flat-softmax", "taxon-ssl:embedding=0", "smooth"]
    assert suite.methods == tuple(f"{under}, {row}" for under in ("all fine", "half") for row in plain)
    assert suite.searched == ("half, flat-softmax", "half, taxon-ssl:embedding=0")
    assert suite.settings_of("all fine, smooth") == "half, flat-softmax"
    resolved = suite.resolved("photos", "half, smooth")
    assert (resolved.training.epochs, resolved.ablation.label_levels) == (1, "1=0.5,2=0.5")
    assert suite.resolved("photos", "all fine, smooth").ablation.label_levels == ""
    assert suite.methods_of(suite.tables[1]) == ("all fine, smooth", "half, smooth", "half, flat-softmax")


def test_every_condition_has_a_report_of_its_own_rows_and_oddities_of_the_data_are_told_once(here: Path) -> None:
    (here / "photos" / "warm" / "pink").mkdir()
    shutil.copy(here / "photos" / "warm" / "red" / "0.png", here / "photos" / "warm" / "pink")
    with pytest.warns(InputWarning) as told:
        written = suites.benchmark("small.toml", progress=False, out="out")
    oddities = sorted(str(warning.message) for warning in told if "warm/pink" in str(warning.message))
    assert oddities == [
        f"the split {name} has no image of 1 of the 4 classes trained on: warm/pink at photos."
        for name in ("test", "val")
    ]
    for path, condition, other in zip(written[:2], ("all fine", "half"), ("half", "all fine"), strict=True):
        page = path.read_text()
        assert path.name == f"report-{condition.replace(' ', '-')}.html"
        assert f"<title>Colours {condition}</title>" in page
        assert all(f"{condition}, {row}" in page for row in ("flat-softmax", "smooth"))
        assert f"{other}, smooth" not in page
        assert f"<bdi>{condition}, flat-softmax</bdi><small>2 seeds, baseline</small>" in page


def test_conditions_side_by_side_are_the_means_of_their_runs_and_a_second_call_trains_nothing(here: Path) -> None:
    written = suites.benchmark("small.toml", progress=False, out="out")
    rows = table(here, "side-by-side")
    keys = [(row["method"], row["decision"]) for row in rows]
    both = ("levels", "consistent")
    assert keys == [(row, rule) for row in ("flat-softmax", "taxon-ssl:embedding=0", "smooth") for rule in both]
    across = [f"{metric} | {under}" for metric in ("top1", "severity") for under in ("all fine", "half")]
    assert [name for name in rows[0] if " | " in name and not name.endswith(("_sd", "_seeds"))] == across
    runs = here / "out" / "photos" / "runs"
    for folder, under in (("all-fine-smooth", "all fine"), ("half-smooth", "half")):
        opened = [Run.open(runs / f"{folder}-{seed}") for seed in (0, 1)]
        found = [read_evaluation(run.folder.evaluation("test", "none", "consistent")).value("top1") for run in opened]
        (row,) = (row for row in rows if (row["method"], row["decision"]) == ("smooth", "consistent"))
        assert float(row[f"top1 | {under}"]) == pytest.approx(mean_and_sd(found).mean)
    assert {row["method"] for row in table(here, "one-below-another")} == {
        "all fine, smooth",
        "half, smooth",
        "half, flat-softmax",
    }
    page = (here / "out" / "photos" / "side-by-side.md").read_text()
    assert "of 2 seeds; Top-1 in percent." in page
    assert "| method | decision | Top-1, all fine | Top-1, half | Severity, all fine | Severity, half |" in page
    before = {path: path.stat().st_mtime_ns for path in runs.rglob("model.safetensors")}
    assert suites.benchmark("small.toml", progress=False, out="out") == written
    assert {path: path.stat().st_mtime_ns for path in runs.rglob("model.safetensors")} == before
    assert len(before) == 12


MISTAKES = {
    "unknown": ('condition = "half"', 'condition = "hlaf"', "a condition of the suite: all fine, half, but got 'hlaf'"),
    "nameless": ('name = "all fine"', "", r"name in wrong.toml \[\[condition\]\], but got none"),
    "empty": ('name = "all fine"', 'name = ""', r"a name for every \[\[condition\]\], but got none"),
    "shares": ('"1=0.5,2=0.5"', '"1=0.5,2=0.4"', r"with sum 1, but got 1: 0.5, 2: 0.4 .sum 0.9. at variant half"),
    "row": ('"half, flat-softmax"', '"half, hace"', "one of the suite's methods: all fine, flat-softmax"),
    "twice": ('name = "all fine"', 'name = "half"', r"a unique name for every \[\[condition\]\], but got 'half' twice"),
    "data": (
        'name = "all fine"',
        'name = "all fine"\ndata = ["photo"]',
        r"got 'photo' at wrong.toml \[\[condition\]\] all",
    ),
    "absent": (
        'name = "half"',
        'name = "half"\ndata = []',
        "that all data of the suite have, but got 'half', which photos",
    ),
    "baseline": ('baseline = "flat-softmax"', 'baseline = "half, smooth"', "but got 'half, smooth' at wrong.toml"),
    "probes": (
        "[training]",
        "[features]\nsearch.condition = 'all fine'\n[training]",
        r"a condition in \[search\] alone",
    ),
    "published": (
        "across = true",
        "across = true\npublished = [{ row = 'half, smooth', decision = 'levels', values = [1.0, 2.0] }]",
        "no published figures in a table with across = true, but got 1",
    ),
    "variant": ('method = "flat-softmax"\n', 'method = "flat-softmax"\ncondition = "half"\n', "for all rows"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_a_condition_cannot_be_is_told(here: Path, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    assert old in SMALL
    (here / "wrong.toml").write_text(SMALL.replace(old, new))
    with pytest.raises(InputError, match=message):
        suites.benchmark("wrong.toml", progress=False, out="out")


ALONE = {
    "across": ('condition = "half"\n', "", r"\[\[condition\]\] entries for a table with across = true, but got none"),
    "search": ("across = true", "", r"a \[\[condition\]\] that the search names, but got condition = 'half'"),
}


@pytest.mark.parametrize("mistake", ALONE)
def test_what_needs_conditions_is_told_where_there_are_none(here: Path, mistake: str) -> None:
    old, new, message = ALONE[mistake]
    start, end = SMALL.index("[[condition]]"), SMALL.index("[[table]]")
    alone = SMALL[:start] + SMALL[end : SMALL.rindex("[[table]]")]
    assert old in alone
    (here / "wrong.toml").write_text(alone.replace(old, new))
    with pytest.raises(InputError, match=message):
        read_suite("wrong.toml")


def test_a_variant_has_the_settings_of_a_method_that_is_no_row_searched_under_the_condition(here: Path) -> None:
    (here / "more.toml").write_text(SMALL.replace('method = "flat-softmax"', 'method = "hace"'))
    suite = read_suite("more.toml").on("photos")
    assert suite.settings_of("all fine, smooth") == suite.settings_of("half, smooth") == "half, hace"
    assert suite.searched == ("half, flat-softmax", "half, taxon-ssl:embedding=0", "half, hace")
    assert suite.variant("half, hace").ablation == {"label_levels": "1=0.5,2=0.5"}
    assert not {"half, hace", "all fine, hace"} & {*suite.methods}
    assert suite.resolved("photos", "half, hace").method == "hace"


def test_a_row_takes_the_encoder_of_its_condition(here: Path) -> None:
    start, end = SMALL.index("[search]"), SMALL.index("[[variant]]")
    text = SMALL[:start] + SMALL[end:]
    (here / "more.toml").write_text(
        text.replace('method = "flat-softmax"', 'method = "hace"\nencoder = "flat-softmax"')
    )
    suite = read_suite("more.toml")
    assert suite.variant("half, smooth").encoder == "half, flat-softmax"
    assert suite.variant("all fine, smooth").encoder == "all fine, flat-softmax"


@pytest.mark.parametrize("baseline", ["smooth", "taxon-ssl:embedding=0", "taxon-ssl"])
def test_a_baseline_is_a_row_of_every_condition_that_has_it(here: Path, baseline: str) -> None:
    row = baseline if baseline == "smooth" else "taxon-ssl:embedding=0"
    rows = f'methods = ["half, {row}", "half, flat-softmax", "all fine, flat-softmax"]'
    text = SMALL.replace('baseline = "flat-softmax"', f'baseline = "{baseline}"').replace("seeds = 2", "seeds = 1")
    text = text.replace('methods = ["smooth", "half, flat-softmax"]', rows).replace("across = true", rows)
    (here / "more.toml").write_text(text)
    written = suites.benchmark("more.toml", progress=False, out="out")
    pages = {path.name: path.read_text() for path in written if path.suffix == ".html"}
    assert f"<bdi>half, {row}</bdi><small>1 seed, baseline</small>" in pages["report-half.html"]
    assert "all fine, flat-softmax" in pages["report-all-fine.html"]
    assert f"all fine, {row}" not in pages["report-all-fine.html"]


LEVELS = {
    "grocery-store": ["category", "coarse", "fine"],
    "emoji-food-animals": ["group", "subgroup", "emoji"],
}
UNDER_ANOTHER_NAME = {"vanilla-single", "hs", "coarse-cross-entropy"}
"""Methods of the same model as another, which the same rules judge alike."""


@pytest.mark.parametrize("data", LEVELS)
def test_free_grained_has_every_method_with_the_stated_shares_of_fine_labels(data: str) -> None:
    here = read_suite("free-grained").on(data)
    rows = [here.variant(label) for label in here.methods]
    assert {row.method.partition(":")[0] for row in rows} == set(methods.available()) - UNDER_ANOTHER_NAME
    tree = Taxonomy.from_paths([("a", "b", "c")], level_names=LEVELS[data])
    for missing in (0, 10, 30, 50, 70, 90):
        under = [row for row in rows if row.condition == (f"{missing}% missing" if missing else "none missing")]
        assert len(under) == len(rows) / 6
        (levels,) = {here.resolved(data, row.name).ablation.label_levels for row in under}
        left = missing / 200
        expected = {1: left, 2: left, 3: 1 - missing / 100} if missing else {}
        assert (level_shares(levels, tree) if levels else {}) == pytest.approx(expected)


FIGURE = """
[[figure]]
name = "drawn"
title = "Drawn"
kind = "conditions"
columns = ["top1", "severity"]
decisions = ["levels"]
"""


def test_a_figure_of_conditions_has_a_row_per_method_with_the_values_of_the_table(here: Path) -> None:
    (here / "drawn.toml").write_text(SMALL + FIGURE)
    written = [path.name for path in suites.benchmark("drawn.toml", progress=False, out="out", seeds=1)]
    assert {"drawn.png", "drawn.svg", "drawn.csv"} <= {*written}
    beside = {(row["method"], row["decision"]): row for row in table(here, "side-by-side")}
    cells = table(here, "drawn")
    assert [(row["method"], row["condition"]) for row in cells] == [
        (method, under)
        for under in ("all fine", "half")
        for method in ("flat-softmax", "taxon-ssl:embedding=0", "smooth")
    ]
    for row in cells:
        for metric in ("top1", "severity"):
            assert row[metric] == beside[row["method"], "levels"][f"{metric} | {row['condition']}"]
    drawing = (here / "out" / "photos" / "drawn.svg").read_text()
    assert all(text in drawing for text in ("taxon-ssl:embedding=0", "all fine", "half", "Severity", "Top-1, %"))


@pytest.mark.parametrize(
    ("right", "wrong", "message"),
    [
        ('decisions = ["levels"]', 'decisions = ["levels", "leaf"]', "one inference and one decision, but got"),
        ('"severity"', '"severe"', "severe"),
        (
            'kind = "conditions"',
            'kind = "conditions"\nscale = "log"',
            "no scale, which only figures of kind curve have",
        ),
    ],
)
def test_a_figure_of_conditions_that_cannot_be_drawn_is_refused(
    here: Path, right: str, wrong: str, message: str
) -> None:
    (here / "drawn.toml").write_text(SMALL + FIGURE.replace(right, wrong))
    with pytest.raises(InputError, match=message):
        read_suite("drawn.toml")


def test_a_figure_of_conditions_needs_conditions_and_a_baseline(here: Path) -> None:
    (here / "drawn.toml").write_text(SMALL.replace('baseline = "flat-softmax"', "") + FIGURE)
    with pytest.raises(InputError, match="the baseline of the suite among the methods, but got ''"):
        read_suite("drawn.toml")
    plain = SMALL.replace('condition = "half"', "").split("[[condition]]", maxsplit=1)[0]
    (here / "drawn.toml").write_text(plain + '[[table]]\nname = "one"\ntitle = "One"\ncolumns = ["top1"]\n' + FIGURE)
    with pytest.raises(InputError, match=r"a suite with \[\[condition\]\], but got none"):
        read_suite("drawn.toml")
