"""Commands import what they use: a prediction no part of training, a mistake in a name not even torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import cladewise as cw
from cladewise import decisions, inference, methods
from cladewise.catalogue import names_in_source
from cladewise.datasets import Dataset

TRAINING = {"lightning", "torchmetrics"}
HEAVY = {"timm", "torchvision", "sklearn", "matplotlib", "plotly", "transformers", "huggingface_hub", "torch._dynamo"}

SCRIPT = """
import contextlib, io, json, sys
from cladewise.cli import main

told = []
for words in json.loads(sys.argv[1]):
    sys.argv = ["cladewise", *words]
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as left:
            told.append([left.code, out.getvalue(), err.getvalue()])
print(json.dumps({"told": told, "modules": sorted(sys.modules)}))
"""


def called(folder: Path, *commands: list[str]) -> tuple[list[tuple[int, str, str]], set[str]]:
    """The output of commands run in a single fresh process, and the modules they imported."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(commands)],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    return [tuple(each) for each in found["told"]], set(found["modules"])


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run on the default encoder, and an image."""
    folder = tmp_path_factory.mktemp("packaged")
    for number in range(4):
        Image.new("RGB", (20, 20), (60 * number, 0, 0)).save(folder / f"{number}.png")
    taxonomy = cw.Taxonomy.from_paths([("warm", "red"), ("cold", "blue")])
    nodes = np.array([2, 2, 4, 4])
    data = Dataset("d", taxonomy, folder, [f"{k}.png" for k in range(4)], nodes, {"train": np.arange(4)})
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(folder / "cache"))
        cw.train(
            data, freeze=True, image_size=32, epochs=1, workers=0, val_split="none", out=folder / "run", progress=False
        )
    return folder


def test_predicting_imports_no_training_and_no_library_of_models(packaged: Path) -> None:
    ((code, out, err),), modules = called(packaged, ["predict", "run", "0.png"])
    assert (code or 0, err) == (0, ""), err
    assert out.splitlines()[1].startswith("0.png,")
    assert not (TRAINING | HEAVY) & modules


def test_mistakes_in_names_and_numbers_are_told_without_torch(packaged: Path) -> None:
    wrong = {
        (
            "predict",
            "run",
            "0.png",
            "--decison",
            "leaf",
        ): "such option: --decison (did you mean --decision, --precision?)",
        ("predict", "run", "0.png", "--decision", "leef"): "got 'leef'. Did you mean leaf?",
        ("predict", "run", "0.png", "--inference", "botom-up"): "got 'botom-up'. Did you mean bottom-up?",
        ("predict", "rum", "0.png"): "no config.toml at rum",
        ("predict", "run", "00.png"): "got '00.png'",
        ("predict", "run", "0.png", "--format", "xls"): "got 'xls'",
        ("predict", "run", "0.png", "--threshold", "high"): "'--threshold'",
        ("evaluate", "run", "--decision", "majorty"): "Did you mean majority?",
        ("evaluate", "rum"): "no config.toml at rum",
        ("evaluate", "run", "--tree", "mine"): "got 'mine'",
        ("evaluate", "run", "--protocol", "fewshot"): "Did you mean few-shot?",
        ("train", ".", "--method", "hase"): "Did you mean hace?",
        ("train", ".", "--epocs", "3"): "did you mean --devices, --epochs",
        ("train", "nothing-here"): "nothing-here",
        ("explain", "rum"): "no config.toml at rum",
        ("retrieve", "rum"): "no config.toml at rum",
        ("compare", "rum"): "rum",
        ("trian", "."): "train",
    }
    told, modules = called(packaged, *map(list, wrong))
    for words, (code, out, err) in zip(wrong, told, strict=True):
        assert (code, out) == (2, ""), words
        assert wrong[words] in err, (words, err)
        assert err.count("\n") == 1, (words, err)
    assert "torch" not in modules


def test_names_read_from_the_source_are_those_of_the_parts() -> None:
    for package in (decisions, inference, methods):
        assert names_in_source(package.__name__) == sorted(package.available()), package.__name__
