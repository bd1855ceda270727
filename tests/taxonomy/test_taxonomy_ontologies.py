"""Ontologies and thesauri: OBO, SKOS and OWL."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import obonet
import pytest
import rdflib

from cladewise.errors import InputError, InputWarning
from cladewise.taxonomy import Taxonomy

OBO = r"""
format-version: 1.4
ontology: food

[Term]
id: F:1
name: food
namespace: eatables

[Term]
id: F:2
name: fruit
namespace: eatables
alt_id: F:20
def: "A sweet \"thing\"." [ref:1]
synonym: "fruits | of the garden" EXACT [ref:2]
synonym: "produce" RELATED []
is_a: F:1 {source="x"} ! food

[Term]
id: F:3
name: stone
namespace: eatables
is_a: F:1
relationship: part_of F:2 ! fruit

[Term]
id: F:4
name: obsolete pome
is_obsolete: true
replaced_by: F:2

[Term]
id: F:5
name: apple
is_a: F:2
is_a: BFO:1 ! from elsewhere
is_a: F:4

[Typedef]
id: part_of
name: part of
"""
PREFIXES = """
@prefix : <http://example.org/> .
@prefix skos: <http://www.w3.org/2004/02/skos/core#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix owl: <http://www.w3.org/2002/07/owl#> .
@prefix dct: <http://purl.org/dc/terms/> .
"""
SKOS = f"""{PREFIXES}
:scheme a skos:ConceptScheme .
:food a skos:Concept ; skos:prefLabel "food"@en , "nourriture"@fr ; skos:topConceptOf :scheme .
:fruit a skos:Concept ; skos:prefLabel "fruit"@en , "fruit"@fr ; skos:broader :food ; skos:notation "08" ;
  skos:altLabel "fruits"@en , "fruits"@fr ; skos:definition "A sweet thing."@en .
:apple a skos:Concept ; skos:prefLabel "apple"@en , "pomme"@fr , "Apfel"@de .
:fruit skos:narrower :apple .
:pome a skos:Concept ; skos:prefLabel "pome"@en ; owl:deprecated true ; dct:isReplacedBy :apple .
:seul a skos:Concept ; skos:prefLabel "kiwi"@fr ; skos:broader :fruit ; skos:related :apple .
"""
OWL = f"""{PREFIXES}
:Food a owl:Class ; rdfs:label "food" .
:Fruit a owl:Class ; rdfs:label "fruit" ; rdfs:subClassOf :Food , [ a owl:Restriction ; owl:onProperty :grows ] .
:Apple a owl:Class ; rdfs:label "apple" ; rdfs:subClassOf :Fruit ; rdfs:comment "Round." .
"""


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text)
    return path


def edges_of(tree: Taxonomy) -> set[tuple[str, str]]:
    ids = tree.columns["id"].tolist()
    return {(ids[v], ids[int(tree.parents[v])]) for v in range(1, tree.num_nodes)}


def test_an_obo_file_is_its_is_a_hierarchy(tmp_path: Path) -> None:
    path = written(tmp_path, "food.obo", OBO)
    with pytest.warns(InputWarning, match=r"1 broader concept that the file does not define, left out: 'BFO:1'"):
        tree = Taxonomy.read(path)
    assert [tree.path_name(v) for v in range(tree.num_nodes)] == [
        "food",
        "food/fruit",
        "food/fruit/apple",
        "food/stone",
    ]
    graph = obonet.read_obo(path)
    is_a = {(child, above) for child, above, kind in graph.edges(keys=True) if kind == "is_a"}
    assert edges_of(tree) == {(child, above) for child, above in is_a if "name" in graph.nodes[above]}
    fruit = tree.find("fruit")
    cells = {name: str(texts[fruit]) for name, texts in tree.columns.items()}
    assert cells == {
        "id": "F:2",
        "namespace": "eatables",
        "description": 'A sweet "thing".',
        "synonyms": r"fruits \| of the garden|produce|pome",
        "former_ids": "F:20|F:4",
    }


def test_several_parents_of_an_ontology_are_an_option(tmp_path: Path) -> None:
    text = OBO.replace("is_a: BFO:1 ! from elsewhere\nis_a: F:4", "is_a: F:3 ! stone")
    path = written(tmp_path, "food.obo", text)
    with pytest.raises(InputError, match="2 parents of 'apple'"):
        Taxonomy.read(path)
    assert Taxonomy.read(path, parents="first").path_name(2) == "food/fruit/apple"
    assert Taxonomy.read(path, parents="last").find("food/stone/apple") == 3


@pytest.mark.parametrize(("name", "syntax"), [("food.ttl", "turtle"), ("food.nt", "nt"), ("food.rdf", "xml")])
def test_a_thesaurus_is_its_broader_hierarchy(tmp_path: Path, name: str, syntax: str) -> None:
    graph = rdflib.Graph().parse(data=SKOS, format="turtle")
    path = tmp_path / name
    graph.serialize(path, format=syntax)
    tree = Taxonomy.read(path)
    assert [tree.path_name(v) for v in range(tree.num_nodes)] == [
        "food",
        "food/fruit",
        "food/fruit/apple",
        "food/fruit/kiwi",
    ]
    apple, fruit = tree.find("apple"), tree.find("food/fruit")
    assert str(tree.columns["name:fr"][apple]) == "pomme"
    assert str(tree.columns["name:de"][apple]) == "Apfel"
    assert str(tree.columns["name:fr"][fruit]) == "fruit|fruits"
    assert str(tree.columns["synonyms"][fruit]) == "fruits"
    assert str(tree.columns["notation"][fruit]) == "08"
    assert str(tree.columns["description"][fruit]) == "A sweet thing."
    assert str(tree.columns["former_ids"][apple]) == "http://example.org/pome"
    above = rdflib.Graph().parse(path, format=syntax)
    query = "SELECT ?c ?p { { ?c skos:broader ?p } UNION { ?p skos:narrower ?c } }"
    found = above.query(query, initNs={"skos": rdflib.SKOS})
    assert edges_of(tree) == {(str(child), str(parent)) for child, parent in found}


def test_classes_of_owl_are_read_where_there_are_no_concepts(tmp_path: Path) -> None:
    tree = Taxonomy.read(written(tmp_path, "food.ttl", OWL))
    assert tree.path_name(2) == "food/fruit/apple"
    assert str(tree.columns["description"][2]) == "Round."


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("food.ttl", "this is no turtle", "RDF in .ttl"),
        ("food.ttl", PREFIXES, "concepts"),
        ("food.rdf", "<rdf:RDF", "RDF in .rdf"),
        ("food.obo", "[Term\nname", "an OBO file|at least one concept"),
        ("food.obo", "format-version: 1.4\n", "at least one concept"),
    ],
)
def test_what_is_no_ontology_is_one_line(tmp_path: Path, name: str, text: str, expected: str) -> None:
    path = written(tmp_path, name, text)
    with pytest.raises(InputError, match=expected) as caught:
        Taxonomy.read(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_cycles_of_concepts_are_named(tmp_path: Path) -> None:
    path = written(tmp_path, "food.ttl", SKOS + ":food skos:broader :apple .")
    with pytest.raises(InputError, match="cycle"):
        Taxonomy.read(path)


@pytest.mark.parametrize(("module", "name", "text"), [("obonet", "a.obo", OBO), ("rdflib", "a.ttl", SKOS)])
def test_without_the_library_the_extra_is_named(tmp_path: Path, module: str, name: str, text: str) -> None:
    path = written(tmp_path, name, text)
    code = (
        f"import sys; sys.modules[{module!r}] = None\nfrom cladewise.taxonomy import Taxonomy\n"
        f"try:\n    Taxonomy.read({str(path)!r})\nexcept ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert f"package {module}" in done.stdout
    assert "cladewise[ontologies]" in done.stdout
