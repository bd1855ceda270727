"""Newick between us and other libraries: the same names and the same shape, in both directions."""

from __future__ import annotations

import dataclasses
import io
import itertools
import re
from collections.abc import Callable
from typing import Any

import dendropy
import newick
import treeswift
from Bio import Phylo
from Bio.Phylo import BaseTree
from hypothesis import given, settings
from hypothesis import strategies as st

from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.formats.phylogenies.newick import newick_from_taxonomy, taxonomy_from_newick
from cladewise.taxonomy.formats.phylogenies.newick_names import Underscores

Nested = tuple[str, tuple[Any, ...]]  # a name, and the nodes below
ALPHABET = "ab1_ '\"()[],:;/.-\\#=&{}é🦊"


def nested(tree: Taxonomy, node: int = 0) -> Nested:
    return str(tree.names[node]), tuple(nested(tree, int(child)) for child in tree.children(node))


def taxonomy(tree: Nested) -> Taxonomy:
    parents, names = [-1], [tree[0]]
    waiting = [(0, tree)]
    while waiting:
        node, (_, below) = waiting.pop()
        for child in below:
            parents.append(node)
            names.append(child[0])
            waiting.append((len(parents) - 1, child))
    return Taxonomy.from_parents(parents, names)


# ---------------------------------------------------------------- what each library reads and writes


def read_dendropy(text: str) -> Nested:
    plain = {"suppress_internal_node_taxa": True, "suppress_leaf_node_taxa": True}
    tree = dendropy.Tree.get(data=text, schema="newick", **plain)

    def shape(node: Any) -> Nested:
        return node.label or "", tuple(shape(child) for child in node.child_nodes())

    return shape(tree.seed_node)


def dendropy_tree(tree: Nested) -> dendropy.Tree:
    found = dendropy.Tree()

    def fill(node: Any, content: Nested) -> None:
        if content[1]:
            node.label = content[0] or None
        else:
            node.taxon = found.taxon_namespace.new_taxon(content[0])
        for child in content[1]:
            fill(node.new_child(), child)

    fill(found.seed_node, tree)
    return found


def write_dendropy(tree: Nested) -> str:
    return dendropy_tree(tree).as_string("newick")


def write_nexus(tree: Nested) -> str:
    return dendropy_tree(tree).as_string("nexus")


def read_biopython(text: str) -> Nested:
    def shape(clade: Any) -> Nested:
        return clade.name or "", tuple(shape(child) for child in clade.clades)

    return shape(Phylo.read(io.StringIO(text), "newick").root)


def write_biopython(tree: Nested) -> str:
    def clade(content: Nested) -> Any:
        return BaseTree.Clade(name=content[0] or None, clades=[clade(child) for child in content[1]])

    text = io.StringIO()
    Phylo.write(BaseTree.Tree(clade(tree)), text, "newick")
    return text.getvalue()


def read_newick(text: str) -> Nested:
    def shape(node: Any) -> Nested:
        return node.unquoted_name or "", tuple(shape(child) for child in node.descendants)

    return shape(newick.loads(text)[0])


def write_newick(tree: Nested) -> str:
    def node(content: Nested) -> Any:
        return newick.Node.create(
            name=content[0] or None, descendants=[node(child) for child in content[1]], auto_quote=bool(content[0])
        )

    return newick.dumps(node(tree))


def read_treeswift(text: str) -> Nested:
    def shape(node: Any) -> Nested:
        return node.label or "", tuple(shape(child) for child in node.children)

    return shape(treeswift.read_tree_newick(text).root)


def write_treeswift(tree: Nested) -> str:
    found = treeswift.Tree()

    def fill(node: Any, content: Nested) -> None:
        node.label = content[0] or None
        for below in content[1]:
            child = treeswift.Node()
            node.add_child(child)
            fill(child, below)

    fill(found.root, tree)
    return found.newick()


@dataclasses.dataclass(frozen=True)
class Peer:
    """A library, with the names that it cannot read where they are quoted right, or does not quote when it writes."""

    name: str
    read: Callable[[str], Nested]
    write: Callable[[Nested], str]
    misreads: str
    miswrites: str
    underscores: Underscores = "keep"

    def __str__(self) -> str:
        return self.name


UNQUOTED = r"[\s'\"].*|.*\s\".*|.*\s|.*''.*|.*\[.*\].*"  # what a name that is written as it is cannot be told from
PEERS = [
    Peer("dendropy", read_dendropy, write_dendropy, r"[(),:;]", r"(?!)", "blanks"),
    Peer("dendropy-nexus", read_dendropy, write_nexus, r"[(),:;]", r"(?!)", "blanks"),
    Peer("biopython", read_biopython, write_biopython, r"'.*|.*\\.*|[-+\d._\s]+", r".*\\.*|\".*"),
    Peer("newick", read_newick, write_newick, r".*\\.*", r"[^\s():;,]*[\\'\"\[\]{}=#&][^\s():;,]*|.*\\.*|'.*'"),
    Peer("treeswift", read_treeswift, write_treeswift, r".*'.*", r".*'.*|" + UNQUOTED),
]


NAMES = st.text(ALPHABET, min_size=1, max_size=6).filter(lambda name: name.strip() != "")


def above(below: st.SearchStrategy[Nested]) -> st.SearchStrategy[Nested]:
    return st.tuples(st.one_of(NAMES, NAMES, st.just("")), st.lists(below, min_size=1, max_size=3).map(tuple))


TREES = above(st.recursive(st.tuples(NAMES, st.just(())), above, max_leaves=6))
UNNAMED = re.compile(r"unnamed_\d+")


def renamed(tree: Nested, avoid: str) -> Nested:
    """The tree with plain names in place of those that a pattern matches."""
    pattern, count = re.compile(avoid, re.DOTALL), itertools.count()

    def changed(node: Nested) -> Nested:
        return f"n{next(count)}" if pattern.fullmatch(node[0]) else node[0], tuple(map(changed, node[1]))

    return changed(tree)


def shape(content: Nested) -> Any:
    return "" if UNNAMED.fullmatch(content[0]) else content[0], [shape(child) for child in content[1]]


@settings(max_examples=40, deadline=None)
@given(tree=TREES)
def test_every_library_reads_what_we_write_and_we_read_what_it_writes(tree: Nested) -> None:
    for peer in PEERS:
        ours = renamed(tree, f"{peer.misreads}|")
        assert peer.read(newick_from_taxonomy(taxonomy(ours))) == ours, peer
        theirs = renamed(tree, peer.miswrites)
        found = taxonomy_from_newick(peer.write(theirs), underscores=peer.underscores, support="names")
        assert shape(nested(found)) == shape(theirs), peer
        try:
            text = peer.write(tree)
        except ValueError:  # the library says itself that it cannot write such a name
            continue
        assert _outcome(text), peer


def _outcome(text: str) -> str:
    """The tree, or the one line that refuses it."""
    try:
        return repr(taxonomy_from_newick(text))
    except InputError as error:
        return str(error)
