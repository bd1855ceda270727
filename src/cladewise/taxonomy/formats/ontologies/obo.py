"""OBO files: biomedical ontologies and many thesauri, parsed by obonet.

Format: https://owlcollab.github.io/oboformat/doc/GO.format.obo-1_4.html
"""

from __future__ import annotations

import io
import logging
import re
from pathlib import Path
from typing import Any

from cladewise.errors import InputError, MissingExtraError
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.ontologies import EXTRA
from cladewise.taxonomy.formats.ontologies.concepts import Concept, tree_of_concepts
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.names.columns import FORMER_IDS, SYNONYMS, join_names
from cladewise.taxonomy.tree import Taxonomy

_QUOTED = re.compile(r'\s*"((?:[^"\\]|\\.)*)"')
_ESCAPE = re.compile(r"\\(.)")


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read the ``is_a`` hierarchy of an OBO file; other relations, such as ``part_of``, are no parents.

    Obsolete terms are not nodes: their ids, and names, lead to the term that replaces them. The columns are ``id``,
    ``description``, ``namespace``, ``synonyms`` and ``former_ids`` (alternative ids, and replaced ones).

    Raises:
        InputError: The file is not OBO, or its terms are not a tree by the options.
        MissingExtraError: obonet is not installed.

    Example:
        >>> path = getfixture("tmp_path") / "birds.obo"
        >>> _ = path.write_text('''
        ... [Term]
        ... id: B:1
        ... name: bird
        ...
        ... [Term]
        ... id: B:2
        ... name: wren
        ... is_a: B:1
        ... ''')
        >>> read(path, ReadOptions()).path_name(1)
        'bird/wren'
    """
    try:
        import obonet
    except ImportError as error:
        raise MissingExtraError("obonet", EXTRA) from error
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)  # obonet logs headers that it misses, which say nothing about the tree
    try:
        graph = obonet.read_obo(io.StringIO(read_text(path)), ignore_obsolete=False)
    except (ValueError, KeyError, IndexError, AssertionError) as error:
        raise InputError("an OBO file", f"an error: {error}", at=str(path)) from error
    finally:
        logging.disable(disabled)
    terms: dict[str, dict[str, Any]] = {str(term): data for term, data in graph.nodes(data=True) if "name" in data}
    former = {term: list(map(str, data.get("alt_id", ()))) for term, data in terms.items()}
    synonyms = {term: [_text(entry) for entry in data.get("synonym", ())] for term, data in terms.items()}
    live = {term: data for term, data in terms.items() if str(data.get("is_obsolete", "")).lower() != "true"}
    for term in terms.keys() - live.keys():
        for replacement in map(str, terms[term].get("replaced_by", ())):
            if replacement in live:
                former[replacement] += [term, *former[term]]
                synonyms[replacement].append(_without_mark(str(terms[term]["name"])))
    return tree_of_concepts(
        [
            Concept(
                term,
                str(data["name"]),
                tuple(str(above) for above in data.get("is_a", ()) if terms.get(str(above)) is live.get(str(above))),
                {
                    "description": _text(str(data.get("def", ""))),
                    "namespace": str(data.get("namespace", "")),
                    SYNONYMS: join_names(synonyms[term]),
                    FORMER_IDS: join_names(sorted(former[term])),
                },
            )
            for term, data in live.items()
        ],
        path,
        options,
    )


def _text(entry: str) -> str:
    """The quoted text at the start of a value, without escapes; blank if there is none."""
    found = _QUOTED.match(entry)
    return " ".join(_ESCAPE.sub(r"\1", found[1]).split()) if found else ""


def _without_mark(name: str) -> str:
    """The name of an obsolete term without the word that curators put before it."""
    return re.sub(r"^obsolete[: ]\s*", "", name, flags=re.IGNORECASE)
