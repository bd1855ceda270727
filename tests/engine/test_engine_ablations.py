"""Runs whose network got to know wrong or fewer things, scored by what is true."""

from __future__ import annotations

import dataclasses
import inspect
import json
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.torch
import torch

import cladewise as cw
from cladewise import InputError, datasets
from cladewise.datasets import Dataset
from cladewise.engine import Run, evaluate_all, predict, rerun
from cladewise.engine.answering.scoring import known_target, scored
from cladewise.engine.training.module import Fitting
from cladewise.records import AblationConfig, BackboneConfig, TrainingConfig, log, read_resources

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "freeze": True,
    "workers": 0,
    "batch_size": 16,
    "epochs": 4,
    "progress": False,
    "optimizer": "adamw",
    "lr": 0.05,
}
SWITCHES: dict[str, dict[str, Any]] = {
    "random": {"hierarchy": "random"},
    "wrong": {"wrong_parents": 0.34},
    "levels": {"drop_levels": "2"},
    "noise": {"label_noise": 0.3},
    "coarse": {"coarse_labels": 0.5, "coarse_level": "1"},
    "by level": {"label_levels": "1=0.3,2=0.3,3=0.4"},
    "all": {
        "hierarchy": "random",
        "wrong_parents": 0.34,
        "drop_levels": "level_2",
        "label_noise": 0.2,
        "coarse_labels": 0.3,
        "ablation_seed": 7,
    },
}
every_switch = pytest.mark.parametrize("switch", SWITCHES)


def trained(colours: Dataset, out: Path, method: str = "hace", seed: int = 1, **settings: Any) -> Run:
    return cw.train(colours, method=method, out=out, seed=seed, **{**TINY, **settings})


def same_weights(first: Run, second: Run) -> bool:
    a, b = (safetensors.torch.load_file(run.folder.model) for run in (first, second))
    return a.keys() == b.keys() and all(a[k].equal(b[k]) for k in a)


def outcomes(run: Run, **how: Any) -> tuple[cw.Evaluation, pl.DataFrame]:
    scores = cw.evaluate(run, progress=False, **how)
    return scores, pl.read_parquet(scores.path.with_suffix(".parquet"))


@pytest.fixture(scope="module")
def runs(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Run]:
    """A run of every switch, after one without any."""
    folder = tmp_path_factory.mktemp("ablations")
    plain = trained(colours, folder / "plain")
    return {"plain": plain} | {name: trained(colours, folder / name, **of) for name, of in SWITCHES.items()}


@every_switch
def test_the_folder_keeps_both_trees_where_they_differ(runs: dict[str, Run], colours: Dataset, switch: str) -> None:
    run, plain = Run.open(runs[switch].path), runs["plain"]
    assert run.taxonomy == colours.taxonomy
    altered = switch in ("random", "wrong", "levels", "all")
    assert run.folder.true_taxonomy.is_file() == altered
    assert (cw.Taxonomy.read(run.folder.taxonomy) != colours.taxonomy) == altered
    assert sorted(run.own_taxonomy.names[run.own_taxonomy.leaf_nodes]) == sorted(
        colours.taxonomy.names[colours.taxonomy.leaf_nodes]
    )
    config = tomllib.loads(run.folder.config.read_text())
    assert config["ablation"] == {**vars(AblationConfig()), **SWITCHES[switch]}
    assert config["data"] == tomllib.loads(plain.folder.config.read_text())["data"]  # labels are told in one place
    (event,) = [e for e in log.read(run.folder.log) if e["event"] == "ablation"]
    assert (event["moved_leaves"] > 0) == (switch in ("random", "wrong", "all"))
    assert (event["changed_labels"] > 0) == (switch in ("noise", "coarse", "by level", "all"))
    assert not same_weights(run, plain)


def test_a_plain_run_says_nothing_of_ablations(runs: dict[str, Run]) -> None:
    assert not [e for e in log.read(runs["plain"].folder.log) if e["event"] == "ablation"]
    assert not runs["plain"].folder.true_taxonomy.exists()
    assert runs["plain"].own_taxonomy is runs["plain"].taxonomy


@every_switch
def test_scores_are_in_the_true_tree_with_the_true_labels(runs: dict[str, Run], colours: Dataset, switch: str) -> None:
    run = runs[switch]
    scores, frame = outcomes(run, split="test")
    rows = dict(zip(colours.paths, colours.nodes.tolist(), strict=True))
    assert frame["target"].to_list() == [rows[path] for path in frame["path"]]
    summary = json.loads(scores.path.read_text())
    assert (summary["tree"], summary["fingerprint"]) == ("true", colours.taxonomy.fingerprint)
    assert {f"level_accuracy/{name}" for name in colours.taxonomy.level_names} <= set(summary["metrics"])
    top = pl.read_parquet(run.folder.predictions("test"))
    assert all(max(nodes) < colours.taxonomy.num_nodes for nodes in top["top_nodes"])
    hand = frame.select((pl.col("predicted") == pl.col("target")).cast(pl.Float64))["predicted"].to_numpy()
    leaf = colours.taxonomy.is_leaf[frame["target"].to_numpy()]
    assert frame["top1"].to_numpy()[leaf].tolist() == hand[leaf].tolist()


@pytest.mark.parametrize("switch", ["random", "wrong", "levels", "all"])
def test_scores_in_the_own_tree_are_kept_beside(runs: dict[str, Run], switch: str) -> None:
    run = runs[switch]
    true, in_true = outcomes(run, decision="leaf")
    own, in_own = outcomes(run, decision="leaf", tree="own")
    assert (true.path.parent.name, own.path.parent.name) == ("evaluations", "own-tree")
    assert json.loads(own.path.read_text())["fingerprint"] == run.own_taxonomy.fingerprint
    change = run.alteration
    assert in_own["target"].to_list() == change.own_node[in_true["target"].to_numpy()].tolist()
    # the leaf is the same one, whatever hangs above it
    assert change.origin[in_own["predicted"].to_numpy()].tolist() == in_true["predicted"].to_list()

    # by hand: how many share the group at the coarsest level
    def groups(taxonomy: cw.Taxonomy, frame: pl.DataFrame) -> float:
        at = taxonomy.at_level(1)
        return float(np.mean(at[frame["target"].to_numpy()] == at[frame["predicted"].to_numpy()]))

    for scores, frame, taxonomy in ((true, in_true, change.true), (own, in_own, change.own)):
        level = taxonomy.level_names[0]
        assert scores[f"level_accuracy/{level}"].value == pytest.approx(groups(taxonomy, frame))


def test_where_nothing_was_altered_both_trees_are_one(runs: dict[str, Run]) -> None:
    for name in ("plain", "noise"):
        assert outcomes(runs[name], tree="own")[0].path == outcomes(runs[name])[0].path
    with pytest.raises(InputError, match="a tree to score in: true or own, but got 'mine'"):
        cw.evaluate(runs["plain"], tree="mine", progress=False)  # type: ignore[arg-type]


@pytest.mark.parametrize("switch", ["levels", "all"])
def test_the_configuration_reruns_the_run(runs: dict[str, Run], tmp_path: Path, switch: str) -> None:
    again = rerun(runs[switch].folder.config, tmp_path / "again", progress=False)
    assert same_weights(runs[switch], again)
    assert again.own_taxonomy == runs[switch].own_taxonomy


def test_a_tree_that_has_no_file_is_read_from_the_run(colours: Dataset, tmp_path: Path) -> None:
    """The labels of such data are nodes of the true tree, which the folder has under another name."""
    data = datasets.from_folder(colours.root, colours.taxonomy, seed=3)
    assert "fingerprint" in data.source
    run = trained(data, tmp_path / "run", hierarchy="random", epochs=2)
    assert Run.open(run.path).dataset.taxonomy == colours.taxonomy
    assert same_weights(rerun(run.folder.config, tmp_path / "again", progress=False), run)


def test_seeds(colours: Dataset, tmp_path: Path) -> None:
    """The seed of the run gives every run another tree; a seed of its own gives all the same."""
    for fixed in (-1, 5):
        own = [
            trained(colours, tmp_path / f"{fixed}{seed}", hierarchy="random", epochs=0, seed=seed, ablation_seed=fixed)
            for seed in (1, 2)
        ]
        assert (own[0].own_taxonomy == own[1].own_taxonomy) == (fixed == 5)


def test_features_are_those_of_other_runs(
    colours: Dataset, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cladewise.engine.feeding.features._fill", lambda *_: pytest.fail("computed again"))
    trained(colours, tmp_path / "run", epochs=1, **SWITCHES["all"])


def test_only_training_labels_change(colours: Dataset, runs: dict[str, Run]) -> None:
    for name in ("noise", "coarse"):
        run = runs[name]
        known = known_target(run, scored(run, "train", progress=False))
        train = colours.indices("train")
        kept = [i for i in train.tolist() if not colours.paths[i].endswith("broken.png")]
        changed = int((known.numpy() != colours.nodes[kept]).sum())
        (event,) = [e for e in log.read(run.folder.log) if e["event"] == "ablation"]
        assert 0 <= event["changed_labels"] - changed <= 1  # one of them may be the broken image
        for split in ("val", "test"):
            seen = scored(run, split, progress=False)
            assert known_target(run, seen).equal(seen.target)


def test_rules_learn_from_the_labels_that_the_network_knew(runs: dict[str, Run]) -> None:
    """Rules fitted on the training images must not know the fine labels that training did without."""
    run, taxonomy = runs["coarse"], runs["coarse"].taxonomy
    seen = scored(run, "train", progress=False)
    lost = known_target(run, seen) != seen.target
    assert lost.any()
    assert set(taxonomy.level[known_target(run, seen)[lost].numpy()].tolist()) == {1}
    for tree in ("true", "own"):
        scores = cw.evaluate(
            runs["all"], decision="hedging:guarantee=0.5", inference="diffusion", tree=tree, progress=False
        )
        assert 0 <= scores.correct <= 1
    assert len(list((runs["all"].path / "fitted").rglob("*hedging*"))) == 2


METHODS = ("level-softmax", "conditional-softmax", "multilabel-focal", "descendant-softmax")
RULES: dict[str, dict[str, Any]] = {
    "random": {"decisions": (None, "levels")},
    "levels": {"inferences": ("bottom-up", "diffusion:alpha=0.5"), "decisions": ("majority",)},
}


@pytest.mark.parametrize("method", METHODS)
def test_any_method_and_its_inference(colours: Dataset, tmp_path: Path, method: str) -> None:
    for switch, rules in RULES.items():
        run = trained(colours, tmp_path / switch, method=method, epochs=1, **SWITCHES[switch])
        scores = evaluate_all(run, progress=False, **rules)
        assert scores, switch
        for one in scores:
            assert 0 <= one.level_accuracy <= 1, (switch, one.path)
            assert max(pl.read_parquet(one.outcomes)["predicted"]) < colours.taxonomy.num_nodes, (switch, one.path)


def test_a_dropped_level_is_backtracked_from_the_leaf(colours: Dataset, tmp_path: Path) -> None:
    run = trained(colours, tmp_path / "run", method="flat-softmax", drop_levels="1,2")
    assert run.own_taxonomy.max_depth == 1
    _, frame = outcomes(run, decision="leaf")
    taxonomy = colours.taxonomy
    for level, name in enumerate(taxonomy.level_names, start=1):
        at, target = taxonomy.at_level(level), frame["target"].to_numpy()
        right = at[target] == at[frame["predicted"].to_numpy()]
        counts = taxonomy.is_leaf[target] | (taxonomy.level[target] >= level)
        values = frame[f"level_accuracy/{name}"].to_numpy()
        assert np.array_equal(values[counts], right[counts].astype(float))


def test_predictions_are_in_the_true_tree(runs: dict[str, Run], colours: Dataset) -> None:
    files = [colours.root / "warm/red/1.png", colours.root / "cold/blue/navy/2.png"]
    for name in SWITCHES:
        predicted = predict(runs[name], files, progress=False)
        frame = predicted.to_frame("leaf")
        for row in frame.iter_rows(named=True):
            assert colours.taxonomy.path_name(row["node"]) == row["label_path"]
        assert predicted.log_prob.shape == (2, colours.taxonomy.num_nodes)
        assert predicted.log_prob[:, 0].exp().tolist() == pytest.approx([1, 1], abs=1e-5)


def test_an_interrupted_run_goes_on(
    colours: Dataset, runs: dict[str, Run], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, epoch_end = runs["all"], Fitting.on_train_epoch_end

    def dying(fitting: Fitting) -> None:
        epoch_end(fitting)
        if fitting.current_epoch == 1:
            raise RuntimeError("the power is cut")

    with monkeypatch.context() as patch:
        patch.setattr(Fitting, "on_train_epoch_end", dying)
        with pytest.raises(RuntimeError):
            trained(colours, tmp_path / "run", checkpoint_seconds=0.0, **SWITCHES["all"])
    first = read_resources(tmp_path / "run" / "resources.json")
    run = trained(colours, tmp_path / "run", checkpoint_seconds=0.0, **SWITCHES["all"])
    assert same_weights(run, whole)
    both, alone = read_resources(run.folder.resources), read_resources(whole.folder.resources)
    assert first is not None
    assert both is not None
    assert alone is not None
    assert (first.sessions, both.sessions, alone.sessions) == (1, 2, 1)
    per_epoch = alone.images_seen // 4
    assert (first.images_seen, both.images_seen - first.images_seen) == (2 * per_epoch, 3 * per_epoch)
    assert both.seconds > first.seconds > 0
    assert both.cpu_seconds > first.cpu_seconds > 0
    with pytest.raises(InputError, match=r"differs in ablation.label_noise \(0.2 there, 0.1 here\)"):
        trained(colours, tmp_path / "run", **{**SWITCHES["all"], "label_noise": 0.1})


def test_what_training_took_is_kept(runs: dict[str, Run], colours: Dataset) -> None:
    took = read_resources(runs["plain"].folder.resources)
    assert took is not None
    features, nodes = runs["plain"].backbone.num_features, runs["plain"].method.loss(colours.taxonomy).num_outputs
    assert took.parameters == (features + 1) * nodes
    train = [i for i in colours.indices("train").tolist() if not colours.paths[i].endswith("broken.png")]
    assert took.images_seen == TINY["epochs"] * len(train)
    assert took.peak_memory is None or 50 < took.peak_memory < 1e5
    assert (took.peak_cuda_memory is None) == (not torch.cuda.is_available())


def test_a_run_of_no_epochs_took_next_to_nothing(colours: Dataset, tmp_path: Path) -> None:
    took = read_resources(trained(colours, tmp_path / "run", epochs=0).folder.resources)
    assert took is not None
    assert (took.sessions, took.images_seen, took.parameters, took.seconds) == (1, 0, 0, 0.0)
    assert took.setup_seconds > 0


def test_every_setting_has_one_name() -> None:
    tables = (AblationConfig, BackboneConfig, TrainingConfig)
    names = [field.name for table in tables for field in dataclasses.fields(table)]
    assert len(names) == len(set(names))
    assert set(names) <= set(inspect.signature(cw.train).parameters)


MISTAKES: dict[str, tuple[dict[str, Any], str]] = {
    "hierarchy": ({"hierarchy": "chance"}, "hierarchy to be one of true, random, but got 'chance'"),
    "share": ({"label_noise": 1.5}, "label_noise of at most 1, but got 1.5"),
    "negative": ({"coarse_labels": -0.1}, "coarse_labels of at least 0, but got -0.1"),
    "type": ({"drop_levels": 2}, "drop_levels to be a text, but got 2"),
    "level": ({"drop_levels": "4"}, "levels among 1 to 3 or level_1, level_2, level_3, or all, but got '4'"),
    "finest": ({"drop_levels": "all"}, "a level to drop from 1 to 2, but got 3. The finest level contains the leaves"),
    "coarse": ({"coarse_labels": 0.5, "coarse_level": "genus"}, "levels among 1 to 3 .* but got 'genus'"),
    "unused coarse": ({"coarse_level": "genus"}, "levels among 1 to 3 .* but got 'genus'"),
    "by level": ({"label_levels": "1=0.5"}, "shares of the labels in .0, 1. with sum 1, but got 1: 0.5"),
    "too many": ({"wrong_parents": 1.0}, "6 leaves .3 of 6 can move.. Move a share of at most 0.5."),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_before_anything_is_written(colours: Dataset, tmp_path: Path, mistake: str) -> None:
    wanted, message = MISTAKES[mistake]
    with pytest.raises(InputError, match=message):
        trained(colours, tmp_path / "run", **wanted)
    assert not (tmp_path / "run").exists()
