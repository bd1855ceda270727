#!/usr/bin/env bash
# h3: degrees out of range are accepted, so that swapped coordinates get a cell far from the place.
#
# Expected: latlng_to_cell(151.2, -33.9, 5), Sydney with latitude and longitude swapped, raises H3LatLngDomainError, which exists
# and is raised for NaN; no place has a latitude of 151.
# Actual: any finite number of degrees gets a valid cell, here one in the Pacific, 7,000 km away. A latitude of 91 is taken for a
# place beyond the pole, a longitude of 371.5 for 11.5.
# Why it matters: priors of species by cell are looked up without an error; photographs whose columns are swapped get
# the species of another continent, or none. Check the range of latitudes before the call.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet h3==4.5.0
"$folder/venv/bin/python" - <<'PYTHON'
import math

import h3

print("h3", h3.__version__)
cell = h3.latlng_to_cell(151.2, -33.9, 5)
print("latitude 151.2, longitude -33.9:", cell, h3.is_valid_cell(cell), [round(x, 1) for x in h3.cell_to_latlng(cell)])
assert h3.is_valid_cell(cell)
sydney = h3.latlng_to_cell(-33.9, 151.2, 5)
away = h3.great_circle_distance(h3.cell_to_latlng(cell), h3.cell_to_latlng(sydney), unit="km")
print(f"kilometres from Sydney: {away:,.0f}")
assert away > 1000
for latitude, longitude in [(91.0, 0.0), (-91.0, 0.0), (48.1, 371.5)]:
    print(latitude, longitude, h3.latlng_to_cell(latitude, longitude, 5))
assert h3.latlng_to_cell(48.1, 371.5, 5) == h3.latlng_to_cell(48.1, 11.5, 5)
try:
    h3.latlng_to_cell(math.nan, 0.0, 5)
except h3.H3LatLngDomainError:
    print("NaN: H3LatLngDomainError")
else:
    raise AssertionError("NaN was accepted")
PYTHON
