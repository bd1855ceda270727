#!/usr/bin/env bash
# taxopy 0.14.0: ids that NCBI merged into others are nodes of their own in its tables, children of the new node's parent.
#
# Expected: TaxDb.taxid2parent has the nodes of nodes.dmp; ids in merged.dmp lead to the node that they were merged into.
# Actual: every merged id is in taxid2parent, taxid2name and taxid2rank as well, with the parent, name and rank of the new id.
# Two ids merged into Puma concolor give three species of that name under Puma, and the old ids are leaves.
# Why it matters: a label tree built from these tables has duplicate classes, some 80,000 of them in NCBI's taxonomy, none of
# which NCBI has; counts of species and leaves are too large, and a name has several nodes.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "taxopy==0.14.0"
cd "$work"
printf '1\t|\t1\t|\tno rank\t|\n9\t|\t1\t|\tgenus\t|\n10\t|\t9\t|\tspecies\t|\n' > nodes.dmp
printf '1\t|\troot\t|\t\t|\tscientific name\t|\n9\t|\tPuma\t|\t\t|\tscientific name\t|\n10\t|\tPuma concolor\t|\t\t|\tscientific name\t|\n' > names.dmp
printf '7\t|\t10\t|\n8\t|\t10\t|\n' > merged.dmp
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import taxopy

print("Python", sys.version.split()[0], "taxopy", version("taxopy"))
database = taxopy.TaxDb(nodes_dmp="nodes.dmp", names_dmp="names.dmp", merged_dmp="merged.dmp")
print("parents", database.taxid2parent)
print("names", database.taxid2name)
print("merged ids", database.oldtaxid2newtaxid)
leaves = sorted(set(database.taxid2parent) - set(database.taxid2parent.values()))
print("leaves", leaves, [database.taxid2name[leaf] for leaf in leaves])
assert database.taxid2parent == {1: 1, 9: 1, 10: 9, 7: 9, 8: 9}
assert leaves == [7, 8, 10] and {database.taxid2name[leaf] for leaf in leaves} == {"Puma concolor"}
PY
echo "Behaviour as described."
