"""Newick: ``((lion,tiger)cat,dog)carnivore;``, the format of phylogenetic trees.

Grammar: https://phylipweb.github.io/phylip/newicktree.html
"""

from __future__ import annotations

import re
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.errors import InputError
from cladewise.taxonomy.formats.files import read_text
from cladewise.taxonomy.formats.growing import Sprout
from cladewise.taxonomy.tree import Taxonomy

_TOKEN = re.compile(r"(?P<skip>\s+|\[[^\]]*\])|(?P<mark>[(),:;])|'(?P<quoted>(?:[^']|'')*)'|(?P<bare>[^\s()\[\]':;,]+)")
_PLAIN = re.compile(r"[\w.\-]+", re.ASCII)


def read_newick(path: Path) -> Taxonomy:
    """Read one tree from a Newick file; see :func:`taxonomy_from_newick`."""
    return taxonomy_from_newick(read_text(path), source=str(path))


def write_newick(taxonomy: Taxonomy, path: Path) -> None:
    """Write a tree as one line of Newick.

    Newick holds neither levels (nor the holes in them) nor further columns.
    """
    write_text(path, newick_from_taxonomy(taxonomy) + "\n")


def taxonomy_from_newick(text: str, *, source: str = "the text") -> Taxonomy:
    """Build a tree from Newick text.

    Names may be quoted (``'it''s'``); underscores stay underscores. Branch lengths and comments in brackets are
    skipped. An internal node without a name is called ``unnamed_1``, ``unnamed_2``, ... in pre-order, with a number
    that no name of the text has; a root without a name is synthetic. Levels are depths.

    Raises:
        InputError: The text is not one Newick tree, or a leaf has no name.

    Example:
        >>> tree = taxonomy_from_newick("((lion:1,tiger:2),'wild dog')carnivore;")
        >>> tree.names.tolist()
        ['carnivore', 'unnamed_1', 'lion', 'tiger', 'wild dog']
    """
    tree = Sprout()
    node, position = 0, 0
    previous: str = ""

    def wrong(got: str) -> InputError:
        return InputError("a Newick tree that ends in ';'", got, at=f"{source}:{text.count(chr(10), 0, position) + 1}")

    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise wrong("a quote or bracket that is not closed")
        if token["skip"] is None:
            if previous == ";":
                raise wrong("something after it")
            mark = token["mark"] or "name"
            if previous == ":" and mark != "name":
                raise wrong(f"{mark!r} where a branch length should be")
            if mark == "(":
                if previous not in ("", "(", ","):
                    raise wrong("'(' after a name")
                node = tree.add(node, "")
            elif mark in ",)" and node == 0:
                raise wrong(f"{mark!r} outside of all brackets")
            elif mark == ",":
                node = tree.add(tree.parents[node], "")
            elif mark == ")":
                node = tree.parents[node]
            elif mark == ";" and node != 0:
                raise wrong("';' inside a bracket")
            elif mark == "name" and previous != ":":
                words = previous == "name" and token["bare"] is not None
                if previous == "name" and not words:
                    raise wrong("two names for one node")
                label = token["bare"] if token["quoted"] is None else token["quoted"].replace("''", "'")
                tree.names[node] = f"{tree.names[node]} {label}" if words else label
            previous = "length" if previous == ":" else mark
        position = token.end()
    if previous != ";":
        raise wrong("none")
    _name_internal_nodes(tree)
    return tree.grown(source)


def newick_from_taxonomy(taxonomy: Taxonomy) -> str:
    """The tree as Newick text; names are quoted where they need to be.

    Example:
        >>> newick_from_taxonomy(Taxonomy.from_paths([("cat", "lion"), ("cat", "tiger"), ("wild dog",)]))
        "((lion,tiger)cat,'wild dog');"
    """
    labels = [_label(name) for name in taxonomy.names.tolist()]
    if taxonomy.synthetic_root:
        labels[0] = ""
    parents, end, is_leaf = taxonomy.parents.tolist(), taxonomy.end.tolist(), taxonomy.is_leaf.tolist()
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


def _label(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else "'" + name.replace("'", "''") + "'"


def _name_internal_nodes(tree: Sprout) -> None:
    internal = set(tree.parents)
    taken = set(tree.names)
    number = 0
    for node, name in enumerate(tree.names):
        if node and not name and node in internal:
            number += 1
            while f"unnamed_{number}" in taken:
                number += 1
            tree.names[node] = f"unnamed_{number}"
