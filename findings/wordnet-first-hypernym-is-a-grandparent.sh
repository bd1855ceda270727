#!/usr/bin/env bash
# WordNet 3.0: the first hypernym of a synset can be an ancestor of the second.
#
# Expected: the hypernyms of a synset are alternatives, as dog is a canine and a domestic animal; so a tree is made by following
# the first one, and no synset loses a level by it.
# Actual: of the 2,213 nouns with several hypernyms, 50 list one first that is above another one of theirs. A tongue is an organ
# before it is an articulator, which is an organ too; an automatic rifle is an automatic firearm before it is a machine gun. In
# all, 61 edges lead to an ancestor of another hypernym.
# Why it matters: trees that follow the first hypernym (hypernyms()[0] of nltk, most code around ImageNet) place these synsets next
# to the groups that they belong to, and a node that is an ancestor twice over counts twice in sums over all parents.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq wordnet-base=1:3.0-37 2>/dev/null
dpkg-deb -x wordnet-base_*.deb wordnet
python3 - <<'PYTHON'
from functools import cache
from pathlib import Path

print("wordnet-base 1:3.0-37")
word, above = {}, {}
for line in Path("wordnet/usr/share/wordnet/data.noun").read_text().splitlines():
    if line.startswith(" "):
        continue
    fields = line.partition(" | ")[0].split()
    start = 5 + 2 * int(fields[3], 16)
    pointers = fields[start : start + 4 * int(fields[start - 1])]
    pairs = zip(pointers[::4], pointers[1::4])
    word[fields[0]] = fields[4].replace("_", " ")
    above[fields[0]] = list(dict.fromkeys(to for kind, to in pairs if kind in ("@", "@i")))


@cache
def ancestors(synset):
    return frozenset(above[synset]).union(*(ancestors(parent) for parent in above[synset]))


several = [synset for synset in above if len(above[synset]) > 1]
hidden = [(s, p, q) for s in several for p in above[s] for q in above[s] if p in ancestors(q)]
first = [(s, p, q) for s, p, q in hidden if p == above[s][0]]
print(f"{len({s for s, *_ in first})} of {len(several)} synsets with several hypernyms list an ancestor of another one first, such as")
for synset, parent, other in first[:6]:
    print(f"  {word[synset]}: {word[parent]}, and {word[other]}, which is one")
edges = {(s, p) for s, p, _ in hidden}
print(f"{len(edges)} edges to an ancestor of another hypernym")
assert (len({s for s, *_ in first}), len(several), len(edges)) == (50, 2213, 61)
PYTHON
echo "Behaviour as described."
