"""NCBI's taxdump, whole and as other tools write it, against taxopy."""

from __future__ import annotations

import tarfile
import warnings
import zipfile
from pathlib import Path

import pytest
import taxopy

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy, read
from cladewise.taxonomy.formats.kinds import kind_of

NODES = [
    ("1", "1", "no rank"),
    ("131567", "1", "cellular root"),
    ("2759", "131567", "domain"),
    ("33154", "2759", "clade"),
    ("33208", "33154", "kingdom"),
    ("7711", "33208", "phylum"),
    ("89593", "7711", "subphylum"),
    ("117571", "7711", "clade"),
    ("9443", "117571", "order"),
    ("9604", "9443", "family"),
    ("9605", "9604", "genus"),
    ("9606", "9605", "species"),
    ("63221", "9606", "subspecies"),
]
NAMES = [
    ("1", "all", "", "synonym"),
    ("1", "root", "", "scientific name"),
    *(
        (node, name, "", "scientific name")
        for node, name in [("131567", "cellular organisms"), ("33154", "Opisthokonta")]
    ),
    ("2759", "Eucarya", "", "synonym"),
    ("2759", "eukaryotes", "eukaryotes<blast name>", "blast name"),
    ("2759", "Eukaryota", "", "scientific name"),
    ("33208", "Metazoa", "", "scientific name"),
    ("33208", "metazoans", "", "genbank common name"),
    *(
        (node, name, "", "scientific name")
        for node, name in [("7711", "Chordata"), ("89593", "Craniata"), ("9443", "Primates")]
    ),
    ("117571", "Euteleostomi", "", "scientific name"),
    ("9604", "Hominidae", "", "scientific name"),
    ("9605", "Homo", "", "scientific name"),
    ("9606", "Homo sapiens", "", "scientific name"),
    ("9606", "Homo sapiens Linnaeus, 1758", "", "authority"),
    ("9606", "man", "", "common name"),
    ("9606", "human", "", "genbank common name"),
    ("9606", "Home sapiens", "", "misspelling"),
    ("63221", "Neandertal | man", "", "common name"),
    ("63221", "Homo sapiens neanderthalensis", "", "scientific name"),
]
MERGED = [("9999", "9606"), ("8888", "9606")]


def dumped(rows: list[tuple[str, ...]], end: str = "\t|\n", more: str = "") -> str:
    return "".join("\t|\t".join(row) + more + end for row in rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    place = tmp_path / "dump"
    place.mkdir()
    (place / "nodes.dmp").write_text(dumped(NODES, more="\t|\t\t|\t8\t|\t0"))
    (place / "names.dmp").write_text(dumped(NAMES))
    (place / "merged.dmp").write_text(dumped(MERGED))
    (place / "delnodes.dmp").write_text("7777\t|\n")
    return place


def silently(path: Path, **options: object) -> Taxonomy:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return read(path, **options)  # type: ignore[arg-type]


def column(tree: Taxonomy, name: str) -> dict[str, str]:
    return {str(tree.names[node]): str(tree.columns[name][node]) for node in tree if tree.columns[name][node]}


def test_nodes_names_and_merged_ids(folder: Path) -> None:
    assert (found := kind_of(folder)) is not None
    assert found.name == "taxdump"
    tree = silently(folder)
    assert tree.num_nodes == len(NODES)
    assert str(tree.names[0]) == "root"
    assert tree.path_name(tree.find("Homo sapiens")).startswith(
        "root/cellular organisms/Eukaryota/Opisthokonta/Metazoa"
    )
    assert column(tree, "name:en") == {
        "Metazoa": "metazoans",
        "Homo sapiens": "human|man",
        "Homo sapiens neanderthalensis": r"Neandertal \| man",
    }
    assert column(tree, "synonyms") == {"root": "all", "Eukaryota": "Eucarya", "Homo sapiens": "Home sapiens"}
    assert column(tree, "former_ids") == {"Homo sapiens": "9999|8888"}
    assert column(tree, "taxonRank")["Euteleostomi"] == "clade"


def test_levels_are_depths_unless_ranks_are_chosen(folder: Path) -> None:
    rows = [*NODES, ("1000", "117571", "clade"), ("1001", "1000", "no rank")]
    (folder / "nodes.dmp").write_text(dumped(rows))
    (folder / "names.dmp").write_text(
        dumped([*NAMES, *((k, f"clade {k}", "", "scientific name") for k in ("1000", "1001"))])
    )
    with pytest.warns(UserWarning, match="of the rank 'clade' under 'clade', so depths are used as levels"):
        whole = read(folder)
    assert whole.level.tolist() == whole.depth.tolist()
    tree = silently(folder, levels=["domain", "kingdom", "phylum", "order", "family", "genus", "species"])
    assert tree.level_names == ("domain", "kingdom", "phylum", "order", "family", "genus", "species")
    assert [str(name) for name in tree.names] == [
        "root", "Eukaryota", "Metazoa", "Chordata", "Primates", "Hominidae", "Homo", "Homo sapiens",
    ]  # fmt: skip
    assert "taxonRank" not in tree.columns


def test_several_parents(folder: Path) -> None:
    (folder / "nodes.dmp").write_text(dumped([*NODES, ("63221", "9605", "subspecies")]))
    with pytest.raises(InputError, match="2 parents of 'Homo sapiens neanderthalensis': '9606', '9605'"):
        read(folder)
    assert silently(folder, parents="first").further_parents.size == 0
    tree = silently(folder, parents="all")
    assert tree.further_parents.tolist() == [[tree.find("63221"), tree.find("Homo")]]
    with pytest.raises(InputError, match="one parent for each node where levels are chosen, but got 1 further parents"):
        silently(folder, parents="all", levels=["genus", "species"])


@pytest.mark.parametrize("kind", ["tar.gz", "zip"])
def test_packed(folder: Path, kind: str) -> None:
    path = folder.with_name(f"taxdump.{kind}")
    files = sorted(folder.iterdir())
    if kind == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            for file in files:
                archive.write(file, file.name)
    else:
        with tarfile.open(path, "w:gz") as archive:
            for file in files:
                archive.add(file, file.name)
    packed = silently(path)
    assert packed == silently(folder)
    assert packed.columns["former_ids"].tolist() == silently(folder).columns["former_ids"].tolist()


def test_rows_without_a_final_bar_and_without_merged_ids(folder: Path) -> None:
    whole = silently(folder)
    (folder / "merged.dmp").unlink()
    for name, rows in (("nodes.dmp", NODES), ("names.dmp", NAMES)):
        (folder / name).write_text(dumped(rows, end="\n"))
    tree = silently(folder)
    assert tree == whole
    assert "former_ids" not in tree.columns


def test_the_same_tree_as_taxopy(folder: Path) -> None:
    theirs = taxopy.TaxDb(**{f"{name}_dmp": str(folder / f"{name}.dmp") for name in ("nodes", "names", "merged")})
    tree = silently(folder)
    ids = [int(text) for text in tree.columns["id"].tolist()]
    assert {ids[node]: ids[max(0, tree.parents[node])] for node in tree} == {
        key: theirs.taxid2parent[key] for key in ids
    }
    assert dict(zip(ids, tree.names.tolist(), strict=True)) == {key: theirs.taxid2name[key] for key in ids}
    assert set(theirs.taxid2parent) - set(ids) == {int(old) for old, _ in MERGED}
    former = {
        int(old): int(new)
        for new, cell in zip(ids, tree.columns["former_ids"].tolist(), strict=True)
        for old in cell.split("|")
        if old
    }
    assert former == theirs.oldtaxid2newtaxid


def test_a_node_without_a_name_is_refused(folder: Path) -> None:
    (folder / "names.dmp").write_text(dumped([row for row in NAMES if row[0] != "9605"]))
    with pytest.raises(InputError, match=r"a row without a name at .*nodes\.dmp:11"):
        read(folder)
