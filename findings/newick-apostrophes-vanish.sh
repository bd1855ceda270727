#!/usr/bin/env bash
# treeswift 1.1.51 and Biopython 1.88: reading changes names with an apostrophe, without a warning.
#
# Expected: 'Burton''s mouthbreeder' (the Newick way to write an apostrophe) is read back; a bare apostrophe is kept or an error.
# Actual: treeswift drops both apostrophes (Burtons mouthbreeder). Biopython reads the quoted form correctly, but of a bare
# Burton's_mouthbreeder it keeps only what follows the apostrophe: s_mouthbreeder.
# Why it matters: common names of species and products are full of apostrophes; after reading, the label is a different one.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "biopython==1.88" "treeswift==1.1.51"
"$work/venv/bin/python" - <<'PY'
import io
import sys
from importlib.metadata import version

import treeswift
from Bio import Phylo

print("Python", sys.version.split()[0], "biopython", version("biopython"), "treeswift", version("treeswift"))
quoted = "(\x27Burton\x27\x27s mouthbreeder\x27,tilapia)cichlids;"
bare = "(Burton\x27s_mouthbreeder,tilapia)cichlids;"


def biopython(text):
    return sorted(leaf.name for leaf in Phylo.read(io.StringIO(text), "newick").get_terminals())


swift = sorted(leaf.label for leaf in treeswift.read_tree_newick(quoted).traverse_leaves())
print("treeswift, quoted:", swift)
print("biopython, quoted:", biopython(quoted))
print("biopython, bare:  ", biopython(bare))
assert swift == ["Burtons mouthbreeder", "tilapia"]
assert biopython(quoted) == ["Burton\x27s mouthbreeder", "tilapia"]
assert biopython(bare) == ["s_mouthbreeder", "tilapia"]
PY
echo "Behaviour as described."
