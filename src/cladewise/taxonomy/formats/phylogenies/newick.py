"""Newick, the format of phylogenetic trees such as ``((lion,tiger)cat,dog)carnivore;``, plain or within NEXUS.

Grammar: https://phylipweb.github.io/phylip/newicktree.html
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.errors import InputError
from cladewise.taxonomy.formats.bounded_files import read_text
from cladewise.taxonomy.formats.evidence import Form, only_form
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.formats.options import PLAIN, ReadOptions, Support, Underscores
from cladewise.taxonomy.formats.phylogenies.newick_names import (
    Labels,
    name_internal_nodes,
    plain_label,
    read_support,
    read_underscores,
)
from cladewise.taxonomy.formats.phylogenies.newick_tokens import Text, Token
from cladewise.taxonomy.formats.phylogenies.nexus import is_nexus, tree_of_nexus
from cladewise.taxonomy.tree import Taxonomy

MAX_BYTES = 2**26
_COUNT = re.compile(r"\s*(\d+)[^\S\n]*\n\s*(?=[(\[])")
_BEGIN = re.compile(r"(?:\s+|\[[^\]]*\])*+\(")
_LENGTH = re.compile(r"[+-]?(?:\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+(?:[eE][+-]?\d+)?|nan|inf|NA)", re.IGNORECASE)
_RETICULATION = re.compile(r".*#(?:H|LGT|R)\d+", re.DOTALL)
_FORMS = [
    Form[str]("nexus", "NEXUS (begins with #NEXUS)", lambda text: "its first word" if is_nexus(text) else None),
    Form[str](
        "newick",
        "Newick ((lion,tiger)cat;)",
        lambda text: "its brackets" if not is_nexus(text) and _looks_like_newick(text) else None,
    ),
]


def read_newick(path: Path, options: ReadOptions = PLAIN) -> Taxonomy:
    """Read one tree from a Newick or NEXUS file; see :func:`taxonomy_from_newick`."""
    text = read_text(path, limit=MAX_BYTES)
    return taxonomy_from_newick(text, source=str(path), support=options.support, underscores=options.underscores)


def write_newick(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as one line of Newick.

    Newick has neither levels nor further columns.
    """
    write_text(path, newick_from_taxonomy(taxonomy) + "\n")


def taxonomy_from_newick(
    text: str,
    *,
    source: str = "the text",
    support: Support | None = None,
    underscores: Underscores | None = None,
) -> Taxonomy:
    """Build a tree from Newick or NEXUS text.

    Names may be quoted (``'it''s'``, ``"it's"``). Branch lengths, comments in brackets and a count
    of trees in the first line are skipped. Internal nodes without a name become ``unnamed_1``, ``unnamed_2``, ... in
    pre-order, skipping numbers in use; a root without a name is synthetic. Levels are depths.

    Args:
        text: The text, with one tree.
        source: Name of the text in messages.
        support: Bare numbers at internal nodes of a tree whose leaves have names: read them as ``"names"``, or
            ``"drop"`` them. By default they are names, with a warning.
        underscores: Underscores in names without quotes: ``"keep"`` them, or read them as ``"blanks"``, following the
            standard. By default the quoted names in the file decide, otherwise they are kept with a warning.

    Raises:
        InputError: The text is not one Newick tree, or a leaf has no name.

    Example:
        >>> tree = taxonomy_from_newick("((lion:1,tiger:2)cat,'wild dog')carnivore;")
        >>> tree.names.tolist()
        ['carnivore', 'cat', 'lion', 'tiger', 'wild dog']
    """
    begin = " ".join(text[:200].split())
    saw = f"text that begins with {begin:.40}" if begin else "an empty file"
    form = only_form(text, _FORMS, saw=saw, source=source, advice="")
    whole = Text(text, source)
    if form.name == "nexus":
        tokens, names = tree_of_nexus(whole)
        parents, labels = _parsed(whole, tokens)
        labels.translate(names)
    else:
        count = _COUNT.match(text)
        parents, labels = _parsed(
            whole, whole.tokens(count.end() if count else 0), trees=int(count[1][:9]) if count else 1
        )
    read_support(labels, support, source)
    read_underscores(labels, underscores, source)
    name_internal_nodes(labels, source)
    tree = Sprout()
    tree.parents, tree.names = parents, labels.texts
    return tree.grown(source)


def newick_from_taxonomy(taxonomy: Taxonomy) -> str:
    """The tree as Newick text.

    Names are quoted unless they consist of letters, digits, dots and hyphens: many readers read an unquoted underscore
    as a blank, and a number at an internal node as a support value.

    Example:
        >>> newick_from_taxonomy(Taxonomy.from_paths([("cat", "lion"), ("cat", "tiger"), ("wild dog",)]))
        "((lion,tiger)cat,'wild dog');"
    """
    parents, end, is_leaf = taxonomy.parents.tolist(), taxonomy.end.tolist(), taxonomy.is_leaf.tolist()
    labels = [
        name if plain_label(name, internal=not leaf) else "'" + name.replace("'", "''") + "'"
        for name, leaf in zip(taxonomy.names.tolist(), is_leaf, strict=True)
    ]
    if taxonomy.synthetic_root:
        labels[0] = ""
    pieces: list[str] = []
    for node, label in enumerate(labels):
        if not is_leaf[node]:
            pieces.append("(")
            continue
        pieces.append(label)
        closing = node
        while parents[closing] >= 0 and end[parents[closing]] == node + 1:
            closing = parents[closing]
            pieces.append(")" + labels[closing])
        pieces.append("," if closing else ";")
    return "".join(pieces) if taxonomy.num_nodes > 1 else labels[0] + ";"


def _looks_like_newick(text: str) -> bool:
    start = _COUNT.match(text)
    return bool(_BEGIN.match(text, start.end() if start else 0)) or text.rstrip().endswith(";")


def _parsed(text: Text, tokens: Iterable[Token], *, trees: int = 1) -> tuple[list[int], Labels]:
    """Parent and label of every node, in pre-order."""
    parents, texts, quoted = [-1], [""], [False]
    node, ended = 0, 0
    previous: str = ""
    for token in tokens:
        mark = token.text if token.kind == "mark" else "name"
        if ended:
            ended += mark == ";"
        elif previous == ":" and mark != "name":
            raise text.wrong(f"{mark!r} where a branch length should be", token.position)
        elif previous == ":" and not _LENGTH.fullmatch(token.text):
            advice = "Put names with a colon in quotes."
            raise text.wrong(f"{token.text!r:.40} where a branch length should be", token.position, advice)
        elif mark == "(":
            if previous not in ("", "(", ","):
                raise text.wrong("'(' after a name", token.position)
            parents.append(node)
            node = len(parents) - 1
        elif mark in ",)" and node == 0:
            raise text.wrong(f"{mark!r} outside of all brackets", token.position)
        elif mark == ",":
            parents.append(parents[node])
            node = len(parents) - 1
        elif mark == ")":
            node = parents[node]
        elif mark == ":" and previous == "length":
            raise text.wrong("two branch lengths of one node", token.position)
        elif mark == ";" and node != 0:
            raise text.wrong("';' inside a bracket", token.position)
        elif mark == ";":
            ended = 1
        elif mark == "name" and previous == "length":
            raise text.wrong("a name after a branch length", token.position)
        elif mark == "name" and previous == "name":
            raise text.wrong("two names for one node", token.position)
        elif token.kind == "bare" and ("\n" in token.text or "\r" in token.text):
            raise text.wrong("a name that goes on in the next line", token.position, "Is there a comma missing?")
        elif mark == "name" and previous != ":":
            if not token.text:
                raise text.wrong("quotes without a name between them", token.position)
            texts[node], quoted[node] = token.text, token.kind == "quoted"
        if len(texts) < len(parents):
            texts.append("")
            quoted.append(False)
        previous = "length" if previous == ":" else mark
    if not ended or previous != ";":
        raise text.wrong("something after it" if ended else "none", len(text.content))
    if (ended, trees) != (1, 1):
        told = f"{ended} trees" if ended > 1 else f"a first line that announces {trees} trees"
        raise InputError("one tree", told, at=text.source, advice="Keep one of them.")
    internal = [False] * len(parents)
    for parent in parents[1:]:
        internal[parent] = True
    labels = Labels(texts, quoted, internal)
    _refuse_networks(text, labels)
    return parents, labels


def _refuse_networks(text: Text, labels: Labels) -> None:
    """Refuse extended Newick, in which a node with several parents appears under each, as ``x#H1``."""
    seen: set[str] = set()
    for node in labels.bare():
        label = labels.texts[node]
        if "#" in label and _RETICULATION.fullmatch(label):
            hybrid = label[label.rindex("#") :]
            if hybrid in seen:
                raise InputError("a tree", f"a network: {hybrid!r} has several parents", at=text.source)
            seen.add(hybrid)
