#!/usr/bin/env bash
# dendropy 5.1.3: leaf names are compared case-insensitively, and take the spelling of the first tree.
#
# Expected: two files read into one list keep their own names; a class may have the same name in two places of a tree.
# Actual: leaves are taxa of a shared namespace that ignores case: (apple,PEAR) read after (Apple,pear) comes back as Apple,
# pear, without a warning. Within one tree, Apple and apple, or Apple under two parents, is an error. Internal names are not
# affected.
# Why it matters: comparing two versions of a label tree (changes of case are invisible), and trees with repeated leaf names,
# such as juice/apple and fruit/apple.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q dendropy==5.1.3
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import dendropy

print("Python", sys.version.split()[0], "dendropy", version("dendropy"))
trees = dendropy.TreeList.get(data="(Apple,pear)old; (apple,PEAR)new;", schema="newick")
spelled = [[leaf.taxon.label for leaf in tree.leaf_node_iter()] for tree in trees]
print("(Apple,pear)old; (apple,PEAR)new; ->", spelled)
assert spelled == [["Apple", "pear"], ["Apple", "pear"]]
for text in ("(Apple,apple)r;", "((Apple)Fruit,(Apple)Juice)r;"):
    try:
        dendropy.Tree.get(data=text, schema="newick")
    except Exception as error:
        print(text, "->", type(error).__name__)
        assert "Multiple occurrences of the same taxa" in str(error)
    else:
        raise SystemExit(f"{text} was read")
PY
echo "Behaviour as described."
