"""Classes held out on the command line, and what a run makes of their images."""

from __future__ import annotations

from typing import Any

import polars as pl

from cladewise.engine import Run

TINY = (
    *("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0"),
    *("--batch-size", "16", "--lr", "0.05", "--freeze", "--epochs", "12"),
)


def test_from_training_without_a_class_to_a_table_of_what_is_new(here: Any, shell: Any) -> None:
    (shell.folder / "unknown.txt").write_text("orange\n\n")
    words = ("train", "photos", "--taxonomy", "classes.csv", "--out", "runs/held-out", *TINY)
    code, _, err = here(*words, "--hold-out", "unknown.txt")
    assert code == 0, err
    assert "test-new has no image" not in err
    run = Run.open(shell.folder / "runs/held-out")
    assert run.config.data["held_out_classes"] == {"nodes": ["warm/orange"]}
    code, out, err = here(
        *("evaluate", "runs/held-out", "--protocol", "unknown", "--split", "train+val+test"),
        *("--novelty", "entropy", "--novelty", "prohoc+own-mass", "--decision", "prohoc+majority"),
    )
    assert code == 0, err
    assert "prohoc+own-mass" in out
    assert "10 of 1 held-out ones" in out
    assert "runs/held-out/unknown/train+val+test.json" in out
    code, out, err = here(
        *("predict", "runs/held-out", "photos/warm", "--decision", "new-class", "--out", "answers.csv")
    )
    assert code == 0, err
    assert "that takes 59 images" in err
    table = pl.read_csv(shell.folder / "answers.csv")
    assert table["new"].to_list() == [False] * 20
    assert table.columns.index("new") == table.columns.index("probability") + 1
    code, _, err = here("discover", "runs/held-out", "--new-from", "answers.csv")
    assert code == 2
    assert "images that are called new, but got none" in err


def test_mistakes_are_one_line(here: Any, run: str) -> None:
    words = ("train", "photos", "--taxonomy", "classes.csv", "--out", "runs/none", *TINY)
    for more, told in (
        (("--hold-out", "nothing.txt"), "a share of the leaves, or a text file of classes"),
        (("--hold-out", "1.5"), "a share of the leaves in (0, 1)"),
    ):
        code, _, err = here(*words, *more)
        assert code == 2
        assert told in err.replace("\n", " ")
    for more, told in (
        (("--protocol", "unknwn"), "Did you mean unknown"),
        (("--novelty", "entropy"), "--protocol unknown with --novelty"),
        (("--protocol", "unknown", "--ways", "5"), "--protocol few-shot with options"),
        (("--protocol", "unknown", "--inference", "prohoc"), "prohoc+majority"),
        (("--protocol", "unknown"), "cladewise train --hold-out"),
    ):
        code, _, err = here("evaluate", run, *more)
        assert code == 2
        assert told in err.replace("\n", " "), err
