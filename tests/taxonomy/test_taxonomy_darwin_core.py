"""Darwin Core, ColDP and tables of ranks: which rows are taxa, where they stand, what they are called, what is told."""

# ruff: noqa: E501  (a row and an error text stay on one line)

from __future__ import annotations

import tempfile
import warnings
from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy, check, from_dataframe, read, write
from cladewise.taxonomy.formats.tables.table import from_frame
from cladewise.taxonomy.formats.taxa.darwin_core import darwin_core_from_taxonomy, evidence

SETTINGS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def written(folder: Path, text: str, name: str = "taxa.csv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def told(path: Path, **options: Any) -> tuple[Taxonomy, list[str]]:
    """A tree and the texts of the warnings of reading it."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        tree = read(path, **options)
    assert all(issubclass(warning.category, InputWarning) for warning in caught)
    return tree, [str(warning.message).split(f" at {path}")[0] for warning in caught]


def quietly(path: Path, **options: Any) -> Taxonomy:
    tree, texts = told(path, **options)
    assert texts == []
    return tree


def ranked(tree: Taxonomy) -> list[tuple[str, str]]:
    """Path and rank of every node below a synthetic root."""
    names = ("root", *tree.level_names)
    return [(tree.path_name(node), names[tree.level[node]]) for node in tree][1 if tree.synthetic_root else 0 :]


def by_name(tree: Taxonomy, column: str) -> dict[str, str]:
    return {
        name: text
        for name, text in zip(tree.names.tolist(), tree.columns[column].tolist(), strict=True)
        if text and name
    }


class TestIdentifiers:
    def test_short_identifiers_beside_addresses_that_are_parents(self, tmp_path: Path) -> None:
        rows = "id,taxonID,parentNameUsageID,class,scientificName,taxonRank\n1,https://x/1,,,Animalia,kingdom\n2,https://x/2,https://x/1,Aves,Aves,class\n"
        tree = quietly(written(tmp_path, rows))
        assert ranked(tree) == [("Animalia", "root"), ("Animalia/Aves", "class")]
        assert tree.columns["id"].tolist() == ["1", "2"]
        assert tree.columns["taxonID"].tolist() == ["https://x/1", "https://x/2"]

    def test_short_identifiers_that_are_parents_beside_addresses(self, tmp_path: Path) -> None:
        rows = "taxonID,id,parentNameUsageID,scientificName,taxonRank\nhttps://x/1,1,,Animalia,kingdom\nhttps://x/2,2,1,Aves,class\n"
        assert ranked(quietly(written(tmp_path, rows)))[1] == ("Animalia/Aves", "class")

    def test_provisional_species_of_one_epithet_are_as_many_nodes(self, tmp_path: Path) -> None:
        rows = [
            "taxonID,kingdom,genus,specificEpithet,scientificName,taxonRank",
            *(f"{k},Fungi,Cortinarius,sp.,Cortinarius sp. 'A{k}',species" for k in range(1, 4)),
        ]
        tree = quietly(written(tmp_path, "\n".join(rows)))
        assert by_name(tree, "id") == {
            "Fungi": "Fungi",
            "Cortinarius": "Fungi/Cortinarius",
            **{f"Cortinarius sp. 'A{k}'": str(k) for k in range(1, 4)},
        }

    def test_taxa_of_one_name_and_place_are_two_nodes(self, tmp_path: Path) -> None:
        path = written(
            tmp_path,
            "taxonID,kingdom,genus,scientificName,taxonRank\n1,Animalia,Agonum,Agonum fallax,species\n2,Animalia,Agonum,Agonum fallax,species\n3,Animalia,Agonum,Agonum,genus\n",
        )
        assert [name for name, rank in ranked(quietly(path)) if rank == "species"] == [
            "Animalia/Agonum/Agonum fallax"
        ] * 2
        assert [str(problem) for problem in check(path)] == [
            "3: warning: 'Agonum fallax' occurs again (first in line 2) [duplicate]"
        ]

    def test_siblings_of_one_name_and_two_ranks_are_told_apart_by_the_rank(self, tmp_path: Path) -> None:
        rows = [
            "taxonID,kingdom,genus,specificEpithet,infraspecificEpithet,scientificName,taxonRank",
            "1,K,Aus,,,Aus bus,complex",
            "2,K,Aus,bus,,Aus bus,species",
            "3,K,Aus,bus,cus,Aus bus cus,subspecies",
            "4,K,Aus,bus,cus,Aus bus cus,variety",
            "5,K,Aus,bus,dus,Aus bus dus,variety",
        ]
        tree, _ = told(written(tmp_path, "\n".join(rows)))
        assert by_name(tree, "id") == {
            "K": "K",
            "Aus": "K/Aus",
            "Aus bus (complex)": "1",
            "Aus bus": "2",
            "Aus bus cus (subspecies)": "3",
            "Aus bus cus (variety)": "4",
            "Aus bus dus": "5",
        }

    def test_one_identifier_of_several_taxa(self, tmp_path: Path) -> None:
        path = written(
            tmp_path,
            "taxonID,genus,scientificName,taxonRank\n1,A,A b,species\n1,A,A c,species\n2,A,A,genus\n".replace(
                "genus,sci", "kingdom,genus,sci"
            ).replace(",A,", ",K,A,"),
        )
        with pytest.raises(InputError, match=r"identifier '1' for several taxa: 'A b', 'A c' at .*:3\.$"):
            read(path)

    def test_the_same_row_twice_is_one_taxon(self, tmp_path: Path) -> None:
        path = written(tmp_path, "taxonID,kingdom,genus,scientificName\n1,K,A,A b\n1,K,A,A b\n")
        tree, texts = told(path)
        assert ranked(tree)[-1] == ("K/A/A b", "species")
        assert texts == ["1 taxon in more than one row: 'A b'"]

    def test_numbers_of_photographs_are_no_taxa(self, tmp_path: Path) -> None:
        rows = "".join(f"{k},K,A,A {'bc'[k % 2]},species\n" for k in range(12))
        tree, texts = told(written(tmp_path, "id,kingdom,genus,scientificName,taxonRank\n" + rows))
        assert [name for name, _ in ranked(tree)] == ["K", "K/A", "K/A/A b", "K/A/A c"]
        assert texts == [
            "12 taxa in rows that the column 'id' merely numbers, since their names recur: 'A b', 'A c', 'A b', ..."
        ]


class TestRanks:
    def test_rows_stand_at_their_own_rank(self, tmp_path: Path) -> None:
        rows = [
            "taxonID,kingdom,family,genus,specificEpithet,infraspecificEpithet,scientificName,taxonRank",
            "1,Animalia,Felidae,Puma,concolor,,Puma concolor,species",
            "2,Animalia,Felidae,Puma,concolor,cougar,Puma concolor cougar,variety",
            "3,Animalia,Felidae,Puma,,,Puma,genus",
            "4,Animalia,,,,,Animalia,kingdom",
            "5,Animalia,Felidae,Puma,concolor,cougar,Puma concolor couguar,subspecies",
        ]
        tree = quietly(written(tmp_path, "\n".join(rows)))
        assert ranked(tree) == [
            ("Animalia", "kingdom"),
            ("Animalia/Felidae", "family"),
            ("Animalia/Felidae/Puma", "genus"),
            ("Animalia/Felidae/Puma/Puma concolor", "species"),
            ("Animalia/Felidae/Puma/Puma concolor/Puma concolor cougar", "variety"),
            ("Animalia/Felidae/Puma/Puma concolor/Puma concolor couguar", "subspecies"),
        ]
        assert tree.level_names == ("kingdom", "family", "genus", "species", "subspecies", "variety")
        assert tree.columns["id"].tolist() == ["", "4", "Animalia/Felidae", "3", "1", "2", "5"]
        write(tree, tmp_path / "nodes.csv")
        assert read(tmp_path / "nodes.csv") == tree

    def test_names_that_are_only_scientific_names(self, tmp_path: Path) -> None:
        rows = [
            "taxonID,kingdom,class,order,family,genus,specificEpithet,infraspecificEpithet,scientificName,taxonRank",
            "1,Animalia,Aves,,,,,,Passeriformes,order",
            "2,Animalia,Aves,Passeriformes,,,,,Turdidae,family",
            "3,Animalia,Aves,Passeriformes,Turdidae,Turdus,,,Turdus merula,species",
            "4,Animalia,Aves,Passeriformes,Turdidae,Turdus,merula,merula,Turdus merula merula,subsp.",
            "5,Animalia,Aves,Passeriformes,Turdidae,,,,Turdinae,SUBFAMILY",
        ]
        tree, texts = told(written(tmp_path, "\n".join(rows)))
        assert by_name(tree, "id") | {"Turdus": ""} == {
            "Animalia": "Animalia",
            "Aves": "Animalia/Aves",
            "Passeriformes": "1",
            "Turdidae": "2",
            "Turdus": "",
            "Turdus merula": "3",
            "Turdus merula merula": "4",
            "Turdinae": "5",
        }
        assert dict(ranked(tree))["Animalia/Aves/Passeriformes/Turdidae/Turdinae"] == "subfamily"
        assert texts == ["1 taxon of a rank without a column ('subfamily'), so that nothing is below: 'Turdinae'"]

    def test_hybrids_stand_under_their_genus_by_their_own_names(self, tmp_path: Path) -> None:
        rows = [
            "taxonID,kingdom,family,genus,specificEpithet,scientificName,taxonRank",
            "1,Plantae,Rosaceae,Prunus,×,Prunus × yedoensis,hybrid",
            "2,Plantae,Rosaceae,Prunus,×,Prunus × subhirtella,hybrid",
            "3,Plantae,Rosaceae,,padus,Prunus padus × Sorbus aria,hybrid",
            "4,Plantae,Rosaceae,Prunus,padus,Prunus padus,species",
            "5,Plantae,Orchidaceae,,,× Dinedema,genushybrid",
        ]
        tree = quietly(written(tmp_path, "\n".join(rows)))
        assert [pair for pair in ranked(tree) if "×" in pair[0]] == [
            ("Plantae/Rosaceae/Prunus/Prunus × yedoensis", "hybrid"),
            ("Plantae/Rosaceae/Prunus/Prunus × subhirtella", "hybrid"),
            ("Plantae/Rosaceae/Prunus padus × Sorbus aria", "hybrid"),
            ("Plantae/Orchidaceae/× Dinedema", "genushybrid"),
        ]

    def test_domains_and_species_are_ranks_under_any_prefix_and_case(self, tmp_path: Path) -> None:
        rows = "dwc:taxonID\tDomain\tcol:phylum\tGENUS\tSpecies\tdwc:scientificName\tdwc:taxonRank\n562\tBacteria\tPseudomonadota\tEscherichia\tEscherichia coli\tEscherichia coli\tSpecies\n9\tBacteria\tPseudomonadota\tEscherichia\tEscherichia coli\tEscherichia coli K-12\tstrain\n"
        tree = quietly(written(tmp_path, rows, "taxa.tsv"))
        assert tree.level_names == ("domain", "phylum", "genus", "species", "strain")
        assert tree.path_names(5) == (
            "Bacteria",
            "Pseudomonadota",
            "Escherichia",
            "Escherichia coli",
            "Escherichia coli K-12",
        )

    def test_rows_without_a_rank_have_that_of_their_finest_cell_or_of_their_name(self, tmp_path: Path) -> None:
        rows = [
            "kingdom,family,genus,scientificName",
            "Animalia,Felidae,Puma,Puma",
            "Animalia,Felidae,Puma,Puma concolor",
            "Animalia,Felidae,Puma,Puma concolor cougar",
            "Animalia,Felidae,Lynx,Lynx Kerr",
            "Animalia,Felidae,,Pantherinae",
            "Animalia,Felidae,Puma,Puma × lynx",
        ]
        assert ranked(quietly(written(tmp_path, "\n".join(rows)))) == [
            ("Animalia", "kingdom"),
            ("Animalia/Felidae", "family"),
            ("Animalia/Felidae/Puma", "genus"),
            ("Animalia/Felidae/Puma/Puma concolor", "species"),
            ("Animalia/Felidae/Puma/Puma concolor cougar", "subspecies"),
            ("Animalia/Felidae/Puma/Puma × lynx", "hybrid"),
            ("Animalia/Felidae/Lynx", "genus"),
            ("Animalia/Felidae/Pantherinae", "unranked"),
        ]

    def test_names_of_a_table_without_whole_names_are_its_cells(self, tmp_path: Path) -> None:
        path = written(tmp_path, "genus,specificEpithet,taxonRank\nA,x,species\nB,x,species\n")
        assert [name for name, _ in ranked(quietly(path))] == ["A", "A/x", "B", "B/x"]
        assert check(path) == []

    def test_species_that_only_subspecies_tell_of_have_whole_names(self, tmp_path: Path) -> None:
        path = written(
            tmp_path,
            "taxonID,kingdom,genus,specificEpithet,infraspecificEpithet,scientificName,taxonRank\n1,Animalia,Puma,concolor,cougar,Puma concolor cougar,subspecies\n",
        )
        assert ranked(quietly(path))[-2:] == [
            ("Animalia/Puma/Puma concolor", "species"),
            ("Animalia/Puma/Puma concolor/Puma concolor cougar", "subspecies"),
        ]

    def test_a_table_that_lists_its_species_gets_no_others(self, tmp_path: Path) -> None:
        header = "taxonID,kingdom,genus,specificEpithet,infraspecificEpithet,scientificName,taxonRank\n"
        rows = "".join(
            f"{k},K,Aus,e{k},,Aus e{k},species\n1{k},K,Aus,e{k},f,Aus e{k} f,subspecies\n" for k in range(10, 20)
        )
        slip = "99,K,Aus,e1O,g,Aus e1O g,subspecies\n"
        tree, texts = told(written(tmp_path, header + rows + slip))
        assert Counter(rank for _, rank in ranked(tree)) == {"kingdom": 1, "genus": 1, "species": 10, "subspecies": 11}
        assert tree.path_name(tree.find("Aus e1O g")) == "K/Aus/Aus e1O g"
        assert texts == [
            "1 taxon below a taxon without a row, although nearly all others have one; placed under the next coarser taxon: 'Aus e1O g'"
        ]

    def test_authors_are_no_part_of_names(self, tmp_path: Path) -> None:
        rows = "taxonKey\tscientificName\tacceptedTaxonKey\ttaxonRank\ttaxonomicStatus\tkingdom\tgenus\tspecies\n5\tPuma concolor (Linnaeus, 1771)\t5\tSPECIES\tACCEPTED\tAnimalia\tPuma\tPuma concolor\n7\tFelis concolor L.\t5\tSPECIES\tHOMOTYPIC_SYNONYM\tAnimalia\tPuma\tPuma concolor\n8\tPuma sp. A\t8\tSPECIES\tACCEPTED\tAnimalia\tPuma\tPuma sp.\n"
        tree = quietly(written(tmp_path, rows, "taxa.tsv"))
        assert tree.names[3:].tolist() == ["Puma concolor", "Puma sp. A"]
        assert tree.columns["scientificName"][3] == "Puma concolor (Linnaeus, 1771)"
        assert by_name(tree, "synonyms") == {"Puma concolor": "Felis concolor L."}

    def test_cells_finer_than_the_rank_are_told(self, tmp_path: Path) -> None:
        rows = "taxonID,kingdom,genus,specificEpithet,scientificName,taxonRank\n1,K,Puma,concolor,Puma,genus\n"
        tree, texts = told(written(tmp_path, rows))
        assert ranked(tree) == [("K", "kingdom"), ("K/Puma", "genus")]
        assert texts == ["1 taxon with cells finer than the rank of the row, which are not used: 'Puma'"]

    def test_an_unknown_rank_is_told(self, tmp_path: Path) -> None:
        tree, texts = told(written(tmp_path, "taxonID,kingdom,genus,scientificName,taxonRank\n1,K,Puma,P,{sort}\n"))
        assert ranked(tree)[-1] == ("K/Puma/P", "{sort}")
        assert texts == ["1 taxon of a rank that is not known ('{sort}'): 'P'"]


class TestGapsAtTheTop:
    ROWS = "\n".join(
        [
            "taxonID,kingdom,phylum,class,specificEpithet,scientificName,taxonRank",
            "1,Animalia,Chordata,Aves,,Aves,class",
            "2,,Chordata,Mammalia,,Mammalia,class",
            "3,,Chordata,,,Chordata,phylum",
            "4,,Mollusca,Bivalvia,,Bivalvia,class",
            "5,,,,tryoni,Panesthia tryoni,species",
            "6,,,,,Life,stateofmatter",
        ]
    )

    def test_a_place_that_other_rows_know_is_taken_and_told_and_the_rest_is_left_out(self, tmp_path: Path) -> None:
        path = written(tmp_path, self.ROWS)
        tree, texts = told(path)
        assert [name for name, _ in ranked(tree)] == [
            *("Animalia", "Animalia/Chordata", "Animalia/Chordata/Aves", "Animalia/Chordata/Mammalia")
        ]
        assert by_name(tree, "id")["Chordata"] == "3"
        assert texts == [
            "2 taxa without a kingdom, placed where other rows have the same name: 'Mammalia', 'Chordata'",
            "3 taxa without a kingdom, left out: 'Bivalvia', 'Panesthia tryoni', 'Life'",
        ]
        assert [problem.text for problem in check(path)] == texts
        assert [problem.line for problem in check(path)] == [3, 5]

    def test_at_the_top_on_request(self, tmp_path: Path) -> None:
        tree, _ = told(written(tmp_path, self.ROWS), roots="join")
        assert ranked(tree)[-4:] == [
            ("Mollusca", "phylum"),
            ("Mollusca/Bivalvia", "class"),
            ("Panesthia tryoni", "species"),
            ("Life", "stateofmatter"),
        ]

    def test_a_name_with_two_places_decides_nothing(self, tmp_path: Path) -> None:
        rows = "taxonID,kingdom,genus,scientificName,taxonRank\n1,Animalia,Morus,Morus,genus\n2,Plantae,Morus,Morus,genus\n3,,Morus,Morus alba,species\n"
        tree, texts = told(written(tmp_path, rows))
        assert [name for name, _ in ranked(tree)] == ["Animalia", "Animalia/Morus", "Plantae", "Plantae/Morus"]
        assert texts == ["1 taxon without a kingdom, left out: 'Morus alba'"]

    def test_a_blank_column_is_no_gap(self, tmp_path: Path) -> None:
        path = written(
            tmp_path, "taxonID,kingdom,genus,scientificName,taxonRank\n1,,Puma,Puma,genus\n2,,Lynx,Lynx,genus\n"
        )
        assert ranked(quietly(path)) == [("Puma", "genus"), ("Lynx", "genus")]

    def test_a_species_beside_kingdoms_without_a_parent_is_refused(self, tmp_path: Path) -> None:
        rows = "taxonID,parentNameUsageID,scientificName,taxonRank\n1,,Animalia,kingdom\n2,1,Chordata,phylum\n3,,Panesthia tryoni,species\n"
        path = written(tmp_path, rows)
        with pytest.raises(InputError) as error:
            read(path)
        assert str(error.value) == (
            "Expected exactly one root, but got 2 taxa without a parent, 'Panesthia tryoni' (species) next to 'Animalia' "
            f'(kingdom) at {path}:4. Pass roots="join" to put them under a synthetic root.'
        )
        assert ranked(quietly(path, roots="join"))[-1] == ("Panesthia tryoni", "species")


class TestParents:
    def test_kingdoms_and_domains_stand_side_by_side(self, tmp_path: Path) -> None:
        rows = "taxonID,parentNameUsageID,scientificName,taxonRank\n1,,Animalia,Kingdom\n2,,Plantae,KINGDOM\n3,1,Chordata,phylum\n4,,Bacteria,domain\n"
        tree = quietly(written(tmp_path, rows))
        assert ranked(tree) == [
            ("Animalia", "kingdom"),
            ("Animalia/Chordata", "phylum"),
            ("Plantae", "kingdom"),
            ("Bacteria", "domain"),
        ]
        assert tree.level_names == ("domain", "kingdom", "phylum")

    def test_a_parent_without_a_row_is_a_root_without_a_name(self, tmp_path: Path) -> None:
        rows = "taxonID,parentNameUsageID,scientificName,taxonRank\n3,1,Chordata,phylum\n4,1,Mollusca,phylum\n"
        tree = quietly(written(tmp_path, rows))
        assert (tree.synthetic_root, ranked(tree)) == (True, [("Chordata", "phylum"), ("Mollusca", "phylum")])

    def test_ranks_between_others_are_levels(self, tmp_path: Path) -> None:
        rows = "taxonID,parentNameUsageID,scientificName,taxonRank\n0,,r,domain\n1,0,a,order\n2,1,b,clade\n3,2,c d,sp.\n4,3,c d e,subsp.\n5,1,f g,species\n"
        assert quietly(written(tmp_path, rows)).level_names == ("order", "clade", "species", "subspecies")

    def test_ranks_that_nest_in_themselves_are_told_and_kept(self, tmp_path: Path) -> None:
        rows = "taxonID,parentNameUsageID,scientificName,taxonRank\n1,,a,clade\n2,1,b,clade\n3,2,c,clade\n"
        tree, texts = told(written(tmp_path, rows))
        assert tree.level_names == ("level_1", "level_2")
        assert tree.columns["taxonRank"].tolist() == ["clade"] * 3
        assert texts == ["1 taxon of the rank 'clade' under 'clade', so depths are used as levels: 'c'"]

    def test_blank_parents_leave_it_to_the_ranks(self, tmp_path: Path) -> None:
        rows = "taxonID,parentNameUsageID,kingdom,genus,scientificName,taxonRank\n1,,Animalia,Puma,Puma,genus\n2,,Plantae,Acer,Acer,genus\n"
        assert ranked(quietly(written(tmp_path, rows)))[1] == ("Animalia/Puma", "genus")

    @pytest.mark.parametrize(
        ("rows", "text"),
        [
            ("1,,Animalia,kingdom\n2,3,A,genus\n3,2,B,genus\n", "Expected every node to be connected to the root, but got a cycle: 2 → 3 → 2"),
            ("1,,Animalia,kingdom\n3,9,Chordata,phylum\n", "Expected every parent to have a row of its own, but got parent '9' of '3'"),
            ("3,1,Chordata,phylum\n4,2,Mollusca,phylum\n", "Expected exactly one root, but got 2 parents that have no row: '1', '2'"),
            ("1,,A,genus\n2,1,A b,species\n2,1,A c,species\n", "Expected each node in one row, but got id '2' for several names: 'A b', 'A c'"),
            ("1,,A,genus\n2,1,,species\n", "Expected a label in every row, but got a row without a name"),
        ],
        ids=["cycle", "orphan", "two undefined", "two names", "blank"],
    )  # fmt: skip
    def test_refusals(self, tmp_path: Path, rows: str, text: str) -> None:
        with pytest.raises(InputError) as error:
            read(written(tmp_path, "taxonID,parentNameUsageID,scientificName,taxonRank\n" + rows))
        assert str(error.value).startswith(text)


class TestSynonyms:
    HEADER = "taxonID,parentNameUsageID,acceptedNameUsageID,scientificName,taxonomicStatus,taxonRank\n"

    @pytest.mark.parametrize(
        "rows",
        [
            HEADER
            + "1,,,Bubulcus,accepted,genus\n2,1,,Bubulcus ibis,accepted,species\n3,,2,Ardea ibis,synonym,species\n",
            HEADER + "1,,,Bubulcus,,genus\n2,1,2,Bubulcus ibis,,species\n3,1,2,Ardea ibis,,species\n",
            "ID,parentID,status,rank,scientificName\n1,,accepted,genus,Bubulcus\n2,1,accepted,species,Bubulcus ibis\n3,2,synonym,species,Ardea ibis\n",
            "col:ID,col:parentID,col:status,col:rank,col:scientificName,col:authorship\n1,,accepted,genus,Bubulcus,Bonaparte\n2,1,provisionally accepted,species,Bubulcus ibis,(L.)\n3,2,ambiguous synonym,species,Ardea ibis,L.\n",
            "taxonID,acceptedNameUsageID,genus,specificEpithet,scientificName,taxonomicStatus,taxonRank\n1,,Bubulcus,,Bubulcus,valid,genus\n2,2,Bubulcus,ibis,Bubulcus ibis,valid,species\n3,2,Ardea,ibis,Ardea ibis,invalid,species\n",
            "AphiaID,AphiaID_accepted,Genus,Species,ScientificName,status,taxonRank\n1,1,Bubulcus,,Bubulcus,accepted,Genus\n2,2,Bubulcus,ibis,Bubulcus ibis,accepted,Species\n3,2,Ardea,ibis,Ardea ibis,unaccepted,Species\n",
        ],
        ids=["accepted id", "no status", "ColDP", "ColDP prefixed", "ranks", "WoRMS"],
    )
    def test_are_aliases_of_their_accepted_taxon(self, tmp_path: Path, rows: str) -> None:
        tree = quietly(written(tmp_path, rows))
        assert [str(tree.names[leaf]) for leaf in tree.leaf_nodes] == ["Bubulcus ibis"]
        assert by_name(tree, "synonyms") == {"Bubulcus ibis": "Ardea ibis"}
        assert by_name(tree, "id")["Bubulcus ibis"] == "2"

    def test_chains_are_followed_and_children_move_to_the_accepted_taxon(self, tmp_path: Path) -> None:
        rows = "1,,,A,accepted,genus\n2,1,,A b,accepted,species\n3,1,4,C d,synonym,species\n4,1,2,E f,homotypic synonym,species\n5,4,,A b c,accepted,subspecies\n"
        tree, texts = told(written(tmp_path, self.HEADER + rows))
        assert by_name(tree, "synonyms") == {"A b": "C d|E f"}
        assert ranked(tree)[-1] == ("A/A b/A b c", "subspecies")
        assert texts == ["1 taxon below a synonym, placed under its accepted taxon: 'A b c'"]

    def test_aliases_keep_the_order_of_the_table(self, tmp_path: Path) -> None:
        names = [f"C {chr(97 + k % 26)}{chr(97 + k * 7 % 26)}" for k in range(60)]
        synonyms = "".join(f"{k + 3},1,2,{name},synonym,species\n" for k, name in enumerate(names))
        tree = quietly(written(tmp_path, f"{self.HEADER}1,,,A,accepted,genus\n2,1,,A b,accepted,species\n{synonyms}"))
        assert by_name(tree, "synonyms") == {"A b": "|".join(dict.fromkeys(names))}

    def test_what_is_neither_accepted_nor_a_synonym_is_told(self, tmp_path: Path) -> None:
        rows = [
            "1,,,A,accepted,genus",
            "2,1,9,A b,synonym,species",
            "3,1,1,A c,misapplied,species",
            "4,1,,A d,doubtful,species",
            "5,,,E,doubtful,genus",
            "6,5,,E f,accepted,species",
            "7,1,,A g,curious,species",
        ]
        path = written(tmp_path, self.HEADER + "\n".join(rows))
        tree, texts = told(path, roots="join")
        assert [name for name, _ in ranked(tree)] == ["A", "A/A g", "E", "E/E f"]
        assert texts == [
            "1 taxon left out, whose accepted taxon is missing: 'A b'",
            "2 taxa left out as doubtful, misapplied or unplaced: 'A c', 'A d'",
            "1 taxon kept although doubtful, because of accepted taxa below: 'E'",
            "1 taxon of an unknown status, taken as accepted: 'A g'",
        ]
        assert sorted(problem.text for problem in check(path, roots="join")) == sorted(texts)

    @pytest.mark.parametrize(
        ("rows", "text"),
        [
            ("2,1,3,B,,genus\n3,1,2,C,,genus\n", "2 taxa that are synonyms of each other, or of such: 'B', 'C'"),
            ("2,1,3,B,accepted,genus\n3,1,,C,accepted,genus\n", "1 taxon accepted and yet a synonym of another: 'B'"),
        ],
        ids=["circle", "both"],
    )
    def test_contradictions_are_refused(self, tmp_path: Path, rows: str, text: str) -> None:
        with pytest.raises(InputError) as error:
            read(written(tmp_path, self.HEADER + "1,,,Animalia,accepted,kingdom\n" + rows))
        assert str(error.value).startswith(
            f"Expected every name to be accepted, or a synonym of one that is, but got {text} at "
        )

    def test_a_table_of_synonyms_alone_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match="Expected at least one accepted taxon, but got none"):
            read(written(tmp_path, self.HEADER + "1,,2,A,synonym,genus\n"))

    def test_a_status_of_something_else_is_a_text(self, tmp_path: Path) -> None:
        tree = quietly(written(tmp_path, "taxonID,family,genus,scientificName,taxonRank,status\n1,F,A,A,genus,LC\n"))
        assert by_name(tree, "status") == {"A": "LC"}


def test_evidence() -> None:
    def shown(*columns: str) -> str | None:
        return evidence(from_frame(pl.DataFrame({column: ["x"] for column in columns})))

    assert shown("taxonID", "parentNameUsageID") == "the column 'parentNameUsageID'"
    assert shown("ID", "parentID", "rank", "scientificName") == "the columns 'ID', 'parentID', 'scientificName'"
    assert shown("order", "family", "taxonID") == "the rank columns 'order', 'family' next to 'taxonID'"
    for other in (["order", "family", "species"], ["id", "parent", "name", "level"], ["taxon_id", "parent_taxon_id", "taxon_name"], ["class", "superclass"], ["form", "section", "taxonID"]):  # fmt: skip
        assert shown(*other) is None


def test_a_table_without_ranks_or_parents_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="Expected columns named after Darwin Core's ranks, but got 'a', 'b'"):
        read(written(tmp_path, "a,b\nx,y\n"), format="darwin-core")


class TestIdentifiersOfMentionedTaxa:
    def test_one_path_at_two_ranks_is_numbered(self, tmp_path: Path) -> None:
        tree = quietly(
            written(tmp_path, "taxonID,phylum,class,order,scientificName\n1,A,,X,X\n2,,A,Y,Y\n"), roots="join"
        )
        assert tree.columns["id"].tolist() == ["", "A", "1", "A (2)", "2"]

    def test_a_row_without_an_identifier_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(InputError, match=r"got a row without taxonID at .*:3\."):
            read(written(tmp_path, "taxonID,class,order,scientificName\n1,A,X,X\n,A,Y,Y\n"))

    def test_names_are_identifiers_where_parents_are_names(self, tmp_path: Path) -> None:
        tree = quietly(written(tmp_path, "scientificName,parentNameUsageID,taxonRank\nA,,genus\nA b,A,species\n"))
        assert ranked(tree) == [("A", "root"), ("A/A b", "species")]
        with pytest.raises(InputError, match="Expected a column taxonID next to the parents"):
            read(written(tmp_path, "parentNameUsageID,taxonRank\nA,genus\n"))


class TestWriting:
    def test_synonyms_are_rows(self) -> None:
        tree = Taxonomy(
            [-1, 0, 1], ["", "A", "A b"], level_names=["genus", "species"], columns={"synonyms": ["", "", "C d|E f"]}
        )
        assert darwin_core_from_taxonomy(tree).to_dicts() == [
            {
                "taxonID": k,
                "parentNameUsageID": p,
                "taxonRank": r,
                "scientificName": n,
                "acceptedNameUsageID": a,
                "taxonomicStatus": s,
            }
            for k, p, r, n, a, s in [
                ("1", "", "genus", "A", "", "accepted"),
                ("2", "1", "species", "A b", "", "accepted"),
                ("2 synonym 1", "", "species", "C d", "2", "synonym"),
                ("2 synonym 2", "", "species", "E f", "2", "synonym"),
            ]
        ]

    @pytest.mark.parametrize("levels", [["level_1", "level_2"], ["species", "genus"]])
    def test_levels_that_are_no_ranks_are_refused(self, tmp_path: Path, levels: list[str]) -> None:
        tree = Taxonomy([-1, 0, 1], ["", "a", "b"], level_names=levels)
        with pytest.raises(
            InputError, match=r"Expected levels named after ranks \(domain, .*\), in order, but got 'l|s"
        ):
            write(tree, tmp_path / "t.csv", format="darwin-core")
        assert list(tmp_path.iterdir()) == []


RANKS = ["kingdom", "family", "genus", "species"]
WORDS = ["Aus", "Bus", "Cus dus", "É", "× Eus", "f. g"]


@st.composite
def ranked_trees(draw: st.DrawFn) -> Taxonomy:
    """A tree of two kingdoms or more, of ranks that may be skipped; leaves may have the name of a sibling leaf."""
    parents, names, level = [-1, 0, 0], ["", "K", "L"], [0, 1, 1]
    for _ in range(draw(st.integers(0, 12))):
        parent = draw(st.integers(1, len(parents) - 1))
        if level[parent] == len(RANKS):
            continue
        rank = draw(st.integers(level[parent] + 1, len(RANKS)))
        name = draw(st.sampled_from(WORDS))
        if (parent, name) not in list(zip(parents, names, strict=True)):
            parents.append(parent)
            names.append(name)
            level.append(rank)
    inner = set(parents)
    for node in range(1, len(parents)):
        if node not in inner and draw(st.integers(0, 4)) == 0:
            parents.append(parents[node])
            names.append(names[node])
            level.append(level[node])
    used = sorted(set(level) - {0})
    return Taxonomy.from_parents(
        parents,
        names,
        level=[0 if k == 0 else used.index(k) + 1 for k in level],
        level_names=[RANKS[k - 1] for k in used],
        columns={"id": ["", *(f"t{k}" for k in range(1, len(parents)))]},
        synthetic_root=True,
    )


def rows_of_ranks(tree: Taxonomy) -> pl.DataFrame:
    """One row per node, with a column for each rank."""
    rows: list[dict[str, str]] = []
    for node in range(1, tree.num_nodes):
        own = {"taxonID": tree.columns["id"][node], "scientificName": tree.names[node]}
        cells = {tree.level_names[tree.level[v] - 1]: str(tree.names[v]) for v in tree.path(node)[1:]}
        rows.append(
            {
                **own,
                **{rank: cells.get(rank, "") for rank in RANKS},
                "taxonRank": tree.level_names[tree.level[node] - 1],
            }
        )
    return pl.DataFrame(rows).cast(pl.String)


def assert_same(found: Taxonomy, tree: Taxonomy) -> None:
    assert [found.path_names(node) for node in found] == [tree.path_names(node) for node in tree]
    assert found == tree
    assert found.level_names == tree.level_names
    assert {k: v.tolist() for k, v in found.columns.items()} == {k: v.tolist() for k, v in tree.columns.items()}


@SETTINGS
@given(tree=ranked_trees())
def test_ranks_and_parents_of_a_tree_make_the_same_tree(tree: Taxonomy) -> None:
    assert_same(from_dataframe(rows_of_ranks(tree)), tree)
    assert_same(from_dataframe(darwin_core_from_taxonomy(tree)), tree)


@SETTINGS
@given(
    tree=ranked_trees(),
    seed=st.integers(0, 99),
    synonyms=st.lists(st.tuples(st.integers(1, 30), st.booleans()), max_size=5),
)
def test_a_rank_has_as_many_nodes_as_accepted_rows(tree: Taxonomy, seed: int, synonyms: list[tuple[int, bool]]) -> None:
    rows = rows_of_ranks(tree)
    aliases = [
        {
            "taxonID": f"s{k}",
            "scientificName": f"alias {k}",
            "taxonRank": "species",
            "kingdom": "K",
            "acceptedNameUsageID": f"t{of}",
        }
        for k, (of, _) in enumerate(synonyms)
        if of < tree.num_nodes
    ]
    table = pl.concat([rows, pl.DataFrame(aliases)], how="diagonal") if aliases else rows
    found = from_dataframe(table.sample(fraction=1.0, shuffle=True, seed=seed))
    counts = Counter(rank for _, rank in ranked(found))
    assert counts == Counter(rows["taxonRank"].to_list())
    assert sorted(found.columns["id"].tolist()) == sorted(tree.columns["id"].tolist())
    told_of = "|".join(found.columns["synonyms"].tolist()) if aliases else ""
    assert sorted(text for text in told_of.split("|") if text) == sorted(alias["scientificName"] for alias in aliases)


@SETTINGS
@given(tree=ranked_trees(), data=st.data())
def test_what_is_written_is_read(tree: Taxonomy, data: st.DataObject) -> None:
    texts = st.sampled_from(["", "x", "x|y z"])
    size = tree.num_nodes
    columns = {
        "id": tree.columns["id"].tolist(),
        "name:und": ["", *(data.draw(st.sampled_from(["", "a", "b, c|d"])) for _ in range(size - 1))],
        "synonyms": ["", "first", *(data.draw(texts) for _ in range(size - 2))],
    }
    full = Taxonomy(
        tree.parents, tree.names, level=tree.level, level_names=tree.level_names, columns=columns, synthetic_root=True
    )
    assert_same(from_dataframe(darwin_core_from_taxonomy(full)), full)


CELLS = {
    "taxonID": ["1", "2", "3", "4", ""],
    "id": ["1", "2", "3", "x|y"],
    "parentNameUsageID": ["", "1", "2", "3", "9"],
    "acceptedNameUsageID": ["", "", "1", "2", "9"],
    "taxonomicStatus": ["accepted", "synonym", "doubtful", "", "curious"],
    "scientificName": ["Aus", "Aus bus", "Aus × bus", "Aus bus cus", "{x}", "a/b", " ", ""],
    "taxonRank": ["species", "genus", "GENUS", "subsp.", "hybrid", "clade", "", "{foo}", "stateofmatter"],
    "kingdom": ["K", "L", "", "  "],
    "family": ["F", "K", "", "a/b"],
    "genus": ["Aus", "F", "", " "],
    "specificEpithet": ["bus", "sp.", "×", ""],
    "infraspecificEpithet": ["cus", ""],
}


@st.composite
def any_rows(draw: st.DrawFn) -> pl.DataFrame:
    columns = draw(st.lists(st.sampled_from(list(CELLS)), min_size=2, unique=True))
    height = draw(st.integers(1, 6))
    rows = {column: [draw(st.sampled_from(CELLS[column])) for _ in range(height)] for column in columns}
    if "taxonID" in rows and draw(st.booleans()):
        rows["taxonID"] = [str(k) for k in range(1, height + 1)]
    return pl.DataFrame(rows)


@SETTINGS
@given(rows=any_rows(), roots=st.sampled_from(["error", "join"]))
def test_whatever_is_read_is_checked_without_errors_and_kept_by_the_node_table(rows: pl.DataFrame, roots: Any) -> None:
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        path = Path(folder) / "taxa.csv"
        rows.write_csv(path)
        if any(problem.severity == "error" for problem in check(path, format="darwin-core", roots=roots)):
            with pytest.raises(InputError):
                read(path, format="darwin-core", roots=roots)
        else:
            tree = read(path, format="darwin-core", roots=roots)
            tree.write(path)
            assert read(path) == tree
