#!/usr/bin/env bash
# A photograph that is turned by its EXIF orientation, converted to HEIC and to AVIF with the same call.
#
# One would guess: passing the EXIF data along keeps the picture upright in both, as it does in JPEG, PNG and WebP.
# What happens: the AVIF file comes upright out of ImageOps.exif_transpose, the HEIC file sideways: it opens unturned and
# without an orientation. (HEIF states rotation in a property of its own. pillow-heif writes none, and ignores the EXIF
# orientation when it reads.)
# Why users of label trees meet it: archives of field photographs are converted to HEIC to save space. Afterwards every
# photograph taken in portrait format lies on its side in training and in prediction, and no file is broken.
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
