#!/usr/bin/env bash
# SpeciesNet: its answer is made from five classes, but the file has two, so the written scores do not add up to the answer.
#
# Expected: predictions.json has the classifications that an answer was rolled up from; "cat family, 0.92" can be checked by
# adding up the listed cats.
# Actual: since 5.0.6 a detection lists its two best classes by default (max_classifications_per_detection), while the roll-up
# still adds up five. The listed scores sum to 0.47 here, the answer has 0.92, and nothing in the file says that the list was cut.
# Why it matters: any other rule that is applied to the file (a threshold over a label tree, another roll-up) sees half of the
# evidence and answers far more cautiously than SpeciesNet did; a comparison of rules on "the same scores" is none. The
# per-image "classifications" of earlier versions are gone as well.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
python3 -m venv venv
venv/bin/pip install --quiet speciesnet==5.0.6
venv/bin/python - 2>/dev/null <<'PYTHON'
import importlib.metadata
from types import SimpleNamespace

from speciesnet.ensemble import SpeciesNetEnsemble, combine_predictions

print("speciesnet", importlib.metadata.version("speciesnet"))


def label(number: int, genus: str, epithet: str, common: str) -> str:
    return f"id{number};mammalia;carnivora;felidae;{genus};{epithet};{common}"


cats = [("panthera", "leo", "lion"), ("panthera", "pardus", "leopard"), ("acinonyx", "jubatus", "cheetah")]
cats += [("caracal", "caracal", "caracal"), ("leptailurus", "serval", "serval")]
species, family = [label(k, *cat) for k, cat in enumerate(cats)], label(9, "", "", "cat family")
ensemble = SpeciesNetEnsemble.__new__(SpeciesNetEnsemble)  # without its weights, which the roll-up does not need
ensemble.model_info, ensemble.prediction_combiner = SimpleNamespace(version="-"), combine_predictions
ensemble.enable_geofence, ensemble.geofence_map = False, {}
ensemble.taxonomy_map = {";".join(text.split(";")[1:6]): text for text in [*species, family]}
animal = {"category": "1", "label": "animal", "conf": 0.95, "bbox": [0, 0, 1, 1]}
raw = {"classes": species, "scores": [0.25, 0.22, 0.19, 0.16, 0.10]}
(result,) = ensemble.combine(
    ["a.jpg"],
    {"a.jpg": {"filepath": "a.jpg", "detections": [{**animal, "raw_classifications": raw}]}},
    {"a.jpg": {"filepath": "a.jpg", "detections": [animal]}},
    {"a.jpg": {}},
)
(detection,) = result["detections"]
listed, answer = detection["raw_classifications"], detection["processed_classification"]
print("listed:", [(text.split(";")[-1], score) for text, score in zip(listed["classes"], listed["scores"])])
print("answer:", answer["class"].split(";")[-1], round(answer["score"], 4), answer["source"])
assert len(listed["scores"]) == 2
assert answer["class"] == family
assert abs(answer["score"] - 0.92) < 1e-9
assert "classifications" not in result
PYTHON
echo "Behaviour as described."
