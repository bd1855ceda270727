"""``cladewise decide``: scores of another tool in, answers and evaluations out."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import StringIO
from pathlib import Path

import numpy as np
import polars as pl
import pytest

Shell = Callable[..., tuple[int, str, str]]
LEAVES = ("red", "orange", "blue", "green")


@pytest.fixture
def shell_of_scores(here: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shell:
    """The command line in a folder with ``scores.csv``, ``labels.csv`` and ``classes.csv``."""
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    true = random.integers(0, 4, 80)
    logits = random.normal(size=(80, 4)) + 2.5 * np.eye(4)[true]
    scores = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    paths = [f"photos/{number}.jpg" for number in range(80)]
    pl.DataFrame({"image": paths, **dict(zip(LEAVES, scores.T, strict=True))}).write_csv("scores.csv")
    labels = [LEAVES[leaf] for leaf in true.tolist()]
    pl.DataFrame({"image": paths, "label": labels, "site": ["a", "b"] * 40}).write_csv("labels.csv")
    Path("classes.csv").write_text("tone,colour\nwarm,red\nwarm,orange\ncold,blue\ncold,green\n")
    return here


@pytest.fixture
def decide(shell_of_scores: Shell) -> Shell:
    """The command in that folder."""
    return lambda *words: shell_of_scores("decide", *words)


GIVEN = ("scores.csv", "--taxonomy", "classes.csv")


def test_answers_are_printed_as_predict_does(decide: Shell) -> None:
    code, out, err = decide(*GIVEN, "--decision", "leaf", "--top", "2")
    assert code == 0
    assert err.startswith("cladewise: Scores from ")
    assert err.endswith(" are read as probabilities.\n")
    table, scores = pl.read_csv(StringIO(out)), pl.read_csv("scores.csv")
    assert table.columns[:5] == ["path", "label", "label_path", "node", "probability"]
    assert table["path"].to_list() == scores["image"].to_list()
    best = scores.select(pl.concat_list(LEAVES).list.arg_max()).to_series().to_list()
    assert table["label"].to_list() == [LEAVES[place] for place in best]
    assert table["top_labels"].str.split(";").list.first().to_list() == table["label_path"].to_list()
    assert decide(*GIVEN, "--decision", "leaf", "--top", "2", "--quiet") == (0, out, "")


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
def test_answers_are_written_in_every_format(decide: Shell, ending: str) -> None:
    code, out, _ = decide(*GIVEN, "--out", f"answers.{ending}")
    assert (code, out) == (0, "")
    read = {"csv": pl.read_csv, "parquet": pl.read_parquet, "jsonl": pl.read_ndjson}[ending]
    assert read(f"answers.{ending}").height == 80
    assert {file.name for file in Path().iterdir()} == {"scores.csv", "labels.csv", "classes.csv", f"answers.{ending}"}


def test_answers_are_written_for_other_tools(decide: Shell) -> None:
    assert decide(*GIVEN, "--format", "speciesnet", "--out", "answers.json")[0] == 0
    assert len(json.loads(Path("answers.json").read_text())["predictions"]) == 80


def test_with_labels_the_evaluation_is_printed_and_nothing_is_left(decide: Shell) -> None:
    before = sorted(Path().iterdir())
    code, out, err = decide(*GIVEN, "--labels", "labels.csv", "--decision", "majority", "--decision", "leaf")
    assert code == 0
    assert "test: 80 images" in out
    assert "scores, leaf: " in out
    assert "/tmp" not in out
    assert sorted(Path().iterdir()) == before
    code, out, err = decide(*GIVEN, "--labels", "labels.csv", "--decision", "hedging:guarantee=0.7")
    assert code == 0
    assert "test: 40 images" in out
    assert "40 of 80 labelled rows are drawn at random (seed 0) to fit rules on" in err


def test_a_folder_is_evaluated_and_compared_like_a_run(decide: Shell, shell_of_scores: Shell) -> None:
    words = (*GIVEN, "--labels", "labels.csv", "--decision", "majority", "--decision", "leaf", "--out", "runs/tool/")
    code, out, _ = decide(*words, "--name", "tool")
    assert code == 0
    assert "Next: cladewise compare runs/tool" in out
    folder = Path("runs/tool")
    assert sorted(file.name for file in (folder / "answers").iterdir()) == [
        "none-leaf.parquet",
        "none-majority.parquet",
    ]
    assert pl.read_parquet(folder / "answers" / "none-leaf.parquet").height == 80
    assert (folder / "evaluations" / "test-none-majority.json").is_file()
    code, out, err = shell_of_scores("evaluate", folder, "--decision", "hedging:guarantee=0.7")
    assert (code, err) == (0, "")
    assert "guarantee held" in out
    code, out, err = shell_of_scores("compare", folder, "--decision", "hedging:guarantee=0.7", "--out", "report.html")
    assert (code, err) == (0, "")
    assert "tool" in Path("report.html").read_text()
    code, out, _ = decide("scores.csv", "--fitted-on", folder, "--decision", "hedging:guarantee=0.7")
    assert (code, pl.read_csv(StringIO(out)).height) == (0, 80)


@pytest.mark.parametrize("command", ["predict", "explain", "discover", "space", "manifolds", "look-alikes", "migrate"])
def test_what_needs_a_network_refuses_in_one_line(decide: Shell, shell_of_scores: Shell, command: str) -> None:
    assert decide(*GIVEN, "--labels", "labels.csv", "--out", "run/")[0] == 0
    Path("x").touch()
    more = {"predict": ["x"], "migrate": ["x", "--out", "new"]}.get(command, [])
    code, out, err = shell_of_scores(command, "run", *more)
    assert (code, out) == (2, "")
    assert err == (
        "cladewise: Expected a run with a network, but got one of scores that another tool made at run. It can be "
        "evaluated and compared; for answers to other scores, use cladewise decide.\n"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("scores.csv",), "Expected --taxonomy FILE, but got none. Or --fitted-on FOLDER"),
        ((*GIVEN, "--decision", "leaf", "--decision", "majority"), "one --decision for a table of answers"),
        (
            (*GIVEN, "--decision", "hedging"),
            "Give --labels of some rows, with a split val or a --fit-share 0.5 of them",
        ),
        ((*GIVEN, "--decision", "majorty"), "Did you mean majority?"),
        ((*GIVEN, "--values", "odds"), "'odds'"),
        ((*GIVEN, "--out", "s3://museum/answers"), "a folder on this machine as --out"),
        (("nothing.csv", *GIVEN[1:]), "no such file at"),
        ((*GIVEN, "--names", "fr"), "fr"),
    ],
)
def test_mistakes_are_told_in_one_line(decide: Shell, words: tuple[str, ...], message: str) -> None:
    code, out, err = decide(*words)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("Expected") == 1


def test_options_of_scores_and_of_the_tree_are_told_apart(decide: Shell) -> None:
    Path("scores.csv").write_text(Path("scores.csv").read_text().replace(",", "|"))
    Path("classes.csv").write_text(Path("classes.csv").read_text().replace(",", "|"))
    code, _, err = decide(*GIVEN, "--scores-separator", "|", "--taxonomy-separator", "|", "--quiet")
    assert (code, err) == (0, "")


def test_notes_name_options(decide: Shell) -> None:
    logits = pl.read_csv("scores.csv").with_columns(pl.col(LEAVES).log() + 4)
    logits.write_csv("logits.csv")
    code, _, err = decide("logits.csv", "--taxonomy", "classes.csv")
    assert code == 0
    assert "(--over independent for sigmoids)" in err
