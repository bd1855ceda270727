#!/usr/bin/env bash
# A photograph with an EXIF orientation, converted to HEIC and to AVIF with the same call.
#
# Expected: passing the EXIF data along preserves the orientation in both, as in JPEG, PNG and WebP.
# Actual: ImageOps.exif_transpose turns the AVIF file upright, but not the HEIC file: it opens unrotated and without an
# orientation. (HEIF stores rotation in a property of its own; pillow-heif writes none, and ignores the EXIF orientation when
# reading.)
# Why it matters: archives of field photographs are converted to HEIC to save space. Afterwards every portrait photograph is
# on its side in training and prediction, and no file is broken.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 pillow-heif==1.8.1
cd "$folder"
venv/bin/python - <<'PYTHON'
import PIL
import pillow_heif
from PIL import Image, ImageOps

pillow_heif.register_heif_opener()
print("Pillow", PIL.__version__, "pillow-heif", pillow_heif.__version__)
exif = Image.Exif()
exif[0x0112] = 6  # rotate by 90 degrees clockwise to show
picture = Image.new("RGB", (64, 32), "white")
found = {}
for ending in ("jpg", "png", "webp", "avif", "heic"):
    picture.save(f"a.{ending}", exif=exif)
    with Image.open(f"a.{ending}") as opened:
        orientation = opened.getexif().get(0x0112)
        found[ending] = ImageOps.exif_transpose(opened).size
        print(f"{ending}: opened at {opened.size}, orientation {orientation}, upright at {found[ending]}")
upright = {ending for ending, size in found.items() if size == (32, 64)}
assert upright == {"jpg", "png", "webp", "avif"}, f"the behaviour changed: upright in {sorted(upright)}"
print("turned in JPEG, PNG, WebP and AVIF, lost in HEIC")
PYTHON
