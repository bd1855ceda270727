#!/usr/bin/env bash
# dendropy 5.1.3: in NEXUS, a leaf whose name is a small number silently becomes the leaf at that position of the first trees.
#
# Expected: two trees of taxon ids, (10,20) and (20,1), have the leaves that are written in them.
# Actual: without a TAXA block the second comes back as (20,10): "1" is no leaf of an earlier tree, so it is read as "the first
# taxon", which is 10. There is no warning, and NEXUS files without a TAXA block are common: python-nexus writes them, and
# dendropy does with suppress_taxa_blocks=True, so it misreads what it wrote. Biopython, python-nexus and treeswift keep 1, and
# so does dendropy if the same trees are in Newick or the file has a TAXA block.
# Why it matters: leaves of label trees are often ids or class indices. Two versions of a tree, compared through such a file,
# differ in which classes exist. If the number points to a leaf of the same tree, reading fails with "multiple occurrences".
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dendropy==5.1.3 biopython==1.88 python-nexus==2.9.0 treeswift==1.1.51
"$work/venv/bin/python" - <<'PY'
import io
import re
import sys
from importlib.metadata import version

import dendropy
import nexus
import treeswift
from Bio import Phylo

libraries = ("dendropy", "biopython", "python-nexus", "treeswift")
print("Python", sys.version.split()[0], *(f"{name} {version(name)}" for name in libraries))

newick = "(10,20)r; (20,1)r;"
trees = dendropy.TreeList.get(data=newick, schema="newick")
writer = nexus.NexusWriter()
for name, tree in zip("ab", newick.split("; "), strict=True):
    writer.trees.append(f"tree {name} = {tree.rstrip(';')};")
without_taxa = trees.as_string(schema="nexus", suppress_taxa_blocks=True)
written_by_python_nexus = writer.write()
with_taxa = trees.as_string(schema="nexus")
assert "TAXLABELS" in with_taxa and "TAXLABELS" not in without_taxa + written_by_python_nexus


def by_dendropy(text, schema="nexus"):
    return [[leaf.taxon.label for leaf in tree.leaf_node_iter()] for tree in dendropy.TreeList.get(data=text, schema=schema)]


def by_biopython(text):
    return [[leaf.name for leaf in tree.get_terminals()] for tree in Phylo.parse(io.StringIO(text), "nexus")]


def by_treeswift(text):
    found = treeswift.read_tree_nexus(text).values()
    return [re.findall(r"\d+", tree.newick()) for tree in found if isinstance(tree, treeswift.Tree)]


print(without_taxa.strip())
kept, changed = [["10", "20"], ["20", "1"]], [["10", "20"], ["20", "10"]]
for title, text, expected in (
    ("dendropy, its own file without TAXA", without_taxa, changed),
    ("dendropy, python-nexus's file", written_by_python_nexus, changed),
    ("dendropy, file with TAXA", with_taxa, kept),
):
    print(f"{title}: {by_dendropy(text)}")
    assert by_dendropy(text) == expected
print("dendropy, the same trees in Newick:", by_dendropy(newick, "newick"))
assert by_dendropy(newick, "newick") == kept
for text in (without_taxa, written_by_python_nexus):
    print("biopython:", by_biopython(text), "treeswift:", by_treeswift(text))
    assert by_biopython(text) == by_treeswift(text) == kept
    assert [tree.split(" = ")[1] for tree in nexus.NexusReader.from_string(text).trees.trees] == ["(10,20)r;", "(20,1)r;"]
PY
echo "Behaviour as described."
