"""The page in a real browser: no error, no request, every chart drawn, tabs and zoom at work."""

from __future__ import annotations

import json
import re
import time

import numpy as np
import pytest

from cladewise import Taxonomy
from cladewise.records.layout import RunFolder
from cladewise.report import compare

pytestmark = pytest.mark.slow

DRAWN = ".main-svg .trace, .heatmaplayer image"
ALL_DRAWN = f"[...document.querySelectorAll('.chart')].every(chart => chart.querySelector('{DRAWN}'))"


def wait_until(page, condition, seconds=120):
    """Ask from outside again and again: a page that forbids scripts to evaluate text forbids it to a poll inside it."""
    until = time.monotonic() + seconds
    while not page.evaluate(condition):
        assert time.monotonic() < until, condition
        page.wait_for_timeout(100)


@pytest.fixture
def page_file(maker, tmp_path):
    folders = [maker.write(f"flat-{seed}", seed=seed) for seed in range(2)]
    folders += [maker.write("hxe", method="hxe", options={"alpha": 0.1}, skill=0.7)]
    folders += [maker.write("hace", method="hace", skill=0.85)]
    for seed in range(2):
        maker.write_inference(folders[seed], "bottom-up", skill=0.7, seed=seed)
    for folder in folders[2:]:
        maker.write_transitions(folder)
        maker.write_explanations(folder)
        maker.write_plates(folder)
    for folder in folders:
        maker.write_counts(folder, {"train": np.arange(maker.taxonomy.num_nodes)})
    return compare(folders, tmp_path / "page.html")


@pytest.fixture(params=[(1280, "light"), (420, "light"), (1280, "dark")], ids=lambda case: f"{case[0]}-{case[1]}")
def page(request, browser, page_file):
    width, scheme = request.param
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.complaints, page.requests = [], []
    page.on("console", lambda message: page.complaints.append(message.text))
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.on("request", lambda request: page.requests.append(request.url))
    page.goto(page_file.as_uri(), timeout=120_000)
    wait_until(page, ALL_DRAWN)
    yield page
    outside = [url for url in page.requests if not url.startswith(("data:", "blob:"))]
    context.close()
    assert page.complaints == []
    assert outside == [page_file.as_uri()]


def test_charts_are_drawn_and_nothing_sticks_out(page):
    assert page.locator(".chart").count() == 11 + 3 + 6 + 3
    assert page.locator("#transitions .chart .heatmaplayer image").count() == 6
    assert page.locator("#counts .chart .barlayer .point path").count() == 2 + 6 + 11
    assert page.locator("#chart-reliability-0 .scatterlayer .trace").count() == 4
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
    assert page.locator("#mistakes .panel:visible").count() == 1
    page.locator('[data-panel="mistakes-2"]').click()
    assert page.locator("#mistakes .panel:visible").get_attribute("id") == "mistakes-2"


def test_a_click_on_a_node_zooms_in_and_back(page):
    page.locator("#chart-tree .slice", has_text="animals").first.click()
    wait_until(page, "document.querySelectorAll('#chart-tree .pathbar').length > 0")
    page.wait_for_timeout(1000)
    shown = " ".join(page.locator("#chart-tree .slice .slicetext").all_text_contents())
    assert "heron" in shown
    assert "apple" not in shown


def hover_texts(page, key, across, down):
    """Hover texts of a chart at a place given in parts of its width and height."""
    page.locator(f"#chart-{key}").scroll_into_view_if_needed()
    page.mouse.move(1, 1)
    box = page.locator(f"#chart-{key}").bounding_box()
    page.mouse.move(box["x"] + box["width"] * across, box["y"] + box["height"] * down)
    page.wait_for_selector(f"#chart-{key} .hoverlayer text")
    return " ".join(page.locator(f"#chart-{key} .hoverlayer text").all_text_contents())


def test_a_class_tells_its_name_and_its_numbers(page):
    said = hover_texts(page, "classes-2", 0.6, 0.3)
    for part in ("flat-softmax", "hxe", "hace", "images"):
        assert part in said
    names = page.evaluate("document.getElementById('chart-classes-2').data[0].x")
    assert any(name in said for name in names)
    assert page.locator("#chart-classes-0").is_hidden()


def test_the_level_of_the_classes_is_chosen_and_fills_the_width(page):
    shown = page.locator("#chart-classes-2").bounding_box()["width"]
    page.locator("#by-class .tabs button", has_text="kingdom").click()
    page.wait_for_timeout(500)
    assert page.locator("#chart-classes-2").is_hidden()
    drawn = page.locator("#chart-classes-0 .main-svg").first.bounding_box()["width"]
    assert drawn == pytest.approx(shown, abs=2)
    assert page.locator("#chart-classes-0 .barlayer .point path").count() == 2 * 4
    assert "animals" in page.locator("#chart-classes-0").inner_text()


def test_a_cell_of_a_matrix_tells_both_nodes_and_the_probability(page):
    said = hover_texts(page, "transitions-0-1", 0.6, 0.3)
    assert re.search(r"\S+ → (animals|food) ?\d+\.\d%", said)


def test_a_label_tells_its_counts(page):
    said = hover_texts(page, "counts-0-2", 0.6, 0.5)
    assert re.search(r"\d+ in train.*\d+ in test", said)


def test_maps_of_another_group_are_a_tab_away(page):
    assert page.locator("#explanations [data-explained]:visible").count() == 3
    assert page.locator("#explanations [data-explained]:visible img").count() == 3 * 4
    page.locator("#explanations .tabs button", has_text="hace").click()
    assert page.locator("#explanations .panel:visible").get_attribute("id") == "explanations-1"
    assert page.locator("#explanations [data-explained]:visible .right").count() > 0


def test_plates_of_another_group_are_a_tab_away(page):
    assert page.locator("#plates-manifolds .panel:visible img").count() == 1
    page.locator("#plates-manifolds .tabs button", has_text="hace").click()
    assert page.locator("#plates-manifolds .panel:visible").get_attribute("id") == "plates-manifolds-1"
    shown = page.locator("#plates-manifolds .panel:visible img")
    shown.scroll_into_view_if_needed()
    wait_until(page, "document.querySelector('#plates-manifolds-1 img').naturalWidth > 0")


def shown_lines(page, key):
    """Names of the lines of a chart that can be seen."""
    return page.evaluate(
        "key => document.getElementById(`chart-${key}`).data"
        ".filter(trace => trace.mode === 'lines' && trace.name && trace.visible !== false).map(trace => trace.name)",
        key,
    )


def set_slider(page, stop):
    page.eval_on_selector(
        "#threshold", "(slider, stop) => { slider.value = stop; slider.dispatchEvent(new Event('input')); }", str(stop)
    )


def point_state(page):
    """The numbers, the answers and the dots of the chosen operating point."""
    page.wait_for_timeout(200)
    numbers = {name: page.locator(f"#point-{name}").inner_text() for name in ("correct", "recall", "leaves", "depth")}
    answers = page.locator("[data-example] .answer").all_inner_texts()
    dots = page.evaluate(
        "['correct', 'precision'].map(name => document.getElementById(`chart-operating-${name}`).data.at(-1))"
        ".map(trace => [trace.x[0], trace.y[0], trace.marker.color])"
    )
    return numbers, answers, dots


def test_the_slider_goes_from_the_root_to_the_leaves(page):
    assert page.locator("#threshold-value").inner_text() == "0.50"
    set_slider(page, 0)
    numbers, answers, dots = point_state(page)
    assert (numbers["correct"], numbers["recall"], numbers["leaves"]) == ("100.0%", "0.0%", "0.0%")
    assert set(answers) == {"the root"}
    assert dots[0][:2] == [0, 100]
    set_slider(page, page.locator("#threshold").get_attribute("max"))
    numbers, answers, dots = point_state(page)
    assert numbers["leaves"] == "100.0%"
    assert page.locator("#threshold-value").inner_text() == "0"
    assert "the root" not in answers
    assert page.locator("[data-example] .badge.wrong").count() >= 3
    assert f"{page.locator('[data-example] .badge.wrong').count()} wrong" in page.locator("#point-tally").inner_text()
    assert dots[0][1] == pytest.approx(float(numbers["correct"].rstrip("%")), abs=0.06)


def test_the_slider_answers_the_keyboard(page):
    before = point_state(page)
    page.locator("#threshold").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    assert page.locator("#threshold-value").inner_text() == "0.38"
    assert page.locator("#point-rule").inner_text() == "0.38"
    assert page.locator("#threshold").get_attribute("aria-valuetext") == "threshold 0.38"
    assert point_state(page) != before


def test_the_slider_follows_the_method_and_the_inference(page):
    page.locator('[data-point="group"] button', has_text="hace").click()
    hace = point_state(page)
    assert page.locator('[data-point="inference"] button', has_text="bottom-up").is_disabled()
    page.locator('[data-point="group"] button', has_text="flat-softmax").click()
    flat = point_state(page)
    page.locator('[data-point="inference"] button', has_text="bottom-up").click()
    up = point_state(page)
    assert len({str(state) for state in (hace, flat, up)}) == 3
    assert hace[2][0][2] != flat[2][0][2] == up[2][0][2], "the dots have the group's colour"


def test_buttons_choose_the_lines_of_all_charts(page):
    assert shown_lines(page, "operating-correct") == ["flat-softmax", "hxe", "hace"]
    page.locator("#operating .toggles button", has_text="bottom-up").click()
    assert shown_lines(page, "operating-correct") == ["flat-softmax", "flat-softmax + bottom-up", "hxe", "hace"]
    page.locator("#reliability .toggles button", has_text="hxe").click()
    assert shown_lines(page, "operating-precision") == ["flat-softmax", "flat-softmax + bottom-up", "hace"]
    assert page.locator("#operating .toggles button", has_text="hxe").get_attribute("aria-pressed") == "false"
    page.locator('#operating [data-kind="group"] [data-all="false"]').click()
    assert shown_lines(page, "operating-correct") == []
    page.locator('#operating [data-kind="group"] [data-all="true"]').click()
    assert len(shown_lines(page, "operating-correct")) == 4


def test_a_click_on_a_curve_sets_the_slider(page):
    chart = page.locator("#chart-operating-correct")
    chart.scroll_into_view_if_needed()
    x, y = page.evaluate(
        """() => {
          const chart = document.getElementById("chart-operating-correct");
          const trace = chart.data.find((trace) => trace.name === "hace" && trace.mode === "lines");
          const { xaxis, yaxis } = chart._fullLayout;
          const box = chart.getBoundingClientRect();
          const points = chart.calcdata.find((points) => points[0].trace.name === "hace" && points.length > 100);
          const { x, y } = points[180];
          return [box.x + xaxis._offset + xaxis.d2p(x), box.y + yaxis._offset + yaxis.d2p(y)];
        }"""
    )
    page.mouse.move(x, y)
    page.wait_for_timeout(200)
    page.mouse.click(x, y)
    wait_until(page, "document.querySelector('[data-point=group] [aria-pressed=true]').innerText.includes('hace')")


def is_in_view(page, selector):
    return page.evaluate(
        "s => [document.querySelector(s).getBoundingClientRect().top].every(top => top >= -2 && top < innerHeight / 2)",
        selector,
    )


def test_every_link_of_the_contents_leads_to_its_section(page):
    is_wide = page.viewport_size["width"] >= 1180
    assert page.locator("#contents nav").is_visible() == is_wide
    links = page.locator("#contents a")
    targets = links.evaluate_all("all => all.map(link => link.hash)")
    assert len(targets) == page.locator("main section").count() > 10
    for place, target in enumerate(targets):
        if not is_wide:
            page.locator("#contents summary").focus()
            page.keyboard.press("Enter")
        links.nth(place).focus()
        page.keyboard.press("Enter")
        wait_until(page, f"location.hash === '{target}'")
        is_last_screen = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 2")
        assert is_last_screen or is_in_view(page, target), target
        assert page.locator("#contents nav").is_visible() == is_wide
    page.evaluate("document.getElementById('confusion').scrollIntoView()")
    wait_until(page, "document.querySelector('#contents [aria-current]')?.hash === '#confusion'")


def numbers(page, name):
    return float(page.locator(f"#point-{name}").inner_text().rstrip("%"))


def test_the_slider_is_set_to_a_share_of_right_answers(page):
    line = "document.querySelector('[data-point=group] [aria-pressed=true]').innerText"
    page.locator('[data-point="group"] button', has_text="hxe").click()
    wait_until(page, f"{line}.includes('hxe')")
    page.locator("#goal-correct").fill("90")
    page.locator("#goal-correct").press("Enter")
    said = page.locator("#goal-said").inner_text()
    assert numbers(page, "correct") >= 90
    assert f"{numbers(page, 'leaves'):.1f}% of the answers are leaves" in said
    page.locator("#threshold").focus()
    page.keyboard.press("ArrowRight")
    assert numbers(page, "correct") < 90, "one step further is too far"
    assert page.locator("#goal-said").inner_text() == ""
    page.locator("#goal-correct").fill("100")
    page.locator("#goal button").click()
    assert numbers(page, "correct") == 100


def test_a_share_that_no_threshold_reaches_is_told(browser, maker, tmp_path):
    folder = maker.write("f")
    file = RunFolder(folder).evaluation("test", "none", "leaf")
    content = json.loads(file.read_text())
    content["curves"]["operating"]["correct"] = [0.8 for _ in content["curves"]["operating"]["correct"]]
    file.write_text(json.dumps(content))
    page = browser.new_page()
    page.goto(compare([folder], tmp_path / "page.html").as_uri(), timeout=120_000)
    wait_until(page, ALL_DRAWN)
    page.locator("#goal button").click()
    said = page.locator("#goal-said").inner_text()
    assert said == "No threshold of flat-softmax reaches 95% on these images; the maximum is 80.0%."
    page.close()


def matrix(page):
    return page.locator("#confusion-matrix tbody tr").evaluate_all(
        "rows => rows.map(row => [...row.querySelectorAll('.cell')].map(cell => Number(cell.textContent)))"
    )


def test_the_level_the_group_and_the_part_of_the_confusion_matrix_are_chosen(page, taxonomy):
    assert len(matrix(page)) == 11
    assert page.locator(".confused:visible").get_attribute("id") == "confused-2-0"
    page.locator('[data-confusion="level"] button', has_text="kingdom").click()
    fewer = matrix(page)
    assert len(fewer) == 2
    assert sum(map(sum, fewer)) == 2 * 66
    page.locator('[data-confusion="group"] button', has_text="hace").click()
    assert page.locator(".confused:visible").get_attribute("id") == "confused-0-2"
    assert sum(map(sum, matrix(page))) == 66
    page.locator('[data-confusion="level"] button', has_text="species").click()
    whole = matrix(page)
    page.locator("#confusion-part").select_option(label="food/fruit (3)")
    part = matrix(page)
    assert [row[:3] for row in part] == [row[6:9] for row in whole[6:9]]
    assert [sum(row) for row in part] == [sum(row) for row in whole[6:9]], "what is outside has a column"
    page.locator('[data-confusion="unit"] button', has_text="%").click()
    shares = page.locator("#confusion-matrix .right").first.inner_text()
    assert float(shares.lstrip("<>")) == pytest.approx(100 * part[0][0] / sum(part[0]), abs=0.51)


def test_cells_are_read_in_words_with_the_keyboard(page):
    page.locator('#confusion-matrix .cell[tabindex="0"]').focus()
    first = page.locator("#confusion-said").inner_text()
    assert re.match(r"animals/birds/warbler .*: \d+ of 12 \(\d+\.\d%\) answered with .*, right$", first)
    page.keyboard.press("ArrowDown")
    second = page.locator("#confusion-said").inner_text()
    assert second.startswith('animals/birds/wren "house": ')
    page.keyboard.press("ArrowRight")
    assert page.locator("#confusion-said").inner_text() != second
    assert page.locator('#confusion-matrix .cell[tabindex="0"]').count() == 1


def test_tables_tell_whether_they_scroll(page):
    boxes = page.locator(".scroll:visible, .wide:visible")
    assert boxes.count() > 3
    for place in range(boxes.count()):
        box = boxes.nth(place)
        scrolls = box.evaluate("box => box.scrollWidth - box.clientWidth > 2")
        assert box.evaluate("box => box.classList.contains('scrolls')") == scrolls
        assert box.get_attribute("aria-label")
        if scrolls:
            assert box.get_attribute("tabindex") == "0"
            assert box.evaluate("box => box.classList.contains('more-right')")
            box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
            page.wait_for_timeout(100)
            assert box.evaluate("box => box.classList.contains('more-left') && !box.classList.contains('more-right')")
    assert page.viewport_size["width"] > 500 or page.locator(".scrolls:visible").count() > 0


def test_hostile_and_very_long_names_neither_run_nor_stick_out(browser, tmp_path, make_maker):
    hostile = "<img src=x onerror=document.title='owned'>"
    tree = Taxonomy.from_paths(
        [
            ("a" * 4000, "b" * 3000),
            ("a" * 4000, hostile),
            (hostile, "\u202e\x1b[31m\x07 c"),
            (hostile, "two words " * 200),
        ]
    )
    maker = make_maker(tree, per_leaf=4)
    folders = [maker.write("f", skill=0.4), maker.write("h", method="hace", skill=0.6, config={"name": hostile})]
    for folder in folders:
        maker.write_transitions(folder)
    page = browser.new_page(viewport={"width": 420, "height": 900})
    complaints = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.goto(compare(folders, tmp_path / "page.html", title=hostile).as_uri(), timeout=120_000)
    wait_until(page, ALL_DRAWN)
    assert page.title() == hostile
    assert page.locator("img[src=x]").count() == 0
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.locator('[data-confusion="level"] button').first.click()
    page.locator("#confusion-matrix .cell").first.hover()
    assert page.title() == hostile
    page.close()
    assert complaints == []
