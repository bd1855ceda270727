"""Messages of `cladewise train` before, during and after training; interruption and overwriting."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import cladewise as cw
from cladewise.errors import InputError, InputWarning
from cladewise.records import log

TINY = ("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0", "--freeze")
QUICK = {"backbone": "test_resnet", "pretrained": False, "image_size": 24, "workers": 0, "freeze": True}


def photographs(root: Path, images: dict[str, int], *, broken: int = 0) -> Path:
    """Some pictures per class folder, and some files that are none."""
    random = np.random.default_rng(0)
    for folder, number in images.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        for i in range(number):
            pixels = random.integers(0, 255, (24, 24, 3), dtype=np.uint8)
            Image.fromarray(pixels).save(root / folder / f"{i}.png")
        for i in range(broken):
            (root / folder / f"broken{i}.png").write_bytes(b"no picture")
    return root


def test_training_says_what_it_found_and_what_came_of_it(here: Any) -> None:
    words = ("train", "photos", "--taxonomy", "classes.csv", "--out", "runs/talk", *TINY, "--epochs")
    code, out, err = here(*words, 3)
    assert code == 0, err
    lines = err.splitlines()
    assert lines[0] == "photos: 40 images"
    assert lines[1] == "  classes with images: 2 of 2 of tone, 4 of 4 of colour"
    assert lines[2] == "  splits made with seed 0: 28 train, 4 val, 8 test"
    epochs = [line for line in lines if ": epoch " in line]
    assert re.match(r"training hace: epoch 1 of 3, val: [\d.]+% top-1, [\d.]+% level accuracy", epochs[0])
    assert epochs[-1].startswith("training hace: epoch 3 of 3, val: ")
    result = r"runs/talk: val: [\d.]+% top-1, [\d.]+% level accuracy, after 3 epochs in .*\. "
    assert re.fullmatch(result + r"Next: cladewise evaluate runs/talk\n", out)

    code, out, err = here(*words, 3)
    assert (code, out) == (2, "")
    assert "got one that is already trained at runs/talk. Give --overwrite to retrain" in err

    Path("runs/talk/notes.txt").write_text("mine")
    code, out, err = here(*words, 2)
    assert (code, out) == (2, "")
    assert "differs in training.epochs (3 there, 2 here)" in err
    assert "--overwrite" in err
    code, out, err = here(*words, 2, "--overwrite")
    assert code == 0, err
    assert "after 2 epochs" in out
    assert Path("runs/talk/notes.txt").read_text() == "mine"
    assert [event["epoch"] for event in log.read(Path("runs/talk/log.jsonl")) if event["event"] == "epoch"] == [0, 1]


@pytest.mark.parametrize(
    ("sent", "code", "said"), [(signal.SIGINT, 130, "interrupted."), (signal.SIGTERM, 143, "asked")]
)
def test_a_signal_ends_training_with_its_code_and_a_line(
    here: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sent: signal.Signals, code: int, said: str
) -> None:
    append, epochs = log.append, []

    def send_after_the_second(file: Path, event: str, /, **values: Any) -> None:
        append(file, event, **values)
        epochs.append(event)
        if epochs.count("epoch") == 2:
            os.kill(os.getpid(), sent)

    monkeypatch.setattr(log, "append", send_after_the_second)
    words = ("train", "photos", "--out", tmp_path / "run", *TINY, "--epochs", "20", "--checkpoint-seconds", "0")
    ended, out, err = here(*words)
    assert (ended, out) == (code, ""), err
    _ends_with_advice(err, said)
    assert (tmp_path / "run/checkpoints/last.ckpt").is_file()
    assert not (tmp_path / "run/model.safetensors").exists()


def _ends_with_advice(err: str, said: str) -> None:
    assert "Traceback" not in err
    last = err.splitlines()[-1]
    assert last.startswith(f"cladewise: {said}")
    assert "Repeat the command to resume from the last epoch saved" in last


@pytest.mark.slow
def test_a_signal_ends_the_process(shell: Any, tmp_path: Path) -> None:
    """From outside: the exit code is that of the whole process."""
    words = ("train", "photos", "--out", tmp_path / "run", *TINY, "--epochs", "100000", "--checkpoint-seconds", "0")
    with (tmp_path / "said").open("w") as file:
        child = subprocess.Popen(
            [sys.executable, "-m", "cladewise", *map(str, words)],
            cwd=shell.folder,
            env=shell.environment,
            stdout=subprocess.PIPE,
            stderr=file,
            text=True,
        )
        for _ in range(1200):
            if (tmp_path / "run/checkpoints/last.ckpt").is_file() or child.poll() is not None:
                break
            time.sleep(0.1)
        child.terminate()
        out, _ = child.communicate(timeout=60)
    err = (tmp_path / "said").read_text()
    assert (child.returncode, out) == (128 + signal.SIGTERM, ""), err
    _ends_with_advice(err, "asked")


def test_a_run_that_was_stopped_says_where_it_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = cw.datasets.from_folder(photographs(tmp_path / "photos", {"a": 10, "b": 10}))
    settings: dict[str, Any] = {**QUICK, "out": tmp_path / "run", "epochs": 4, "checkpoint_seconds": 0}
    append, epochs = log.append, []

    def stop_in_the_third(file: Path, event: str, /, **values: Any) -> None:
        append(file, event, **values)
        epochs.append(event)
        if epochs.count("epoch") == 3:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(log, "append", stop_in_the_third)
        with pytest.raises(KeyboardInterrupt):
            cw.train(data, **settings, progress=False)
    assert capsys.readouterr().err == ""  # nothing is said where nobody wants progress
    before = signal.getsignal(signal.SIGINT)
    cw.train(data, **settings)
    assert signal.getsignal(signal.SIGINT) is before is signal.default_int_handler  # Lightning's is not left behind
    assert "training hace: resuming at epoch 3 of 4" in capsys.readouterr().err


def test_a_run_can_be_overwritten_but_no_other_folder(tmp_path: Path) -> None:
    data = cw.datasets.from_folder(photographs(tmp_path / "photos", {"a": 10, "b": 10}))
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("three years")
    with pytest.raises(InputError, match="folder of a run to overwrite"):
        cw.train(data, **QUICK, out=mine, epochs=1, overwrite=True, progress=False)
    assert [file.name for file in mine.iterdir()] == ["thesis.txt"]
    run = cw.train(data, **QUICK, out=tmp_path / "run", epochs=1, overwrite=True, progress=False)
    cw.evaluate(run, progress=False)
    before = run.folder.model.read_bytes()
    with pytest.raises(InputError, match="an option of"):  # settings are checked before anything is removed
        cw.train(data, **QUICK, out=run.path, epochs=1, overwrite=True, options={"no": 1}, progress=False)
    assert run.folder.model.read_bytes() == before
    cw.train(data, **QUICK, out=run.path, epochs=1, seed=1, overwrite=True, progress=False)
    assert run.folder.model.read_bytes() != before
    assert not list(run.folder.evaluations().glob("*"))


def warned(work: Any) -> list[str]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        work()
    return [str(one.message) for one in caught if issubclass(one.category, InputWarning)]


def test_python_warns_of_what_the_command_line_warns(tmp_path: Path) -> None:
    data = cw.datasets.from_folder(photographs(tmp_path / "photos", {"a": 1, "b": 1}, broken=6))
    said = warned(lambda: cw.train(data, **QUICK, out=tmp_path / "run", epochs=0, progress=False))
    assert said == [
        "12 of 14 files cannot be used, 2 can at photos.",
        "the split val has no images, so there is no validation during training at photos.",
        "epochs=0 trains nothing: the run holds the weights that the method begins with.",
    ]


def test_classes_without_photographs_are_told(tmp_path: Path) -> None:
    tree = cw.Taxonomy.from_paths([(name,) for name in "abcdefghij"])
    data = cw.datasets.from_folder(photographs(tmp_path / "photos", {"a": 20, "c": 20, "j": 20}), tree)
    said = warned(lambda: cw.train(data, **QUICK, out=tmp_path / "run", epochs=1, progress=False))
    assert said == ["7 of 10 classes have no image of their own to train on: b, d, e, f, g and 2 more at photos."]
