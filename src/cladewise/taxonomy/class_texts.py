"""Texts that describe each node, from templates, names and further columns; for text encoders."""

from __future__ import annotations

import dataclasses
import itertools
import re
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from cladewise.catalogue import nearest
from cladewise.errors import InputError
from cladewise.taxonomy.names.columns import VERNACULAR, columns_of_language, first_names, languages, split_names
from cladewise.taxonomy.tree import Taxonomy

__all__ = ["ClassTexts", "TemplatedTexts", "class_texts", "names_missing"]

IntArray = NDArray[np.int64]

SEPARATOR = "|"
"""Separator of several templates in one text."""
PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
OPTIONAL = re.compile(r"\[([^\[\]]*\{[^{}]*\}[^\[\]]*)\]")
"""A part of a template that is left out where one of its placeholders has no value."""
OF_THE_TREE = ("name", "parent", "path", "taxonomic", "level")
"""Placeholders that are defined for every tree."""
RANKS = ("kingdom", "phylum", "class", "order", "family", "genus", "species")
"""The ranks that ``{taxonomic}`` joins, in a tree whose levels have such names."""


@dataclasses.dataclass(frozen=True, eq=False)
class ClassTexts:
    """Texts of the nodes below the root, at least one per node.

    Args:
        texts: All texts, node by node.
        node: Node of each text, ascending.
        num_nodes: Number of nodes of the tree, the root included.

    Example:
        >>> texts = class_texts(Taxonomy.from_paths([("bird", "wood-warbler")]), "a photo of a {name}")
        >>> texts.texts, texts.node.tolist(), texts.of(2)
        (('a photo of a bird', 'a photo of a wood warbler'), [1, 2], ('a photo of a wood warbler',))
    """

    texts: tuple[str, ...]
    node: IntArray
    num_nodes: int

    def of(self, node: int) -> tuple[str, ...]:
        """The texts of one node."""
        start, stop = np.searchsorted(self.node, [node, node + 1])
        return self.texts[start:stop]


def class_texts(taxonomy: Taxonomy, templates: str | Sequence[str] = "{name}", *, shuffled: bool = False) -> ClassTexts:
    """Texts of every node from templates; see :class:`TemplatedTexts`.

    Args:
        taxonomy: The label tree.
        templates: One template or several; in a single text, separated by ``|``.
        shuffled: Control experiment: every node gets the texts of another node of its level, the same in every run.

    Raises:
        InputError: There is no template, none has a placeholder, or one has an unknown placeholder.

    Example:
        >>> t = Taxonomy([-1, 0, 1], ["", "bird", "wren"], columns={"also": ["", "", "jenny|stumpy"]})
        >>> class_texts(t, "a {name}|{also}, a {parent}").texts
        ('a bird', 'a wren', 'jenny, a bird', 'stumpy, a bird')

    References: Radford et al., Learning transferable visual models from natural language supervision, ICML 2021,
        arXiv:2103.00020 (templates, and several of them).
    """
    filled = TemplatedTexts(taxonomy, templates)
    said = [filled.of(node) for node in range(1, taxonomy.num_nodes)]
    if shuffled:
        said = [said[other - 1] for other in _elsewhere(taxonomy)[1:]]
    counts = [len(texts) for texts in said]
    nodes = np.repeat(np.arange(1, taxonomy.num_nodes), counts)
    return ClassTexts(tuple(itertools.chain.from_iterable(said)), nodes, taxonomy.num_nodes)


class TemplatedTexts:
    """Templates for the nodes of a tree, filled when a node is asked for, so that not all texts are in memory at once.

    A template is a text with placeholders:

    | placeholder | value |
    |---|---|
    | ``{name}`` | the node's name |
    | ``{parent}`` | the name above, or the node's own below a synthetic root |
    | ``{path}`` | all names from the top, separated by commas |
    | ``{taxonomic}`` | all names from the top, separated by spaces, as BioCLIP's texts are: see below |
    | ``{level}`` | the name of the node's level |
    | ``{name:en}`` | the node's first name in a language, where it has one; any language that the tree has names in |
    | ``{column}`` | any column of the tree; a cell with several texts, separated by ``|``, gives one text for each |

    A template is skipped for a node that has no value for one of its placeholders; a node without any text gets its
    name. A part in brackets, such as ``{taxonomic}[ with common name {name:en}]``, is left out alone. Hyphens and
    underscores in names become spaces, except in ``{taxonomic}``, which keeps hyphens.

    ``{taxonomic}`` does not repeat what a name has from a name above it: *Ursus arctos* below *Ursus* adds *arctos*. If
    levels of the tree are named after the seven ranks from kingdom to species, only names at these are joined, and the
    node's own.

    Args:
        taxonomy: The label tree.
        templates: One template or several; in a single text, separated by ``|``.

    Raises:
        InputError: There is no template, none has a placeholder, or one has an unknown placeholder.

    Example:
        >>> t = Taxonomy.from_paths([("Animalia", "Ursidae", "Ursus", "Ursus arctos")])
        >>> TemplatedTexts(t, "a photo of {taxonomic}.").of(4)
        ['a photo of Animalia Ursidae Ursus arctos.']

    References: Stevens et al., BioCLIP, CVPR 2024, arXiv:2311.18803, section 3 (taxonomic, scientific and common names,
        and their combinations), and its released code, which also writes names in lower case with a capital.
    """

    def __init__(self, taxonomy: Taxonomy, templates: str | Sequence[str]) -> None:
        chosen = templates.split(SEPARATOR) if isinstance(templates, str) else list(templates)
        self.templates = [template.strip() for template in chosen if template.strip()]
        if not self.templates:
            raise InputError("a template such as 'a photo of a {name}'", "none")
        if not any(PLACEHOLDER.search(template) for template in self.templates):
            got = f"{SEPARATOR.join(self.templates)!r}, which is the same for all nodes"
            raise InputError("a template with a placeholder, such as 'a photo of a {name}'", got)
        own = [column for column in taxonomy.columns if column not in OF_THE_TREE]
        known = (*OF_THE_TREE, *dict.fromkeys([*own, *(f"{VERNACULAR}{code}" for code in languages(taxonomy))]))
        asked = {name for template in self.templates for name in PLACEHOLDER.findall(template)}
        for name in (name for template in self.templates for name in PLACEHOLDER.findall(template)):
            if name not in known and not _has_language(taxonomy, name):
                listed = ", ".join(f"{{{name}}}" for name in known)
                raise InputError(f"placeholders among {listed}", f"{{{name}}}", advice=nearest(name, known))
        self._values = _values(taxonomy, asked | {"name"})

    def of(self, node: int) -> list[str]:
        """The distinct texts of a node, at least one."""
        texts = (text for template in self.templates for text in _filled(template, self._values, node))
        return list(dict.fromkeys(texts)) or self._values["name"][node]


def _has_language(taxonomy: Taxonomy, placeholder: str) -> bool:
    """Whether a placeholder asks for names in a language that the tree has names in, perhaps a less specific one."""
    if not placeholder.startswith(VERNACULAR):
        return False
    try:
        return bool(columns_of_language(taxonomy, placeholder.removeprefix(VERNACULAR)))
    except InputError:
        return False


def _values(taxonomy: Taxonomy, asked: set[str]) -> dict[str, list[list[str]]]:
    """Texts that can fill each placeholder in use, node by node."""
    names = [_readable(name) for name in taxonomy.names.tolist()]
    values: dict[str, list[list[str]]] = {"name": [[name] for name in names]}
    if "parent" in asked:
        above = np.where(names_missing(taxonomy)[taxonomy.parents], np.arange(taxonomy.num_nodes), taxonomy.parents)
        values["parent"] = [[names[node]] for node in above.tolist()]
    if "path" in asked:
        paths = [names[0]]
        for node, parent in enumerate(taxonomy.parents.tolist()[1:], start=1):  # parents come first
            paths.append(f"{paths[parent]}, {names[node]}" if paths[parent] else names[node])
        values["path"] = [[path] for path in paths]
    if "taxonomic" in asked:
        values["taxonomic"] = [[text] for text in _taxonomic(taxonomy)]
    if "level" in asked:
        levels = ("", *(_readable(name) for name in taxonomy.level_names))
        values["level"] = [[levels[level]] for level in taxonomy.level.tolist()]
    for column in asked - values.keys():
        if column.startswith(VERNACULAR):
            values[column] = [[name] if name else [] for name in _names_in(taxonomy, column)]
        else:
            values[column] = [split_names(cell) for cell in taxonomy.columns[column].tolist()]
    return values


def _names_in(taxonomy: Taxonomy, placeholder: str) -> list[str]:
    """The first name of every node in a language; blank where it has none."""
    found = np.full(taxonomy.num_nodes, "", dtype=object)
    for column in reversed(columns_of_language(taxonomy, placeholder.removeprefix(VERNACULAR))):
        first = first_names(taxonomy.columns[column])
        found = np.where(first == "", found, first)
    return found.tolist()


def _taxonomic(taxonomy: Taxonomy) -> list[str]:
    """Names from the top joined by spaces, each without what it has from a name above it."""
    names = [" ".join(name.replace("_", " ").split()) for name in taxonomy.names.tolist()]
    ranked = np.array([False, *(name.strip().lower() in RANKS for name in taxonomy.level_names)])
    joins = (ranked[taxonomy.level] if ranked.any() else taxonomy.names != "").tolist()
    parents = taxonomy.parents.tolist()
    joined, texts = [names[0] if joins[0] else ""], [names[0]]
    for node in range(1, taxonomy.num_nodes):  # parents come first
        before = joined[parents[node]]
        texts.append(f"{before} {_added(node, names, parents, joins)}".strip())
        joined.append(texts[node] if joins[node] else before)
    return texts


def _added(node: int, names: list[str], parents: list[int], joins: list[bool]) -> str:
    """The part of a name that those above it, which are joined, do not have: the epithet below its genus."""
    name, above = names[node], parents[node]
    while " " in name and above >= 0:
        if joins[above] and names[above] and name.startswith(f"{names[above]} "):
            return name[len(names[above]) :].strip()
        above = parents[above]
    return name


def names_missing(taxonomy: Taxonomy) -> NDArray[np.bool_]:
    """Mask of the nodes without a name: a synthetic root."""
    return taxonomy.names == ""


def _readable(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name)).strip() or name


def _filled(template: str, values: dict[str, list[list[str]]], node: int) -> Iterator[str]:
    """The template, filled in every combination of texts for its placeholders."""

    def part(found: re.Match[str]) -> str:
        return found[1] if all(values[name][node] for name in PLACEHOLDER.findall(found[1])) else ""

    template = OPTIONAL.sub(part, template) if "[" in template else template
    asked = list(dict.fromkeys(PLACEHOLDER.findall(template)))
    for choice in itertools.product(*(values[name][node] for name in asked)):
        by_name = dict(zip(asked, choice, strict=True))
        yield PLACEHOLDER.sub(lambda found, by_name=by_name: by_name[found[1]], template)


def _elsewhere(taxonomy: Taxonomy) -> IntArray:
    """Another node of the same level for every node: a random cycle through each level."""
    random = np.random.default_rng(0)
    other = np.arange(taxonomy.num_nodes)
    for level in range(1, taxonomy.num_levels + 1):
        nodes = random.permutation(np.flatnonzero(taxonomy.level == level))
        other[nodes] = np.roll(nodes, 1)
    return other
