"""The page for choosing a rule: what it holds without a script, and what a person does on it in a browser."""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from cladewise.records import ChoiceExample, JudgedRule, RuleChoice
from cladewise.report.choosing_page import of_thousand, percent, write_choosing_page


def rule(text: str, right: int, information: float, answers: tuple[int, ...], **more: Any) -> JudgedRule:
    share = right / 1000
    wrong = tuple([0] * (len(answers) - 1) + [1000 - right])
    numbers: dict[str, Any] = {
        "low": share - 0.01, "high": min(1.0, share + 0.01), "assured": share - 0.02, "depth": 1.5,
        "leaves": answers[-1] / 1000, "severity": 1.5 if right < 1000 else math.nan, "distance": 0.4,
    }  # fmt: skip
    return JudgedRule(
        rule=text, name=text.partition(":")[0], about=f"About {text}.", right=right, information=information,
        answers=answers, wrong=wrong, **numbers | more,
    )  # fmt: skip


RULES = (
    rule("leaf", 700, 3.0, (0, 0, 1000), is_own=True, others=("backtrack",)),
    rule("greedy", 690, 3.0, (0, 0, 1000), beaten_by="leaf"),
    rule("threshold:threshold=0.9", 930, 2.0, (50, 350, 600)),
    rule("hedging:guarantee=0.95", 955, 1.6, (100, 450, 450), promise=0.95, confidence=0.95,
         fitted_on="val", num_fitted=296),
    rule("hedging:guarantee=0.99", 960, 1.2, (200, 500, 300), promise=0.99, fitted_on="val", num_fitted=296,
         warnings=("hedging cannot promise 0.99 </script><b>",)),
    rule("threshold:threshold=0.99", 1000, 0.5, (500, 500, 0)),
)  # fmt: skip


@pytest.fixture
def choice(tmp_path: Path) -> RuleChoice:
    """Rules on 1,000 images, one of which has a picture."""
    (tmp_path / "images").mkdir()
    Image.new("RGB", (32, 32), (200, 40, 40)).save(tmp_path / "images" / "red.png")
    return RuleChoice(
        run="runs/owls & co",
        method="hace",
        split="test",
        num_images=1000,
        fingerprint="0",
        level_names=("genus", "level_2"),
        num_leaves=8,
        max_depth=2,
        rules=RULES,
        examples=(
            ChoiceExample(path="red.png", target=2, answers=(2, 2, 2, 1, 0, 0), right=(True,) * 6),
            ChoiceExample(path="gone.png", target=2, answers=(3, 3, 1, 1, 0, 0), right=(False, False) + (True,) * 4),
        ),
        names={0: (), 1: ("Tyto <b>",), 2: ("Tyto <b>", "Tyto alba"), 3: ("Strix", "Strix aluco")},
        image_root=str(tmp_path / "images"),
        left_out=("boundary: sets",),
        notes=("the network was trained on images of test",),
    )


def test_the_page_holds_all_numbers_and_needs_nothing_else(choice: RuleChoice, tmp_path: Path) -> None:
    page = write_choosing_page(choice, tmp_path / "choose.html").read_text()
    held = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[0])
    assert [each["rule"] for each in held["rules"]] == [each.rule for each in RULES]
    assert held["levels"] == ["the root", "genus", "level 2"]
    assert held["rules"][-1]["severity"] is None
    assert [example["picture"] is None for example in held["examples"]] == [False, True]
    assert held["examples"][1]["right"] == "001111"
    own = page.replace(re.findall(r"<script>(.*?)</script>", page, re.DOTALL)[0], "")
    assert not re.search(r"https?://|src=|@import", own)
    assert "owls &amp; co" in own
    assert "cannot promise 0.99 &lt;/script&gt;" in own
    assert "Tyto <b>" not in own


def test_groups_are_not_called_images(choice: RuleChoice, tmp_path: Path) -> None:
    grouped = dataclasses.replace(choice, grouped_by="sequence")
    pages = [write_choosing_page(each, tmp_path / "choose.html").read_text() for each in (choice, grouped)]
    for said in ("1,000 {} <small>of test", "Of 1,000 {} like yours", "that sure on 1,000 {}, apart", "296 {} of val"):
        assert [said.format("images") in page for page in pages] == [True, False], said
        assert [said.format("groups") in page for page in pages] == [False, True], said


def test_its_tables_answer_without_a_script(choice: RuleChoice, tmp_path: Path) -> None:
    page = write_choosing_page(choice, tmp_path / "choose.html").read_text()
    text = re.sub(r"<wbr>|<button.*?</button>", "", page[: page.index('<script type="application/json"')])
    rows = [re.sub(r"<[^>]+>|\s+", " ", row) for row in re.findall(r"<tr.*?</tr>", text, re.DOTALL)]
    cells = [" ".join(row.split()) for row in rows]
    assert "80% threshold:threshold=0.9 93.0 92.0 to 94.0 67 60" in cells
    assert "99% no rule is that sure on 1,000 images, apart from answers at the root" in cells
    assert any(row.startswith("98% threshold:threshold=0.99 100 99.0 to 100 17 0") for row in cells)
    assert any(
        row.startswith("95% hedging:guarantee=0.95 open 95.5 94.5 to 96.5 53 45 296 images of val with 95% confidence")
        for row in cells
    )
    assert any("99% hedging:guarantee=0.99 hedging cannot promise" in row and "not held" in row for row in cells)
    leaf = next(row for row in cells if "the run's own rule" in row.replace("&#39;", "'"))
    assert "the same: backtrack 70.0 69.0 to 71.0 68.0 100 100 1,000 300 0 0 1.50 1.50 –" in leaf
    assert "boundary: sets" in text
    assert "The network was trained on images of test." in text


@pytest.mark.parametrize(("share", "text"), [(0.99951, ">99.9"), (0.9994, "99.9"), (0.0004, "<0.1"), (0.5, "50.0")])
def test_percent_never_rounds_to_certainty(share: float, text: str) -> None:
    assert percent(share) == text


def test_a_few_of_many_are_not_none() -> None:
    assert [of_thousand(count, 5000) for count in (0, 1, 3, 5000)] == ["0", "<1", "1", "1,000"]


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Callable[..., Any]]:
    """Opens the page of rules in a browser; errors of its script fail the test."""
    errors: list[str] = []
    pages: list[Any] = []

    def open_page(choice: RuleChoice, width: int = 1300, **options: Any) -> Any:
        file = write_choosing_page(choice, tmp_path / "choose.html")
        page = browser.new_page(viewport={"width": width, "height": 1000}, **options)
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(file.as_uri())
        pages.append(page)
        return page

    yield open_page
    for page in pages:
        page.close()
    assert errors == []


def slide(page: Any, wanted: str) -> None:
    """Move the slider until it says so."""
    slider = page.locator("#goal")
    slider.focus()
    slider.press("Home")
    for _ in range(200):
        if page.locator("#goal-value").inner_text() == wanted:
            return
        slider.press("ArrowRight")
    raise AssertionError(f"the slider never says {wanted}")


@pytest.mark.slow
def test_the_slider_takes_the_most_specific_rule_that_is_sure(choice: RuleChoice, opened: Any) -> None:
    page = opened(choice)
    assert page.locator("#goal-value").inner_text() == "95%"
    taken_at = {
        "50%": "leaf",
        "68%": "leaf",
        "69%": "threshold:threshold=0.9",
        "91%": "threshold:threshold=0.9",
        "93.5%": "hedging:guarantee=0.95",
        "98%": "threshold:threshold=0.99",
    }
    for goal, taken in taken_at.items():
        slide(page, goal)
        assert page.locator("#rule").inner_text() == taken, goal
        assert page.locator("#table .taken-row code").inner_text() == taken
        assert page.locator("#command").inner_text().count(f"--decision '{taken}'") == 2
    slide(page, "99%")
    assert "no rule can be said to be right 99% of the time" in page.locator("#said").inner_text()
    slide(page, "90%")
    assert page.locator(".stop").all_inner_texts() == [
        "level 2\n600 stop here, 70 wrong", "genus\n350 stop here, 0 wrong", "no answer\n50 stay at the root",
    ]  # fmt: skip
    assert "hedging:guarantee=0.95" in page.locator("#promising").inner_text()
    slide(page, "96%")
    assert page.locator("#promising").is_hidden(), "a promise that did not hold is not offered"


@pytest.mark.slow
def test_rules_are_taken_by_hand_and_copied(choice: RuleChoice, opened: Any) -> None:
    page = opened(choice)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    assert page.locator("#table tbody tr:visible").count() == 5
    page.get_by_label("rules that another one beats").check()
    assert page.locator("#table tbody tr:visible").count() == 6
    page.locator("#table tr", has_text="beaten by leaf").locator("td").first.click()
    assert page.locator("#rule").inner_text() == "greedy"
    assert page.locator("#said").inner_text() == "The rule that you took:"
    page.locator("#copy").click()
    page.wait_for_function("document.getElementById('copy').textContent === 'copied'")
    assert page.evaluate("navigator.clipboard.readText()") == "greedy"
    page.wait_for_function("document.querySelector('#chart-rules').data?.some((trace) => trace.meta?.role === 'rules')")
    ring = "document.querySelector('#chart-rules').data.find((trace) => trace.meta?.role === 'chosen')"
    page.wait_for_function(f"{ring}.x[0] !== null")
    assert page.evaluate(f"[{ring}.x[0], {ring}.y[0]]") == [100, 69]
    dots = page.locator("#chart-rules .scatterlayer .trace .points path")
    dots.nth(0).scroll_into_view_if_needed()
    dots.nth(0).click(force=True)
    assert page.locator("#rule").inner_text() != ""


@pytest.mark.slow
def test_examples_show_what_two_rules_answer(choice: RuleChoice, opened: Any) -> None:
    page = opened(choice)
    slide(page, "68%")
    page.locator("#other").select_option(label="threshold:threshold=0.9 (93.0% right)")
    cards = page.locator("#cards .card")
    assert cards.count() == 1
    assert [line for line in cards.first.inner_text().split("\n") if line] == [
        "no picture", "is", "Tyto <b>›Tyto alba", "chosen", "Strix›Strix aluco", "other", "Tyto <b>", "gone.png",
    ]  # fmt: skip
    assert cards.locator(".trail.wrong").count() == 1
    assert cards.locator(".trail.coarser").count() == 1
    page.locator("#other").select_option(label="threshold:threshold=0.99 (100% right)")
    assert cards.count() == 2
    assert cards.locator("img").count() == 1
    page.locator("#other").select_option(label="greedy (69.0% right)")
    assert "answer the same" in page.locator("#cards").inner_text()


@pytest.mark.slow
@pytest.mark.parametrize("width", [390, 1300])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_runs_over_the_edge(choice: RuleChoice, opened: Any, width: int, scheme: str) -> None:
    long = dataclasses.replace(RULES[2], rule=f"threshold:{'family=0.123,' * 12}genus=0.5")
    page = opened(dataclasses.replace(choice, rules=(*RULES, long), examples=()), width, color_scheme=scheme)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert page.locator("#chart-rules .main-svg").first.is_visible()


@pytest.mark.slow
def test_without_a_script_and_on_paper_the_tables_remain(choice: RuleChoice, opened: Any) -> None:
    page = opened(choice, java_script_enabled=False)
    assert page.locator(".goals").is_visible()
    assert page.locator("#table tbody tr:visible").count() == 6
    assert not page.locator("#goal").is_visible()
    assert page.locator(".copy:visible").count() == 0
    paper = opened(choice)
    paper.emulate_media(media="print")
    assert paper.locator(".goals").is_visible()
    assert paper.locator("#table tbody tr:visible").count() == 6
