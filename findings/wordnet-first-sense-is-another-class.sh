#!/usr/bin/env bash
# WordNet 3.0 and ImageNet: the most frequent sense of a class name is often not the class, above all for animals.
#
# Expected: senses are listed by frequency, so the first sense of an everyday noun such as tiger, whale or turtle is the thing
# that a photograph of it shows.
# Actual: of the 996 classes of ImageNet whose first word names no other class, 206 are not the first sense of that word. Tiger is
# "a fierce or audacious person", whale "a very large person", leopard and raccoon are pelts, lobster and flatfish are their
# flesh, turtle is a sweater. The order comes from counts in texts of general English, most of them very small.
# Why it matters: a label tree made from class names by taking the first sense (as nltk's synsets(name)[0] does) puts these classes
# under person, clothing and food, without any error.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get download -qq wordnet-base=1:3.0-37 2>/dev/null
dpkg-deb -x wordnet-base_*.deb wordnet
python3 -m venv venv
venv/bin/pip download --quiet --no-deps timm==1.0.31
venv/bin/python -m zipfile -e timm-1.0.31-*.whl timm
venv/bin/python - <<'PYTHON'
from collections import Counter
from pathlib import Path

folder, info = Path("wordnet/usr/share/wordnet"), Path("timm/timm/data/_info")
print("wordnet-base 1:3.0-37, timm 1.0.31")
gloss = {}
for line in (folder / "data.noun").read_text().splitlines():
    if not line.startswith(" "):
        gloss[line[:8]] = line.partition(" | ")[2].split(";")[0].strip()
first = {}
for line in (folder / "index.noun").read_text().splitlines():
    if not line.startswith(" "):
        fields = line.split()
        first[fields[0].replace("_", " ")] = fields[-int(fields[2])]
words = dict(line.split("\t") for line in (info / "imagenet_synset_to_lemma.txt").read_text().splitlines())
classes = (info / "imagenet_synsets.txt").read_text().split()
name = {one: words[one].split(",")[0] for one in classes}
count = Counter(name.values())
alone = [one for one in classes if count[name[one]] == 1]
other = [one for one in alone if first.get(name[one].lower()) != one[1:]]
print(f"{len(other)} of {len(alone)} classes of ImageNet are not the first sense of their first word, such as")
for one in [one for one in other if name[one] in ("hammerhead", "ostrich", "robin", "jay", "scorpion", "loggerhead")]:
    print(f"  {name[one]}: first sense {gloss[first[name[one].lower()]]!r}, the class is {gloss[one[1:]]!r}")
for word in ("tiger", "whale", "leopard", "raccoon", "lobster", "flatfish", "turtle", "skunk"):
    print(f"  {word}: {gloss[first[word]]!r}")
assert (len(other), len(alone)) == (206, 996), (len(other), len(alone))
assert "person" in gloss[first["tiger"]]
assert "sweater" in gloss[first["turtle"]]
PYTHON
echo "Behaviour as described."
