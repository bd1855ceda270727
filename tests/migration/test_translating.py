"""Tables of labels and of predictions translated into an edited tree."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
import torch

from cladewise.decisions import Leaf, Levels
from cladewise.engine.answering.prediction_table import answer_table
from cladewise.engine.answering.translated import Translated
from cladewise.errors import InputError
from cladewise.migration import translate, translate_labels
from cladewise.predictions import CarriedPrediction, LeafSoftmax
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.carry_over import CarryOver
from cladewise.taxonomy.correspondence import Correspondence, write_matched
from reference.random_edits import random_edits

OLD = Taxonomy.from_paths(
    [("owl", "barn owl"), ("owl", "tawny owl"), ("duck", "teal"), ("duck", "garganey"), ("moa", "giant moa")],
    level_names=["group", "species"],
)
NEW = Taxonomy.from_paths(
    [
        ("owl", "American barn owl"),
        ("owl", "Western barn owl"),
        ("owl", "tawny owl"),
        ("duck", "dabbling", "teal or garganey"),
    ],
    level_names=["group", "tribe", "species"],
)
PAIRS = {
    "owl": ["owl"],
    "owl/barn owl": ["owl/American barn owl", "owl/Western barn owl"],
    "owl/tawny owl": ["owl/tawny owl"],
    "duck": ["duck"],
    "duck/teal": ["duck/dabbling/teal or garganey"],
    "duck/garganey": ["duck/dabbling/teal or garganey"],
}
FOUND = Correspondence.from_pairs(
    OLD, NEW, [(OLD.find(old), NEW.find(new)) for old, news in PAIRS.items() for new in news]
)
CARRIED = CarryOver.of(FOUND)


def test_labels_go_to_the_place_of_their_node() -> None:
    labels = ["barn owl", "owl/tawny owl", "garganey", "giant moa", "moa", "", "root"]
    expected = ["owl", "owl/tawny owl", "duck/dabbling/teal or garganey", "root", "root", None, "root"]
    assert translate_labels(labels, CARRIED) == expected
    with pytest.raises(InputError, match=r"labels that each name one node of the old tree.*dodo"):
        translate_labels(["dodo"], CARRIED)


@pytest.mark.parametrize("seed", range(8))
def test_a_table_of_predictions_says_what_the_migrated_run_says_where_it_says_anything(seed: int) -> None:
    tree = Taxonomy.from_paths([(a, a + b, a + b + c) for a in "ab" for b in "cd" for c in "efg"])
    found, _ = random_edits(tree, 6, seed)
    carried = CarryOver.of(found)
    generator = torch.Generator().manual_seed(seed)
    before = LeafSoftmax(tree, 3 * torch.randn(60, tree.num_leaves, generator=generator))
    after = CarriedPrediction.of(before, carried)
    old = answer_table(Leaf()(before), before).insert_column(0, pl.Series("path", map(str, range(60))))
    new = answer_table(Translated(Leaf())(after), after)
    told = translate(old.with_columns(note=pl.lit("kept"), error=pl.lit(None, pl.String)), found)
    assert told["path"].to_list() == old["path"].to_list()
    assert set(told["note"]) == {"kept"}
    for column in ("label", "label_path", "node"):
        assert told[column].to_list() == new[column].to_list(), column
    for column in new.columns:
        if not column.endswith("probability") and not column.startswith("leaf"):
            assert told[column].to_list() == new[column].to_list(), column
    for column in [name for name in new.columns if name.endswith("probability") and not name.startswith("leaf")]:
        for mine, theirs in zip(told[column].to_list(), new[column].to_list(), strict=True):
            assert mine is None or theirs == pytest.approx(mine, abs=1e-6), column
    kept = carried.same_content[old["node"].to_numpy()]
    assert told["probability"].is_not_null().to_list() == kept.tolist()


@pytest.mark.parametrize("seed", range(8))
def test_answers_per_level_are_those_of_the_migrated_run(seed: int) -> None:
    tree = Taxonomy.from_paths([(a, a + b, a + b + c) for a in "ab" for b in "cd" for c in "efg"])
    found, _ = random_edits(tree, 6, seed)
    generator = torch.Generator().manual_seed(seed)
    before = LeafSoftmax(tree, 3 * torch.randn(60, tree.num_leaves, generator=generator))
    after = CarriedPrediction.of(before, CarryOver.of(found))
    old, new = answer_table(Levels()(before), before), answer_table(Translated(Levels())(after), after)
    told = translate(old.insert_column(0, pl.Series("path", map(str, range(60)))), found)
    assert told.columns == ["path", *new.columns]
    for column in new.columns:
        for mine, theirs in zip(told[column].to_list(), new[column].to_list(), strict=True):
            if column.endswith("_probability"):
                assert mine is None or theirs == pytest.approx(mine, abs=1e-6), column
            else:
                assert mine == theirs, column


def test_lists_of_labels_are_translated_once_each() -> None:
    table = pl.DataFrame(
        {
            "path": ["a", "b"],
            "labels": [["duck/teal", "duck/garganey", "owl"], []],
            "probabilities": [[0.1, 0.2, 0.3], []],
        }
    )
    told = translate(table, FOUND)
    assert told.columns == ["path", "labels"]
    assert told["labels"].to_list() == [["duck/dabbling/teal or garganey", "owl"], []]


def test_levels_with_a_path_each_are_translated() -> None:
    columns = {"group": ["owl", "duck"], "group_path": ["owl", "duck"], "group_probability": [0.75, 0.5]}
    finer = {"species": ["barn owl", "teal"], "species_path": ["owl/barn owl", "duck/teal"]}
    table = pl.DataFrame({"path": ["a", "b"], **columns, **finer, "species_probability": [0.5, 0.25], "my_path": "x"})
    told = translate(table, FOUND)
    assert told["group_path"].to_list() == ["owl", "duck"]
    assert told["group_probability"].to_list() == [0.75, 0.5]
    assert told["tribe_path"].to_list() == [None, "duck/dabbling"]
    assert told["species_path"].to_list() == [None, "duck/dabbling/teal or garganey"]
    assert told["species_probability"].to_list() == [None, None]
    assert told["my_path"].to_list() == ["x", "x"]


def test_trees_follow_from_the_table_of_correspondences(tmp_path: Path) -> None:
    simple = Taxonomy.from_paths([("owl", "tawny"), ("duck", "teal")])
    other = Taxonomy.from_paths([("owl", "tawny owl"), ("duck", "teal")])
    write_matched(Correspondence.from_pairs(simple, other, [(v, v) for v in range(1, 5)]), tmp_path / "matched.csv")
    table = pl.DataFrame({"file": ["a"], "label": ["tawny"]})
    assert translate(table, tmp_path / "matched.csv").rows() == [("a", "owl/tawny owl")]
    with pytest.raises(InputError, match="a table with the column class, but got file, label"):
        translate(table, tmp_path / "matched.csv", column="class")
