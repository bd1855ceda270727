"""Warnings of ``taxonomy check`` about synonyms, former ids and names in languages, and tables that have them."""

from __future__ import annotations

import warnings
from pathlib import Path

import polars as pl
import pytest

from cladewise import InputError, Taxonomy
from cladewise.taxonomy import check, from_dataframe
from cladewise.taxonomy.checks.other_names import other_name_problems


def test_each_kind_is_told_once_with_counts(tmp_path: Path) -> None:
    file = tmp_path / "birds.csv"
    file.write_text(
        "id,parent,name,synonyms,former_ids,name:de,name:old tongue\n"
        "1,,birds,,,Vögel,\n"
        "2,1,Poecile,Parus|Penthestes,3|9,Meise,\n"
        "3,1,Parus,,8|9,Meise|Spatz,x\n"
        "4,1,Passer,Penthestes,,Spatz,\n"
    )
    problems = [problem for problem in check(file) if problem.kind != "single"]
    assert {problem.severity for problem in problems} == {"warning"}
    assert {problem.kind: problem.text for problem in problems} == {
        "synonym-of-name": "1 synonym that is the name of another node: 'Parus'",
        "live-former-id": "1 former id that is the id of another node: '3'",
        "language": "columns of names whose languages are not BCP 47 codes: 'name:old tongue'",
        "shared-name": "4 names of several nodes each, which find none of them: 'Meise' (name:de, and 1 more), "
        "'Penthestes' (synonyms), '9' (former_ids)",
    }
    tree = Taxonomy.read(file)
    for shared in ("Meise", "Spatz", "Penthestes", "9"):
        with pytest.raises(InputError, match="which matches 2 nodes"):
            tree.find(shared)


def test_names_that_lead_to_one_node_are_no_problem() -> None:
    columns = {
        "id": ["1", "2", "3"],
        "synonyms": ["", r"A\|B|C", "A"],
        "former_ids": ["", "2|4", ""],
        "name:fr": ["", "x|x", "y"],
        "name:de": ["", "x", "y"],
    }
    tree = Taxonomy([-1, 0, 0], ["top", "C", "D"], columns=columns)
    assert other_name_problems(tree) == []
    with warnings.catch_warnings(action="ignore"):
        assert [tree.find(label) for label in ("A|B", "A", "x", "4")] == [1, 2, 1, 1]


def test_many_shared_names_are_one_line() -> None:
    twice = list(map(str, range(1000)))
    columns = {f"name:{code}": ["", *["shared"] * 2, *twice, *twice] for code in LANGUAGES}
    names = ["", *(f"n{number}" for number in range(2002))]
    (problem,) = other_name_problems(Taxonomy([-1, *[0] * 2002], names, columns=columns))
    told = "7,007 names of several nodes each, which find none of them: 'shared' (name:fr, and 1,000 more), "
    assert problem.text.startswith(told)
    assert problem.text.endswith(", and 2 more columns")
    assert len(problem.text) < 400


LANGUAGES = ("fr", "id", "is", "no", "de", "el", "pt-BR")


@pytest.mark.parametrize(
    "own",
    [
        {"id": ["0", "1", "2"], "parent": ["", "0", "0"], "name": ["", "a", "b"], "level": ["k", "k", "k"]},
        {"id": ["0", "1", "2"], "parent": ["", "0", "0"], "name": ["r", "a", "b"]},
        {"child": ["r", "a", "b"], "parent": ["", "r", "r"]},
        {"genus": ["r", "r", "r"], "species": ["", "a", "b"]},
        {"group": ["r", "r", "r"], "kind": ["", "a", "b"]},
        {"taxonID": ["7", "8", "9"], "parentNameUsageID": ["", "7", "7"], "scientificName": ["r", "a", "b"]},
        {"ID": ["7", "8", "9"], "parentID": ["", "7", "7"], "scientificName": ["r", "a", "b"], "rank": ["", "", ""]},
        {"path": ["r", "r > a", "r > b"]},
    ],
    ids=lambda own: next(iter(own)) + str(len(own)),
)
def test_columns_of_languages_are_texts_in_every_form_of_table(own: dict[str, list[str]]) -> None:
    named = {f"name:{code}": ["", f"one {code}", f"two {code}|zwei {code}"] for code in LANGUAGES}
    tree = from_dataframe(pl.DataFrame({**own, **named}))
    assert {f"name:{code}" for code in LANGUAGES} <= set(tree.columns)
    with warnings.catch_warnings(action="ignore"):
        for code in LANGUAGES:
            found = [str(tree.names[tree.find(label)]) for label in (f"one {code}", f"two {code}", f"zwei {code}")]
            assert found == ["a", "b", "b"]


def test_vernacular_names_of_a_table_of_taxa_are_of_an_unknown_language() -> None:
    frame = pl.DataFrame(
        {
            "taxonID": ["1", "2"],
            "parentNameUsageID": ["", "1"],
            "scientificName": ["Puma", "Puma concolor"],
            "taxonRank": ["genus", "species"],
            "vernacularName": ["", "cougar"],
        }
    )
    tree = from_dataframe(frame)
    assert tree.columns["name:und"].tolist() == ["", "cougar"]
    assert tree.names_in("und").tolist() == ["Puma", "cougar"]
    with pytest.warns(match=r"'cougar' \(vernacular name of Puma concolor\)"):
        assert tree.find("cougar") == 1
