"""Catalogue of Life data packages in their two forms, as others write and read them."""

# ruff: noqa: E501  (a row stays on one line)

from __future__ import annotations

import warnings
import zipfile
from pathlib import Path
from typing import Any

import pytest
from coldp.coldp import COLDP

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, read
from cladewise.taxonomy.formats.kinds import kind_of

USAGES = """ID\tparentID\tbasionymID\tstatus\trank\tscientificName\tauthorship\textinct
xF\t\t\taccepted\tfamily\tVespidae\tLatreille, 1802\tf
xJ\txF\t\taccepted\tsubfamily\tEumeninae\t\tf
xD8\txJ\t\taccepted\tgenus\tAbispa\tMitchell, 1838\tf
Z1\txD8\t\taccepted\tspecies\tAbispa ephippium\t(Fabricius, 1775)\tf
Z2\tZ1\t\tprovisionally accepted\tsubspecies\tAbispa ephippium australis\tSmith, 1857\tf
41\tZ1\t\tambiguous synonym\tspecies\tAcarepipona pervigilans\t(Giordani Soika, 1944)\tf
38\txD8\t\tambiguous synonym\tspecies\tAcarepipona pervigilans\t(Giordani Soika, 1944)\tf
39\tZ1\t\tmisapplied\tspecies\tVespa maculosa\t\tf
40\t\t\tbare name\tspecies\tVespa incerta\t\tf
"""
NAMES = "taxonID\tname\tlanguage\tpreferred\nZ1\tAustralian hornet\teng\t0\nZ1\tmason wasp\teng\t1\nxF\twasps\tEnglish\t\n41\tguêpe\tfra\t\n"
TAXA = ["Vespidae", "Vespidae/Eumeninae", "Vespidae/Eumeninae/Abispa", "Vespidae/Eumeninae/Abispa/Abispa ephippium"]
BELOW = "Vespidae/Eumeninae/Abispa/Abispa ephippium/Abispa ephippium australis"

TAXON = "ID\tparentID\tnameID\tprovisional\tsequenceIndex\nxF\t\tn1\t\t\nxL\txF\tn5\tfalse\t2\nxJ\txF\tn2\tfalse\t1\nxD8\txJ\tn3\ttrue\t\n"
NAME = "ID\tscientificName\tauthorship\trank\tuninomial\tgenus\tspecificEpithet\tstatus\nn1\tVespidae\tLatreille\tfamily\t\t\t\t\nn2\t\t\tsubfamily\tEumeninae\t\t\testablished\nn3\t\t\tspecies\t\tAbispa\tephippium\t\nn4\tVespa ephippium\tFabricius\tspecies\t\t\t\t\nn5\tPolistinae\t\tsubfamily\t\t\t\t\n"
SYNONYM = "taxonID\tnameID\tstatus\nxD8\tn4\t\n"


def folder_of(place: Path, **files: str) -> Path:
    place.mkdir(exist_ok=True)
    for name, text in files.items():
        (place / name.replace("__", ".")).write_text(text, encoding="utf-8", newline="")
    return place


def told(path: Path, **options: Any) -> tuple[Taxonomy, list[str]]:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tree = read(path, **options)
    assert all(issubclass(warning.category, InputWarning) for warning in caught), [str(w.message) for w in caught]
    return tree, [str(warning.message).split(" at /")[0] for warning in caught]


def column(tree: Taxonomy, name: str) -> dict[str, str]:
    return {str(tree.names[node]): str(tree.columns[name][node]) for node in tree if tree.columns[name][node]}


def paths(tree: Taxonomy) -> list[str]:
    return [tree.path_name(node) for node in tree]


def test_name_usages(tmp_path: Path) -> None:
    path = folder_of(
        tmp_path / "wasps", NameUsage__tsv=USAGES, VernacularName__tsv=NAMES, metadata__yaml="title: Wasps\n"
    )
    assert (found := kind_of(path)) is not None
    assert found.name == "coldp"
    tree, texts = told(path)
    assert paths(tree) == [*TAXA, BELOW]
    assert texts == ["2 taxa left out as doubtful, misapplied or unplaced: 'Vespa maculosa', 'Vespa incerta'"]
    assert tree.level_names == ("subfamily", "genus", "species", "subspecies")
    assert column(tree, "synonyms") == {
        "Abispa": "Acarepipona pervigilans",
        "Abispa ephippium": "Acarepipona pervigilans",
    }
    assert column(tree, "former_ids") == {"Abispa": "38", "Abispa ephippium": "41"}
    assert column(tree, "name:en") == {"Abispa ephippium": "mason wasp|Australian hornet"}
    assert column(tree, "name:fr") == {"Abispa ephippium": "guêpe"}
    assert column(tree, "name:English") == {"Vespidae": "wasps"}, "a word is no code, and is kept"


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("name-usage.TSV", lambda text: text),
        ("name_usage.csv", lambda text: "\n".join(",".join(f'"{cell}"' for cell in line.split("\t")) for line in text.splitlines()) + "\n"),
        ("NameUsage.txt", lambda text: text.replace("ID\tparentID", "col:ID\tcol:parentID", 1).replace("\tscientificName", "\tcol:scientificName", 1)),
        ("nameusage.tab", lambda text: text.replace("\n", "\r\n")),
    ],
    ids=["hyphen", "csv", "prefixes", "crlf"],
)  # fmt: skip
def test_files_as_the_format_allows(tmp_path: Path, name: str, change: Any) -> None:
    archive = tmp_path / "wasps.zip"
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(f"export/{name}", change(USAGES))
        file.writestr("export/metadata.yaml", "title: Wasps\n")
    assert paths(told(archive)[0]) == [*TAXA, BELOW]


def test_taxon_name_and_synonym(tmp_path: Path) -> None:
    path = folder_of(tmp_path / "wasps", Taxon__tsv=TAXON, Name__tsv=NAME, Synonym__tsv=SYNONYM)
    tree, texts = told(path)
    assert texts == []
    assert paths(tree) == [
        "Vespidae",
        "Vespidae/Eumeninae",
        "Vespidae/Eumeninae/Abispa ephippium",
        "Vespidae/Polistinae",
    ], "in the order of sequenceIndex"
    assert tree.level_names == ("subfamily", "species")
    assert column(tree, "synonyms") == {"Abispa ephippium": "Vespa ephippium"}
    assert "former_ids" not in tree.columns, "the synonym has no id"


def test_ranks_as_columns_instead_of_parents(tmp_path: Path) -> None:
    rows = "ID\tscientificName\trank\tstatus\tfamily\tgenus\nz\tAbispa alba\tspecies\taccepted\tVespidae\tAbispa\ny\tAbispa\tgenus\taccepted\tVespidae\t\n"
    tree, _ = told(folder_of(tmp_path / "wasps", NameUsage__tsv=rows))
    assert paths(tree)[1:] == ["Vespidae", "Vespidae/Abispa", "Vespidae/Abispa/Abispa alba"]


def test_tabs_separate_quotes_do_not_and_escapes_are_resolved(tmp_path: Path) -> None:
    rows = (
        USAGES
        + 'Z8\txD8\t\taccepted\tspecies\t"Abispa" alba\t\tf\nZ9\txD8\t\taccepted\tspecies\tAbispa\\tnova \\\\1\t\tf\n'
    )
    tree, _ = told(folder_of(tmp_path / "wasps", NameUsage__tsv=rows))
    assert [str(name) for name in tree.names[-2:]] == ['"Abispa" alba', "Abispa nova \\1"]


def test_the_same_taxa_as_another_reader(tmp_path: Path) -> None:
    for name, files in {
        "one": {"NameUsage__tsv": USAGES},
        "three": {"Taxon__tsv": TAXON, "Name__tsv": NAME, "Synonym__tsv": SYNONYM},
    }.items():
        tree, _ = told(folder_of(tmp_path / name, **files))
        theirs = COLDP(name, str(tmp_path))
        parents = dict(zip(theirs.taxa["ID"], theirs.taxa["parentID"], strict=True))
        ids = tree.columns["id"].tolist()
        ours = {ids[node]: ids[tree.parents[node]] if node else "" for node in tree}
        assert {key: above for key, above in parents.items() if key in ours} == ours, name
        assert set(parents) - set(ours) <= {"40"}, "a bare name is a taxon there"


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"NameUsage__tsv": USAGES.partition("\n")[2]}, "a header, but got 'xF'"),
        ({"NameUsage__tsv": USAGES, "nameusage__csv": "ID\n"}, "one file for nameusage, but got"),
        ({"NameUsage__tsv": USAGES + "Q\tnowhere\t\taccepted\tgenus\tAbia\t\tf\n"}, "parent 'nowhere' of 'Q'"),
        ({"NameUsage__tsv": USAGES, "VernacularName__tsv": "taxonID\tlanguage\n"}, "the columns taxonID and name"),
        ({"Taxon__tsv": TAXON + "xZ\txF\tn99\t\t\n", "Name__tsv": NAME}, "a row without a name"),
    ],
    ids=["header", "twice", "orphan", "vernacular", "nameless"],
)  # fmt: skip
def test_refusals_are_one_line(tmp_path: Path, files: dict[str, str], message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        told(folder_of(tmp_path / "wasps", **files))
    assert "\n" not in str(caught.value)
