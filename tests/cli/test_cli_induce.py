"""``cladewise taxonomy induce`` on a run, on a list of names and on a larger tree."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from cladewise import Taxonomy

Command = Callable[..., tuple[int, str, str]]


def test_a_tree_from_features_with_all_it_is_worth(here: Command, run: str, tmp_path: Path) -> None:
    out, page = tmp_path / "tree.csv", tmp_path / "tree.html"
    code, said, told = here(
        *("taxonomy", "induce", run, "--from", "features", "--groups", "2", "--out", out, "--page", page),
        *("--against", "classes.csv", "--train", tmp_path / "trained", "--epochs", "1"),
    )
    assert code == 0, told
    tree = Taxonomy.read(out)
    assert sorted(tree.names[tree.leaf_nodes].tolist()) == ["blue", "green", "orange", "red"]
    assert tree.level_nodes(1).size == 2
    for line in ("agreement with classes.csv: ", "  tone, 2 groups: adjusted Rand ", "mistakes of hace on ", str(out)):
        assert line in said
    assert said.count("random tree") == 3
    assert "Mean features of" in said
    text = page.read_text()
    for heading in ("Agreement with a given tree", "Mistakes in this tree", "Trained on this tree", "How it was made"):
        assert heading in text
    assert Taxonomy.read(tmp_path / "trained" / "classes.csv") == tree


def test_a_tree_from_confusions_is_not_evaluated_on_the_same_split(here: Command, run: str, tmp_path: Path) -> None:
    code, said, told = here("taxonomy", "induce", run, "--from", "confusions", "--split", "train", "--levels", "2")
    assert code == 0, told
    assert "by construction" in said
    assert "images of test" in said
    for words in (("--split", "test"), ("--evaluate-split", "val"), ("--split", "train+test")):
        code, _, told = here("taxonomy", "induce", run, "--from", "confusions", *words)
        assert (code, told.count("\n")) == (2, 1)
        assert "Expected another split to evaluate on than the one that the tree is made from" in told


def test_names_alone_and_a_larger_tree(here: Command, tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("red\nblue\n\nscarlet\n")
    code, said, told = here(
        "taxonomy", "induce", tmp_path / "names.txt", "--from", "classes.csv", "--out", tmp_path / "t.json"
    )
    assert code == 0, told
    assert "2 are found by name, id or synonym" in said
    assert "to look at: scarlet: not found in the tree; it is at the top." in told
    assert Taxonomy.read(tmp_path / "t.json").num_leaves == 3
    code, said, _ = here("taxonomy", "induce", tmp_path / "names.txt", "--from", "texts", "--encoder", "characters")
    assert code == 0
    assert "There are too few classes to group." in said
    table = tmp_path / "edges.csv"
    table.write_text("kid;mum\nred;warm\nscarlet;warm\nblue;cold\nwarm;\ncold;\n")
    words = ("--from-name", "kid", "--from-parent", "mum", "--from-roots", "join")
    code, said, told = here("taxonomy", "induce", tmp_path / "names.txt", "--from", table, *words)
    assert code == 0, told
    assert "3 are found by name, id or synonym" in said


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("classes.csv", "--from", "features"), "Expected a run, for the source features, but got classes without one"),
        (
            ("classes.csv", "--from", "nothing"),
            "Expected a source: wordnet, texts, features, confusions, or a tree file",
        ),
        (("classes.csv", "--from", "texts", "--train", "x"), "Expected a run, whose images and encoder --train takes"),
        (("classes.csv", "--from", "texts", "--evaluate-split", "test"), "Expected a run, whose mistakes"),
        (
            ("classes.csv", "--from", "texts", "--groups", "many"),
            "Expected numbers of groups like 4,20, but got 'many'",
        ),
        (("nowhere.csv", "--from", "texts"), "no such file"),
    ],
)
def test_mistakes_are_one_line(here: Command, words: tuple[str, ...], told: str) -> None:
    code, _, error = here("taxonomy", "induce", *words)
    assert code == 2
    assert told in error
    assert error.count("\n") == 1
