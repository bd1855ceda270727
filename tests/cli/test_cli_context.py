"""--allowed, --group-by and priors on the command line, for scores that another tool made."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import get_args

import polars as pl
import pytest

from cladewise import predictions
from cladewise.cli.context import POOLS, Pooling
from cladewise.engine.answering.groups import DEFAULT

Shell = Callable[..., tuple[int, str, str]]
TREE = "order,species\nbird,wren\nbird,robin\nmoth,hawk moth\nmoth,tiger moth\n"
SCORES = """path,sequence,region,wren,robin,hawk moth,tiger moth
a/1.jpg,s1,north,0.5,0.3,0.1,0.1
b/1.jpg,s2,south,0.1,0.1,0.3,0.5
a/2.jpg,s1,north,0.3,0.4,0.2,0.1
c/1.jpg,,south,0.2,0.6,0.1,0.1
b/2.jpg,s2,south,0.1,0.1,0.6,0.2
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "tree.csv").write_text(TREE)
    (tmp_path / "scores.csv").write_text(SCORES)
    (tmp_path / "prior.csv").write_text("region,label,weight\nnorth,bird,1\nnorth,moth,0\nsouth,moth,1\nsouth,bird,0\n")
    return tmp_path


def answers_of(here: Shell, folder: Path, *words: str) -> tuple[pl.DataFrame, str]:
    """The answers of ``decide`` with the leaf rule, and what it said."""
    out = folder / "answers.csv"
    given = (str(folder / "scores.csv"), "--taxonomy", str(folder / "tree.csv"))
    rule = () if "--decision" in words else ("--decision", "leaf")
    code, _, err = here("decide", *given, *rule, "--out", str(out), *words)
    assert code == 0, err
    return pl.read_csv(out, infer_schema_length=0).with_columns(pl.col("leaf_probability").cast(pl.Float64)), err


def test_rows_of_a_sequence_are_one_row(here: Shell, folder: Path) -> None:
    answers, said = answers_of(here, folder, "--group-by", "sequence")
    assert answers.select("path", "images", "label").rows() == [
        ("s1", "2", "wren"),  # 0.5 · 0.3 against 0.3 · 0.4
        ("s2", "2", "hawk moth"),
        ("c/1.jpg", "1", "robin"),
    ]
    assert "5 images in 3 groups" in said
    assert answers["sequence"].fill_null("").to_list() == ["s1", "s2", ""]
    assert answers["region"].to_list() == ["north", "south", "south"]
    by_mean, _ = answers_of(here, folder, "--group-by", "folder", "--pool", "mean")
    assert by_mean["sequence"].fill_null("").to_list() == ["s1", "s2", ""]
    assert by_mean.select("path", "leaf_probability").rows() == [("a", 0.4), ("b", 0.45), ("c", 0.6)]
    by_path, _ = answers_of(here, folder, "--group-by", r"path:(\d)\.jpg")
    assert by_path.select("path", "region").rows() == [("1", None), ("2", None)]  # of both regions


def test_a_prior_and_allowed_labels_come_before_the_groups(here: Shell, folder: Path) -> None:
    prior = f"prior:table={folder / 'prior.csv'},key=region"
    answers, _ = answers_of(here, folder, "--inference", prior, "--allowed", "robin,moth")
    assert answers["label"].to_list() == ["robin", "tiger moth", "robin", "hawk moth", "hawk moth"]
    grouped, _ = answers_of(here, folder, "--inference", prior, "--allowed", "robin,moth", "--group-by", "sequence")
    assert grouped["label"].to_list() == ["robin", "hawk moth", "hawk moth"]


def test_notes_are_printed_once_with_an_evaluation(here: Shell, folder: Path) -> None:
    rows = [line.split(",")[:3] for line in SCORES.splitlines()[1:]]  # with all further columns of the scores
    labels = [",".join([*row, {"s1": "wren", "s2": "moth"}.get(row[1], "robin")]) for row in rows]
    (folder / "labels.csv").write_text("\n".join(["path,sequence,region,label", *labels]))
    given = (str(folder / "scores.csv"), "--taxonomy", str(folder / "tree.csv"), "--labels", str(folder / "labels.csv"))
    code, out, err = here("decide", *given, "--decision", "leaf", "--decision", "majority", "--group-by", "sequence")
    assert code == 0, err
    assert "3 groups of images" in out
    lines = (out + err).splitlines()
    for text in ("cladewise: 5 images in 3 groups", "cladewise: images without a group, each counted as one: 1"):
        assert lines.count(text) == 1


def test_a_decision_may_have_a_prior_but_not_for_groups(here: Shell, folder: Path) -> None:
    rule = f"prior:table={folder / 'prior.csv'},key=region+leaf"
    answers, _ = answers_of(here, folder, "--decision", rule)
    assert answers["label"].to_list() == ["wren", "tiger moth", "robin", "hawk moth", "hawk moth"]
    given = (str(folder / "scores.csv"), "--taxonomy", str(folder / "tree.csv"), "--quiet", "--decision", rule)
    code, _, err = here("decide", *given, "--group-by", "sequence")
    assert (code, len(err.strip().splitlines())) == (2, 1)
    assert "Give the inference as --inference, which is applied to each image" in err


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--pool", "mean"), "Expected --group-by with --pool, but got --pool alone"),
        (("--group-by", "folder", "--pool", "sum"), "Expected --pool mean or product or max, but got 'sum'"),
        (("--group-by", "squence"), "Did you mean sequence?"),
        (("--allowed", "wern"), "'wern' (nearest: 'wren')"),
        (("--inference", "prior"), "Give table=FILE"),
    ],
)
def test_mistakes_are_one_line(here: Shell, folder: Path, words: tuple[str, ...], message: str) -> None:
    given = (str(folder / "scores.csv"), "--taxonomy", str(folder / "tree.csv"), "--decision", "leaf", "--quiet")
    code, _, err = here("decide", *given, *words)
    assert code == 2
    assert message in err
    assert len(err.strip().splitlines()) == 1


def test_ways_of_pooling_and_the_default_are_those_of_the_library() -> None:
    assert POOLS == predictions.POOLS
    assert get_args(Pooling)[1].show_default == DEFAULT


def test_further_columns_do_not_meet_those_of_an_evaluation_of_groups(here: Shell, folder: Path) -> None:
    scores = SCORES.replace("region", "predicted", 1)  # the name of a column of every evaluation
    (folder / "scores.csv").write_text(scores)
    labels = {"a/1.jpg": "wren", "a/2.jpg": "wren", "b/1.jpg": "hawk moth", "b/2.jpg": "hawk moth", "c/1.jpg": "robin"}
    (folder / "labels.csv").write_text("path,label,split\n" + "".join(f"{p},{v},test\n" for p, v in labels.items()))
    words = ("--group-by", "sequence", "--labels", str(folder / "labels.csv"), "--out", str(folder / "run"))
    code, _, err = here(
        "decide", str(folder / "scores.csv"), "--taxonomy", str(folder / "tree.csv"), "--decision", "leaf", *words
    )
    assert code == 0, err
    (file,) = (folder / "run" / "evaluations").glob("*.parquet")
    rows = pl.read_parquet(file)
    assert rows["images"].sort().to_list() == [1, 2, 2]
    assert rows["predicted"].dtype == pl.Int64
