"""A run folder under kills, full disks, folders that cannot be written to, and damaged files.

Nothing gives a traceback, no epoch is lost that a checkpoint holds, and a resumed run ends with the very bytes of one
that was left alone. ``CLADEWISE_TRIALS`` sets how often each is tried.
"""

from __future__ import annotations

import errno
import os
import random
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from cladewise.records import RunFolder, log
from engine.hostile_shell import TRIALS, HostileShell, mounted

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]  # one that hangs must not hold up the others for long

EPOCHS = 5
SETTINGS = (
    *("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0", "--batch-size", "16"),
    *("--lr", "0.05", "--freeze", "--epochs", str(EPOCHS), "--checkpoint-seconds", "0", "--early-stop", str(EPOCHS)),
)
SHARED_MEMORY = Path("/dev/shm")


class Runs:
    """Photographs, a run that was left alone, and a shell whose temporary folder is on another file system."""

    def __init__(self, folder: Path, photos: Path) -> None:
        self.folder, self.photos = folder, photos
        temporary = SHARED_MEMORY if SHARED_MEMORY.is_dir() else folder
        self.shell = HostileShell(folder, CLADEWISE_CACHE=str(folder / "cache"), TMPDIR=str(temporary))
        self.whole = folder / "whole"
        ended = self.train(self.whole)
        assert ended.code == 0, ended.text
        assert self.shell("evaluate", self.whole).code == 0

    def train(self, out: Path, **trial: Any) -> Any:
        return self.shell("train", self.photos, "--out", out, *SETTINGS, **trial)

    def check_resumes(self, out: Path) -> None:
        """The files of a stopped process are whole, and training resumes to the same weights."""
        logged = [event["epoch"] for event in log.read(out / "log.jsonl") if event["event"] == "epoch"]
        last = RunFolder(out).last_checkpoint
        saved = int(torch.load(last, weights_only=True)["epoch"]) if last.is_file() else -1
        assert saved >= max(logged, default=-1) - 1  # the checkpoint follows the line of its epoch
        ended = self.train(out)
        already = ended.code == 2 and "already trained" in ended.text
        assert ended.code == 0 or already, ended.text
        assert (out / "model.safetensors").read_bytes() == (self.whole / "model.safetensors").read_bytes()
        events = [event["epoch"] for event in log.read(out / "log.jsonl") if event["event"] == "epoch"]
        assert events == list(range(EPOCHS))
        assert not list(out.rglob(".*.cladewise-*"))


@pytest.fixture(scope="module")
def runs(colour_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runs]:
    made = Runs(tmp_path_factory.mktemp("hostile"), colour_folder)
    yield made
    made.shell.close()


@pytest.mark.parametrize("trial", range(TRIALS))
def test_killed_at_some_time(runs: Runs, tmp_path: Path, trial: int) -> None:
    ended = runs.train(tmp_path / "run", kill_after=random.Random(trial).uniform(0.1, 4.0))
    assert ended.code in (0, -9), ended.text
    runs.check_resumes(tmp_path / "run")


@pytest.mark.parametrize("call", [1 + 90 * trial // TRIALS for trial in range(TRIALS)])
def test_killed_at_a_write(runs: Runs, tmp_path: Path, call: int) -> None:
    """Before or after a rename or a flush: of the tree, the configuration, a checkpoint, the weights."""
    ended = runs.train(tmp_path / "run", kill_at=call)
    assert ended.code == -9, ended.text
    runs.check_resumes(tmp_path / "run")


@pytest.mark.parametrize("most_bytes", [64 + 14_000 * trial // TRIALS for trial in range(0, TRIALS, 2)])
def test_killed_in_mid_write(runs: Runs, tmp_path: Path, most_bytes: int) -> None:
    """The system kills a process that writes beyond a limit: half a file is there."""
    ended = runs.train(tmp_path / "run", most_bytes=most_bytes, at_most="kill")
    assert ended.code < 0, ended.text
    runs.check_resumes(tmp_path / "run")


@pytest.mark.parametrize("most_bytes", [700 + 13_000 * trial // TRIALS for trial in range(0, TRIALS, 2)])
def test_files_that_cannot_grow(runs: Runs, tmp_path: Path, most_bytes: int) -> None:
    ended = runs.train(tmp_path / "run", most_bytes=most_bytes, at_most="fail")
    assert ended.is_one_line(), ended.text
    assert os.strerror(errno.EFBIG).lower() in ended.text
    runs.check_resumes(tmp_path / "run")


@pytest.mark.parametrize("kilobytes", [4 + 36 * trial // TRIALS for trial in range(0, TRIALS, 2)])
def test_a_full_disk(runs: Runs, tmp_path: Path, kilobytes: int) -> None:
    disk = tmp_path / "disk"
    with mounted(disk, "-t", "tmpfs", "-o", f"size={kilobytes}k", "none") as made:
        if not made:
            pytest.skip("this process may not mount file systems")
        ended = runs.train(disk / "run")
        assert ended.is_one_line(), ended.text
        assert os.strerror(errno.ENOSPC).lower() in ended.text
        os.system(f"mount -o remount,size=50m {disk}")
        runs.check_resumes(disk / "run")


@pytest.mark.parametrize("most_bytes", [700, 2000, 4000])
def test_evaluations_that_cannot_be_written(runs: Runs, tmp_path: Path, most_bytes: int) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs.whole, run)
    for folder in ("scores", "predictions", "evaluations"):
        shutil.rmtree(run / folder)
    ended = runs.shell("evaluate", run, most_bytes=most_bytes, at_most="fail")
    assert ended.is_one_line(), ended.text
    assert runs.shell("evaluate", run).code == 0


def test_output_that_cannot_be_written(runs: Runs, tmp_path: Path) -> None:
    for words in (("predict", runs.whole, runs.photos / "grey"), ("evaluate", runs.whole), ("list", "methods")):
        ended = runs.shell(*words, output="/dev/full", errors=str(tmp_path / "errors.txt"))
        assert ended.is_one_line(), ended.text
        assert "no space left on device" in ended.text
        assert "standard output" in ended.text


def test_a_folder_that_is_read_only(runs: Runs, tmp_path: Path) -> None:
    shutil.copytree(runs.whole, tmp_path / "disk" / "run")
    shutil.rmtree(tmp_path / "disk" / "run" / "scores")
    with mounted(tmp_path / "disk", "--bind", str(tmp_path / "disk")) as made:
        if not made or os.system(f"mount -o remount,ro,bind {tmp_path / 'disk'}"):
            pytest.skip("this process may not mount file systems")
        for words in (
            ("train", runs.photos, "--out", tmp_path / "disk" / "new", *SETTINGS),
            ("evaluate", tmp_path / "disk" / "run"),
            ("predict", runs.whole, runs.photos / "grey", "--out", tmp_path / "disk" / "answers.csv"),
        ):
            ended = runs.shell(*words)
            assert ended.is_one_line(), ended.text
            assert "read-only file system" in ended.text
        # reading alone needs no place to write
        assert runs.shell("predict", tmp_path / "disk" / "run", runs.photos / "grey").code == 0


def emptied(file: Path) -> None:
    file.write_bytes(b"")


def halved(file: Path) -> None:
    """Cut in the middle of a line: a text that ends with one cannot be told from a shorter text."""
    content = file.read_bytes()
    end = len(content) // 2
    if b"\n" in content[end:] and b" = " in content[end:]:
        end = content.index(b" = ", end) + 3
    file.write_bytes(content[:end])


def foreign(file: Path) -> None:
    file.write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8)


def some_list(file: Path) -> None:
    file.write_bytes(b"[1, 2]\n")


def is_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES = (emptied, halved, foreign, some_list, is_folder)
DAMAGED = [
    ("evaluate", "config.toml", DAMAGES),
    ("evaluate", "taxonomy.csv", DAMAGES),
    ("evaluate", "model.safetensors", DAMAGES),
    ("evaluate", "scores/test.safetensors", DAMAGES[:4]),
    ("evaluate", "predictions/test.parquet", DAMAGES[:4]),
    ("compare", "log.jsonl", (foreign, some_list)),
    ("compare", "resources.json", DAMAGES[:4]),
    ("compare", "evaluations/test-none-node-argmax.json", DAMAGES[:4]),
    ("compare", "evaluations/test-none-node-argmax.parquet", DAMAGES[:4]),
    ("compare", "counts.csv", (halved, foreign, some_list)),
    ("train", "checkpoints/last.ckpt", DAMAGES[:4]),
    ("train", "checkpoints/best.ckpt", DAMAGES[:4]),
    ("train", "log.jsonl", (foreign, some_list)),
    ("train", "resources.json", DAMAGES[:4]),
    ("train", "taxonomy.csv", DAMAGES),
    ("train", "config.toml", DAMAGES[:4]),
]


@pytest.mark.parametrize(
    ("command", "file", "damage"),
    [pytest.param(c, f, d, id=f"{c}-{f}-{d.__name__}") for c, f, damages in DAMAGED for d in damages],
)
def test_a_damaged_file_is_named(runs: Runs, tmp_path: Path, command: str, file: str, damage: Any) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs.whole, run)
    if command == "train":
        (run / "model.safetensors").unlink()
    damage(run / file)
    words = {
        "evaluate": ("evaluate", run, "--decision", "leaf"),
        "compare": ("compare", run, "--out", tmp_path / "page.html"),
        "train": ("train", runs.photos, "--out", run, *SETTINGS),
    }
    ended = runs.shell(*words[command])
    assert ended.is_one_line(), ended.text
    assert Path(file).name in ended.text
    assert "interrupted" not in ended.text


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("schema_version = 1", "schema_version = 2"),
        ("schema_version = 1", ""),
        ("lr = 0.05", "lr = nan"),
        ("lr = 0.05", "lr = inf"),
        ("lr = 0.05", "lr = -1.0"),
        ("lr = 0.05", 'lr = "high"'),
        ("lr = 0.05", "lr = [[[1]]]"),
        ("batch_size = 16", "batch_size = 0"),
        ("batch_size = 16", "batch_size = 99999999999999999999"),
        ("batch_size = 16", "batch_size = 1.5"),
        ("batch_size = 16", "batch_sise = 16"),
        ("seed = 0", "seed = -1"),
        ("seed = 0", 'seed = "one"'),
        ("crop_ratio = 0.0", "crop_ratio = 1.5"),
        ("image_size = 24", "image_size = 1000000"),
        ('name = "hace"', 'name = "hase"'),
        ('name = "hace"', "name = 3"),
        ("dilution = 0.5", 'dilution = "much"'),
        ('kind = "folder"', 'kind = "folders"'),
        ('kind = "folder"', "kind = 1"),
        ("[training]", "[trainings]"),
        ("[training]", "training = 3\n[other]"),
    ],
)
def test_a_configuration_that_cannot_be(runs: Runs, tmp_path: Path, old: str, new: str) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs.whole, run)
    shutil.rmtree(run / "scores")
    text = (run / "config.toml").read_text()
    assert old in text
    (run / "config.toml").write_text(text.replace(old, new, 1))
    ended = runs.shell("evaluate", run)
    assert ended.is_one_line(), ended.text


def test_a_line_that_a_kill_left_unfinished_is_no_damage(runs: Runs, tmp_path: Path) -> None:
    run = tmp_path / "run"
    shutil.copytree(runs.whole, run)
    (run / "model.safetensors").unlink()
    text = (run / "log.jsonl").read_bytes()
    (run / "log.jsonl").write_bytes(text[:-20])
    (run / "checkpoints" / ".last.cladewise-00000000-1-00000000.ckpt").write_bytes(b"of another machine, and new")
    runs.train(run)
    assert (run / "model.safetensors").read_bytes() == (runs.whole / "model.safetensors").read_bytes()
    assert [p.name for p in run.rglob(".*.cladewise-*")] == [".last.cladewise-00000000-1-00000000.ckpt"]


def test_two_processes_in_one_folder(runs: Runs, tmp_path: Path) -> None:
    other = HostileShell(tmp_path, CLADEWISE_CACHE=str(runs.folder / "cache"))
    try:
        words = ["train", str(runs.photos), "--out", str(tmp_path / "run"), *SETTINGS]
        words[words.index("--epochs") + 1] = "500"
        child = other.begin(*words)
        while not (tmp_path / "run" / "log.jsonl").exists():
            pass
        ended = runs.shell(*words)
        assert ended.is_one_line(), ended.text
        assert re.search(rf"one that process {child} on \S+ is training", ended.text)
        os.kill(child, 9)
        assert other.end() == -9
        words[words.index("--epochs") + 1] = "500"
        assert runs.shell(*words, kill_after=3.0).code == -9  # the dead do not hold it
    finally:
        other.close()
