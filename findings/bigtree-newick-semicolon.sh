#!/usr/bin/env bash
# bigtree 1.5.3: the semicolon that ends a Newick tree becomes part of the root's name.
#
# Expected: newick_to_tree reads a Newick file as every other library writes it, with a final ';'.
# Actual: the root of (wren,owl)bird; is named 'bird;', so every path begins with it; a root without a name is named ';'.
# tree_to_newick writes no semicolon, which other readers require.
# Why it matters: after moving a label tree between bigtree and another library, no path of one exists in the other.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q bigtree==1.5.3
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import bigtree

print("Python", sys.version.split()[0], "bigtree", version("bigtree"))
tree = bigtree.newick_to_tree("((wren,owl)bird,moth)animal;")
paths = [node.path_name for node in bigtree.preorder_iter(tree)]
print("read:   ", paths)
print("written:", bigtree.tree_to_newick(bigtree.newick_to_tree("((wren,owl)bird,moth)animal")))
assert paths[:2] == ["/animal;", "/animal;/bird"]
assert bigtree.tree_to_newick(bigtree.newick_to_tree("(wren,owl)bird")) == "(wren,owl)bird"
assert bigtree.newick_to_tree("(wren,owl);").name == ";"
PY
echo "Behaviour as described."
