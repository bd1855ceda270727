#!/usr/bin/env bash
# pyinaturalist: make_tree places a taxon whose parent is not in the list next to the kingdoms, although its ancestors are known.
#
# Expected: a species whose genus is missing is placed under its nearest ancestor in the list, here the class Aves: that is
# what include_ranks=["kingdom", "species"] does with the same taxa, and ancestor_ids name every step.
# Actual: without that argument the species becomes a child of a new root "Life", a sibling of Animalia.
# Why it matters: observation downloads contain the observed taxa, rarely every rank above them. The tree is then half flat, and
# confusing two birds counts like confusing two kingdoms.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet pyinaturalist==0.21.1
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from pyinaturalist import Taxon, make_tree

print("pyinaturalist", version("pyinaturalist"))
LIFE = 48460
RANKS = ["kingdom", "phylum", "class", "genus", "species"]
NAMES = ["Animalia", "Chordata", "Aves", "Troglodytes", "Troglodytes troglodytes"]
PATH = [LIFE, 1, 2, 3, 9, 10]
TAXA = [
    {"id": PATH[k + 1], "name": name, "rank": rank, "parent_id": PATH[k], "ancestor_ids": PATH[: k + 2]}
    for k, (name, rank) in enumerate(zip(NAMES, RANKS))
]


def edges(taxa, **options):
    top = make_tree(Taxon.from_json_list(taxa), **options)
    waiting, found = [top], {}
    while waiting:
        taxon = waiting.pop()
        for child in taxon.children:
            found[child.name] = taxon.name
            waiting.append(child)
    return found


whole = edges(TAXA)
without_genus = edges([taxon for taxon in TAXA if taxon["rank"] != "genus"])
chosen = edges(TAXA, include_ranks=["kingdom", "species"])
print("whole:", whole)
print("without the genus:", without_genus)
print("include_ranks:", chosen)
assert whole["Troglodytes troglodytes"] == "Troglodytes"
assert without_genus["Troglodytes troglodytes"] == without_genus["Animalia"] == "Life"
assert chosen == {"Troglodytes troglodytes": "Animalia"}
PYTHON
