#!/usr/bin/env bash
# Biopython 1.88: an internal node whose name looks like a number loses its name, even if it is quoted.
#
# Expected: a quoted Newick label is a name; only a bare number at an internal node is a support value.
# Actual: every internal label that Python's float() accepts becomes the clade's confidence, and its name None: '007', '1_1'
# (11.0, since float() skips underscores), 'nan' and 'Infinity' too. Written again they are 7.00 and 11.00.
# Why it matters: label trees use codes as names (occupations, products, digits grouped by shape). Biopython's own writer
# produces such files, so a round trip loses the classes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q biopython==1.88
"$work/venv/bin/python" - <<'PY'
import io
import sys
from importlib.metadata import version

from Bio import Phylo
from Bio.Phylo.BaseTree import Clade, Tree

print("Python", sys.version.split()[0], "biopython", version("biopython"))
tree = Tree(Clade(name="r", clades=[Clade(name=n, clades=[Clade(name=f"leaf {n}")]) for n in ("007", "1_1", "nan", "bird")]))
text = io.StringIO()
Phylo.write(tree, text, "newick")
print("written:", text.getvalue().strip())
found = Phylo.read(io.StringIO(text.getvalue()), "newick")
above = [(clade.name, clade.confidence) for clade in found.root.clades]
print("read:   ", above)
quoted = Phylo.read(io.StringIO("((a)\x27007\x27,(b)\x27bird\x27)r;"), "newick").root.clades
print("quoted: ", [(clade.name, clade.confidence) for clade in quoted])
assert [name for name, _ in above] == [None, None, None, "bird"] and above[1][1] == 11.0
assert (quoted[0].name, quoted[0].confidence) == (None, 7)
PY
echo "Behaviour as described."
