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
from cladewise.taxonomy.names.columns import split_names
from cladewise.taxonomy.tree import Taxonomy

__all__ = ["ClassTexts", "class_texts", "names_missing"]

IntArray = NDArray[np.int64]

SEPARATOR = "|"
"""Separator of several templates in one text."""
PLACEHOLDER = re.compile(r"\{(\w+)\}")
OF_THE_TREE = ("name", "parent", "path", "level")
"""Placeholders that are defined for every tree."""


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
    """Texts of every node from templates.

    A template is a text with placeholders: ``{name}``, ``{parent}`` (the name above, or the node's own below a
    synthetic root), ``{path}`` (all names from the top, separated by commas), ``{level}`` (the name of the node's
    level), and any column of the tree, such as ``{description}``. A cell with several texts, separated by ``|``, gives
    one text for each. A template is skipped for a node that has no value in one of its columns; a node without any text
    gets its name. Hyphens and underscores in names become spaces.

    Args:
        taxonomy: The label tree.
        templates: One template or several; in a single text, separated by ``|``.
        shuffled: Control experiment: every node gets the texts of another node of its level, the same in every run.

    Raises:
        InputError: There is no template, or one has an unknown placeholder.

    Example:
        >>> t = Taxonomy([-1, 0, 1], ["", "bird", "wren"], columns={"also": ["", "", "jenny|stumpy"]})
        >>> class_texts(t, "a {name}|{also}, a {parent}").texts
        ('a bird', 'a wren', 'jenny, a bird', 'stumpy, a bird')

    References: Radford et al., Learning transferable visual models from natural language supervision, ICML 2021,
        arXiv:2103.00020 (templates, and several of them).
    """
    chosen = templates.split(SEPARATOR) if isinstance(templates, str) else list(templates)
    chosen = [template.strip() for template in chosen if template.strip()]
    if not chosen:
        raise InputError("a template such as 'a photo of a {name}'", "none")
    known = (*OF_THE_TREE, *(column for column in taxonomy.columns if column not in OF_THE_TREE))
    for template in chosen:
        for asked in PLACEHOLDER.findall(template):
            if asked not in known:
                listed = ", ".join(f"{{{name}}}" for name in known)
                raise InputError(f"placeholders among {listed}", f"{{{asked}}}", advice=nearest(asked, known))
    values = _values(taxonomy, {asked for template in chosen for asked in PLACEHOLDER.findall(template)} | {"name"})
    said = [
        list(dict.fromkeys(text for template in chosen for text in _filled(template, values, node)))
        or values["name"][node]
        for node in range(1, taxonomy.num_nodes)
    ]
    if shuffled:
        said = [said[other - 1] for other in _elsewhere(taxonomy)[1:]]
    counts = [len(texts) for texts in said]
    nodes = np.repeat(np.arange(1, taxonomy.num_nodes), counts)
    return ClassTexts(tuple(itertools.chain.from_iterable(said)), nodes, taxonomy.num_nodes)


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
    if "level" in asked:
        levels = ("", *(_readable(name) for name in taxonomy.level_names))
        values["level"] = [[levels[level]] for level in taxonomy.level.tolist()]
    for column in asked - values.keys():
        cells = taxonomy.columns[column].tolist()
        values[column] = [split_names(cell) for cell in cells]
    return values


def names_missing(taxonomy: Taxonomy) -> NDArray[np.bool_]:
    """Mask of the nodes without a name: a synthetic root."""
    return taxonomy.names == ""


def _readable(name: str) -> str:
    return " ".join(re.split(r"[\s_-]+", name)).strip() or name


def _filled(template: str, values: dict[str, list[list[str]]], node: int) -> Iterator[str]:
    """The template, filled in every combination of texts for its placeholders."""
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
