"""The page in a real browser: no error, no request, every chart drawn, tabs and zoom at work."""

from __future__ import annotations

import shutil

import pytest

from cladewise.report import write_page

pytestmark = pytest.mark.slow

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
ALL_DRAWN = "[...document.querySelectorAll('.chart')].every(chart => chart.querySelector('.main-svg .trace'))"


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
    if CHROMIUM is None:
        pytest.skip("needs Chromium on the PATH")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=CHROMIUM, args=list(ARGUMENTS))
        yield opened
        opened.close()


@pytest.fixture
def page_file(maker, tmp_path):
    folders = [maker.write(f"flat-{seed}", seed=seed) for seed in range(2)]
    folders += [maker.write("hxe", method="hxe", options={"alpha": 0.1}, skill=0.7)]
    folders += [maker.write("hace", method="hace", skill=0.85)]
    return write_page(folders, tmp_path / "page.html")


@pytest.fixture(params=[(1280, "light"), (420, "light"), (1280, "dark")], ids=lambda case: f"{case[0]}-{case[1]}")
def page(request, browser, page_file):
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(page_file.as_uri())
    page.wait_for_function(ALL_DRAWN, timeout=60_000)
    yield page
    outside = [url for url in page.requests if not url.startswith(("data:", "blob:"))]
    context.close()
    assert page.complaints == []
    assert outside == [page_file.as_uri()]


def test_charts_are_drawn_and_nothing_sticks_out(page):
    assert page.locator(".chart").count() == 6
    assert page.locator("#chart-levels .scatterlayer .trace").count() == 3
    assert page.locator("#chart-heights .bars .point path").count() > 3
    assert page.locator("#chart-tree .slice").count() == 18
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")


def test_tabs_change_the_tree_and_the_mistakes(page):
    def colors():
        return page.eval_on_selector_all("#chart-tree .slice path.surface", "all => all.map(path => path.style.fill)")

    before = colors()
    button = page.locator('[data-chart="tree"]', has_text="hace")
    button.click()
    page.wait_for_timeout(500)
    assert colors() != before
    assert button.get_attribute("aria-pressed") == "true"
    assert page.locator(".panel:visible").count() == 1
    page.locator('[data-panel="mistakes-2"]').click()
    assert page.locator(".panel:visible").get_attribute("id") == "mistakes-2"


def test_a_click_on_a_node_zooms_in_and_back(page):
    page.locator("#chart-tree .slice", has_text="animals").first.click()
    page.wait_for_function("document.querySelectorAll('#chart-tree .pathbar').length > 0")
    page.wait_for_timeout(1000)
    shown = " ".join(page.locator("#chart-tree .slice .slicetext").all_text_contents())
    assert "heron" in shown
    assert "apple" not in shown
