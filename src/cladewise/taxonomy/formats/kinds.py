"""Formats that are a file, folder or archive of their own kind, and the marks by which each is recognised.

Tables are recognised by their columns (:mod:`~cladewise.taxonomy.formats.tabular`) and JSON documents by their keys
(:mod:`~cladewise.taxonomy.formats.documents.nesting`). Every other format has an entry here: the marks that its files
have and no other files, and the module that reads them, which is imported only then.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cladewise.errors import InputError
from cladewise.taxonomy.formats.file_kinds import first_bytes
from cladewise.taxonomy.formats.members import GZIP, Members, is_archive, matching, members_of
from cladewise.taxonomy.formats.options import FileFormat
from cladewise.taxonomy.formats.tables.separators import SEPARATORS

BEGINNING = 2**16
"""Bytes at the start of a file in which a pattern is searched."""

_DARWIN_CORE = r"<(?:\w+:)?archive\b[^>]*rs\.tdwg\.org/dwc/text"
_SPECIESNET = r"\A[0-9a-f][0-9a-f-]{3,35};(?:[^;\n]*;){5}[^;\n]+$"
_BIRDNET = r"\A(?:[A-Z][a-z]+(?: [a-z][a-z-]*){0,2}_[^\n_\t,;]+\n){3}"

_RDF = (".ttl", ".n3", ".nt", ".rdf", ".owl", ".skos")


@dataclasses.dataclass(frozen=True)
class Kind:
    """A format and its marks. A file has the format if it has all the marks that are given.

    Args:
        name: Name of the format, as in the option ``format``.
        title: Its description for messages: ``"a Darwin Core archive (meta.xml)"``.
        reader: Module in this package, and its function ``(path, options) -> Taxonomy``, with a colon between.
        suffixes: Ends of file names, in lower case.
        members: Patterns of files that a folder or archive has, ignoring case; each must match one.
        beginning: Regular expression found in the first 64 KiB of a file, or of the first of the members, with ``^``
            and ``$`` at lines.
        tells: Whether the reader itself warns about names that look odd.
        detected: Whether the marks decide; a JSON document is instead recognised by its keys.
    """

    name: FileFormat
    title: str
    reader: str
    suffixes: Sequence[str] = ()
    members: Sequence[str] = ()
    beginning: str = ""
    tells: bool = False
    detected: bool = True

    def read(self, path: Path, options: Any) -> Any:
        """Read a tree of this format."""
        module, function = self.reader.split(":")
        return getattr(importlib.import_module(f"cladewise.taxonomy.formats.{module}"), function)(path, options)


_CONTROLS = r"<(?i:taxonomy|choices)\b[^>]*\btoName="
_CVAT = r"(?s)<annotations>.*<(?:labels|image|track)\b"

KINDS: tuple[Kind, ...] = (
    Kind("class-lists", "classes of CUB-200 or NABirds", "class_lists:read", members=["classes.txt", "hierarchy.txt"]),
    Kind("class-lists", "classes of CUB-200", "class_lists:read", members=["classes.txt", "image_class_labels.txt"]),
    Kind("wordnet", "WordNet's folder", "wordnet:read", members=["data.noun"], tells=True),
    Kind("wordnet", "WordNet's data.noun", "wordnet:read", suffixes=[".noun"], tells=True),
    Kind(
        "dwca", "a Darwin Core archive", "archives.dwca:read", members=["meta.xml"], beginning=_DARWIN_CORE, tells=True
    ),
    Kind("dwca", "a Darwin Core descriptor", "archives.dwca:read", ["meta.xml"], beginning=_DARWIN_CORE, tells=True),
    *(
        Kind("coldp", "a Catalogue of Life data package", "archives.coldp:read", members=members, tells=True)
        for members in (["name*usage.[ct]*"], ["taxon.[ct]*", "name.[ct]*"])
    ),
    Kind("taxdump", "NCBI's taxdump", "archives.taxdump:read", members=["nodes.dmp", "names.dmp"], tells=True),
    Kind("speciesnet", "SpeciesNet's label lines", "species.speciesnet:read", beginning=_SPECIESNET),
    Kind("birdnet", "BirdNET's labels", "species.birdnet:read", suffixes=[".txt"], beginning=_BIRDNET),
    Kind("camtrap-dp", "a Camtrap DP", "species.camtrap_dp:read", members=["datapackage.json"]),
    Kind("camtrap-dp", "a description of a Camtrap DP", "species.camtrap_dp:read", suffixes=["datapackage.json"]),
    Kind("obo", "an OBO file", "ontologies.obo:read", suffixes=[".obo"]),
    Kind("rdf", "RDF in Turtle, N-Triples or XML", "ontologies.rdf:read", suffixes=_RDF),
    Kind("rdf", "RDF in XML", "ontologies.rdf:read", suffixes=[".xml"], beginning=r"<rdf:RDF\b"),
    Kind("birdnet", "a folder of BirdNET's labels", "species.birdnet:read", members=["*labels_??.txt"]),
    Kind("label-studio", "a Label Studio configuration", "labelling.label_studio:read", [".xml"], beginning=_CONTROLS),
    Kind("cvat", "CVAT's annotations", "labelling.cvat:read", [".xml"], beginning=_CVAT),
    Kind("cvat", "CVAT's labels", "labelling.cvat:read", [".json"], detected=False),
    Kind("datumaro", "Datumaro's labels", "labelling.datumaro:read", [".json"], detected=False),
)


def kind_of(path: Path) -> Kind | None:
    """The kind whose marks a file, folder or archive has; None if there is none.

    Raises:
        InputError: It has the marks of several formats.

    Example:
        >>> folder = getfixture("tmp_path")
        >>> _ = (folder / "data.noun").write_text("")
        >>> kind_of(folder).name
        'wordnet'
    """
    packed = path.is_dir() or (path.suffix.lower() not in SEPARATORS and is_archive(path))
    found = _of_members(path) if packed else _of_file(path)
    if len({kind.name for kind in found}) > 1:
        titles = " or ".join(f"{kind.name} ({kind.title})" for kind in found)
        raise InputError("a file of exactly one format", titles, at=str(path), advice='Choose one with format="...".')
    return found[0] if found else None


def reader_of(name: str, path: Path) -> Kind:
    """The kind that reads a file in the format chosen by name.

    Raises:
        InputError: No kind has that name.
    """
    kinds = [kind for kind in KINDS if kind.name == name]
    if not kinds:
        raise InputError("a format of files", repr(name), at=str(path))
    return kinds[0]


def beginning_of(path: Path) -> str:
    r"""The first 64 KiB of a text file, plain or gzipped, as text; empty if it is not text.

    Example:
        >>> path = getfixture("tmp_path") / "classes.csv"
        >>> _ = path.write_bytes(b"group,kind\r\n")
        >>> beginning_of(path)
        'group,kind\n'
    """
    data = first_bytes(path, BEGINNING)
    if data.startswith(GZIP):
        try:
            data = zlib.decompressobj(wbits=31).decompress(data, BEGINNING)
        except zlib.error:
            return ""
    return _as_text(data)


def _as_text(data: bytes) -> str:
    return "" if b"\0" in data else data.decode("utf-8-sig", errors="replace").replace("\r\n", "\n")


def _of_members(path: Path) -> list[Kind]:
    with members_of(path) as members:
        return [kind for kind in KINDS if kind.members and _has(members, kind)]


def _has(members: Members, kind: Kind) -> bool:
    found = matching(members.names, kind.members)
    if not found or not kind.beginning:
        return bool(found)
    with members.open(found[0]) as stream:
        return re.search(kind.beginning, _as_text(stream.read(BEGINNING)), re.MULTILINE) is not None


def _of_file(path: Path) -> list[Kind]:
    name = path.name.lower().removesuffix(".gz")
    named = [
        kind
        for kind in KINDS
        if kind.detected and not kind.members and (not kind.suffixes or name.endswith(tuple(kind.suffixes)))
    ]
    text = beginning_of(path) if any(kind.beginning for kind in named) else ""
    return [kind for kind in named if re.search(kind.beginning, text, re.MULTILINE)]
