"""Real processes: killed and resumed, and two that train together."""

from __future__ import annotations

import math
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import safetensors.torch

from cladewise.engine import Run
from cladewise.records import log, read_resources

COMMAND = [sys.executable, "-m", "cladewise", "train"]
OPTIONS = "--backbone test_resnet --no-pretrained --image-size 24 --workers 0 --batch-size 8 --seed 4"


def start(folder: Path, out: Path, *more: str) -> subprocess.Popen[str]:
    command = [*COMMAND, str(folder), "--out", str(out), *OPTIONS.split(), *more]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def finish(folder: Path, out: Path, *more: str) -> None:
    process = start(folder, out, *more)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors


def num_epochs(out: Path) -> int:
    return sum(e["event"] == "epoch" for e in log.read(out / "log.jsonl"))


@pytest.mark.slow
@pytest.mark.parametrize(
    "how",
    [
        ["--freeze"],
        [],
        ["--freeze", "--method", "deep-rtc", "--set", "rho=0.4"],
        ["--freeze", "--method", "fgon"],
        ["--method", "vanilla-multi"],
        ["--freeze", "--hierarchy", "random", "--label-noise", "0.2"],
    ],
    ids=["probe", "end-to-end", "random-loss", "embedding", "towers", "ablation"],
)
def test_a_killed_run_resumes_to_the_same_weights(colour_folder: Path, tmp_path: Path, how: list[str]) -> None:
    settings = [*how, "--epochs", "60" if "--freeze" in how else "12", "--checkpoint-seconds", "0"]
    finish(colour_folder, tmp_path / "whole", *settings)
    process = start(colour_folder, tmp_path / "killed", *settings)
    while num_epochs(tmp_path / "killed") < 3 and process.poll() is None:
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert not (tmp_path / "killed" / "model.safetensors").exists()
    finish(colour_folder, tmp_path / "killed", *settings)
    whole, killed = (safetensors.torch.load_file(tmp_path / name / "model.safetensors") for name in ("whole", "killed"))
    assert all(whole[k].equal(killed[k]) for k in whole)
    epochs = [e["epoch"] for e in log.read(tmp_path / "killed" / "log.jsonl") if e["event"] == "epoch"]
    assert epochs == list(range(len(epochs)))
    took, in_one = (read_resources(tmp_path / name / "resources.json") for name in ("killed", "whole"))
    assert took is not None
    assert in_one is not None
    assert (took.sessions, in_one.sessions) == (2, 1)
    assert took.images_seen >= in_one.images_seen  # what was done twice counts twice


@pytest.mark.slow
def test_a_run_that_is_asked_to_end_says_that_it_is_not_done(colour_folder: Path, tmp_path: Path) -> None:
    settings = ["--freeze", "--epochs", "300", "--checkpoint-seconds", "0"]
    process = start(colour_folder, tmp_path / "run", *settings)
    while num_epochs(tmp_path / "run") < 3 and process.poll() is None:
        time.sleep(0.01)
    process.terminate()
    process.communicate(timeout=120)
    assert process.returncode in (128 + signal.SIGTERM, -signal.SIGTERM)
    assert not (tmp_path / "run" / "model.safetensors").exists()
    assert (tmp_path / "run" / "checkpoints" / "last.ckpt").exists()


@pytest.mark.slow
@pytest.mark.device  # on the CPU everywhere: NCCL refuses two processes on one GPU
@pytest.mark.parametrize("method", ["hace", "vanilla-multi"])
def test_two_processes_train_together(colour_folder: Path, tmp_path: Path, method: str) -> None:
    rates = ["--lr", "0.003", "--backbone-lr", "0.0005"]  # in batches of four a larger step need not go down
    settings = ["--epochs", "3", "--accelerator", "cpu", "--method", method, *rates]
    finish(colour_folder, tmp_path / "two", *settings, "--devices", "2", "--batch-size", "4")
    epochs = [e for e in log.read(tmp_path / "two" / "log.jsonl") if e["event"] == "epoch"]
    assert [e["epoch"] for e in epochs] == [0, 1, 2]
    assert all(math.isfinite(e["train_loss"]) for e in epochs)
    assert min(e["train_loss"] for e in epochs[1:]) < epochs[0]["train_loss"]
    run = Run.open(tmp_path / "two")
    assert run.classifier is not None


@pytest.mark.slow
def test_two_nodes_of_torchrun_give_the_weights_of_two_processes(colour_folder: Path, tmp_path: Path) -> None:
    """Each with its own torchrun; the second would find the first by its address on another machine as well."""
    settings = [str(colour_folder), *OPTIONS.split(), "--freeze", "--epochs", "3", "--accelerator", "cpu"]
    finish(colour_folder, tmp_path / "alone", "--freeze", "--epochs", "3", "--accelerator", "cpu", "--devices", "2")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    begun = [
        subprocess.Popen(
            [
                *(sys.executable, "-m", "torch.distributed.run", "--nnodes", "2", "--node-rank", str(rank)),
                *("--master-addr", "127.0.0.1", "--master-port", str(port), "--nproc-per-node", "1"),
                *("-m", "cladewise", "train", *settings, "--num-nodes", "2", "--out", str(tmp_path / "nodes")),
            ],
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        for rank in range(2)
    ]
    for process in begun:
        _, errors = process.communicate(timeout=300)
        assert process.returncode == 0, errors
    alone, nodes = (safetensors.torch.load_file(tmp_path / name / "model.safetensors") for name in ("alone", "nodes"))
    assert all(alone[name].equal(nodes[name]) for name in alone)
