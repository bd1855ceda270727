"""Correspondences: words that follow from the pairs, consequences, and the table that a person edits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.correspondence import CHANGES, Correspondence, read_matched, write_matched
from strategies import label_trees, taxonomies

OLD = Taxonomy.from_paths([("bird", "owl", "barn owl"), ("bird", "gull"), ("fish", "cod"), ("fish", "ling"), ("moth",)])
NEW = Taxonomy.from_paths(
    [("bird", "owl", "american"), ("bird", "owl", "western"), ("bird", "Gull"), ("animal", "fish", "cod"), ("wasp",)]
)
PATHS = [
    ("bird", "bird"),
    ("bird/owl", "bird/owl"),
    ("bird/owl/barn owl", "bird/owl/american"),
    ("bird/owl/barn owl", "bird/owl/western"),
    ("bird/gull", "bird/Gull"),
    ("fish", "animal/fish"),
    ("fish/cod", "animal/fish/cod"),
    ("fish/ling", "animal/fish/cod"),
]
HEADER = "old,new,change,certainty,evidence,ask\n"


def pairs(rows: list[tuple[str, str]] = PATHS) -> list[tuple[int, int]]:
    return [(OLD.find(u), NEW.find(v)) for u, v in rows]


def test_every_kind_of_change_follows_from_the_pairs() -> None:
    found = Correspondence.from_pairs(OLD, NEW, pairs())
    assert found.rows() == [
        ("bird", "bird", "same"),
        ("bird/owl", "bird/owl", "same"),
        ("bird/owl/barn owl", "bird/owl/american", "split"),
        ("bird/owl/barn owl", "bird/owl/western", "split"),
        ("bird/gull", "bird/Gull", "renamed"),
        ("fish", "animal/fish", "moved"),
        ("fish/cod", "animal/fish/cod", "merged"),
        ("fish/ling", "animal/fish/cod", "merged"),
        ("moth", "", "removed"),
        ("", "animal", "added"),
        ("", "wasp", "added"),
    ]
    assert found.counts() == {"same": 2, "renamed": 1, "moved": 1, "merged": 2, "split": 2, "added": 2, "removed": 1}


def test_a_node_renamed_and_moved_at_once_has_a_word_of_its_own() -> None:
    old, new = Taxonomy.from_paths([("a", "x"), ("b",)]), Taxonomy.from_paths([("a",), ("b", "y")])
    assert ("a/x", "b/y", "renamed and moved") in Correspondence.from_pairs(old, new, [(1, 1), (2, 3), (3, 2)]).rows()


def test_accents_stored_in_two_ways_are_the_same_name() -> None:
    old, new = Taxonomy.from_paths([("caf\u00e9",)]), Taxonomy.from_paths([("cafe\u0301",)])
    assert Correspondence.from_pairs(old, new, [(1, 1)]).counts() == {"same": 1}


def test_a_parent_that_was_merged_or_split_did_not_move_its_children() -> None:
    old = Taxonomy.from_paths([("a", "x"), ("b", "y"), ("c", "z")])
    new = Taxonomy.from_paths([("ab", "x"), ("ab", "y"), ("c1", "z"), ("c2",)])
    matched = [(1, 1), (3, 1), (2, 2), (4, 3), (5, 4), (5, 6), (6, 5)]
    found = Correspondence.from_pairs(old, new, matched)
    assert [word for old_path, _, word in found.rows() if "/" in old_path] == ["same"] * 3


def test_consequences_of_the_pairs() -> None:
    found = Correspondence.from_pairs(OLD, NEW, pairs())
    owl, american, western = OLD.find("barn owl"), NEW.find("american"), NEW.find("western")
    assert found.counterparts(owl).tolist() == [american, western]
    assert found.origins(NEW.find("cod")).tolist() == [OLD.find("cod"), OLD.find("ling")]
    assert found.removed.tolist() == [OLD.find("moth")]
    assert found.added.tolist() == [NEW.find("animal"), NEW.find("wasp")]
    assert found.only_counterpart[OLD.find("gull")] == NEW.find("Gull")
    assert found.only_counterpart[[owl, OLD.find("cod"), OLD.find("moth")]].tolist() == [-1, -1, -1]
    assert found.containing[[0, owl, OLD.find("moth"), OLD.find("ling")]].tolist() == [
        0,
        NEW.find("bird/owl"),
        0,
        NEW.find("cod"),
    ]


def test_a_root_without_a_name_is_implied_unless_the_other_root_has_a_counterpart_of_its_own() -> None:
    unnamed = Taxonomy.from_paths([("animal", "cat")])
    named = Taxonomy.from_parents([-1, 0], ["animal", "cat"])
    found = Correspondence.from_pairs(unnamed, named, [(1, 0), (2, 1)])
    assert found.rows() == [("animal", "animal", "moved"), ("animal/cat", "animal/cat", "same")]
    assert found.only_counterpart.tolist() == [-1, 0, 1]
    wrapped = Correspondence.from_pairs(named, unnamed, [(0, 1), (1, 2)])
    assert wrapped.added.tolist() == [0], "the root without a name, which has no row"
    assert wrapped.rows() == [("animal", "animal", "moved"), ("animal/cat", "animal/cat", "same")]
    both = Correspondence.from_pairs(
        unnamed, Taxonomy.from_parents([-1, 0, 1], ["all", "animal", "cat"]), [(1, 1), (2, 2)]
    )
    assert both.rows() == [
        ("animal", "all/animal", "same"),
        ("animal/cat", "all/animal/cat", "same"),
        ("", "all", "added"),
    ]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([(1, 1), (1, 1)], "the same pair in two rows"),
        ([(99, 1)], "nodes of the old tree, 1 to 8, or -1, but got 99"),
        ([(1, -1)], "a row for each node of the new tree|a counterpart or none"),
    ],
)
def test_pairs_that_cannot_be_are_refused(rows: list[tuple[int, int]], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Correspondence.from_pairs(OLD, NEW, [*rows, *([(1, 1)] if rows == [(1, -1)] else [])])


@st.composite
def correspondences(draw: st.DrawFn) -> Correspondence:
    old, new = draw(taxonomies(12)), draw(taxonomies(12))
    nodes = st.tuples(st.integers(0, old.num_nodes - 1), st.integers(0, new.num_nodes - 1))
    drawn = draw(st.lists(nodes, unique=True, max_size=15))
    kept = [
        (u, v) for u, v in drawn if (u or not old.synthetic_root or not v) and (v or not new.synthetic_root or not u)
    ]
    certainty = [draw(st.sampled_from([0.25, 0.5, 1.0])) for _ in kept]
    ask = [draw(st.booleans()) for _ in kept]
    return Correspondence.from_pairs(old, new, kept, certainty=certainty, evidence=["x, y"] * len(kept), ask=ask)


def equal(one: Correspondence, other: Correspondence) -> bool:
    arrays = ("old_nodes", "new_nodes", "certainty", "evidence", "ask", "change_codes")
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)


@given(correspondences())
@settings(max_examples=80, deadline=None)
def test_laws(found: Correspondence) -> None:
    assert equal(found.inverse().inverse(), found)
    turned = {"added": "removed", "removed": "added", "same": "same", "renamed": "renamed", "moved": "moved"}
    turned["renamed and moved"] = "renamed and moved"
    words = {(u, v): w for u, v, w in zip(found.old_nodes, found.new_nodes, found.change, strict=True)}
    back = {
        (v, u): w
        for u, v, w in zip(found.inverse().old_nodes, found.inverse().new_nodes, found.inverse().change, strict=True)
    }
    for pair, word in words.items():
        if word in turned:
            assert back[pair] == turned[word]
        else:
            assert back[pair] in ("merged", "split")
    for node in found.old:
        ends = found.counterparts(node)
        assert ends.tolist() == sorted(v for u, v in found.pairs.tolist() if u == node)
        assert found.new.contains(found.containing[node], ends).all()
    assert set(found.change.tolist()) <= set(CHANGES)


@given(correspondences())
@settings(max_examples=30, deadline=None)
def test_the_table_gives_back_what_was_written(tmp_path_factory: pytest.TempPathFactory, found: Correspondence) -> None:
    for suffix in ("csv", "tsv", "parquet"):
        path = tmp_path_factory.mktemp("matched") / f"matched.{suffix}"
        write_matched(found, path)
        assert equal(read_matched(path, found.old, found.new, undecided="keep"), found), suffix


@given(label_trees(synthetic=True))
@settings(max_examples=30, deadline=None)
def test_hostile_names_survive_the_table(tmp_path_factory: pytest.TempPathFactory, tree: Taxonomy) -> None:
    path = tmp_path_factory.mktemp("matched") / "matched.csv"
    found = Correspondence.identity(tree)
    write_matched(found, path)
    assert equal(read_matched(path, tree, tree), found)


def test_nodes_of_one_path_are_told_apart_by_their_ids(tmp_path: Path) -> None:
    old = Taxonomy([-1, 0, 0], ["", "sp.", "sp."], columns={"id": ["", "7", "9"]})
    new = Taxonomy([-1, 0, 0], ["", "sp.", "sp."])
    path = tmp_path / "matched.csv"
    write_matched(Correspondence.from_pairs(old, new, [(1, 2), (2, 1)]), path)
    text = path.read_text()
    assert text == HEADER.rstrip() + ",old_id,new_id\nsp.,sp.,same,1,,,7,2\nsp.,sp.,same,1,,,9,1\n"
    assert read_matched(path, old, new).pairs.tolist() == [[0, 0], [1, 2], [2, 1]]
    path.write_text(text.replace(",9,1", ",8,1"))
    with pytest.raises(InputError, match=r"Expected one of '7', '9' in the column old_id.*'8' at .*matched.csv:3"):
        read_matched(path, old, new)


def edited(tmp_path: Path, text: str) -> Correspondence:
    path = tmp_path / "matched.csv"
    path.write_text(HEADER + text)
    return read_matched(path, OLD, NEW)


ROWS = """\
bird,bird,same,1,,
bird/owl,bird/owl,same,1,id,
bird/owl/barn owl,bird/owl/american,split,0.9,id,yes
bird/owl/barn owl,bird/owl/western,split,0.9,name,yes
bird/gull,bird/Gull,,,by hand,no
fish,animal/fish,moved,1,,
fish/cod,animal/fish/cod,merged,1,,
fish/ling,animal/fish/cod,merged,1,,
moth,,removed,1,,
"""


def test_a_row_to_decide_is_refused_until_it_is_decided(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"2 rows with ask=yes at .*matched.csv: line 4, 5. To accept a row, clear"):
        edited(tmp_path, ROWS)
    split = edited(tmp_path, ROWS.replace(",yes", ","))
    assert split.counts()["split"] == 2
    lines = ROWS.replace("western,split,0.9,name,yes", "western,,0.9,name,NO").splitlines(keepends=True)
    one = edited(tmp_path, "".join(lines[:2] + lines[3:]))
    assert one.only_counterpart[OLD.find("barn owl")] == NEW.find("western")
    assert NEW.find("american") in one.added, "a new node without a row"
    assert one.evidence[3] == "by hand"
    assert one.certainty[3] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("bird/owl,bird/owl,same", "bird/owl,bird/owls,same"),
            r"paths in the column new that each name one node of the new tree.*'bird/owls'.*line 3",
        ),
        (("moth,,removed", "mth,,removed"), r"of the old tree.*'mth' \(nearest: 'moth'\) in line 10"),
        (("bird,bird,same", "bird,bird,renamed"), r"Expected 'same', which the rows say, but got 'renamed' for 'bird'"),
        (("moth,,removed", "moth,,gone"), r"a change among same, renamed.*'gone' at .*:10"),
        (("moth,,removed", "moth,wasp,removed"), r"Expected 'renamed'.*'removed' for 'moth' at .*:10"),
        (
            ("fish/ling,animal/fish/cod,merged", "fish/ling,,removed"),
            r"Expected 'same'.*'merged' for 'fish/cod' at .*:8",
        ),
        (("moth,,removed,1,,\n", ""), r"a row for each node of the old tree, but got none for 1: 'moth'"),
        (
            ("moth,,removed,1,,\n", "moth,,removed,1,,\nmoth,wasp,,,,\n"),
            r"'moth' of the old tree with a counterpart or without",
        ),
        (("moth,,removed,1,,\n", "moth,,removed,1,,\nmoth,,,,,\n"), r"each pair of nodes once.*line 10 at .*:11"),
        (("moth,,removed,1", "moth,,removed,2"), r"a certainty from 0 to 1, or a blank, but got '2' at .*:10"),
        (("moth,,removed,1,,", "moth,,removed,1,,maybe"), r"yes, no or a blank in the column ask, but got 'maybe'"),
        (
            ("moth,,removed,1,,\n", "moth,,removed,1,,\n,,,1,x,\n"),
            r"a path in old or new, but got a row with neither at .*:11",
        ),
    ],
)
def test_an_edit_that_cannot_be_is_one_line(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    decided = ROWS.replace(",yes", ",")
    assert change[0] in decided
    with pytest.raises(InputError, match=message) as caught:
        edited(tmp_path, decided.replace(*change))
    assert "\n" not in str(caught.value)


def test_a_table_of_a_spreadsheet_is_read(tmp_path: Path) -> None:
    """Semicolons, a byte order mark and a further column of notes."""
    path = tmp_path / "matched.csv"
    lines = (HEADER + ROWS.replace(",yes", ",")).splitlines()
    text = "".join(
        line.replace(",", ";") + (";notes" if number == 0 else ";") + "\r\n" for number, line in enumerate(lines)
    )
    path.write_text(text, encoding="utf-8-sig")
    assert read_matched(path, OLD, NEW).counts() == Correspondence.from_pairs(OLD, NEW, pairs()).counts()


def test_a_table_without_its_header_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "matched.csv"
    path.write_text("bird,bird,same,1,,\n")
    with pytest.raises(
        InputError, match=r"got column 5 without a name at .*:1. Its first line names the columns old, .*ask.$"
    ):
        read_matched(path, OLD, NEW)


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "matched.csv"
    path.write_text("old,new,change,certainty,evidence\nbird,bird,,,\n")
    with pytest.raises(InputError, match=r"the columns old, new, change.*without ask,.*taxonomy match OLD NEW"):
        read_matched(path, OLD, NEW)
