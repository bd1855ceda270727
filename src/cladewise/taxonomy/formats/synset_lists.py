"""Lists of synsets as data sets have them: ImageNet's, and the categories of LVIS.

| file | content |
|---|---|
| ``imagenet_synsets.txt`` | a synset per line |
| ``LOC_synset_mapping.txt``, ``imagenet_synset_to_lemma.txt`` | a synset and its words per line |
| ``imagenet_class_index.json`` | ``{"0": ["n01440764", "tench"], ...}`` |
| ``lvis_v1_val.json`` | categories with a ``synset`` such as ``aerosol.n.02``, the second noun of that word |
"""

from __future__ import annotations

import dataclasses
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cladewise.errors import InputError, warn
from cladewise.taxonomy.checks.problems import some
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.documents.coco_categories import records_of, without_annotations
from cladewise.taxonomy.formats.evidence import Form
from cladewise.taxonomy.formats.options import ReadOptions
from cladewise.taxonomy.names.columns import ID, SYNONYMS, join_names, split_names
from cladewise.taxonomy.tree import Taxonomy

_OFFSET = re.compile(r"n\d{8}")
_SENSE = re.compile(r"(.+)\.[a-z]\.(\d+)")


@dataclasses.dataclass(frozen=True)
class SynsetList:
    """Synsets to keep, and how a data set calls them.

    Attributes:
        synsets: A synset per class: its offset with an ``n`` before it, or a word and the number of its sense.
        names: Name of each class; empty if the synsets' own words are to be used.
        ids: Id of each class; empty if the synsets are to be used.
        synonyms: Other names of each class.
        columns: Further texts of each class.
    """

    synsets: Sequence[str]
    names: Sequence[str] = ()
    ids: Sequence[str] = ()
    synonyms: Sequence[Sequence[str]] = ()
    columns: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict[str, Sequence[str]])


def read_list(path: Path) -> SynsetList:
    """Read a list of synsets.

    Raises:
        InputError: The file has none of the known forms.

    Example:
        >>> path = getfixture("tmp_path") / "LOC_synset_mapping.txt"
        >>> _ = path.write_text("n01440764 tench, Tinca tinca\\nn01443537 goldfish\\n")
        >>> read_list(path).synsets
        ['n01440764', 'n01443537']
    """
    text = read_text(path)
    if text.lstrip().startswith(("{", "[")):
        return _of_json(text, path)
    lines = [line.split(maxsplit=1) for line in text.splitlines() if line.strip()]
    if any(_OFFSET.match(rest) for line in lines for rest in line[1:]):  # several per line
        return SynsetList(list(dict.fromkeys(text.split())))
    return SynsetList(list(dict.fromkeys(line[0] for line in lines)))


def _of_json(text: str, path: Path) -> SynsetList:
    try:
        document: Any = json.loads(text, object_hook=without_annotations)
    except ValueError as error:
        raise InputError("a list of synsets", f"broken JSON ({error})", at=str(path)) from error
    if _is_class_index(document):
        places: list[str] = sorted(document, key=int)
        words = [str(document[place][1]) for place in places]
        synonyms = [list(dict.fromkeys([word, word.replace("_", " ")])) for word in words]
        synsets = [document[place][0] for place in places]
        return SynsetList(synsets, synonyms=synonyms, columns={"class_index": places})
    if isinstance(document, list) and document and all(isinstance(synset, str) for synset in document):
        return SynsetList(list(dict.fromkeys(document)))
    records = records_of(document) or []
    if not records or not all(isinstance(record.get("synset"), str) for record in records):
        known = "synsets in lines, an index of classes, or categories with a synset"
        raise InputError(known, "another JSON document", at=str(path))
    others = [[str(word) for word in record.get("synonyms") or ()] for record in records]
    keys = {"frequency": "frequency", "def": "description"}
    kept = {name: [str(record.get(key) or "") for record in records] for key, name in keys.items()}
    return SynsetList(
        synsets=[str(record["synset"]) for record in records],
        names=[str(record["name"]) for record in records],
        ids=[str(record.get("id", "")) for record in records],
        synonyms=others,
        columns={key: texts for key, texts in kept.items() if any(texts)},
    )


def _is_entry(value: Any) -> bool:
    """Whether a value is a synset and its name, as in ImageNet's index of classes."""
    return (
        isinstance(value, list) and [type(item) for item in value] == [str, str] and bool(_OFFSET.fullmatch(value[0]))
    )


def _is_class_index(document: Any) -> bool:
    return isinstance(document, dict) and bool(document) and all(map(_is_entry, document.values()))


CLASS_INDEX = Form[Any](
    "class-index",
    "ImageNet's index of classes, for WordNet's folder",
    lambda document: "synsets with names" if _is_class_index(document) else None,
)


def refuse_class_index(document: Any, source: str, options: ReadOptions) -> Taxonomy:
    """Refuse ImageNet's index of classes as a tree, which it is not without WordNet.

    Raises:
        InputError: Always.
    """
    advice = "Read WordNet's folder with ids= this file for the tree of the classes."
    raise InputError("a tree", f"an index of {len(document):,} classes", at=source, advice=advice)


def offsets(synsets: Sequence[str], index: Path) -> list[str | None]:
    """The offset of each synset, with an ``n`` before it; None for a sense that WordNet does not have.

    Args:
        synsets: Offsets or senses such as ``aerosol.n.02``.
        index: WordNet's ``index.noun``, which lists the synsets of each word in the order of its senses.

    Raises:
        InputError: There are senses but no index, or it is not WordNet's.
    """
    senses: dict[str, tuple[str, int]] = {}
    for synset in synsets:
        if sense := _SENSE.fullmatch(synset):
            senses[synset] = (str(sense[1]), int(str(sense[2])))
    if not senses:
        return list(synsets)
    if not index.is_file():
        raise InputError(f"WordNet's {index.name} for senses like {next(iter(senses))}", "none", at=str(index.parent))
    words = {word for word, _ in senses.values()}
    by_word: dict[str, list[str]] = {}
    for line in read_text(index).split("\n"):
        word = line.split(" ", 1)[0]
        if word in words:
            fields = line.split()
            by_word[word] = [f"n{offset}" for offset in fields[-int(fields[2]) :]]
    found: list[str | None] = []
    for synset in synsets:
        word, number = senses.get(synset, ("", 0))
        of_word = by_word.get(word, [])
        found.append(synset if not word else of_word[number - 1] if 0 < number <= len(of_word) else None)
    return found


def with_classes(tree: Taxonomy, listed: SynsetList, found: Sequence[str | None], at: str) -> Taxonomy:
    """A part of WordNet's tree whose nodes have the names, ids and texts of a data set's classes.

    A class whose sense WordNet lacks is placed below the root, with a warning. Of several classes with one synset, the
    first is its node and the others are siblings of it.

    Args:
        tree: The synsets and their ancestors.
        listed: The classes.
        found: Offset of each class; None for a sense that WordNet does not have.
        at: The file of the classes, for messages.
    """
    lacking = [synset for synset, offset in zip(listed.synsets, found, strict=True) if offset is None]
    if lacking:
        text = f"{len(lacking)} of {len(found)} classes with synsets that this WordNet lacks, placed below the root"
        warn(f"{text}: {some(lacking)}", at=at)
    node_by_id = {str(synset): node for node, synset in enumerate(tree.columns[ID].tolist())}
    parents: list[int] = tree.parents.tolist()
    names: list[str] = tree.names.tolist()
    nodes: list[int] = []
    taken: set[int] = set()
    for offset, synset in zip(found, listed.synsets, strict=True):
        node = len(parents) if offset is None else node_by_id[offset]
        if offset is None or node in taken:
            parents.append(0 if offset is None else max(0, int(tree.parents[node])))
            names.append(synset)
            node = len(parents) - 1
        taken.add(node)
        nodes.append(node)
    extra = [""] * (len(parents) - tree.num_nodes)
    columns: dict[str, list[str]] = {key: [*values.tolist(), *extra] for key, values in tree.columns.items()}
    if listed.ids:
        columns["synset"] = [*tree.columns[ID].tolist(), *extra]
    for node, synset in zip(nodes, listed.synsets, strict=True):
        if node >= tree.num_nodes:
            columns["synset" if listed.ids else ID][node] = synset
    texts: dict[str, Sequence[str]] = {**listed.columns, **({ID: listed.ids} if listed.ids else {})}
    texts |= {SYNONYMS: [join_names(words) for words in listed.synonyms]} if listed.synonyms else {}
    for key, values in texts.items():
        column = columns.setdefault(key, [""] * len(parents))
        for node, text in zip(nodes, values, strict=True):
            column[node] = text or column[node]
    for node, name in zip(nodes, listed.names, strict=False):
        names[node] = name
    if SYNONYMS in columns:  # a node's own name is no synonym
        columns[SYNONYMS] = [
            join_names(word for word in split_names(cell) if word != name)
            for name, cell in zip(names, columns[SYNONYMS], strict=True)
        ]
    return Taxonomy.from_parents(parents, names, columns=columns, further_parents=tree.further_parents)
