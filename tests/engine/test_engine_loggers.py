"""Training that logs to experiment trackers, read back from their own files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cladewise as cw
from cladewise.errors import InputError
from cladewise.records import log
from cladewise.records.loggers import read_logger_runs

QUICK = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "workers": 0, "freeze": True}
EPOCH = ("train_loss", "val_loss", "val_top1", "val_level_accuracy", "lr")


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root, random = tmp_path_factory.mktemp("logged") / "photos", np.random.default_rng(0)
    for name in ("bird/wren", "bird/robin", "moth/hawk"):
        (root / name).mkdir(parents=True)
        for i in range(8):
            Image.fromarray(random.integers(0, 255, (24, 24, 3), dtype=np.uint8)).save(root / name / f"{i}.png")
    return root


def train(photos: Path, out: Path, logger: str, **options: Any) -> list[dict[str, Any]]:
    """A run's own log of its epochs."""
    cw.train(photos, out=out, logger=logger, progress=False, **{**QUICK, "epochs": 3, "batch_size": 4, **options})
    return [event for event in log.read(out / "log.jsonl") if event["event"] == "epoch"]


def interrupted_after(epochs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    append, seen = log.append, []

    def append_and_stop(file: Path, event: str, /, **values: Any) -> None:
        append(file, event, **values)
        seen.append(event)
        if seen.count("epoch") == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(log, "append", append_and_stop)


def scalars(folder: Path) -> dict[str, dict[int, float]]:
    """Value by step of everything that TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder))
    events.Reload()
    return {name: {e.step: e.value for e in events.Scalars(name)} for name in events.Tags()["scalars"]}


def test_tensorboard_shows_the_runs_own_log(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cladewise.engine.training.loggers.STEPS", 3)
    own = train(photos, tmp_path / "run", "tensorboard")
    shown = scalars(tmp_path / "run" / "loggers" / "tensorboard")
    for name in EPOCH:
        assert list(shown[name].values()) == pytest.approx([event[name] for event in own], rel=1e-6), name
    steps = list(shown["val_top1"])
    assert steps == [steps[0], 2 * steps[0], 3 * steps[0]]
    assert list(shown["step_loss"]) == [step for step in range(1, steps[-1] + 1) if step % 3 == 0]
    assert min(shown["step_lr"].values()) < QUICK.get("lr", 0.03)


def test_a_resumed_run_goes_on_in_its_trackers(photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = train(photos, tmp_path / "whole", "tensorboard", checkpoint_seconds=0)
    with monkeypatch.context() as patch:
        interrupted_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            train(photos, tmp_path / "run", "tensorboard", checkpoint_seconds=0)
    own = train(photos, tmp_path / "run", "tensorboard", checkpoint_seconds=0)
    assert [event["train_loss"] for event in own] == [event["train_loss"] for event in whole]
    shown, expected = (scalars(tmp_path / run / "loggers" / "tensorboard") for run in ("run", "whole"))
    assert shown["val_loss"] == expected["val_loss"]
    assert shown["train_loss"] == expected["train_loss"]


def test_logging_changes_neither_the_configuration_nor_the_weights(photos: Path, tmp_path: Path) -> None:
    for run, logger in (("plain", ()), ("logged", "tensorboard")):
        train(photos, tmp_path / run, logger)  # type: ignore[arg-type]
    plain, logged = ((tmp_path / run) for run in ("plain", "logged"))
    assert plain.joinpath("config.toml").read_bytes() == logged.joinpath("config.toml").read_bytes()
    assert plain.joinpath("model.safetensors").read_bytes() == logged.joinpath("model.safetensors").read_bytes()
    assert not (plain / "loggers").exists()
    train(photos, logged, (), overwrite=True)  # type: ignore[arg-type]
    assert not (logged / "loggers").exists()


@pytest.mark.slow
def test_mlflow_keeps_the_metrics_and_the_configuration(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from mlflow.tracking import MlflowClient

    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_EXPERIMENT_NAME", "MLFLOW_RUN_ID"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    with monkeypatch.context() as patch:
        interrupted_after(2, patch)
        with pytest.raises(KeyboardInterrupt):
            train(photos, tmp_path / "run", "mlflow", checkpoint_seconds=0)
    loggers = tmp_path / "run" / "loggers"
    run_id = read_logger_runs(loggers / "runs.json")["mlflow"]
    client = MlflowClient(f"sqlite:///{loggers / 'mlflow.db'}")
    assert client.get_run(run_id).info.status == "FAILED"
    own = train(photos, tmp_path / "run", "mlflow", checkpoint_seconds=0)
    assert client.get_run(run_id).info.status == "FINISHED"
    for name in EPOCH:
        history = {metric.step: metric.value for metric in client.get_metric_history(run_id, name)}
        assert list(history.values()) == pytest.approx([event[name] for event in own]), name
    parameters = client.get_run(run_id).data.params
    assert parameters["method/name"] == "hace"
    assert parameters["training/epochs"] == "3"
    assert parameters["taxonomy/leaves"] == "3"
    assert int(parameters["training_images"]) == len(cw.Run(tmp_path / "run").dataset.indices("train"))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.slow
def test_wandb_offline_keeps_a_run_to_synchronise(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"WANDB_MODE": "offline", "WANDB_SILENT": "true", "WANDB_DIR": str(tmp_path)}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(tmp_path)
    train(photos, tmp_path / "run", "wandb")
    loggers = tmp_path / "run" / "loggers"
    run_id = read_logger_runs(loggers / "runs.json")["wandb"]
    (records,) = loggers.glob(f"wandb/offline-run-*-{run_id}/run-{run_id}.wandb")
    content = records.read_bytes()
    for name in (*EPOCH, "training", "fingerprint"):
        assert name.encode() in content, name


def test_unknown_loggers_are_named_before_anything_is_done(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="a logger: tensorboard, wandb, mlflow, but got 'tensorbord'"):
        cw.train("nothing here", out=tmp_path / "run", logger="tensorbord")
    damaged = tmp_path / "runs.json"
    for content in ("{", json.dumps({"schema_version": 1, "runs": ["a"]}), json.dumps({"schema_version": 9})):
        damaged.write_text(content)
        with pytest.raises(InputError, match="emove it to begin a new run"):
            read_logger_runs(damaged)


def test_a_tracker_without_access_is_told(photos: Path, tmp_path: Path) -> None:
    (tmp_path / "run" / "loggers").mkdir(parents=True)
    (tmp_path / "run" / "loggers" / "tensorboard").write_text("a file where a folder belongs")
    with pytest.raises(InputError, match="access to the tracker tensorboard"):
        train(photos, tmp_path / "run", "tensorboard")
