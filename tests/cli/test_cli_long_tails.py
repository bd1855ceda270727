"""A long tail on the command line, and labels with many and few training images."""

from __future__ import annotations

from typing import Any

import numpy as np

from cladewise.engine import Run

TINY = (
    *("--backbone", "test_resnet", "--no-pretrained", "--image-size", "24", "--workers", "0"),
    *("--batch-size", "16", "--lr", "0.05", "--freeze", "--epochs", "2"),
)


def test_from_a_thinned_out_split_to_the_recall_of_rare_labels(here: Any, shell: Any) -> None:
    words = ("train", "photos", "--taxonomy", "classes.csv", "--method", "taxonet", "--out", "runs/tail", *TINY)
    code, _, err = here(*words, "--imbalance", "6", "--imbalance-seed", "3")
    assert code == 0, err
    run = Run.open(shell.folder / "runs/tail")
    assert run.config.data["held_out"] == [{"name": "train", "imbalance": 6.0, "seed": 3, "into": "surplus"}]
    labels = run.dataset.nodes[run.dataset.indices("train")]
    sizes = np.unique(labels, return_counts=True)[1]
    assert sorted(sizes.tolist()) == [1, 2, 4, 7]  # 7 · 6^(-r/3)
    code, out, err = here("evaluate", "runs/tail", "--split", "test", "--few-below", "4", "--many-above", "8")
    assert code == 0, err
    for title in ("Many at ", "Few at "):
        assert title in out
    code, out, err = here("evaluate", "runs/tail", "--inference", "logit-adjustment", "--inference", "none")
    assert code == 0, err
    assert "logit-adjustment" in out


def test_mistakes_are_one_line(here: Any, run: str) -> None:
    for more, told in (
        (("--few-below", "9", "--many-above", "3"), "0 <= few_below <= many_above"),
        (("--protocol", "unknown", "--few-below", "9"), "only --split, --decision and --novelty"),
        (("--protocol", "few-shot", "--many-above", "9"), "no rules, recalls or tree"),
    ):
        code, _, err = here("evaluate", run, *more)
        assert code == 2
        assert told in err.replace("\n", " "), err
    code, _, err = here("train", "photos", "--taxonomy", "classes.csv", "--out", "runs/none", "--imbalance", "0.5")
    assert code == 2
    assert "imbalance" in err
