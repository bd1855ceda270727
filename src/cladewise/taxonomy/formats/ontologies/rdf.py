"""Thesauri and class hierarchies in RDF: SKOS concepts, or RDFS and OWL classes, parsed by rdflib.

SKOS: https://www.w3.org/TR/skos-reference/
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cladewise.errors import InputError, MissingExtraError
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.ontologies import EXTRA
from cladewise.taxonomy.formats.ontologies.concepts import Concept, tree_of_concepts
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.names.columns import FORMER_IDS, SYNONYMS, join_names, vernacular_column
from cladewise.taxonomy.tree import Taxonomy

SYNTAXES = {".ttl": "turtle", ".n3": "n3", ".nt": "nt", ".rdf": "xml", ".owl": "xml", ".skos": "xml", ".xml": "xml"}
"""rdflib's parser by the end of a file's name."""
Labels = Mapping[str, list[str]]
"""Labels of a concept by language; the language of a label without one is blank."""


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the ``skos:broader`` hierarchy of concepts or, if there is none, ``rdfs:subClassOf`` of classes.

    A concept is named by its preferred label: the one without a language, otherwise in English, otherwise in the
    language that most concepts have. Labels in other languages are in ``name:<language>``, the preferred one first, and
    alternative labels in the language of the name are synonyms. The URI is the ``id``; a deprecated concept that names
    its replacement is a former id of that. Concepts are in the order of their URIs.

    Raises:
        InputError: The file is not RDF, has no concepts, or they are not a tree by the options.
        MissingExtraError: rdflib is not installed.

    Example:
        >>> path = getfixture("tmp_path") / "birds.ttl"
        >>> _ = path.write_text('''
        ...     @prefix : <http://example.org/> .
        ...     @prefix skos: <http://www.w3.org/2004/02/skos/core#> .
        ...     :b a skos:Concept ; skos:prefLabel "bird"@en , "oiseau"@fr .
        ...     :w a skos:Concept ; skos:prefLabel "wren"@en ; skos:broader :b .
        ... ''')
        >>> tree = read(path, ReadOptions())
        >>> tree.path_name(1), tree.columns["name:fr"].tolist()
        ('bird/wren', ['oiseau', ''])
    """
    try:
        import rdflib
    except ImportError as error:
        raise MissingExtraError("rdflib", EXTRA) from error
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    graph = rdflib.Graph()
    try:
        graph.parse(data=read_text(path), format=SYNTAXES.get(suffix, "turtle"))
    except Exception as error:  # each parser has errors of its own
        text = " ".join(str(error).split()) or type(error).__name__
        raise InputError(f"RDF in {suffix or 'Turtle'}", f"an error: {text:.200}", at=str(path)) from error
    concepts = _skos(graph) or _classes(graph)
    if not concepts:
        known = "skos:Concept with skos:prefLabel, or owl:Class or rdfs:Class with rdfs:label"
        raise InputError(f"concepts: {known}", "none", at=str(path))
    return tree_of_concepts(concepts, path, options)


def _skos(graph: Any) -> list[Concept]:
    from rdflib import DCTERMS, RDF, SKOS

    found = {*graph.subjects(RDF.type, SKOS.Concept), *graph.subjects(SKOS.prefLabel, None)}
    above: dict[Any, set[Any]] = defaultdict(set)
    for broader, child in ((SKOS.broader, True), (SKOS.narrower, False)):
        for subject, value in graph.subject_objects(broader):
            above[subject if child else value].add(value if child else subject)
    labels = {concept: _labels(graph.objects(concept, SKOS.prefLabel)) for concept in found}
    others = {concept: _labels(_all(graph, concept, SKOS.altLabel, SKOS.hiddenLabel)) for concept in found}
    texts = {
        concept: {
            "description": _first(graph.objects(concept, SKOS.definition)),
            "notation": _first(graph.objects(concept, SKOS.notation)),
        }
        for concept in found
    }
    return _concepts(graph, found, above, labels, others, texts, DCTERMS.isReplacedBy)


def _classes(graph: Any) -> list[Concept]:
    from rdflib import OWL, RDF, RDFS, BNode, URIRef

    named = {*graph.subjects(RDF.type, OWL.Class), *graph.subjects(RDF.type, RDFS.Class)}
    found = {subject for subject in named if not isinstance(subject, BNode) and subject != OWL.Thing}
    above: dict[Any, set[Any]] = defaultdict(set)
    for subject, value in graph.subject_objects(RDFS.subClassOf):
        if isinstance(value, URIRef) and value != OWL.Thing:  # a restriction is no class of its own
            above[subject].add(value)
    labels = {concept: _labels(graph.objects(concept, RDFS.label)) for concept in found}
    synonym = URIRef("http://www.geneontology.org/formats/oboInOwl#hasExactSynonym")
    others = {concept: _labels(graph.objects(concept, synonym)) for concept in found}
    texts = {concept: {"description": _first(graph.objects(concept, RDFS.comment))} for concept in found}
    replaced = URIRef("http://purl.obolibrary.org/obo/IAO_0100001")
    return _concepts(graph, found, above, labels, others, texts, replaced)


def _concepts(
    graph: Any,
    found: Iterable[Any],
    above: Mapping[Any, set[Any]],
    labels: Mapping[Any, Labels],
    others: Mapping[Any, Labels],
    texts: Mapping[Any, dict[str, str]],
    replaced_by: Any,
) -> list[Concept]:
    from rdflib import OWL

    ordered = sorted(found, key=str)
    deprecated = {node for node in ordered if str(next(graph.objects(node, OWL.deprecated), "")).lower() == "true"}
    former: dict[Any, list[str]] = defaultdict(list)
    for node in ordered:
        for replacement in graph.objects(node, replaced_by):
            former[replacement].append(str(node))
            deprecated.add(node)
    kept = [node for node in ordered if node not in deprecated]
    language = _language(labels[node] for node in kept)
    concepts: list[Concept] = []
    for node in kept:
        own = next((code for code in ("", language) if labels[node].get(code)), None)
        own = min(labels[node], default="") if own is None else own
        name = (labels[node].get(own) or [str(node)])[0]
        further = {code: [*labels[node].get(code, []), *others[node].get(code, [])] for code in labels[node]}
        further |= {code: names for code, names in others[node].items() if code not in further}
        columns = {
            vernacular_column(code): join_names(names) for code, names in further.items() if code and code != own
        }
        same = [*labels[node].get(own, [])[1:], *others[node].get(own, []), *(others[node].get("", []) if own else [])]
        concepts.append(
            Concept(
                str(node),
                name,
                tuple(sorted(str(value) for value in above.get(node, ()) if value not in deprecated)),
                {**texts[node], **columns, SYNONYMS: join_names(same), FORMER_IDS: join_names(former[node])},
            )
        )
    return concepts


def _language(labels: Iterable[Labels]) -> str:
    """English if any concept has a label in it, otherwise the most frequent language."""
    counts = Counter(code for known in labels for code in known if code)
    return "en" if counts["en"] else min(counts, key=lambda code: (-counts[code], code), default="")


def _labels(values: Iterable[Any]) -> Labels:
    found: dict[str, list[str]] = defaultdict(list)
    for value in sorted(values, key=str):
        found[str(getattr(value, "language", None) or "")].append(" ".join(str(value).split()))
    return found


def _all(graph: Any, subject: Any, *predicates: Any) -> list[Any]:
    return [value for predicate in predicates for value in graph.objects(subject, predicate)]


def _first(values: Iterable[Any]) -> str:
    """The first text by language (English before others) and alphabet; blank if there is none."""
    ordered = sorted(values, key=lambda value: (getattr(value, "language", None) not in (None, "en"), str(value)))
    return " ".join(str(ordered[0]).split()) if ordered else ""
