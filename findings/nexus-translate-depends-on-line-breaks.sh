#!/usr/bin/env bash
# treeswift 1.1.51, python-nexus 2.9.0: the table of names in a NEXUS file is skipped if its first entry follows TRANSLATE.
#
# Expected: NEXUS is free-form, so TRANSLATE 1 3, 2 1, 3 2; means the same on one line as on four.
# Actual: unless the line ends after TRANSLATE, both libraries leave the tree untranslated, without a warning; treeswift also
# rejects a ";" on the line of the last entry. dendropy and Biopython read every layout.
# Why it matters: if the classes are named by numbers (taxon ids, class indices), the tokens are valid names too. The tree has
# the right set of leaves in exchanged places: siblings 3 and 1 become siblings 1 and 2, and no check of names notices.
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


def by_dendropy(text):
    return [leaf.taxon.label for leaf in dendropy.Tree.get(data=text, schema="nexus").leaf_node_iter()]


def by_biopython(text):
    return [leaf.name for leaf in Phylo.read(io.StringIO(text), "nexus").get_terminals()]


def by_python_nexus(text):
    reader = nexus.NexusReader.from_string(text)
    reader.trees.detranslate()
    return [leaf.name for leaf in reader.trees.trees[0].newick_tree.get_leaves()]


def by_treeswift(text):
    try:
        return re.findall(r"\d+", treeswift.read_tree_nexus(text)["a"].newick())
    except ValueError as error:
        return str(error)


readers = {"dendropy": by_dendropy, "biopython": by_biopython, "python-nexus": by_python_nexus, "treeswift": by_treeswift}
print("Python", sys.version.split()[0], *(f"{name} {version(name)}" for name in readers))
right, exchanged, rejected = ["3", "1", "2"], ["1", "2", "3"], "Invalid Nexus file"
for layout, expected in (
    ("TRANSLATE\n 1 3,\n 2 1,\n 3 2\n;", [right, right, right, right]),
    ("TRANSLATE\n 1 3,\n 2 1,\n 3 2;", [right, right, right, rejected]),
    ("TRANSLATE 1 3,\n 2 1,\n 3 2\n;", [right, right, exchanged, exchanged]),
    ("TRANSLATE 1 3, 2 1, 3 2;", [right, right, exchanged, exchanged]),
):
    text = f"#NEXUS\nBEGIN TREES;\n{layout}\nTREE a = ((1,2)bird,3)animal;\nEND;\n"
    found = [read(text) for read in readers.values()]
    print(repr(layout), dict(zip(readers, found, strict=True)))
    assert found == expected, expected
PY
echo "Behaviour as described."
