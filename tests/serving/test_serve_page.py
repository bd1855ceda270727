"""The page in a real browser, before a real server: pictures in, answers, the slider, corrections, failures."""

from __future__ import annotations

import csv
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.request

import numpy as np
import pytest
from PIL import Image

from cladewise import Taxonomy
from shared_runs import TINY

pytest.importorskip("fastapi", reason="needs the extra serve")
pytestmark = pytest.mark.slow

HOSTILE = "<img src=x onerror=document.title='owned'>"
COLOURS = {
    "warm/red": (200, 30, 30),
    f"warm/{HOSTILE}": (220, 130, 20),
    "warm/pale": (240, 190, 180),
    "cold/blue/navy": (10, 10, 110),
    "cold/blue/sky": (120, 180, 240),
    "cold/pale": (190, 225, 240),
    "grey": (128, 128, 128),
}
FRENCH = {"warm": "chaud", "cold": "froid", "red": "rouge", "blue": "bleu", "pale": "pâle", "grey": "gris"}
WIDTHS = (1280, 768, 360)
BUSY = "document.querySelectorAll('#strip li').length === 0 || document.querySelector('#strip li.busy') !== null"


def wait_until(page, condition, seconds=60):
    """Ask from outside again and again: the policy of the page forbids to evaluate text inside it."""
    until = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < until, condition
        page.wait_for_timeout(50)


def free_port():
    with socket.socket() as opened:
        opened.bind(("127.0.0.1", 0))
        return opened.getsockname()[1]


class Served:
    """A server in a process of its own, which can be ended and started again at the same address."""

    def __init__(self, *words, port=None):
        self.words, self.port = words, port or free_port()
        self.address = f"http://127.0.0.1:{self.port}/"
        self.start()

    def start(self):
        command = [sys.executable, "-m", "cladewise", "serve", *map(str, self.words), "--port", str(self.port)]
        environment = {**os.environ, "OMP_NUM_THREADS": "1"}
        self.process = subprocess.Popen([*command, "--runtime", "torch", "--threads", "1"], env=environment)
        until = time.monotonic() + 120
        while not self.answers():
            assert self.process.poll() is None
            assert time.monotonic() < until
            time.sleep(0.1)

    def answers(self):
        try:
            return urllib.request.urlopen(f"{self.address}readyz", timeout=5).status == 200
        except OSError:
            return False

    def json(self, path):
        return json.load(urllib.request.urlopen(self.address + path, timeout=30))

    def stop(self):
        self.process.terminate()
        self.process.wait(30)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


def write_varied_squares(folder, each=60, spread=40.0):
    """Squares whose colours vary so much that some are taken for others."""
    random = np.random.default_rng(0)
    for label, colour in COLOURS.items():
        (folder / label).mkdir(parents=True)
        for number in range(each):
            pixels = np.array(colour) + random.normal(0, spread, 3) + random.normal(0, 12, (24, 24, 3))
            Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(folder / label / f"{number}.png")


def tree_table(folder):
    """The tree with names of the levels, and French names."""
    nodes = sorted({"/".join(path.split("/")[:k]) for path in COLOURS for k in range(1, 4)})
    with (folder / "tree.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["id", "parent", "name", "name:fr"])
        writer.writerow(["root", "", "", ""])
        for path in nodes:
            name = path.rpartition("/")[2]
            writer.writerow([path, path.rpartition("/")[0] or "root", name, FRENCH.get(name, "")])
    return folder / "tree.csv"


def trained_run(folder, tree, method="hace", **settings):
    from cladewise import datasets, evaluate, train

    dataset = datasets.from_folder(folder / "squares", tree, seed=1)
    out = folder / method
    run = train(dataset, out=out, method=method, **{**TINY, "freeze": True, "epochs": 15, "lr": 0.1, **settings})
    evaluate(run, split="val", progress=False)
    return out


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(folder / "cache"))
        write_varied_squares(folder / "squares")
        tree = tree_table(folder)
        for method in ("hace", "flat-softmax"):
            trained_run(folder, tree, method)
    random = np.random.default_rng(7)
    for name, colour in (
        ("red.png", (200, 30, 30)),
        ("between.png", (205, 160, 130)),
        (f"{HOSTILE}.png", (220, 130, 20)),
        ("navy.png", (10, 10, 110)),
    ):
        pixels = (np.array(colour) + random.normal(0, 12, (48, 64, 3))).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / name)
    (folder / "broken.png").write_bytes((folder / "red.png").read_bytes()[:60])
    (folder / "notes.txt").write_text("no picture")
    return folder


@pytest.fixture(scope="module")
def served(folder):
    with Served(
        "--model", f"colours={folder / 'hace'}", "--model", f"flat={folder / 'flat-softmax'}", "--keep", folder / "kept"
    ) as server:
        yield server


@pytest.fixture
def opened(browser):
    """``opened(address, width=1280)``: a page that must neither complain nor ask another server for anything."""
    contexts, outside = [], []

    def open_page(address, width=1280, ready=True, **options):
        context = browser.new_context(viewport={"width": width, "height": 860}, reduced_motion="reduce", **options)
        page = context.new_page()
        page.complaints = []
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        page.on(
            "console",
            lambda message: (
                page.complaints.append(message.text) if "Failed to load resource" not in message.text else None
            ),
        )
        page.on(
            "request",
            lambda request: (
                outside.append(request.url) if not request.url.startswith((address, "blob:", "data:")) else None
            ),
        )
        page.goto(address)
        if ready:
            wait_until(page, "!document.body.classList.contains('loading')")
        contexts.append((context, page))
        return page

    yield open_page
    complaints = [text for _, page in contexts for text in page.complaints]
    for context, _ in contexts:
        context.close()
    assert complaints == []
    assert outside == []


def drop(page, *files):
    """Drop files on the page, as a mouse does."""
    contents = [
        {
            "name": file.name,
            "bytes": list(file.read_bytes()),
            "type": "text/plain" if file.suffix == ".txt" else "image/png",
        }
        for file in files
    ]
    page.evaluate(
        """files => {
          const data = new DataTransfer();
          for (const { name, bytes, type } of files) data.items.add(new File([new Uint8Array(bytes)], name, { type }));
          const with_ = { dataTransfer: data, bubbles: true, cancelable: true };
          for (const kind of ["dragenter", "dragover", "drop"]) document.body.dispatchEvent(new DragEvent(kind, with_));
        }""",
        contents,
    )


def answered(page, number):
    wait_until(page, f"document.querySelectorAll('#strip li').length === {number} && !({BUSY})")
    page.wait_for_timeout(100)


def set_slider(page, place):
    page.evaluate(
        """place => {
          const range = document.getElementById("caution");
          range.value = place;
          range.dispatchEvent(new Event("input"));
        }""",
        place,
    )
    page.wait_for_timeout(100)


def fits(page):
    return page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def said(page):
    return page.locator("#models .model").first.locator("h2").inner_text()


def kept_rows(folder):
    with (folder / "kept" / "corrections.csv").open() as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_sticks_out_in_any_state(served, folder, opened, width, scheme):
    page = opened(served.address, width, color_scheme=scheme)
    assert fits(page)
    assert page.locator("#welcome").is_visible()
    assert "7 classes" in page.locator("#welcome-text").inner_text()
    drop(page, folder / "red.png", folder / "between.png", folder / f"{HOSTILE}.png", folder / "broken.png")
    answered(page, 4)
    assert fits(page)
    assert page.locator("#welcome").is_hidden()
    page.locator("#strip li").nth(3).click()
    assert fits(page)
    page.select_option("#beside", "flat")
    answered(page, 4)
    page.locator("#strip li").first.click()
    assert page.locator(".model:visible").count() == 2
    assert fits(page)
    for key, dialog in (("?", "keys"), ("c", "correct"), ("a", "allowed"), ("p", "camera")):
        page.keyboard.press(key)
        page.locator(f"#{dialog}").wait_for(state="visible")
        box = page.locator(f"#{dialog}").bounding_box()
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= width
        page.keyboard.press("Escape")
        page.locator(f"#{dialog}").wait_for(state="hidden")


def test_a_camera_that_is_missing_is_explained(served, opened):
    page = opened(served.address)
    page.keyboard.press("p")
    page.locator("#camera-why").wait_for(state="visible")
    assert "no camera" in page.locator("#camera-why").inner_text()
    assert page.evaluate("document.activeElement.id") == "camera-instead"


def test_a_picture_is_taken_with_the_camera(served, playwright_camera):
    page = playwright_camera(served.address)
    page.keyboard.press("p")
    wait_until(page, "!document.getElementById('camera-shoot').disabled")
    page.keyboard.press("Enter")
    answered(page, 1)
    assert page.locator("#file-name").inner_text().startswith("camera-")
    assert said(page)


@pytest.fixture
def playwright_camera(browser):
    """A page whose browser has a made-up camera."""
    opened = browser.browser_type.launch(
        executable_path=next(
            filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome")))
        ),
        args=["--no-sandbox", "--disable-gpu", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"],
    )

    def open_page(address):
        page = opened.new_page()
        page.goto(address)
        wait_until(page, "!document.body.classList.contains('loading')")
        return page

    yield open_page
    opened.close()


def test_keyboard_alone_leads_from_a_picture_to_a_kept_correction(served, folder, opened):
    page = opened(served.address)
    with page.expect_file_chooser() as chooser:
        page.evaluate("0")  # a key may overtake the order to catch the dialog; an answer from the page may not
        page.keyboard.press("o")
    chooser.value.set_files([folder / "red.png", folder / "navy.png"])
    answered(page, 2)
    page.keyboard.press("ArrowRight")
    assert page.locator("#file-name").inner_text() == "navy.png"
    page.keyboard.press("c")
    page.locator("#correct").wait_for(state="visible")
    assert page.evaluate("document.activeElement.id") == "correct-search"
    page.keyboard.type("sky")
    page.keyboard.press("Enter")
    page.locator("#correct").wait_for(state="hidden")
    wait_until(page, "document.querySelectorAll('#kept-list li.kept').length === 1")
    assert "cold › blue › sky" in page.locator("#kept-list li").inner_text()
    assert "label kept" in page.locator("#strip li").nth(1).get_attribute("aria-label")
    row = kept_rows(folder)[-1]
    assert row["label"] == "cold/blue/sky"
    assert row["predicted"].startswith("cold")
    assert (folder / "kept" / row["path"]).read_bytes() == (folder / "navy.png").read_bytes()

    page.keyboard.press("ArrowLeft")
    page.keyboard.press("-")
    page.keyboard.press("-")
    for _ in range(9):
        page.keyboard.press("-")
    page.keyboard.press("y")
    wait_until(page, "document.querySelectorAll('#kept-list li.kept').length === 2")
    assert kept_rows(folder)[-1]["label"] == kept_rows(folder)[-1]["predicted"] == "warm/red"


def test_the_tree_is_walked_and_a_label_taken_from_it_by_keyboard(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / "navy.png")
    answered(page, 1)
    page.keyboard.press("t")
    focused = "document.activeElement.closest('[role=treeitem]')"
    assert page.evaluate(f"{focused}.getAttribute('aria-selected')") == "true", "it starts at the answer"
    page.keyboard.press("Home")
    assert page.evaluate(f"{focused}.ariaLabel").startswith("cold")
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{focused}.ariaExpanded") == "false"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{focused}.ariaExpanded") == "true"
    page.keyboard.press("ArrowRight")
    assert page.evaluate(f"{focused}.ariaLevel") == "2"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{focused}.ariaExpanded") == "false"
    page.keyboard.press("ArrowLeft")
    assert page.evaluate(f"{focused}.ariaLevel") == "1"
    page.keyboard.press("End")
    assert page.evaluate(f"{focused}.dataset.rest !== undefined || Boolean({focused}.dataset.node)")
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    page.locator("#correct").wait_for(state="visible")
    assert page.locator("#correct-keep").inner_text() == "Keep “cold”"
    page.keyboard.press("Escape")
    assert page.evaluate(f"{focused}.ariaLabel").startswith("cold"), "the focus is back where it was"


def test_the_slider_moves_all_answers_as_the_ladder_says(served, folder, opened):
    page, results = opened(served.address), []
    page.on("response", lambda response: results.append(response.json()) if response.url.endswith("/predict") else None)
    files = ["red.png", "between.png", "navy.png"]
    for place, name in enumerate(files):
        drop(page, folder / name)
        answered(page, place + 1)
    slider, tree = served.json("v1/models/colours/slider"), served.json("v1/models/colours/tree")["nodes"]
    assert len(slider["positions"]) > 2, "the validation split is large enough for promises"
    ladders = {result["name"]: result["ladder"] for told in results for result in told["results"]}
    depths = {name: [] for name in files}
    for place, position in enumerate(slider["positions"]):
        set_slider(page, place)
        shown = dict(
            zip(
                page.locator("#strip .file").all_inner_texts(),
                page.locator("#strip .answers").all_inner_texts(),
                strict=True,
            )
        )
        for name in files:
            rung = [rung for rung in ladders[name] if rung["caution"] <= position["caution"]][-1]
            node, depth = rung["node"], 0
            assert shown[name] == (tree["name"][node] if node else "No answer")
            while node:
                node, depth = tree["parent"][node], depth + 1
            depths[name].append(depth)
        promise = page.locator("#promise").inner_text()
        if position["share"] is None:
            assert "without a promise" in promise
        else:
            assert f"at least {position['share']:.0%} of the time" in promise
            assert f"{slider['images']} pictures" in promise
            assert "95% confidence" in promise
    assert all(found == sorted(found, reverse=True) for found in depths.values())
    assert any(found[0] > found[-1] for found in depths.values()), "something moved"
    assert len(results) == len(files), "the server was not asked again"


def test_the_lit_path_is_that_of_the_answer(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / "navy.png")
    answered(page, 1)
    set_slider(page, 0)
    assert page.locator(".tree .lit > .row .name").all_inner_texts() == ["cold", "blue", "navy"]
    assert page.locator(".tree .answer > .row .name").inner_text() == "navy"
    rows = page.locator(".tree [role=treeitem]")
    assert rows.count() > 3
    assert rows.first.get_attribute("aria-label").startswith("cold, ")
    assert page.locator(".crown .dot").count() == 1
    assert page.locator(".crown-label").inner_text() == "navy"


def test_names_with_markup_are_text(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / f"{HOSTILE}.png")
    answered(page, 1)
    set_slider(page, 0)
    assert said(page) == HOSTILE
    assert page.locator("#file-name").inner_text() == f"{HOSTILE}.png"
    page.keyboard.press("c")
    page.keyboard.type("<img")
    assert HOSTILE in page.locator("#correct-list li").first.inner_text()
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelectorAll('#kept-list li.kept').length === 1")
    assert page.locator("img[src=x]").count() == 0
    assert page.title() == "hace · cladewise"


def test_homonyms_are_told_apart_by_their_paths(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / "red.png")
    answered(page, 1)
    page.keyboard.press("c")
    page.keyboard.type("pale")
    options = page.locator("#correct-list li")
    assert options.locator(".name").all_inner_texts() == ["pale", "pale"]
    assert options.locator(".where").all_inner_texts() == ["cold", "warm"]
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelectorAll('#kept-list li.kept').length === 1")
    assert [row["label"] for row in kept_rows(folder)].count("warm/pale") == 1
    page.keyboard.press("c")
    page.keyboard.type("cold pale")
    assert options.locator(".where").all_inner_texts() == ["cold"]
    page.keyboard.press("Control+a")
    page.keyboard.type("cold")
    assert options.first.locator(".where").inner_text().endswith("3 classes below"), "a branch is a label too"
    page.keyboard.press("Control+a")
    page.keyboard.type("nothing of the kind")
    assert page.locator("#correct-keep").is_disabled()
    assert "No name among" in page.locator("#correct-none").inner_text()


def test_two_models_are_compared(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / "red.png", folder / "between.png", folder / "navy.png")
    answered(page, 3)
    page.select_option("#beside", "flat")
    answered(page, 3)
    assert page.locator(".model .who b").all_inner_texts() == ["hace", "flat-softmax"]
    for place in range(2):
        set_slider(page, place)
        for item in range(3):
            page.locator("#strip li").nth(item).click()
            page.wait_for_timeout(60)
            one, two = page.locator(".model h2").all_inner_texts()
            differs = page.locator("#strip li").nth(item).evaluate("item => item.classList.contains('differs')")
            assert differs == (one != two)
            assert ("same" in page.locator("#difference").inner_text()) == (one == two)
    page.select_option("#beside", "")
    page.wait_for_timeout(100)
    assert page.locator(".model").count() == 1


def test_names_are_shown_in_another_language_and_labels_kept_in_the_trees_own(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / "red.png")
    answered(page, 1)
    set_slider(page, 0)
    page.select_option("#names", "fr")
    wait_until(page, "document.querySelector('.model h2').innerText === 'rouge'")
    assert page.locator(".crumbs").inner_text().split()[0] == "chaud"
    page.keyboard.press("c")
    page.keyboard.type("PALE")
    assert page.locator("#correct-list li .where").all_inner_texts() == ["froid", "chaud"], "accents do not matter"
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelectorAll('#kept-list li.kept').length === 1")
    assert kept_rows(folder)[0]["label"] == "cold/pale" or "cold/pale" in [row["label"] for row in kept_rows(folder)]


def test_answers_stay_within_the_allowed_classes(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / "red.png")
    answered(page, 1)
    page.keyboard.press("a")
    page.locator("#allowed-text").fill("blue\nno such name")
    assert "no such name" in page.locator("#allowed-said").inner_text()
    assert page.locator("#allowed-use").is_disabled()
    page.locator("#allowed-text").fill("blue")
    assert page.locator("#allowed-said").inner_text() == "2 of 7 leaves."
    page.locator("#allowed-use").click()
    answered(page, 1)
    set_slider(page, 0)
    assert said(page) in ("navy", "sky", "blue")
    set_slider(page, 1)
    assert "without a promise" in page.locator("#promise").inner_text()
    page.keyboard.press("a")
    page.locator("#allowed-all").click()
    answered(page, 1)
    set_slider(page, 0)
    assert said(page) == "red"


def test_what_cannot_be_answered_is_told_next_to_it(served, folder, opened):
    page = opened(served.address)
    drop(page, folder / "broken.png", folder / "red.png", folder / "notes.txt")
    answered(page, 3)
    answers = page.locator("#strip .answers").all_inner_texts()
    assert "red" in answers[1] or "warm" in answers[1]
    assert answers[2] == "This is no picture (text/plain)."
    assert page.locator("#models .error").inner_text().startswith("Expected") or "image" in answers[0]
    page.keyboard.press("Delete")
    answered(page, 2)


def test_corrections_are_off_with_an_explanation(folder, opened):
    with Served(folder / "hace") as server:
        page = opened(server.address)
        drop(page, folder / "red.png")
        answered(page, 1)
        assert "--keep" in page.locator(".acts").inner_text()
        page.keyboard.press("c")
        page.keyboard.press("y")
        assert page.locator("#correct").is_hidden()
        assert page.locator("#kept").is_hidden()
        assert page.locator("#beside-choice").is_hidden(), "there is nothing to compare with"


def test_a_server_that_goes_away_and_comes_back_loses_nothing(folder, opened, tmp_path):
    with Served(folder / "hace", "--keep", tmp_path / "kept") as server:
        page = opened(server.address)
        drop(page, folder / "red.png")
        answered(page, 1)
        server.stop()
        page.keyboard.press("y")
        drop(page, folder / "navy.png", folder / "between.png")
        page.locator("#trouble").wait_for(state="visible")
        trouble = page.locator("#trouble").inner_text()
        assert trouble.startswith("The server does not answer.")
        wait_until(page, "document.getElementById('trouble').innerText.includes('2 pictures and 1 correction')")
        assert page.locator("#strip li").count() == 3
        page.keyboard.press("ArrowLeft")
        assert said(page), "what was answered stays, and moves with the slider"
        server.start()
        page.locator("#trouble-again").click()
        answered(page, 3)
        wait_until(page, "document.querySelectorAll('#kept-list li.kept').length === 1")
        assert page.locator("#trouble").is_hidden()
        assert len(list((tmp_path / "kept" / "images").iterdir())) == 1


def test_a_server_that_is_away_when_the_page_is_loaded_again_is_waited_for(folder, opened):
    with Served(folder / "hace") as server:
        page = opened(server.address)
        page.route("**/v1/models", lambda route: route.abort())
        page.reload()
        page.locator("#trouble").wait_for(state="visible")
        page.unroute("**/v1/models")
        wait_until(page, "!document.body.classList.contains('loading')")
        assert page.locator("#trouble").is_hidden()


def test_a_key_is_asked_for_once(folder, opened, tmp_path):
    (tmp_path / "keys.txt").write_text("a-key-that-is-long-enough-1\n")
    with Served(folder / "hace", "--key-file", tmp_path / "keys.txt") as server:
        page = opened(server.address, ready=False)
        page.locator("#key").wait_for(state="visible")
        page.keyboard.type("another-key-that-is-wrong-2")
        page.keyboard.press("Enter")
        wait_until(page, "document.getElementById('key-why').innerText.includes('check the key')")
        page.locator("#key-value").fill("a-key-that-is-long-enough-1")
        page.keyboard.press("Enter")
        wait_until(page, "!document.body.classList.contains('loading')")
        drop(page, folder / "red.png")
        answered(page, 1)
        assert said(page)
        page.reload()
        wait_until(page, "!document.body.classList.contains('loading')")
        assert page.locator("#key").is_hidden()


def test_a_picture_beyond_the_limit_is_refused_without_sending_it(folder, opened):
    size = (folder / "red.png").stat().st_size
    with Served(folder / "hace", "--max-bytes", size - 1000) as server:
        page, sent = opened(server.address), []
        page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/predict") else None)
        drop(page, folder / "red.png")
        answered(page, 1)
        assert "the server takes up to" in page.locator("#models .error").inner_text()
        assert page.locator("[data-act=retry]").count() == 0
        assert sent == []


@pytest.mark.parametrize("status", [503, 500, 413])
def test_errors_are_told_in_one_line_and_tried_again_where_that_helps(served, folder, opened, status):
    page, failing = opened(served.address), [True]
    body = {"error": {"expected": "a", "got": "b", "advice": "", "message": f"Expected no failure, but got {status}."}}
    page.route("**/predict", lambda route: route.fulfill(status=status, json=body) if failing[0] else route.continue_())
    drop(page, folder / "red.png")
    where = "#trouble-text" if status == 503 else "#models .error"
    page.locator(where).wait_for(state="visible")
    assert page.locator(where).inner_text() == f"Expected no failure, but got {status}."
    failing[0] = False
    if status == 413:
        assert page.locator("[data-act=retry]").count() == 0
        return
    page.locator("#trouble-again" if status == 503 else "[data-act=retry]").click()
    answered(page, 1)
    assert said(page) != "No answer"


def test_a_slow_server_is_told(served, folder, opened):
    page, held = opened(served.address), []
    page.route("**/predict", lambda route: held.append(route))
    drop(page, folder / "red.png")
    wait_until(page, "document.querySelector('.model h2')?.innerText === 'The server takes its time'", seconds=20)
    held[0].continue_()
    answered(page, 1)
    assert page.locator(".looking").count() == 0


def test_paths_are_written_as_the_package_writes_them(served, opened):
    tree = Taxonomy.from_paths([("a/b", "c\\"), ("a/b", "d"), ("\\/e", "\\f"), ("g h", "/"), ("\\\\", "x")])
    nodes = {"name": list(tree.names), "parent": [int(u) for u in tree.parents], "level": [None] * tree.num_nodes}
    written = opened(served.address).evaluate(
        """nodes => import("/page/tree.js").then(({ Tree }) => nodes.name.map((_, v) => new Tree(nodes).key(v)))""",
        nodes,
    )
    assert written == [tree.path_name(v) for v in range(tree.num_nodes)]


def test_a_model_that_was_replaced_is_noticed(folder, opened, tmp_path):
    shutil.copytree(folder / "hace", tmp_path / "run")
    with Served(f"--model=m={tmp_path / 'run'}") as server:
        page = opened(server.address)
        drop(page, folder / "navy.png")
        answered(page, 1)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CLADEWISE_CACHE", str(folder / "cache"))
            (tmp_path / "squares").symlink_to(folder / "squares")
            paths = [("added", "first"), *(tuple(path.split("/")) for path in COLOURS)]
            trained_run(tmp_path, Taxonomy.from_paths(paths))
        shutil.rmtree(tmp_path / "run")
        (tmp_path / "hace").rename(tmp_path / "run")
        request = urllib.request.Request(f"{server.address}v1/models/m/reload", method="POST", data=b"")
        assert urllib.request.urlopen(request, timeout=60).status == 200
        drop(page, folder / "red.png")
        answered(page, 2)
        set_slider(page, 0)
        assert page.locator("#strip .answers").all_inner_texts() == ["navy", "red"]
        assert page.locator(".tree .lit > .row .name").all_inner_texts() == ["warm", "red"]
        assert "8 classes" in page.locator("#welcome-text").inner_text() or page.locator("#welcome").is_hidden()


@pytest.fixture(scope="module")
def large(folder, tmp_path_factory):
    """A run over 10,000 leaves, some of them 20 levels deep, two of them homonyms."""
    base = tmp_path_factory.mktemp("large")
    paths = [tuple(path.split("/")) for path in COLOURS]
    for leaf in range(10_000 - len(COLOURS)):  # a hundred families per order
        deep = [f"step {k}" for k in range(17)] if leaf < 40 else []
        paths.append((f"order {leaf // 1000}", f"family {leaf // 10}", *deep, f"species {leaf}"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CLADEWISE_CACHE", str(folder / "cache"))
        (base / "squares").symlink_to(folder / "squares")
        return trained_run(base, Taxonomy.from_paths(paths), epochs=3)


@pytest.mark.parametrize("width", [1280, 360])
def test_ten_thousand_leaves(large, folder, opened, width, tmp_path):
    with Served(large, "--keep", tmp_path / "kept") as server:
        page = opened(server.address, width)
        assert "10,000 classes" in page.locator("#welcome-text").inner_text()
        drop(page, folder / "red.png", folder / "navy.png")
        answered(page, 2)
        assert page.locator(".tree [role=treeitem]").count() < 200
        assert fits(page)
        page.keyboard.press("c")
        page.keyboard.type("species 39")
        page.locator("#correct-list li").first.wait_for()
        assert page.locator("#correct-list li .name").first.inner_text() == "species 39"
        assert page.locator("#correct-list li").count() == 60
        assert page.locator("#correct-list li .where").first.inner_text().count("›") == 18
        page.keyboard.press("Enter")
        wait_until(page, "document.querySelectorAll('#kept-list li.kept').length === 1")
        assert fits(page)
        page.locator(".tree > .rest > .row").click()
        page.locator('[aria-label^="order 5"] > .row').click()
        families = page.locator('[aria-label^="order 5"] [aria-label^="family"]')
        assert 5 < families.count() < 20
        page.locator('[aria-label^="order 5"] .rest').focus()
        page.keyboard.press("Enter")
        assert 40 < families.count() < 70
        assert page.evaluate("document.activeElement.getAttribute('aria-label')").startswith("family")
        assert fits(page)
