"""Darwin Core archives and ColDP packages that are written, read back and read by others."""

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from coldp.coldp import COLDP
from dwca.darwincore.utils import qualname
from dwca.read import DwCAReader
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read, write
from cladewise.taxonomy.formats.options import Format

FORMATS: list[Format] = ["dwca", "coldp"]
CATS = Taxonomy(
    [-1, 0, 1, 2, 1, 0],
    ["", "Felidae", "Puma", "Puma concolor", "Felis silvestris", 'Can"idae'],
    level=[0, 1, 2, 3, 3, 1],
    level_names=["family", "genus", "species"],
    columns={
        "id": ["", "01", "1.0", "x y", "NA", "é"],
        "synonyms": ["", "", "", r"Felis concolor|Puma \| x", "", ""],
        "former_ids": ["", "", "9|10", "007", "", ""],
        "name:en": ["", "cats", "", "puma|cougar", "", ""],
        "name:fr-CA": ["", "", "", "couguar", "", "chiens, loups"],
        "name:und": ["", "", "lions", "", "", ""],
        "weight": ["", "", "", "60 kg", "4 kg", ""],
    },
)


def back(path: Path, **options: object) -> Taxonomy:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(path, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("format", FORMATS)
def test_read_back(tmp_path: Path, format: Format) -> None:
    path = tmp_path / "cats.zip"
    write(CATS, path, format=format)
    tree = back(path)
    assert tree == CATS
    assert tree.level_names == CATS.level_names
    for column in CATS.columns:
        if column != "weight":
            assert tree.columns[column].tolist() == CATS.columns[column].tolist(), column
    assert "weight" not in tree.columns
    again = tmp_path / "again.zip"
    write(tree, again, format=format)
    with zipfile.ZipFile(path) as first, zipfile.ZipFile(again) as second:
        same = [name for name in first.namelist() if name.startswith(("taxon", "vern", "Name", "Vern", "meta.xml"))]
        assert all(first.read(name) == second.read(name) for name in same)


def test_another_reader_of_darwin_core_finds_the_tree(tmp_path: Path) -> None:
    path = tmp_path / "cats.zip"
    write(CATS, path, format="dwca")
    with DwCAReader(str(path)) as archive:
        rows = [
            {
                name: row.data[qualname(name)]
                for name in (
                    "taxonID",
                    "parentNameUsageID",
                    "acceptedNameUsageID",
                    "scientificName",
                    "taxonRank",
                    "taxonomicStatus",
                )
            }
            for row in archive
        ]
        names = {
            (row.id, *(extension.data[term] for term in sorted(extension.data) if "rdf" not in term))
            for row in archive
            for extension in row.extensions
        }
        assert archive.core_contains_term(qualname("scientificName"))
        assert archive.metadata is not None
    accepted = {row["taxonID"]: row for row in rows if row["taxonomicStatus"] == "accepted"}

    def path_of(key: str) -> str:
        above = accepted[key]["parentNameUsageID"]
        return f"{path_of(above)}/{accepted[key]['scientificName']}" if above else accepted[key]["scientificName"]

    ids = CATS.columns["id"].tolist()
    assert {key: path_of(key) for key in accepted} == {ids[node]: CATS.path_name(node) for node in CATS if node}
    assert {key: row["taxonRank"] for key, row in accepted.items()} == {
        ids[node]: CATS.level_names[CATS.level[node] - 1] for node in CATS if node
    }
    synonyms = [
        (row["acceptedNameUsageID"], row["scientificName"]) for row in rows if row["taxonomicStatus"] == "synonym"
    ]
    assert synonyms == [
        ("x y", "Felis concolor"),
        ("x y", "Puma | x"),
        ("1.0", "Puma"),
        ("1.0", "Puma"),
        ("x y", "Puma concolor"),
    ]
    assert len(names) == 6


def test_another_reader_of_coldp_finds_the_tree(tmp_path: Path) -> None:
    write(CATS, tmp_path / "cats.zip", format="coldp")
    with zipfile.ZipFile(tmp_path / "cats.zip") as archive:
        archive.extractall(tmp_path / "cats")
    theirs = COLDP("cats", str(tmp_path))
    ids = CATS.columns["id"].tolist()
    above = dict(zip(theirs.taxa["ID"], theirs.taxa["parentID"], strict=True))
    assert above == {ids[node]: ids[CATS.parents[node]] for node in CATS if node}
    names = dict(zip(theirs.names["ID"], theirs.names["scientificName"], strict=True))
    assert {key: names[key] for key in above} == {ids[node]: str(CATS.names[node]) for node in CATS if node}
    assert sorted(theirs.synonyms["taxonID"]) == ["1.0", "1.0", "x y", "x y", "x y"]


@pytest.mark.parametrize("format", FORMATS)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_tree_without_ranks_comes_back(tmp_path: Path, format: Format, data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 12))
    parents = [-1, *(data.draw(st.integers(0, node - 1)) for node in range(1, size))]
    text = st.text("ab é'\",;|\\/#<&\u3042", min_size=1, max_size=5).filter(lambda name: name == name.strip())
    names = data.draw(st.lists(text, min_size=size, max_size=size))
    tree = Taxonomy.from_parents(parents, names)
    path = tmp_path / "tree.zip"
    write(tree, path, format=format)
    found = back(path)
    assert found == tree
    assert found.columns["id"].tolist() == np.arange(size).astype(str).tolist()


def test_what_an_archive_cannot_hold(tmp_path: Path) -> None:
    tree = Taxonomy([-1, 0], ["", "a\tb"])
    with pytest.raises(InputError, match=r"texts without tabs and line ends, but got 'a\\tb'"):
        write(tree, tmp_path / "tree.zip", format="dwca")
    assert not (tmp_path / "tree.zip").exists()
    write(tree, tmp_path / "tree.zip", format="coldp")
    assert "a\tb" in back(tmp_path / "tree.zip").names


@pytest.mark.parametrize("format", FORMATS)
def test_levels_that_are_no_ranks_come_back_in_lower_case(tmp_path: Path, format: Format) -> None:
    tree = Taxonomy.from_paths(
        [("Fruit", "Apple", "Fuji"), ("Fish", "", "Salmon")], level_names=["Group", "kind", "Sort"]
    )
    write(tree, tmp_path / "tree.zip", format=format)
    found = back(tmp_path / "tree.zip", roots="join")
    assert found == tree
    assert found.level_names == ("group", "kind", "sort")
