"""``cladewise zero-shot``: a tree and a model in, an ordinary run folder out."""

from __future__ import annotations

import re
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from typing import get_args

import polars as pl
import pytest
from PIL import Image

from backbones.tiny_towers import write_clip
from cladewise.backbones.transforms import Resizing
from cladewise.cli.zero_shot import CHOICES
from cladewise.engine.describing.node_vectors import TextPrecision
from cladewise.engine.describing.templates import Ensemble
from cladewise.heads.image_text import Over

Command = Callable[..., tuple[int, str, str]]
ROWS = "kingdom,genus,species\nAnimalia,Ursus,Ursus arctos\nAnimalia,Ursus,Ursus maritimus\nPlantae,Rosa,Rosa canina\n"


@pytest.fixture
def zero_shot(here: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Command:
    """The command in a folder with ``tree.csv``, a model in ``clip``, and ``photos`` with a label each."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("CLADEWISE_CACHE", str(tmp_path / "cache"))
    write_clip(tmp_path / "clip", context=40)
    Path("tree.csv").write_text(ROWS)
    for number, name in enumerate(["Ursus arctos", "Ursus maritimus", "Rosa canina"] * 4):
        folder = tmp_path / "photos" / name
        folder.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), (number * 20, 90, 200 - number * 10)).save(folder / f"{number}.png")
    return lambda *words: here(*words)


def test_the_choices_are_those_of_the_library() -> None:
    """They are written out there, since ``--help`` must not load torch."""
    types = {"ensemble": Ensemble, "over": Over, "precision": TextPrecision, "resize": Resizing}
    assert {option: set(get_args(choices)) for option, choices in types.items()} == {
        k: set(v) for k, v in CHOICES.items()
    }


def test_a_run_predicts_and_is_made_once(zero_shot: Command, tmp_path: Path) -> None:
    words = ("zero-shot", "tree.csv", "--model", "clip", "--texts", "bioclip", "--out", "run")
    for _ in range(2):
        code, out, err = zero_shot(*words)
        assert code == 0, err
        assert "Next: cladewise predict run IMAGES" in out + err
    code, out, err = zero_shot("predict", "run", "photos", "--decision", "threshold:threshold=0.4")
    assert code == 0, err
    table = pl.read_csv(StringIO(out))
    assert len(table) == 12
    assert set(table["kingdom"]) <= {"Animalia", "Plantae", None}
    code, _, err = zero_shot(*words, "--over", "nodes")
    assert code == 2
    assert "differs in method.over" in err


def test_a_run_with_data_is_evaluated_by_every_kind_of_rule(zero_shot: Command) -> None:
    code, _, err = zero_shot("zero-shot", "tree.csv", "--data", "photos", "--model", "clip", "--out", "run")
    assert code == 0, err
    rules = ("--decision", "leaf", "--decision", "majority", "--split", "train+val+test")
    code, out, err = zero_shot("evaluate", "run", *rules)
    assert code == 0, err
    assert "majority" in out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("tree.csv",), "Expected --model, but got none"),
        (("--model", "clip"), "a label tree, or --data that has one, but got neither"),
        (
            ("tree.csv", "--model", "clip", "--over", "leafs"),
            "--over leaves or levels .* but got 'leafs'. Did you mean",
        ),
        (("tree.csv", "--model", "resnet50"), "an open_clip model, but got 'resnet50'"),
        (("tree.csv", "--model", "clip", "--data-option", "a=1"), "--data with --data-option"),
    ],
)
def test_mistakes_are_one_line(zero_shot: Command, words: tuple[str, ...], message: str) -> None:
    code, _, err = zero_shot("zero-shot", *words, "--out", "run")
    assert code == 2
    assert re.search(message, err), err
    assert err.count("\n") == 1
