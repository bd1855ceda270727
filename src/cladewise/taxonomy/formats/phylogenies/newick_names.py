"""Interpretation of Newick labels on which tools disagree: underscores, and numbers at internal nodes."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping

from cladewise.errors import warn
from cladewise.taxonomy.formats.options import Support, Underscores
from cladewise.taxonomy.formats.phylogenies.newick_tokens import Token

_NUMBER = re.compile(r"\d+\.?\d*(?:[eE][+-]?\d+)?(?:/\d+\.?\d*(?:[eE][+-]?\d+)?)*")
_ONLY_UNDERSCORES = re.compile(r"(?=.*_)[\w.\-]+")
_ONLY_BLANKS = re.compile(r"(?=.* )[A-Za-z\d.\- ]+")


@dataclasses.dataclass
class Labels:
    """Labels of a tree's nodes, blank for nodes without one.

    Attributes:
        texts: The label of each node.
        quoted: Whether each label was in quotes.
        internal: Whether each node has children.
    """

    texts: list[str]
    quoted: list[bool]
    internal: list[bool]

    def bare(self) -> list[int]:
        """Nodes with an unquoted label."""
        return [node for node, text in enumerate(self.texts) if text and not self.quoted[node]]

    def translate(self, names: Mapping[str, Token]) -> None:
        """Replace the labels of leaves by what they stand for; a number at an internal node is a support value."""
        for node, text in enumerate(self.texts):
            if text in names and not self.internal[node]:
                self.texts[node], self.quoted[node] = names[text].text, names[text].kind == "quoted"


def read_underscores(labels: Labels, underscores: Underscores | None, source: str) -> None:
    """Read unquoted underscores as blanks if the file's writer meant that.

    The standard, dendropy and scikit-bio read them as blanks; most other tools keep them. A writer of the first kind
    quotes a name because of an underscore, one of the second kind because of a blank: either is evidence. Without
    evidence, or with both kinds, underscores are kept with a warning.
    """
    nodes = [node for node in labels.bare() if "_" in labels.texts[node]]
    if nodes and underscores is None:
        quoted = [text for text, quoted in zip(labels.texts, labels.quoted, strict=True) if quoted]
        blanks = any(_ONLY_UNDERSCORES.fullmatch(text) for text in quoted)
        keeps = any(_ONLY_BLANKS.fullmatch(text) for text in quoted)
        underscores = "blanks" if blanks and not keeps else "keep"
        if blanks == keeps:
            warn(
                f"{_count(nodes, 'name')} with unquoted underscores, such as {labels.texts[nodes[0]]!r}, kept as "
                "underscores",
                at=source,
                advice='Pass underscores="blanks" if they stand for blanks, otherwise underscores="keep".',
            )
    for node in nodes if underscores == "blanks" else ():
        labels.texts[node] = labels.texts[node].replace("_", " ")


def read_support(labels: Labels, support: Support | None, source: str) -> None:
    """Drop numbers at internal nodes, or warn about them, depending on ``support``.

    Phylogenetic tools write support values there. They are not names if no leaf has a number as its name.
    """
    if any(_NUMBER.fullmatch(text) for text, inside in zip(labels.texts, labels.internal, strict=True) if not inside):
        return
    nodes = [node for node in labels.bare() if labels.internal[node] and _NUMBER.fullmatch(labels.texts[node])]
    if nodes and support is None:
        warn(
            f"{_count(nodes, 'internal node')} whose name is a number, such as {labels.texts[nodes[0]]!r}: probably "
            "support values, read as names",
            at=source,
            advice='Pass support="drop" to leave them out, or support="names" if they are names.',
        )
    for node in nodes if support == "drop" else ():
        labels.texts[node] = ""


def name_internal_nodes(labels: Labels, source: str) -> None:
    """Name internal nodes without a label ``unnamed_1``, ``unnamed_2``, ..., skipping names in use."""
    taken = set(labels.texts)
    nodes = [node for node, text in enumerate(labels.texts) if node and not text and labels.internal[node]]
    number = 0
    for node in nodes:
        number += 1
        while f"unnamed_{number}" in taken:
            number += 1
        labels.texts[node] = f"unnamed_{number}"
    if nodes:
        warn(f"{_count(nodes, 'internal node')} without a name, called {labels.texts[nodes[0]]!r} and so on", at=source)


def plain_label(name: str, *, internal: bool) -> bool:
    """Whether all readers read a name correctly without quotes.

    Example:
        >>> plain_label("lion", internal=False), plain_label("wild_dog", internal=False)
        (True, False)
    """
    return bool(re.fullmatch(r"[A-Za-z\d.\-]+", name, re.ASCII)) and not (internal and _NUMBER.fullmatch(name))


def _count(nodes: list[int], noun: str) -> str:
    return f"{len(nodes)} {noun}" + ("" if len(nodes) == 1 else "s")
