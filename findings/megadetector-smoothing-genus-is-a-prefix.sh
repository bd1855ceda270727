#!/usr/bin/env bash
# MegaDetector's smoothing takes a genus for the parent of every taxon whose name merely begins with its name.
#
# Expected: of a herd with three animals classified as "bos species" (cattle, 0.9) and one as nilgai (Boselaphus tragocamelus,
# 0.6), the three stay cattle: they are not of the genus Boselaphus.
# Actual: all four become nilgai. A category is a child of another if the text of its path contains that of the other, without
# a separator at the end: "...;bovidae;bos" is within "...;bovidae;boselaphus;tragocamelus", so the three surer answers are
# "made more specific". If the genus is written "bubalus" (no prefix of another), nothing changes.
# Why it matters: cattle and nilgai graze in the same fields of India; one doubtful detection renames the herd, at the default
# settings and without a word. Whoever compares paths as texts has to compare them with their separator.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# the smoothing needs none of the detector's dependencies
"$folder/venv/bin/pip" install --quiet --no-deps megadetector==10.0.28
"$folder/venv/bin/pip" install --quiet numpy==2.2.6 pandas==2.3.3 tqdm==4.67.1 jsonpickle==4.1.1 pillow==12.0.0 matplotlib==3.10.7 humanfriendly==10.0 requests==2.32.5 opencv-python-headless==4.12.0.88 dill==0.4.0 pytest==8.4.2 clipboard==0.0.4 send2trash==2.2.0 fastquadtree==2.4.2 scikit-learn==1.9.1 python-dateutil==2.9.0.post0
"$folder/venv/bin/python" - <<'PYTHON'
import contextlib
import io
from importlib.metadata import version

from megadetector.postprocessing.classification_postprocessing import (
    ClassificationSmoothingOptions,
    smooth_classification_results_image_level,
)

print("megadetector", version("megadetector"))


def smoothed(genus: str) -> list[str]:
    taxa = {
        "0": f"a;mammalia;cetartiodactyla;bovidae;{genus};;{genus} species",
        "1": "b;mammalia;cetartiodactyla;bovidae;boselaphus;tragocamelus;nilgai",
    }
    herd = [
        {"category": "1", "conf": 0.9, "bbox": [0, 0, 0.1, 0.1], "classifications": [[category, score]]}
        for category, score in [("0", 0.9)] * 3 + [("1", 0.6)]
    ]
    batch = {
        "info": {"format_version": "1.4", "detector": "a", "classifier": "b"},
        "detection_categories": {"1": "animal"},
        "classification_categories": {key: text.split(";")[-1] for key, text in taxa.items()},
        "classification_category_descriptions": taxa,
        "images": [{"file": "a.jpg", "detections": herd}],
    }
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        found = smooth_classification_results_image_level(batch, options=ClassificationSmoothingOptions())
    return [taxa[animal["classifications"][0][0]].split(";")[-1] for animal in found["images"][0]["detections"]]


cattle, buffaloes = smoothed("bos"), smoothed("bubalus")
print("three bos species and a nilgai:", cattle)
print("three bubalus species and a nilgai:", buffaloes)
assert cattle == ["nilgai"] * 4
assert buffaloes == ["bubalus species"] * 3 + ["nilgai"]
PYTHON
