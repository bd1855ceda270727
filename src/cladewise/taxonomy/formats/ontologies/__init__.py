"""Ontologies and thesauri: OBO, and SKOS, RDFS or OWL in RDF files."""

EXTRA = "ontologies"
"""The extra that has the libraries that parse them."""
