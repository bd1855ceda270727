"""``cladewise retrieve``, ``entails``, and the pictures of the same run: ``space`` and ``look-alikes``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest
from typer.testing import CliRunner, Result

from cladewise.cli.app import app
from cladewise.errors import InputError
from cli.conftest import TINY, Shell

FEW = ("--epochs", "3", "--set", "dim=10", "--set", "label_epochs=2")


@pytest.fixture(scope="module")
def call(shell: Shell) -> Callable[..., Result]:
    """A trained run, ``runs/cones``, and what calls commands in its folder without a process for each."""

    def called(*words: str) -> Result:
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(shell.folder)
            patch.setenv("CLADEWISE_CACHE", shell.environment["CLADEWISE_CACHE"])
            return CliRunner().invoke(app, list(words))

    words = ("--taxonomy", "classes.csv", "--method", "euclidean-cones", "--out", "runs/cones")
    trained = called("train", "photos", *words, *TINY, *FEW)
    assert trained.exit_code == 0, trained.output
    return called


def test_images_under_a_label_and_labels_over_images(call: Callable[..., Result]) -> None:
    done = call("retrieve", "runs/cones", "--under", "warm", "--split", "train", "--threshold", "9", "--limit", "5")
    assert done.exit_code == 0, done.output
    rows = done.stdout.splitlines()
    assert rows[0] == "path,energy"
    assert len(rows) == 6
    words = ("--new", "teal", "--parent", "cold", "--examples", "photos/cold/green/0.png", "--format", "jsonl")
    done = call("retrieve", "runs/cones", "photos/cold/green/1.png", "broken.png", *words)
    assert done.exit_code == 0, done.output
    (row,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert row["path"] == "photos/cold/green/1.png"
    assert isinstance(row["held_by"], list)
    assert "broken.png left out" in done.stderr


def test_entails(call: Callable[..., Result]) -> None:
    for special in ("cold", "photos/warm/red/0.png"):
        done = call("entails", "runs/cones", "warm", special, "--threshold", "1")
        assert done.exit_code == 0, done.output
        assert re.fullmatch(r"(yes|no) \(energy \S+, threshold \S+\)\n", done.stdout)
    done = call("entails", "runs/cones", "warm", "mauve", "--threshold", "1")
    assert isinstance(done.exception, InputError)
    assert "Expected a label of the taxonomy, but got 'mauve'" in str(done.exception)
    alone = call("entails", "runs/cones", "warm", "cold", "--parent", "warm")
    assert "Expected new=NAME with parent= and examples=, but got none" in str(alone.exception)


def test_pictures_of_the_space_and_of_look_alikes(call: Callable[..., Result]) -> None:
    few = ("--photographs", "3", "--descending", "2")
    for command, options in (("space", few), ("look-alikes", ("--level", "1", "--pairs", "2"))):
        done = call(command, "runs/cones", "--split", "train", *options)
        assert done.exit_code == 0, done.output
        assert done.stdout == f"runs/cones/plates/{command}/train/index.json\n"
    wrong = call("look-alikes", "runs/cones", "--level", "mauve")
    assert isinstance(wrong.exception, InputError)
    assert "Expected levels among 1 to" in str(wrong.exception)
