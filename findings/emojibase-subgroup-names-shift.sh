#!/usr/bin/env bash
# emojibase-data 17.0.0: the list of subgroup names has one entry more than there are subgroups, in the middle.
#
# Expected: an emoji's subgroup is a number from 0, messages.json lists the names of the subgroups in that order (as it does in
# 15.3.2 for all 101), so the number is the position of the name.
# Actual: the subgroup of seafood was dissolved and its name is still listed, with the same order as the next one. By position, 1,105
# of 1,923 emoji get the name of the subgroup before theirs: soft ice cream is seafood, lacrosse an award medal, five-thirty a
# hotel. Only the key of the subgroup (in meta/groups.json) or the field order tells; and of two names with one order, the last.
# Why it matters: whoever takes the middle level of a label tree of emoji from these names has more than half of the leaves under
# the wrong parent, without any error, since all names and all counts look right.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for version in 15.3.2 17.0.0; do
  npm pack --silent "emojibase-data@$version" >/dev/null
  mkdir "$version"
  tar xzf "emojibase-data-$version.tgz" -C "$version"
done
python3 - <<'PYTHON'
import json
from pathlib import Path

moved = {}
for version in ("15.3.2", "17.0.0"):
    package = Path(version) / "package"
    emoji = [each for each in json.loads((package / "en/data.json").read_text()) if "subgroup" in each]
    listed = json.loads((package / "en/messages.json").read_text())["subgroups"]
    keys = json.loads((package / "meta/groups.json").read_text())["subgroups"]
    wrong = [each for each in emoji if listed[each["subgroup"]]["key"] != keys[str(each["subgroup"])]]
    print(f"emojibase-data {version}: {len(keys)} subgroups, {len(listed)} names; {len(wrong)} of {len(emoji)} emoji shifted")
    print([(each["label"], listed[each["subgroup"]]["message"]) for each in wrong][:400:100])
    same = [entry["message"] for entry in listed if [other["order"] for other in listed].count(entry["order"]) > 1]
    print("names with one order:", same)
    moved[version] = len(wrong)
assert moved["15.3.2"] == 0, moved
assert moved["17.0.0"] > 1000, moved
PYTHON
