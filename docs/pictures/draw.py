"""Draws pictures of the documentation from real runs; see "Pictures in the documentation" in CONTRIBUTING.md.

python docs/pictures/draw.py prediction runs/hace-0 photograph.jpg docs/pictures/prediction.png
python docs/pictures/draw.py report report.html docs/pictures/report.png
python docs/pictures/draw.py choosing choose.html docs/pictures/choosing.png
python docs/pictures/draw.py serving http://127.0.0.1:8000 docs/pictures/serving.png photographs/*.jpg
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

INK, MUTED, FAINT, ANSWER = "#1d2733", "#5c6875", "#c9d0d8", "#0f766e"
ROWS = 4  # nodes shown at each level; the rest are summed up in one more
CHROMIUM = ("chromium", "chromium-browser", "google-chrome")


def draw_prediction(run: str, photograph: str, out: Path) -> None:
    """A photograph, the probable nodes of every level below it, and the answer of the rule ``majority``."""
    import matplotlib.pyplot as plt
    from matplotlib.patches import FancyBboxPatch
    from PIL import Image, ImageOps

    import cladewise as cw

    predicted = cw.predict(cw.Run.open(run), [photograph], decision="majority", progress=False)
    tree = predicted.prediction.taxonomy
    p = predicted.log_prob[0].exp().tolist()
    answer = int(predicted.node()[0])
    on_path = [answer]
    while on_path[-1] != 0:
        on_path.append(int(tree.parents[on_path[-1]]))

    figure = plt.figure(figsize=(12, 4.9), dpi=140, facecolor="white")
    axes = figure.add_axes((0, 0, 1, 1), xlim=(0, 12), ylim=(0, 4.9))
    axes.set_axis_off()
    with Image.open(photograph) as opened:
        image = ImageOps.fit(ImageOps.exif_transpose(opened).convert("RGB"), (480, 600))
    axes.imshow(image, extent=(0.2, 3.2, 0.65, 4.4), zorder=2)
    axes.set(xlim=(0, 12), ylim=(0, 4.9))
    label = Path(photograph).parent.name.replace("-", " ")
    axes.text(0.2, 0.36, f"label: {label}", color=MUTED, fontsize=11, va="center")

    width, gap, height = 2.4, 0.45, 0.62
    above, start = 0, (3.2, 3.91)
    for level, name in enumerate(tree.level_names):
        children = sorted((int(node) for node in tree.children(above)), key=lambda node: -p[node])
        if not children:
            break
        x = 3.65 + level * (width + gap)
        axes.text(x, 4.5, name, color=MUTED, fontsize=11, va="center")
        shown = children[:ROWS]
        rest, others = p[above] - sum(p[node] for node in shown), len(children) - len(shown)
        for row, node in enumerate([*shown, None] if others else shown):
            y = 3.6 - row * 0.78
            middle = y + height / 2
            is_answer, known = node == answer, node in on_path
            color = ANSWER if known else FAINT
            label = f"{others} other{'s' if others > 1 else ''}" if node is None else tree.names[node].replace("-", " ")
            share = rest if node is None else p[node]
            axes.plot(
                [start[0], x - gap / 2, x - gap / 2, x],
                [start[1], start[1], middle, middle],
                color=color,
                lw=2.4 if known else 1,
                zorder=3 if known else 1,
            )
            axes.add_patch(
                FancyBboxPatch(
                    (x, y),
                    width,
                    height,
                    boxstyle="round,pad=0,rounding_size=0.08",
                    zorder=4,
                    lw=2.2 if known else 1,
                    edgecolor=color,
                    facecolor="#d5f0ea" if is_answer else "white",
                )
            )
            axes.add_patch(plt.Rectangle((x + 0.12, y + 0.1), (width - 0.24) * share, 0.08, color=color, zorder=5))
            style = {"zorder": 5, "va": "center", "fontweight": "bold" if is_answer else "normal"}
            style["color"] = INK if known or share > 0.1 else MUTED
            axes.text(x + 0.12, y + 0.38, label, fontsize=11, **style)
            axes.text(x + width - 0.12, y + 0.38, f"{100 * share:.0f}%", fontsize=11, ha="right", **style)
            if is_answer:
                text = f"answer: {tree.names[answer].lower()}"
                axes.text(x + width, 4.5, text, color=ANSWER, fontsize=11, fontweight="bold", va="center", ha="right")
        above, start = children[0], (x + width, 3.91)
    with tempfile.TemporaryDirectory() as folder:
        figure.savefig(Path(folder) / "picture.png")
        _save(Path(folder) / "picture.png", out)


def draw_page(page: str, out: Path, height: int) -> None:
    """The top of a page, as a browser shows it."""
    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if browser is None:
        sys.exit(f"Expected one of {', '.join(CHROMIUM)} on the PATH.")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "page.png"
        command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
        command += [f"--user-data-dir={folder}/profile", f"--window-size=1360,{height}", "--virtual-time-budget=8000"]
        command += [f"--screenshot={shot}", Path(page).resolve().as_uri()]
        subprocess.run(command, check=True, capture_output=True)
        _save(shot, out)


def draw_serving(address: str, out: Path, photographs: list[str]) -> None:
    """The page of a running server after some photographs were dropped on it."""
    from playwright.sync_api import sync_playwright

    browser = next(filter(None, map(shutil.which, CHROMIUM)), None)
    with sync_playwright() as driver, tempfile.TemporaryDirectory() as folder:
        opened = driver.chromium.launch(executable_path=browser, args=["--no-sandbox", "--disable-gpu"])
        page = opened.new_page(viewport={"width": 1280, "height": 860}, color_scheme="light")
        page.goto(address)
        page.locator("#allow").wait_for(state="visible")
        page.set_input_files("#files", photographs)
        page.locator("#models .answer").wait_for()
        while page.locator("#strip li.busy").count():
            page.wait_for_timeout(100)
        page.wait_for_timeout(1500)  # until everything that moves has arrived
        page.screenshot(path=Path(folder) / "page.png")
        opened.close()
        _save(Path(folder) / "page.png", out)


def _save(drawn: Path, out: Path) -> None:
    from PIL import Image

    with Image.open(drawn) as image:
        small = image.convert("RGB").quantize(256, dither=Image.Dither.FLOYDSTEINBERG)
        small.save(out, optimize=True)
    print(f"{out}: {small.width} x {small.height}, {out.stat().st_size // 1024} KB")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["prediction", run, photograph, out]:
            draw_prediction(run, photograph, Path(out))
        case ["report", page, out]:
            draw_page(page, Path(out), 1932)
        case ["choosing", page, out]:
            draw_page(page, Path(out), 1000)
        case ["serving", address, out, *photographs] if photographs:
            draw_serving(address, Path(out), photographs)
        case _:
            sys.exit(__doc__)
