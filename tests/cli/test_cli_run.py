"""The command line from photographs to a page, and what it says to mistakes."""

from __future__ import annotations

import json
import re
from io import StringIO
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from cladewise import backbones, datasets, decisions, inference, methods
from cladewise.records import read_evaluation
from cladewise.records.verdict import verdict

TINY = ("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0", "--freeze")


def test_version_as_a_module(shell: Any) -> None:
    result = shell("--version")
    assert (result.returncode, result.stdout) == (0, "cladewise 0.1.0\n")


def test_evaluate_prints_and_keeps(here: Any, run: str) -> None:
    code, out, _ = here("evaluate", run)
    assert code == 0
    assert "Top-1" in out
    summary = json.loads(Path(run, "evaluations/test-none-node-argmax.json").read_text())
    assert summary["metrics"]["top1"]["value"] > 0.5
    assert f"{summary['metrics']['top1']['value']:.4f}" in out
    code, out, _ = here("evaluate", run, "--decision", "threshold", "--threshold", "0.8", "--inference", "bottom-up")
    assert code == 0
    assert Path(run, "evaluations/test-bottom-up-threshold-0.8.json").is_file()


def test_evaluate_by_few_shot_episodes(here: Any, run: str) -> None:
    few = ("--protocol", "few-shot", "--split", "train", "--episodes", "5")
    code, out, err = here("evaluate", run, *few, "--ways", "3", "--ways", "intra", "--support-views", "0")
    assert code == 0, err
    found = json.loads(Path(run, "few_shot/train-3-way-1-shot-0-views.json").read_text())
    assert f"{100 * found['accuracy']:.2f} ±" in out
    assert "intra-class, 1-shot, 0 views" in out
    assert "2 coarse classes have several fine ones" in err
    code, _, err = here("evaluate", run, *few, "--decision", "leaf")
    assert (code, "Expected no rules, recalls or tree with --protocol few-shot" in err) == (2, True)
    code, _, err = here("evaluate", run, "--ways", "3")
    assert (code, "Expected --protocol few-shot with options of episodes" in err) == (2, True)
    code, _, err = here("evaluate", run, "--protocol", "many-shot")
    assert (code, "Expected a protocol: labels, few-shot, unknown, but got 'many-shot'" in err) == (2, True)


def test_discover_finds_classes_under_coarse_ones(here: Any, run: str) -> None:
    code, out, err = here("discover", run, "--level", "tone", "--clusters", "1x", "--examples", "2")
    assert code == 0, err
    assert "agreement inside coarse classes: ARI" in out
    assert all(Path(line).is_file() for line in out.splitlines()[2:])
    code, _, err = here("discover", run)
    assert (code, "Expected the level of the coarse classes" in err) == (2, True)


def test_evaluate_tells_any_recall(here: Any, run: str) -> None:
    code, out, err = here("evaluate", run, "--recall-at", "0.999", "--recall-at", "0.5", "--recall-at", "0.5")
    assert code == 0, err
    metrics = json.loads(Path(run, "evaluations/test-none-node-argmax.json").read_text())["metrics"]
    for name in ("r@50", "r@90", "r@95", "r@99.9"):
        assert re.search(rf"{name.upper()} .*{metrics[name]['value']:.4f}", out)
    assert metrics["r@50"]["value"] >= metrics["r@90"]["value"] >= metrics["r@99.9"]["value"]
    assert "Depth AP" in out
    assert "MCE" not in out  # by level, in the file alone
    assert {"mce/tone", "mce/colour", "micro_f1/tone"} <= metrics.keys()
    code, out, _ = here("evaluate", run, "--recall-at", "0.8", "--decision", "leaf", "--decision", "majority")
    assert code == 0
    assert re.search(r"R@80 .*R@90 .*R@95", out)  # several rules are a row each


def test_evaluate_takes_several_rules_at_once(here: Any, run: str) -> None:
    rules = (
        "--inference",
        "none",
        "--inference",
        "diffusion:alpha=0.5+bottom-up",
        "--decision",
        "greedy:threshold=0.5",
    )
    code, out, err = here("evaluate", run, *rules, "--decision", "levels")
    assert code == 0, err
    for name in (
        "none-greedy-0.5",
        "none-levels",
        "diffusion-0.5+bottom-up-greedy-0.5",
        "diffusion-0.5+bottom-up-levels",
    ):
        assert f"evaluations/test-{name}.json" in out
        assert Path(run, f"evaluations/test-{name}.json").is_file()


def test_predict_applies_an_inference(here: Any, run: str) -> None:
    red = "photos/warm/red/1.png"
    Path("allowed.txt").write_text("cold/blue\n")
    code, out, err = here("predict", run, red, "--inference", "subset:allowed=allowed.txt", "--decision", "leaf")
    assert code == 0, err
    row = pl.read_csv(StringIO(out)).row(0, named=True)
    assert (row["label"], row["probability"] > 0.9) == ("blue", True)


def test_what_a_rule_learnt_from_is_told(here: Any, run: str) -> None:
    rule = ("--decision", "leaf-or-root:guarantee=0.5")
    code, out, err = here("evaluate", run, "--fit-split", "test", *rule)
    assert code == 0, err
    assert "-leaf-or-root-0.5@test.json" in out
    assert any(Path(run, "fitted").iterdir())
    for _ in range(2):  # the second time from what is kept
        code, out, err = here("predict", run, "photos/warm/red/1.png", "--decision", "leaf-or-root:guarantee=0.99")
        assert (code, len(out.splitlines())) == (0, 2)
        assert "cladewise: leaf-or-root answers the root for every image: " in err


def test_a_suite_from_the_command_line(here: Any, run: str) -> None:
    Path("suite.toml").write_text(SUITE)
    code, out, err = here("benchmark", "suite.toml", "--seeds", "1", "--out", "suite")
    assert code == 0, err
    assert out.splitlines()[0] == "suite/photos/report.html"
    assert "| `flat-softmax` |" in Path("suite/photos/methods.md").read_text()


SUITE = """
methods = ["flat-softmax"]
data = { name = "photos" }
backbone = { name = "test_resnet", pretrained = false, image_size = 24, freeze = true }
training = { epochs = 1, workers = 0 }
search = { lr = [0.1], refine = [] }
[[table]]
name = "methods"
title = "Methods"
columns = ["ap"]
"""


def test_compare_writes_a_page(here: Any, run: str, tmp_path: Path) -> None:
    here("evaluate", run)
    page = tmp_path / "report.html"
    code, out, err = here("compare", run, "--out", page)
    assert (code, out.strip()) == (0, str(page)), err
    assert "<html" in page.read_text(encoding="utf-8")


def test_a_config_reruns_the_run(here: Any, run: str, tmp_path: Path) -> None:
    code, _, err = here("train", "--config", f"{run}/config.toml", "--out", tmp_path / "again")
    assert code == 0, err
    assert Path(tmp_path, "again/model.safetensors").read_bytes() == Path(run, "model.safetensors").read_bytes()


PARTS = {
    "methods": methods.available,
    "decisions": decisions.available,
    "inferences": inference.available,
    "datasets": datasets.available,
    "backbones": backbones.available,
}


@pytest.mark.parametrize("kind", PARTS)
def test_a_list_is_whole_and_in_order(here: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "60")
    code, out, err = here("list", kind)
    assert code == 0
    names = [line.split()[0] for line in out.splitlines()[1:]]
    assert names == sorted(PARTS[kind]())
    assert f"{len(names):,} {kind}, by name" in err
    assert "…" not in out


def test_a_list_credits_each_method(here: Any) -> None:
    _, out, err = here("list", "methods", "*plc")
    assert out.count("Dhall et al., CVPR Workshops 2020") == 2
    assert f"2 of {len(methods.available())} methods" in err


def test_the_nearest_word_is_offered(here: Any, run: str) -> None:
    for words, offered in (
        (("list", "method"), "methods"),
        (("list", "methods", "hacee"), "hace"),
        (("trian",), "'train'"),
        (("train", "photos", "--method", "hacee"), "hace"),
        (("train", "photos", "--set", "dilutoin=0.5"), "dilution"),
        (("train", "emoji-food-animal"), "emoji-food-animals"),
        (("train", "photos", "--data-option", "split_folder=false"), "split_folders"),
        (("evaluate", run, "--split", "tset"), "test"),
        (("evaluate", run, "--decision", "hedgin"), "hedging"),
        (("evaluate", run, "--decision", "threshold:treshold=1"), "threshold"),
        (("evaluate", run, "--inference", "botom-up"), "bottom-up"),
        (("evaluate", run, "--protocol", "fewshot"), "few-shot"),
    ):
        code, _, err = here(*words)
        assert code == 2
        assert re.search(rf"[Dd]id you mean {offered}\?", err), err
    _, _, err = here("train", "photos", "--methd", "hace")
    assert "--method" in err


RULES = ("leaf", "hedging-0.5")


def test_an_evaluation_sums_itself_up(here: Any, run: str) -> None:
    code, out, err = here("evaluate", run, "--decision", "leaf", "--decision", "hedging:guarantee=0.5")
    assert code == 0, err
    leaf, hedging = (json.loads(Path(run, f"evaluations/test-none-{name}.json").read_text()) for name in RULES)
    assert (leaf["promise"], hedging["promise"]) == (None, 0.5)
    lines = out.splitlines()
    for name, summary in (("leaf", leaf), ("hedging-0.5", hedging)):
        said = next(line for line in lines if line.startswith(f"{run}, {name}: "))
        kept = read_evaluation(Path(run, f"evaluations/test-none-{name}.json"))
        assert said == f"{run}, {name}: {verdict(kept.metrics, promise=kept.promise)}."
        value = summary["metrics"]["correct"]["value"]
        assert f"{100 * value:.1f}% correct" in said
    assert "every answer is a leaf" in out
    assert re.search(r"^ Severity +Height of .* Lower is better\.", out, re.MULTILINE)  # the legend
    assert [line for line in lines if line.endswith(".json")] == lines[-2:]
    code, out, _ = here("evaluate", run)
    assert re.search(r"│ ECE at tone .*│ Expected gap between .* Lower is better\.", out)


def test_a_list_has_options_and_not_what_is_learnt(here: Any) -> None:
    _, out, _ = here("list", "inferences")
    assert "matrix" not in out
    _, out, _ = here("list", "decisions")
    assert "caution" not in out
    assert "guarantee=0.9" in out


def test_no_word_is_a_call_for_help(here: Any) -> None:
    code, out, err = here()
    assert code == 2
    assert "Usage:" in out + err
    assert "Expected" not in err


def test_an_ablation_from_the_command_line(here: Any, shell: Any, tmp_path: Path) -> None:
    out = tmp_path / "wrong"
    options = (*TINY, "--epochs", "12", "--batch-size", "16", "--lr", "0.05", "--seed", "1")
    ablation = ("--wrong-parents", "0.5", "--label-noise", "0.1", "--coarse-labels", "0.2", "--coarse-level", "tone")
    code, _, err = here("train", "photos", "--taxonomy", "classes.csv", *options, *ablation, "--out", out)
    assert code == 0, err
    code, told, err = here("evaluate", out, "--tree", "own", "--decision", "leaf")
    assert code == 0, err
    assert "evaluations/own-tree/test-none-leaf.json" in told
    assert here("evaluate", out, "--decision", "leaf")[0] == 0
    for tree, name in (("own", "own.html"), ("true", "true.html")):
        code, _, err = here("compare", out, "--tree", tree, "--decision", "leaf", "--out", tmp_path / name)
        assert code == 0, err
        assert ("<dt>tree</dt>" in (tmp_path / name).read_text()) == (tree == "own")
    code, told, err = here("predict", out, "photos/warm/red/1.png", "photos/cold/blue/1.png", "--decision", "leaf")
    assert code == 0, err
    true = {"warm/red", "warm/orange", "cold/blue", "cold/green"}
    assert set(pl.read_csv(StringIO(told))["label_path"]) <= true
    code, _, err = here("train", "--config", out / "config.toml", "--out", tmp_path / "again")
    assert code == 0, err
    assert (tmp_path / "again/model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


def test_a_run_keeps_the_options_of_reading_its_taxonomy(here: Any, shell: Any, tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_text("warm;red\nwarm;orange\ncold;blue\ncold;green\n")
    options = ("--taxonomy-format", "levels", "--separator", ";", "--taxonomy-header", "none", "--name", "mine")
    out = tmp_path / "run"
    words = ("train", "photos", "--taxonomy", tmp_path / "tree.txt", *options, *TINY, "--epochs", "1", "--out", out)
    code, _, err = here(*words)
    assert code == 0, err
    assert "level_1 > level_2" in (out / "taxonomy.csv").read_text()
    config = (out / "config.toml").read_text()
    assert "[data.taxonomy_options]" in config
    assert 'name = "mine"' in config
    code, _, err = here("train", "--config", out / "config.toml", "--out", tmp_path / "again")
    assert code == 0, err
    assert (tmp_path / "again/model.safetensors").read_bytes() == (out / "model.safetensors").read_bytes()


MISTAKES: dict[str, tuple[tuple[str, ...], str]] = {
    "reading": (("train", "photos", "--separator", ";", *TINY), "a taxonomy file to which the reading options apply"),
    "method": (("train", "photos", "--method", "hacee", *TINY), "a method: .*'hacee'. Did you mean hace?"),
    "option": (("train", "photos", "--set", "dilutoin=1", *TINY), "option of the method hace.*Did you mean dilution?"),
    "option value": (("train", "photos", "--set", "dilution=3", *TINY), "a dilution in"),
    "option form": (("train", "photos", "--set", "dilution", *TINY), "--set key=value, but got 'dilution'"),
    "setting": (("train", "photos", "--optimizer", "nope", *TINY), "optimizer to be one of sgd"),
    "setting type": (("train", "photos", "--epochs", "many", *TINY), "arguments for cladewise train, .*'--epochs'"),
    "setting range": (("train", "photos", "--epochs", "-1", *TINY), "epochs of at least 0"),
    "hierarchy": (("train", "photos", "--hierarchy", "wrong", *TINY), "hierarchy to be one of true, random"),
    "noise": (("train", "photos", "--label-noise", "2", *TINY), "label_noise of at most 1, but got 2"),
    "levels": (("train", "photos", "--drop-levels", "genus", *TINY), "levels among 1 to 2 .*but got 'genus'"),
    "finest": (("train", "photos", "--drop-levels", "2", *TINY), "a level to drop from 1 to 1, but got 2"),
    "parents": (("train", "photos/warm", "--wrong-parents", "1", *TINY), "2 leaves \\(0 of 2 can move"),
    "tree": (("evaluate", "runs/hace", "--tree", "mine"), "a tree to score in: true or own, but got 'mine'"),
    "seed": (("train", "photos", "--seed", "-3", *TINY), "'--seed'"),
    "no such setting": (("train", "photos", "--epoks", "3"), "no such option: --epoks"),
    "backbone": (("train", "photos", "--backbone", "nope"), "the name of a backbone, but got 'nope'"),
    "data": (("train", "nowhere"), "a folder of images, a manifest, .*'nowhere'"),
    "no data": (("train",), "images to train on, but got none"),
    "data option": (("train", "photos", "--data-option", "size=9"), "an option of this dataset: .*'size'"),
    "cycle": (("train", "photos", "--taxonomy", "cycle.csv"), "cycle: a → b → a"),
    "no taxonomy": (("train", "photos", "--taxonomy", "none.csv"), "taxonomy file or folder"),
    "unknown folder": (("train", "photos", "--taxonomy", "part.csv"), "named as nodes.*cold/blue"),
    "empty folder": (("train", "empty"), "a dataset with images, but got no file"),
    "config": (("train", "--config", "none.toml"), "a run's config.toml, but got no such file"),
    "finished": (("train", "--config", "runs/hace/config.toml", "--out", "runs/hace"), "not finished"),
    "other run": (
        ("train", "photos", "--method", "hxe", "--out", "runs/hace", *TINY),
        r"contain this run, .* method\.name \('hace' there, 'hxe' here\), training\.epochs",
    ),
    "beside a config": (
        ("train", "--config", "runs/hace/config.toml", "--epochs", "3", "--out", "runs/again"),
        "no settings with --config except --out, --overwrite, --runtime and --logger, but got --epochs",
    ),
    "out under a file": (
        ("train", "photos", "--out", "classes.csv/run", *TINY),
        "a place to write to, but got not a directory",
    ),
    "no run": (("evaluate", "runs/none"), "a run folder, but got no config.toml at runs/none"),
    "unfinished": (("evaluate", "unfinished"), "a finished run, but got no model.safetensors"),
    "split": (("evaluate", "runs/hace", "--split", "tset"), "a split of photos: train, val, test, but got 'tset'"),
    "decision": (("evaluate", "runs/hace", "--decision", "majorty"), "a decision: .*Did you mean majority?"),
    "inference": (("evaluate", "runs/hace", "--inference", "up"), "an inference: bottom-up, .*but got 'up'"),
    "threshold alone": (
        ("evaluate", "runs/hace", "--threshold", "0.5"),
        "one --decision with --threshold, but got only",
    ),
    "thresholds": (
        ("evaluate", "runs/hace", "--threshold", "0.5", "--decision", "leaf", "--decision", "threshold"),
        "one --decision with --threshold, but got 2 decisions",
    ),
    "split twice": (("evaluate", "runs/hace", "--split", "test+test"), "each split once, but got 'test.test'"),
    "recall share": (("evaluate", "runs/hace", "--recall-at", "99"), "'--recall-at': .*less than or equal to 1"),
    "recall of nothing": (("evaluate", "runs/hace", "--recall-at", "nan"), "'--recall-at': "),
    "recall text": (("evaluate", "runs/hace", "--recall-at", "R@99"), "'--recall-at': .*a valid number"),
    "rate": (("evaluate", "runs/hace", "--inference", "diffusion:alpha=1"), r"a diffusion rate alpha in \[0, 1\)"),
    "level": (("evaluate", "runs/hace", "--inference", "diffusion:levels=9"), "levels among 1 to 2 or tone, colour"),
    "learning rate": (
        ("evaluate", "runs/hace", "--inference", "differentiable-diffusion:learning_rate=nan"),
        "a learning_rate above 0, but got nan",
    ),
    "subset": (
        ("evaluate", "runs/hace", "--inference", "subset:allowed=unknown.txt"),
        "1 that does not: 'unicorn' in line 2 at unknown.txt",
    ),
    "subset of nothing": (
        ("evaluate", "runs/hace", "--inference", "subset:allowed="),
        "one allowed node, but got none",
    ),
    "empty subset": (("evaluate", "runs/hace", "--inference", "subset:allowed=blank.txt"), "but got none at blank.txt"),
    "cost": (
        ("evaluate", "runs/hace", "--decision", "crm:cost=costs.csv"),
        "finite costs, but got .* NaN cost for the answer 'warm/red' where 'cold/blue' is true at costs.csv",
    ),
    "costs": (
        ("evaluate", "runs/hace", "--decision", "crm:cost=short.csv"),
        "a row for each of 4 labels, but got none for 'cold/green' at short.csv",
    ),
    "guarantee": (("evaluate", "runs/hace", "--decision", "hedging:guarantee=1"), r"a guarantee in \[0, 1\)"),
    "gate": (("train", "photos", "--method", "deep-rtc", "--set", "gate=2", *TINY), r"a threshold in \[0, 1\]"),
    "spec": (("evaluate", "runs/hace", "--decision", "threshold:0.5"), "threshold:key=value,key=value"),
    "spec value": (("evaluate", "runs/hace", "--inference", "diffusion:alpha=x"), "a number, but got 'x' at inference"),
    "suite": (("benchmark", "scores-and-curves"), "a suite file, or one of .*fine-from-coarse-emoji.*Did you mean"),
    "threshold too many": (
        ("predict", "runs/hace", "broken.png", "--decision", "leaf", "--threshold", "0.5"),
        "an option of the decision leaf: none",
    ),
    "threshold range": (
        ("predict", "runs/hace", "broken.png", "--decision", "threshold", "--threshold", "2"),
        r"a threshold in \[0, 1\)",
    ),
    "format": (("predict", "runs/hace", "broken.png", "--format", "xml"), "--format csv or tsv or jsonl or parquet"),
    "parquet to the screen": (("predict", "runs/hace", "broken.png", "--format", "parquet"), "--out FILE with"),
    "no images": (("predict", "runs/hace", "new/*.jpg"), "image files, folders or patterns that match some"),
    "no images in a folder": (("predict", "runs/hace", "empty"), "match some, but got 'empty'"),
    "table's name": (
        ("predict", "runs/hace", "broken.png", "--out", "p.xlsx"),
        r"a name that ends in \.csv, .*p\.xlsx",
    ),
    "table in a folder": (
        ("predict", "runs/hace", "broken.png", "--out", "empty", "--format", "csv"),
        "--format parquet for a folder, but got 'csv'",
    ),
    "table nowhere": (
        ("predict", "runs/hace", "photos/warm/red/1.png", "--out", "classes.csv/p.csv"),
        "a place to write to, but got .*part of this path is a file",
    ),
    "decision of a prediction": (("predict", "runs/hace", "broken.png", "--decision", "lef"), "Did you mean leaf?"),
    "kind": (("list", "method"), "one of methods"),
    "command": (("trian",), "valid arguments for cladewise, but got no such command 'trian'"),
    "compare": (("compare", "runs/none"), "a run folder, but got"),
    "taxonomy show": (("taxonomy", "show", "cycle.csv"), "cycle: a → b → a"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line(here: Any, run: str, mistake: str) -> None:
    Path("cycle.csv").write_text("child,parent\na,b\nb,a\n")
    Path("part.csv").write_text("child,parent\nred,warm\norange,warm\nwarm,\n")
    Path("unknown.txt").write_text("red\nunicorn\n")
    Path("blank.txt").write_text("\n \n")
    header = "answer,red,orange,blue,green\n"
    Path("costs.csv").write_text(f"{header}red,0,1,nan,2\norange,1,0,2,2\nblue,2,2,0,1\ngreen,2,2,1,0\n")
    Path("short.csv").write_text(f"{header}red,0,1,2,2\norange,1,0,2,2\nblue,2,2,0,1\n")
    Path("empty").mkdir(exist_ok=True)
    Path("unfinished").mkdir(exist_ok=True)
    Path("unfinished/config.toml").write_bytes(Path(run, "config.toml").read_bytes())
    words, expected = MISTAKES[mistake]
    if words[0] == "train" and "--out" not in words:
        words = (*words, "--out", f"runs/{mistake}")
    code, out, err = here(*words)
    assert (code, out) == (2, "")
    lines = [line for line in err.splitlines() if line.startswith("cladewise:")]
    assert len(lines) == 1, err
    assert err.rstrip("\n").endswith(lines[0])
    assert "Traceback" not in err
    assert lines[0].startswith("cladewise: Expected ")
    assert re.search(expected, lines[0]), lines[0]


@pytest.mark.slow
@pytest.mark.parametrize("method", list(methods.available()))
def test_end_to_end_training_of_every_method(here: Any, method: str) -> None:
    options = [word for word in TINY if word != "--freeze"]
    out = f"runs/e2e-{method}"
    words = ("--method", method, "--epochs", "2", "--batch-size", "8", "--out", out)
    code, _, err = here("train", "photos", *options, *words)
    assert code == 0, err
    code, _, err = here("evaluate", out)
    assert code == 0, err
