"""Benchmark suites: their files, the search, the tables, and a whole one carried out and resumed."""

from __future__ import annotations

import csv
import dataclasses
import json
import shutil
import statistics
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cladewise import InputError, datasets, methods, suites
from cladewise.cli.app import app
from cladewise.decisions import available as decisions_available
from cladewise.inference import available as inferences_available
from cladewise.statistics import mean_and_sd
from cladewise.suites import jobs, read_suite, running
from cladewise.suites.entries import TableEntry, Variant
from cladewise.suites.jobs import SEARCH
from cladewise.suites.locating import with_data
from cladewise.suites.search import option_grids, search
from cladewise.suites.suite import Settings, Suite
from cladewise.suites.tables import Row, as_csv, as_markdown
from suites.small_suites import SETTINGS, go_to, write_photographs

SMALL = (
    """
title = "Colours"
seeds = 2
baseline = "flat-softmax"
methods = ["flat-softmax", "hace:dilution=0.5"]
inferences = ["none", "top-down"]
decisions = ["majority", "crm"]
"""
    + SETTINGS
    + """
[search]
metric = "top1"
lr = [0.01, 0.1]
refine = []

[[table]]
name = "methods"
title = "Methods"
columns = ["ap", "severity"]

[[table]]
name = "decisions"
title = "Decisions"
inferences = ["none"]
decisions = "all"
columns = ["correct", "info_f1"]

[[table]]
name = "inferences"
title = "Inferences"
methods = ["hace:dilution=0.5"]
inferences = "all"
columns = ["ap"]
"""
)


def with_photographs(folder: Path) -> Path:
    write_photographs(folder)
    (folder / "small.toml").write_text(SMALL)
    return folder


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with photographs, a cache and a suite."""
    go_to(with_photographs(tmp_path), monkeypatch)
    return tmp_path


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Path]]:
    """A folder in which the suite was carried out, as ``out``, and the files to look at."""
    folder = with_photographs(tmp_path_factory.mktemp("finished"))
    with pytest.MonkeyPatch.context() as patch:
        go_to(folder, patch)
        return folder, suites.benchmark(folder / "small.toml", progress=False, out=folder / "out")


def without_page(patch: pytest.MonkeyPatch) -> None:
    """Writes no report: a test that is about runs and tables need not wait for it."""
    patch.setattr(running, "compare", lambda _, out, **__: out)


def changed(here: Path, old: str, new: str) -> Path:
    assert old in SMALL
    (here / "changed.toml").write_text(SMALL.replace(old, new))
    return here / "changed.toml"


def test_a_suite_from_start_to_end_and_again(
    finished: tuple[Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, written = finished
    go_to(here, monkeypatch)
    suite = read_suite(here / "small.toml")
    folder = here / "out" / "photos"
    assert written[0] == folder / "report.html"
    assert [path.name for path in written[2:]] == [
        f"{name}.{end}" for name in ("methods", "decisions", "inferences") for end in ("md", "csv")
    ]
    runs = sorted(path.name for path in (folder / "runs").iterdir())
    assert runs == ["flat-softmax-0", "flat-softmax-1", "hace-dilution=0.5-0", "hace-dilution=0.5-1"]

    chosen = json.loads((folder / "chosen.json").read_text())
    assert set(chosen) == set(suite.methods)
    trials = {
        path.parent.name: json.loads(path.read_text()) for path in folder.glob("search/flat-softmax/*/trial.json")
    }
    assert chosen["flat-softmax"]["top1"] == max(trial["value"] for trial in trials.values())
    config = tomllib.loads((folder / "runs" / "flat-softmax-1" / "config.toml").read_text())
    assert config["training"]["lr"] == chosen["flat-softmax"]["lr"]
    assert config["training"]["train_split"] == "train"
    assert (config["seed"], config["data"].get("held_out")) == (1, None)  # the search alone holds images out

    # the tables say what the evaluations say
    rows = list(csv.DictReader((folder / "decisions.csv").open()))
    assert [(row["method"], row["decision"]) for row in rows] == [
        (method, decision) for method in suite.methods for decision in ("majority", "crm")
    ]
    for row in rows:
        name = {"flat-softmax": "flat-softmax", "hace:dilution=0.5": "hace-dilution=0.5"}[row["method"]]
        values = [
            json.loads((folder / f"runs/{name}-{seed}/evaluations/test-none-{row['decision']}.json").read_text())
            for seed in (0, 1)
        ]
        spread = mean_and_sd([value["metrics"]["correct"]["value"] for value in values])
        assert float(row["correct"]) == pytest.approx(spread.mean)
        assert float(row["correct_sd"]) == pytest.approx(spread.sd)
        assert row["correct_seeds"] == "2"

    # again: nothing is trained, tried or evaluated anew
    without_page(monkeypatch)
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.json") if path.name != "chosen.json"}
    with monkeypatch.context() as patch:
        patch.setattr("cladewise.engine.training.fitting.run_trainer", lambda *_: pytest.fail("trained again"))
        suites.benchmark(suite, out=here / "out", progress=False)
    assert before == {path: path.stat().st_mtime_ns for path in before}
    # one more seed adds its runs alone
    shutil.copytree(here / "out", tmp_path / "out")
    folder = tmp_path / "out" / "photos"
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.json") if path.name != "chosen.json"}
    suites.benchmark(suite, out=tmp_path / "out", seeds=3, progress=False)
    assert (folder / "runs" / "hace-dilution=0.5-2" / "model.safetensors").is_file()
    assert before == {path: path.stat().st_mtime_ns for path in before}


def test_a_killed_suite_goes_on(
    finished: tuple[Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = finished
    go_to(here, monkeypatch)
    without_page(monkeypatch)
    suite, killed = read_suite(here / "small.toml"), tmp_path / "killed"
    shutil.copytree(here / "out/photos/search", killed / "photos/search")
    work, calls = jobs.train_and_evaluate, list[str]()

    def dying(job: jobs.Job) -> list[str]:
        calls.append(job.method)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return work(job)

    with monkeypatch.context() as patch:
        patch.setattr(running, "train_and_evaluate", dying)
        with pytest.raises(KeyboardInterrupt):
            suites.benchmark(suite, out=killed, progress=False)
    assert not (killed / "photos/methods.csv").exists()
    suites.benchmark(suite, out=killed, progress=False)
    for name in ("methods.csv", "decisions.csv", "inferences.csv", "chosen.json"):
        assert (killed / "photos" / name).read_text() == (here / "out/photos" / name).read_text()


def test_trials_with_other_settings_are_refused(
    finished: tuple[Path, list[Path]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = finished
    go_to(here, monkeypatch)
    shutil.copytree(here / "out/photos/search", tmp_path / "out/photos/search")
    for old, new, differs in (
        ("epochs = 2", "epochs = 3", r"training.epochs \(2 there, 3 here\)"),
        ("search = 0.3", "search = 0.3\nimbalance = 2", "data"),
    ):
        with pytest.raises(
            InputError, match=rf"search/flat-softmax/lr=0.01 .* differs in {differs}.*, or remove that one"
        ):
            suites.benchmark(changed(here, old, new), out=tmp_path / "out", progress=False)
    assert not (tmp_path / "out/photos/runs").exists()


def test_what_a_head_cannot_have_is_left_out_and_listed(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_page(monkeypatch)
    file = changed(here, 'methods = ["hace:dilution=0.5"]', 'methods = ["flat-softmax"]')
    text = file.read_text().replace('methods = ["flat-softmax", "hace:dilution=0.5"]', 'methods = ["flat-softmax"]')
    file.write_text(text.replace("lr = [0.01, 0.1]", "lr = [0.1]"))
    told = CliRunner().invoke(app, ["benchmark", str(file), "--out", "out", "--seeds", "1"])
    assert told.exit_code == 0, told.output
    assert "left out of the tables, one reason per line (2): out/photos/left_out.txt" in told.stderr
    rows = list(csv.DictReader((here / "out/photos/inferences.csv").open()))
    assert [row["inference"] for row in rows] == ["none"]
    lines = (here / "out/photos/left_out.txt").read_text().splitlines()
    assert lines[0].startswith("flat-softmax: top-down: Expected a head with a score at every node")
    assert lines[1:] == ["methods: no row has a value of severity"]  # for lack of mistakes


@pytest.mark.parametrize("stated", ['name = "mine"\npath = "photos"', 'name = "mine"', 'name = "a"\nsource = "mine"'])
def test_images_of_ones_own_are_where_the_suite_or_the_caller_says(here: Path, stated: str) -> None:
    file = changed(here, 'name = "photos"', stated)
    (entry,) = with_data(read_suite(file), None if "path" in stated else ["mine=photos"]).data
    assert jobs.open_data(entry, searching=False).taxonomy.num_leaves == 3
    if "path" not in stated:
        with pytest.raises(InputError, match=r"a folder of images.*but got 'mine'"):
            jobs.open_data(read_suite(file).data[0], searching=False)


def test_the_search_holds_out_training_images_alone(here: Path) -> None:
    (entry,) = read_suite(changed(here, "search = 0.3", "search = 0.3\nval = 0.2")).data
    searching, final = (jobs.open_data(entry, searching=s) for s in (True, False))
    assert SEARCH not in final.splits
    for dataset in (searching, final):
        parts = [set(map(int, of)) for of in dataset.splits.values()]
        assert sum(map(len, parts)) == len(set().union(*parts))  # no image in two splits
    assert set(searching.splits["test"]) == set(final.splits["test"])
    assert set(searching.splits["train"]) | set(searching.splits[SEARCH]) == set(final.splits["train"])


def test_the_search_finds_the_best_of_what_it_tries(here: Path) -> None:
    suite = dataclasses.replace(read_suite(here / "small.toml"), methods=("hxe", "hace"))
    tried: list[tuple[str, Settings]] = []

    def measure(trials: Mapping[str, list[Settings]]) -> Any:
        tried.extend((method, settings) for method, wanted in trials.items() for settings in wanted)
        return {method: {s: merit(s) for s in wanted} for method, wanted in trials.items()}

    def merit(settings: Settings) -> float | None:
        if settings.lr > 20:
            return None  # training came to nothing
        return -abs(np.log10(settings.lr) - 1.0) - abs(dict(settings.options).get("alpha", 0.1) - 0.4)

    chosen = search(suite, measure)
    assert chosen["hxe"].settings == Settings(10.0, (("alpha", 0.4),))
    assert chosen["hace"].settings.lr == 10.0  # beyond 0.1, the largest of the file
    assert len(tried) == len(set(tried)) == sum(choice.trials for choice in chosen.values())


def test_a_lower_metric_is_better_where_it_is(here: Path) -> None:
    suite = read_suite(changed(here, 'metric = "top1"', 'metric = "severity"'))
    chosen = search(suite, lambda trials: {m: {s: s.lr for s in wanted} for m, wanted in trials.items()})
    assert all(choice.settings.lr < 0.01 for choice in chosen.values())


def test_grids_leave_out_what_a_spec_fixes() -> None:
    assert option_grids("hxe:alpha=0.3") == []
    assert [name for name, _ in option_grids("hxe")] == ["alpha"]


def test_a_suite_states_the_options_to_search(here: Path) -> None:
    suite = read_suite(changed(here, "[search]", "[search]\ngrid = { label_smoothing = [0.1, 0.3] }"))
    tried: dict[str, list[Settings]] = {}

    def measure(trials: Mapping[str, list[Settings]]) -> dict[str, dict[Settings, float | None]]:
        for method, wanted in trials.items():
            tried.setdefault(method, []).extend(wanted)
        return {m: {s: dict(s.options).get("label_smoothing", 0.2) for s in wanted} for m, wanted in trials.items()}

    chosen = search(suite, measure)
    assert dict(chosen["flat-softmax"].settings.options) == {"label_smoothing": 0.3}
    assert {dict(one.options).get("label_smoothing") for one in tried["flat-softmax"]} == {None, 0.1, 0.3}
    assert not any(one.options for one in tried["hace:dilution=0.5"])  # it has no such option: the rate alone
    for grid, text in (
        ("{ dilution = [0.1] }", "grid to have options of methods that are searched, but got dilution"),
        ("{ label_smoothing = 0.1 }", r"a list of values of label_smoothing in grid, but got 0\.1"),
        ("{ label_smoothing = ['a'] }", "label_smoothing"),
        (
            "{ label_smoothing = [0.1] }\noptions = 'default'",
            "no grid where the rate alone is searched, but got label_sm",
        ),
    ):
        with pytest.raises(InputError, match=text):
            read_suite(changed(here, "[search]", f"[search]\ngrid = {grid}"))
    with pytest.raises(InputError, match=r"searched, but got dilution at changed.toml \[features\] search"):
        read_suite(changed(here, "[search]", "[features]\nsearch.grid = { dilution = [0.1] }\n[search]"))


WAYS_TO_SCORE = {
    *("flat-softmax", "hxe", "soft-labels", "hace", "hace-smooth", "hace-soft", "conditional-softmax"),
    *("conditional-sigmoid", "multilabel-focal", "ps-softmax", "deep-rtc", "soft-max-margin", "descendant-softmax"),
    "level-softmax",
}


def test_all_is_every_method_there_is(here: Path) -> None:
    suite = read_suite(changed(here, '["flat-softmax", "hace:dilution=0.5"]', '["all", "hace:dilution=0.5"]'))
    assert suite.methods == (*methods.available(), "hace:dilution=0.5")


@pytest.mark.parametrize("name", sorted(suites.available()))
def test_bundled_suites_name_what_there_is(name: str) -> None:
    suite = read_suite(name)
    named = {suite.variant(label).method.partition(":")[0] for label in suite.methods}
    assert named <= set(methods.available())
    assert {text.partition(":")[0] for text in suite.inferences} - {"none", "own"} <= set(inferences_available())
    assert {text.partition(":")[0] for text in suite.decisions} - {"own"} <= set(decisions_available())
    assert all(entry.dataset in datasets.available() for entry in suite.data)


@pytest.mark.parametrize("name", [name for name in sorted(suites.available()) if name.startswith("scores-and-curves")])
def test_ways_to_score_are_compared_in_the_published_columns(name: str) -> None:
    suite = read_suite(name)
    assert {label.partition(":")[0] for label in suite.methods} == WAYS_TO_SCORE
    published = ("ap", "ac", "r@90", "r@95", "majority_f1", "leaf_f1", "leaf_top1")
    assert any(table.columns == published and table.methods == "all" for table in suite.tables)


MISTAKES = {
    "file": ("", "", "a suite file, or one of .*fine-from-coarse-emoji, .*but got 'none.toml'"),
    "toml": ('title = "Colours"', "title = ", "a TOML file"),
    "entry": ("seeds = 2", "seed = 2", "but got 'seed' at changed.toml. Did you mean seeds"),
    "data": ("search = 0.3", "serach = 0.3", r"but got 'serach' at changed.toml \[data\]. Did you mean search"),
    "method": ('"flat-softmax",', '"flat-sotfmax",', "a method: .*Did you mean flat-softmax"),
    "option": ("hace:dilution=0.5", "hace:dillution=0.5", "Did you mean dilution"),
    "decision": ('"crm"]', '"crn"]', "a decision: .*Did you mean crm"),
    "inference": ('"top-down"]', '"topdown"]', "an inference: .*Did you mean top-down"),
    "metric": ('["ap", "severity"]', '["app"]', "a metric: .*but got 'app'"),
    "setting": ("epochs = 2", "epohcs = 2", r"but got 'epohcs' at changed.toml \[training\]. Did you mean epochs"),
    "table": ('name = "methods"', "", r"name in changed.toml \[\[table\]\]"),
    "table method": ('methods = ["hace:dilution=0.5"]', 'methods = ["hxe"]', "one of the suite's methods: .*'hxe'"),
    "share": (
        "search = 0.3",
        "search = 3.0",
        r"search in \(0, 1\) .*search = 3.0 and val = 0.0 at changed.toml \[data\]",
    ),
    "rate": ("lr = [0.01, 0.1]", "lr = []", r"learning rates above 0 in lr, but got \[\] at changed.toml \[search\]"),
    "undirected": (
        'metric = "top1"',
        'metric = "labels_mean"',
        "a metric of which higher or lower is better.*labels_mean",
    ),
    "searched": ('metric = "top1"', 'metric = "top"', r"a metric: .*but got 'top' at changed.toml \[search\]"),
    "baseline": (
        'baseline = "flat-softmax"',
        'baseline = "hxe"',
        "a baseline among .*, hace:dilution=0.5, but got 'hxe'",
    ),
    "baseline with a word": ('baseline = "flat-softmax"', 'baseline = "hace 0.5"', "a baseline .*but got 'hace 0.5'"),
    "value": (
        '["none", "top-down"]',
        '["none", "diffusion:alpha=5"]',
        r"alpha in \[0, 1\), but got 5.0 at changed.toml",
    ),
    "same name": ('name = "decisions"', 'name = "methods"', "a unique name for every .*but got 'methods' twice"),
    "tables": (
        "[search]",
        "[tables]",
        "search, seeds, smoke, table, title, .*but got 'tables' at changed.toml. Did you mean table",
    ),
    "seeds": ("seeds = 2", "seeds = 0", "at least one seed"),
    "searched rate": (
        "epochs = 2",
        "epochs = 2\nlr = 0.1",
        r"no lr, since it is searched, but got 0.1 at .* \[training\]",
    ),
    "column": ('["ap", "severity"]', '["second"]', "a metric: .*; or seconds, cpu_seconds, .*but got 'second'"),
    "type": ("seeds = 2", "seeds = 'two'", "seeds to be a whole number"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_a_suite_is_found_before_anything_runs(here: Path, mistake: str) -> None:
    old, new, message = MISTAKES[mistake]
    file = changed(here, old, new) if old else Path("none.toml")
    with pytest.raises(InputError, match=message):
        read_suite(file)


def test_a_table_for_people() -> None:
    suite = Suite(name="s", title="s", data=(), methods=("a", "b"), tables=())
    table = TableEntry(name="t", title="Two", columns=("leaf_top1", "severity"))
    rows = [
        Row("a", "none", "leaf", {"leaf_top1": mean_and_sd([0.5, 0.7]), "severity": mean_and_sd([1.0, 2.0])}),
        Row("b", "none", "leaf", {"leaf_top1": mean_and_sd([0.4, 0.4])}),
    ]
    assert as_markdown(suite, table, rows).splitlines() == [
        "# Two",
        "",
        "| method | L-Top1 | Severity |",
        "|---|---:|---:|",
        "| `a` | **60.00** ± 14.14 | 1.500 ± 0.707 |",
        "| `b` | 40.00 ± 0.00 | – |",
        "",
        "Mean ± standard deviation of 2 seeds; L-Top1 in percent.",
    ]
    assert as_csv(table, rows).splitlines()[2] == "b,none,leaf,0.4,0.0,2,,,0"


VARIANTS = """
[[variant]]
name = "w/ random"
method = "hace:dilution=0.5"
ablation = { hierarchy = "random", ablation_seed = 0 }
tree = "own"

[[variant]]
name = "noisy, 32 px"
method = "hace:dilution=0.5"
ablation = { label_noise = 0.5, coarse_labels = 0.5 }
backbone = { image_size = 32 }
training = { epochs = 1, optimizer = "adam" }
seeds = 1

[[variant]]
name = "own rate"
method = "flat-softmax"
training = { epochs = 1 }
settings = "own rate"
share = 0.5

[[variant]]
name = "the same in the true tree"
method = "hace:dilution=0.5"
ablation = { hierarchy = "random", ablation_seed = 0 }

[[table]]
name = "ablations"
title = "Ablations"
methods = ["hace:dilution=0.5", "w/ random", "noisy, 32 px", "own rate"]
columns = ["leaf_top1", "level_accuracy/level_1", "seconds", "peak_memory", "images_seen"]
"""


SAME = "the same in the true tree"


def with_variants(here: Path, old: str = "", new: str = "") -> Path:
    text = SMALL + VARIANTS
    assert old in text
    (here / "variants.toml").write_text(text.replace(old, new) if old else text)
    return here / "variants.toml"


def test_variants_of_methods_from_start_to_end(here: Path) -> None:
    file = with_variants(here, 'baseline = "flat-softmax"', 'baseline = "w/ random"')
    tables = SMALL[SMALL.index('[[table]]\nname = "decisions"') :]  # every rule, which other tests are about
    file.write_text(file.read_text().replace(tables, "").replace("lr = [0.01, 0.1]", "lr = [0.01]"))
    suite = read_suite(file)
    assert suite.methods == ("flat-softmax", "hace:dilution=0.5", "w/ random", "noisy, 32 px", "own rate", SAME)
    suites.benchmark(suite, out=here / "out", seeds=2, progress=False)
    folder = here / "out" / "photos"
    trained = {path.name for path in (folder / "runs").iterdir()}
    assert {"w-random-1", "noisy-32-px-0"} < trained
    assert "noisy-32-px-1" not in trained  # one seed is all it wants
    chosen = json.loads((folder / "chosen.json").read_text())
    assert set(chosen) == {"flat-softmax", "hace:dilution=0.5", "own rate"}
    configs = {
        label: tomllib.loads((folder / "runs" / f"{name}-0" / "config.toml").read_text())
        for label, name in (
            ("plain", "hace-dilution=0.5"),
            ("random", "w-random"),
            ("noisy", "noisy-32-px"),
            ("own", "own-rate"),
        )
    }
    assert configs["random"]["ablation"]["hierarchy"] == "random"
    assert configs["random"]["name"] == "w/ random"
    assert configs["noisy"]["backbone"]["image_size"] == 32
    assert (configs["noisy"]["training"]["epochs"], configs["plain"]["training"]["epochs"]) == (1, 2)
    assert configs["noisy"]["method"] == configs["plain"]["method"] == configs["random"]["method"]
    rates = {label: config["training"]["lr"] for label, config in configs.items()}
    assert rates["plain"] == rates["random"] == rates["noisy"] == chosen["hace:dilution=0.5"]["lr"]
    assert rates["own"] == chosen["own rate"]["lr"]

    rows = {row["method"]: row for row in csv.DictReader((folder / "ablations.csv").open())}
    assert list(rows) == ["hace:dilution=0.5", "w/ random", "noisy, 32 px", "own rate"]
    run = folder / "runs" / "w-random-0"
    own = json.loads((run / "evaluations/own-tree/test-none-node-argmax.json").read_text())
    true = json.loads((run / "evaluations/test-none-node-argmax.json").read_text())
    assert (own["tree"], true["tree"]) == ("own", "true")
    told = float(rows["w/ random"]["level_accuracy/level_1"])
    again = json.loads((run.with_name("w-random-1") / "evaluations/own-tree/test-none-node-argmax.json").read_text())
    assert told == pytest.approx(
        statistics.mean(found["metrics"]["level_accuracy/level_1"]["value"] for found in (own, again))
    )
    took = [json.loads((folder / "runs" / f"w-random-{seed}" / "resources.json").read_text()) for seed in (0, 1)]
    assert float(rows["w/ random"]["seconds"]) == pytest.approx(statistics.mean(each["seconds"] for each in took))
    assert (rows["w/ random"]["leaf_top1_seeds"], rows["noisy, 32 px"]["leaf_top1_seeds"]) == ("2", "1")
    assert int(float(rows["noisy, 32 px"]["images_seen"])) * 2 == int(float(rows["w/ random"]["images_seen"]))
    own_rate, whole = (
        tomllib.loads((folder / "runs" / f"{name}-0" / "config.toml").read_text())["data"]
        for name in ("own-rate", "flat-softmax")
    )
    assert [step["into"] for step in own_rate["held_out"]] == ["unused"]
    assert "held_out" not in whole
    assert float(rows["own rate"]["images_seen"]) * 4 == float(rows["w/ random"]["images_seen"])  # half, and one epoch
    text = (folder / "ablations.md").read_text()
    assert "| method | L-Top1 | Accuracy at level_1 | Seconds | Peak MB | Images seen |" in text
    assert "Scored in the tree that the network was trained on: `w/ random`." in text
    assert "Of 1 seed: `noisy, 32 px`." in text
    page = (folder / "report.html").read_text()
    assert "w/ random" in page
    assert SAME not in page  # it is the same run


def test_a_variant_alone_searches_its_plain_method(here: Path) -> None:
    suite = read_suite(here / "small.toml")
    variant = Variant(name="noisy", method="hace", ablation={"label_noise": 0.1})
    alone = dataclasses.replace(suite, methods=("noisy",), variants=(variant,))
    assert alone.searched == ("hace",)
    assert suite.search is not None
    chosen = search(alone, lambda trials: {m: {s: s.lr for s in wanted} for m, wanted in trials.items()})
    assert chosen["hace"].trials > len(suite.search.lr)


VARIANT_MISTAKES = {
    "no name": ('name = "w/ random"', "", r"name in variants.toml \[\[variant\]\], but got none"),
    "entry": ('tree = "own"', 'trees = "own"', r"'trees' at variants.toml \[\[variant\]\]. Did you mean tree"),
    "method": ('method = "flat-softmax"', 'method = "flat"', "a method: .*'flat' at variants.toml variant own rate"),
    "taken": ('name = "w/ random"', 'name = "hace:x"', "a name that is not a method, but got 'hace:x'"),
    "twice": ('name = "own rate"', 'name = "w/ random"', "a unique name for every .*'w/ random' twice"),
    "folder": (
        'name = "noisy, 32 px"',
        'name = "w random"',
        "names that make different folders, but got 'w-random' twice",
    ),
    "share": ("label_noise = 0.5", "label_noise = 5", "label_noise of at most 1, but got 5 at .* variant noisy, 32 px"),
    "setting": ("hierarchy = ", "hierachy = ", "'hierachy' at .* variant w/ random ablation. Did you mean hierarchy"),
    "table": (
        'ablation = { hierarchy = "random", ablation_seed = 0 }',
        'ablation = "random"',
        "ablation to be a table",
    ),
    "size": ("image_size = 32", "image_size = -1", "image_size of at least 0, but got -1 at .* variant noisy, 32 px"),
    "rate": ('optimizer = "adam"', "lr = 0.1", "no lr, since it is searched, but got 0.1 at .* variant noisy, 32 px"),
    "tree": (
        'tree = "own"',
        'tree = "mine"',
        "a tree to score in: true or own, but got 'mine' at .* variant w/ random",
    ),
    "seeds": ("seeds = 1", "seeds = -1", "0 or more seeds, but got -1 at .* variant noisy, 32 px"),
    "part": ("share = 0.5", "share = 0", "a share of the images in \\(0, 1\\], but got 0 at .* variant own rate"),
    "whose": ('settings = "own rate"', 'settings = "hxe"', "settings of flat-softmax, with .*but got 'hxe'"),
    "chain": (
        'settings = "own rate"',
        'settings = "w/ random"',
        "or of a variant that is searched itself, but got 'w/",
    ),
}


@pytest.mark.parametrize("mistake", VARIANT_MISTAKES)
def test_a_mistake_in_a_variant_is_found_before_anything_runs(here: Path, mistake: str) -> None:
    with pytest.raises(InputError, match=VARIANT_MISTAKES[mistake][2]):
        read_suite(with_variants(here, *VARIANT_MISTAKES[mistake][:2]))


@pytest.mark.parametrize(
    ("new", "message"),
    [
        ('drop_levels = "genus"', "levels among 1 to 2 .*but got 'genus' at variant w/ random, photos"),
        ("wrong_parents = 1.0", "another parent of the same level, but got 3 leaves.* at variant w/ random, photos"),
        ('coarse_level = "3"', "levels among 1 to 2 .*but got '3' at variant w/ random, photos"),
    ],
)
def test_what_the_data_has_not_is_found_before_anything_runs(here: Path, new: str, message: str) -> None:
    suite = read_suite(with_variants(here, 'hierarchy = "random"', new))
    with pytest.raises(InputError, match=message):
        suites.benchmark(suite, out=here / "out", progress=False)
    assert not (here / "out").exists()


@pytest.mark.slow
def test_several_processes_give_what_one_gives(here: Path) -> None:
    suite = read_suite(here / "small.toml")
    for count in (1, 2):
        suites.benchmark(suite, out=here / f"out{count}", jobs=count, progress=False)
    one, two = ((here / f"out{count}" / "photos" / "methods.csv").read_text() for count in (1, 2))
    assert one == two


@pytest.mark.slow
def test_workers_end_with_the_process_that_wants_their_results(here: Path) -> None:
    """They would go on writing into folders that the next attempt uses."""
    long = changed(here, "epochs = 2", "epochs = 100000")
    parent = subprocess.Popen(
        [sys.executable, "-m", "cladewise", "benchmark", str(long), "--jobs", "2", "--out", "out"]
    )
    logs = here / "out" / "photos" / "search"
    wait_until(lambda: sum(1 for _ in logs.glob("*/*/log.jsonl")) >= 2)
    parent.kill()
    parent.wait()
    time.sleep(3)
    before = {path: path.stat().st_size for path in logs.glob("*/*/log.jsonl")}
    time.sleep(2)
    assert {path: path.stat().st_size for path in logs.glob("*/*/log.jsonl")} == before


def wait_until(happened: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened():
        assert time.monotonic() < deadline
        time.sleep(0.2)


def test_the_file_of_the_documentation_is_a_suite(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs" / "suites.md").read_text()
    (tmp_path / "mine.toml").write_text(page.split('```toml title="mine.toml"\n')[1].split("```")[0])
    suite = read_suite(tmp_path / "mine.toml")
    assert suite.methods == (*methods.available(), "hxe:logits=conditional")
    assert (suite.data[0].imbalance, suite.search is not None) == (50, True)
