"""Label lists of BirdNET: ``Turdus merula_Eurasian Blackbird``, one label per line, a file per language.

The tree is genus over species; labels of sounds that are not taxa (*Engine*, *Siren*) are at the top.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import polars as pl

from cladewise.errors import InputError
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.members import is_archive, matching, members_of
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.formats.species.listed_labels import INDEX, tree_of_labels
from cladewise.taxonomy.names.columns import ID, join_names, vernacular_column
from cladewise.taxonomy.tree import Taxonomy

SOUNDS = (
    *("Dog", "Engine", "Environmental", "Fireworks", "Gun", "Human non-vocal", "Human vocal", "Human whistle"),
    *("Noise", "Power tools", "Siren"),
)
"""BirdNET's labels that are no taxa, although some look like binomials."""
FILES = "*labels_*.txt"
"""Pattern of the names of label lists in a folder."""
_LANGUAGE = re.compile(r"(?:^|_)labels_([a-z]{2,3}(?:_[a-z]{2})?)\.txt$", re.IGNORECASE)
_BRITISH = {"en_uk": "en-GB", "in": "id"}
"""File endings that are not codes of the language: the United Kingdom is GB, and Indonesian has been id since 1989."""


def read(path: Path, options: ReadOptions) -> Taxonomy:
    """Read a list of BirdNET's labels, or a folder of lists in several languages.

    Common names are in ``name:<language>``, the language taken from the file's name, and English if that names none, as
    in BirdNET's own files. The ``id`` is the whole label, in English if that is there, and the column ``index`` has the
    position of a label in the list.

    Raises:
        InputError: A line is not a label, or the files list different species.

    Example:
        >>> path = getfixture("tmp_path") / "Labels_fr.txt"
        >>> _ = path.write_text("Turdus merula_Merle noir\\nEngine_Moteur\\n")
        >>> tree = read(path, ReadOptions())
        >>> [tree.path_name(leaf) for leaf in tree.leaf_nodes], tree.columns["name:fr"].tolist()
        (['Turdus/Turdus merula', 'Engine'], ['', '', 'Merle noir', 'Moteur'])
    """
    if not path.is_dir() and not is_archive(path):
        return _tree(path, {path: _labels(path)})
    with members_of(path) as members:
        names = [name for name in members.names if matching([name], [FILES])]
        lists: dict[Path, list[tuple[str, str]]] = {}
        for name in sorted(names, key=lambda name: (_language(name) != "en", _language(name))):
            with members.file(name) as file:
                lists[Path(name)] = _labels(file)
    return _tree(path, lists)


def _tree(path: Path, lists: dict[Path, list[tuple[str, str]]]) -> Taxonomy:
    (first, labels), *others = lists.items()
    taxa = [taxon for taxon, _ in labels]
    for other, found in others:
        if [taxon for taxon, _ in found] != taxa:
            odd = sorted({taxon for taxon, _ in found} ^ set(taxa)) or ["another order"]
            raise InputError(f"the same species in {first} and {other}", some(odd), at=str(path))
    frame = pl.DataFrame(
        {
            ID: [f"{taxon}_{common}" for taxon, common in labels],
            INDEX: [str(position) for position in range(len(labels))],
            "genus": ["" if taxon in SOUNDS else taxon.split()[0] for taxon in taxa],
            "species": taxa,
            **{vernacular_column(_language(file.name)): _common(found) for file, found in lists.items()},
        }
    )
    return tree_of_labels(frame, path, ["genus", "species"])


def _labels(path: Path) -> list[tuple[str, str]]:
    """Scientific and common name of every line."""
    found: list[tuple[str, str]] = []
    for number, line in enumerate(read_text(path).splitlines(), start=1):
        taxon, mark, common = line.strip().partition("_")
        if not line.strip():
            continue
        if not (taxon and mark and common):
            raise InputError("a label like 'Turdus merula_Eurasian Blackbird'", f"{line:.80}", at=f"{path}:{number}")
        found.append((taxon, common))
    if not found:
        raise InputError("at least one label", "none", at=str(path))
    return found


def _common(labels: Sequence[tuple[str, str]]) -> list[str]:
    """Common names; blank for a taxon without one in the language, for which BirdNET repeats the scientific name."""
    return [join_names([common]) if common != taxon else "" for taxon, common in labels]


def _language(name: str) -> str:
    found = _LANGUAGE.search(name)
    return _BRITISH.get(found[1].lower(), found[1]) if found else "en"
