"""Train, evaluate and predict on real files with a tiny untrained encoder."""

from __future__ import annotations

import json
import shutil
import tomllib
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import safetensors.torch
import torch

import cladewise as cw
from cladewise import InputError
from cladewise.datasets import Dataset
from cladewise.engine import Run, predict
from cladewise.records import log

TINY: dict[str, Any] = {
    "backbone": "test_resnet",
    "pretrained": False,
    "image_size": 24,
    "workers": 0,
    "batch_size": 16,
    "progress": False,
    "optimizer": "adamw",
    "lr": 0.05,
    "backbone_lr": 1e-3,
}


def weights(run: Run) -> dict[str, torch.Tensor]:
    return safetensors.torch.load_file(run.folder.model)


def same_weights(first: Run, second: Run) -> bool:
    a, b = weights(first), weights(second)
    return a.keys() == b.keys() and all(a[k].equal(b[k]) for k in a)


@pytest.fixture(scope="module")
def probe(colours: Dataset, tmp_path_factory: pytest.TempPathFactory) -> Run:
    out = tmp_path_factory.mktemp("runs") / "probe"
    return cw.train(colours, method="hace", freeze=True, out=out, seed=1, epochs=15, **TINY)


def test_a_probe_learns_colours(probe: Run) -> None:
    scores = cw.evaluate(probe, split="test", progress=False)
    assert scores.top1 > 0.6
    assert scores["top1"].low <= scores.top1 <= scores["top1"].high


def test_a_run_from_before_its_method_had_all_its_options_is_still_that_run(probe: Run, colours: Dataset) -> None:
    """Options that a method got later had their defaults then."""
    text = probe.folder.config.read_text()
    later = [line for line in text.splitlines() if line.startswith(("with_root", "eps", "smoothing_over"))]
    assert len(later) == 3
    before = "\n".join(line for line in text.splitlines() if line not in later) + "\n"
    trained = {"method": "hace", "freeze": True, "out": probe.path, "seed": 1, "epochs": 15, "reuse": True, **TINY}
    try:
        probe.folder.config.write_text(before)
        again = cw.train(colours, **trained)
        assert same_weights(again, probe)
        assert again.method == probe.method
        with pytest.raises(InputError, match=r"a run that differs in method\.with_root"):
            cw.train(colours, options={"with_root": True}, **trained)
    finally:
        probe.folder.config.write_text(text)


def test_the_run_folder_holds_what_it_says(probe: Run, colours: Dataset) -> None:
    cw.evaluate(probe, split="test", progress=False)
    folder = probe.folder
    config = tomllib.loads(folder.config.read_text())
    options = {"dilution": 0.5, "smoothing": 0.0, "domain": "nodes"}
    options |= {"with_root": "auto", "eps": 0.0, "smoothing_over": "leaves"}
    assert config["method"] == {"name": "hace", **options}
    assert cw.Taxonomy.read(folder.taxonomy) == colours.taxonomy
    events = log.read(folder.log)
    assert [e["epoch"] for e in events if e["event"] == "epoch"] == list(range(15))
    skipped = [e for e in events if e["event"] == "skipped"]
    assert [e["path"] for e in skipped] == ["grey/broken.png"] or "grey/broken.png" in {
        colours.paths[i] for i in colours.indices("test")
    }

    rows = pl.read_parquet(folder.predictions("test"))
    assert rows.columns == ["path", "target", "top_nodes", "top_log_probs"]
    outcomes = pl.read_parquet(folder.outcomes("test", "none", "node-argmax"))
    assert outcomes["path"].to_list() == rows["path"].to_list()
    summary = json.loads(folder.evaluation("test", "none", "node-argmax").read_text())
    assert summary["num_images"] == len(rows)
    for name, interval in summary["metrics"].items():
        if name in outcomes.columns:
            values = outcomes[name].to_numpy()
            mean = np.nanmean(values) if np.isfinite(values).any() else None
            assert interval["value"] == (pytest.approx(mean) if mean is not None else None)


def test_another_decision_needs_neither_images_nor_model(probe: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    first = cw.evaluate(probe, split="test", progress=False)
    monkeypatch.setattr("cladewise.engine.answering.scoring.predict_rows", None)
    second = cw.evaluate(probe, split="test", decision="threshold", threshold=0.8, progress=False)
    assert second.path.name == "test-none-threshold-0.8.json"
    assert first.path.is_file()
    levels = cw.evaluate(probe, split="test", decision="levels", inference="bottom-up", progress=False)
    assert levels.path.name == "test-bottom-up-levels.json"
    assert 0 <= levels.tice <= 1


def test_the_resolved_configuration_reruns_the_run(probe: Run, tmp_path: Path) -> None:
    from cladewise.engine import fit
    from cladewise.records import read_config

    again = fit(read_config(probe.folder.config), tmp_path / "again", progress=False)
    assert same_weights(probe, again)


@pytest.mark.parametrize(
    "settings",
    [
        {"method": "flat-softmax", "balance": "sample", "optimizer": "sgd", "lr": 0.01, "warmup_epochs": 1.0},
        {"method": "hxe", "balance": "weight", "schedule": "constant", "accumulate": 2, "clip_norm": 1.0},
        {"method": "hace-smooth", "precision": "bf16-mixed", "early_stop": 2, "scaling": "l2"},
        {"method": "hace", "views": 3, "scaling": "none"},
    ],
    ids=lambda s: s["method"],
)
def test_settings_train(colours: Dataset, tmp_path: Path, settings: dict[str, Any]) -> None:
    run = cw.train(colours, freeze=True, out=tmp_path / "run", epochs=4, **{**TINY, **settings})
    losses = [e["train_loss"] for e in log.read(run.folder.log) if e["event"] == "epoch"]
    assert losses[-1] < losses[0]
    assert Run.open(run.path).config == run.config


def test_end_to_end_trains_the_backbone_and_lists_broken_images(colours: Dataset, tmp_path: Path) -> None:
    run = cw.train(colours, method="flat-softmax", out=tmp_path / "run", epochs=2, train_split="train+val", **TINY)
    before = cw.train(colours, method="flat-softmax", out=tmp_path / "none", epochs=0, **TINY)
    trained, fresh = weights(run), weights(before)
    moved = [k for k in fresh if not trained[k].equal(fresh[k])]
    assert any(k.startswith("encoder.") and k.endswith("weight") for k in moved)
    assert any(k.startswith("head.") for k in moved)
    scores = cw.evaluate(run, split="train+val+test", progress=False)
    assert scores.num_skipped == 1
    assert scores.num_images == len(colours) - 1


def test_an_epoch_of_end_to_end_training_repeats_bit_for_bit(colours: Dataset, tmp_path: Path) -> None:
    runs = [
        cw.train(colours, method="hace", out=tmp_path / f"{n}", epochs=2, seed=5, **{**TINY, "workers": n})
        for n in (0, 2)
    ]
    assert same_weights(*runs)


def test_a_loss_that_is_not_finite_stops_with_one_line(colours: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"Expected a finite loss, but got .* at epoch \d+\. Lower lr="):
        cw.train(
            colours,
            method="flat-softmax",
            freeze=True,
            out=tmp_path / "run",
            epochs=5,
            **{**TINY, "optimizer": "sgd", "lr": 1e38},
        )


def test_a_finished_run_is_not_overwritten(probe: Run, colours: Dataset) -> None:
    with pytest.raises(InputError, match="a run that is not finished"):
        cw.train(colours, method="hace", freeze=True, out=probe.path, seed=1, epochs=15, **TINY)
    with pytest.raises(InputError, match=r"differs in seed \(1 there, 2 here\)"):
        cw.train(colours, method="hace", freeze=True, out=probe.path, seed=2, epochs=15, **TINY)


def test_files_that_cannot_be_used_are_named(probe: Run, tmp_path: Path) -> None:
    cw.evaluate(probe, split="test", progress=False)
    broken = tmp_path / "broken"
    shutil.copytree(probe.path, broken)
    scores = Run.open(broken).folder.scores("test")
    scores.write_bytes(scores.read_bytes()[:50])
    with pytest.raises(InputError, match=r"scores in safetensors, but got .* at .*test\.safetensors\. Delete the file"):
        cw.evaluate(broken, split="test", progress=False)
    scores.unlink()
    taxonomy = Run.open(broken).folder.taxonomy
    text = taxonomy.read_text()
    taxonomy.write_text("\n".join(text.splitlines()[:-1]) + "\n")  # a class less than the weights know
    files = [Path(probe.dataset.root / probe.dataset.paths[0])]
    with pytest.raises(InputError, match=r"the label tree that the weights were trained with, but got a different one"):
        predict(Run.open(broken), files, progress=False)
    taxonomy.write_text(text)
    Run.open(broken).folder.model.write_bytes(b"no weights")
    with pytest.raises(InputError, match=r"a model in safetensors, but got .* at .*model\.safetensors"):
        predict(Run.open(broken), files, progress=False)


def test_a_wrong_setting_of_a_rule_leaves_no_folder(colours: Dataset, tmp_path: Path) -> None:
    for form in ("original", "random-cut"):
        with pytest.raises(InputError, match=r"a threshold in \[0, 1\], but got 2"):
            cw.train(colours, method="deep-rtc", options={"form": form, "gate": 2.0}, out=tmp_path / "run", **TINY)
    assert not (tmp_path / "run").exists()


def test_a_run_is_a_path(probe: Run) -> None:
    assert Path(probe) == probe.path


def test_a_split_counts_once(probe: Run) -> None:
    with pytest.raises(InputError, match=r"each split once, but got 'test\+test'"):
        cw.evaluate(probe, split="test+test", progress=False)


def test_what_is_missing_is_named(colours: Dataset, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a split of .*: .*train.*but got 'tests'"):
        cw.train(colours, out=tmp_path / "a", train_split="tests", **TINY)
    with pytest.raises(InputError, match="a run folder"):
        Run.open(tmp_path)
    with pytest.raises(InputError, match="lr to be a number"):
        cw.train(colours, out=tmp_path / "b", **{**TINY, "lr": "high"})
    with pytest.raises(InputError, match=r"an argument of train, but got 'epoch'\. Did you mean epochs"):
        cw.train(colours, out=tmp_path / "c", epoch=3, **TINY)
