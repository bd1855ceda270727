"""The page of two versions of a tree: what it holds, and what a person does on it in a browser."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cladewise.report.matched_page import write_matched_page
from cladewise.taxonomy import Taxonomy, match
from cladewise.taxonomy.correspondence import Correspondence, read_matched, write_matched

BIRDS = [
    ("bird", "Tyto", "Tyto alba"),
    ("bird", "gull", "herring gull"),
    ("bird", "gull", "common/mew gull"),
    ("moth",),
]


def tree(paths: list[tuple[str, ...]], ids: dict[str, str]) -> Taxonomy:
    built = Taxonomy.from_paths(paths)
    cells = [ids.get(str(name), "") for name in built.names]
    return Taxonomy(built.parents, built.names, level=built.level, columns={"id": cells}, synthetic_root=True)


OLD = tree([*BIRDS, ("</script><b>",)], {"Tyto alba": "1", "herring gull": "2", "common/mew gull": "3", "moth": "4"})
NEW = tree(
    [("bird", "Tyto", "Tyto furcata"), ("bird", "Tyto", "Tyto alba"), *BIRDS[1:], ("</script><b>",), ('wasp, "red"',)],
    {"Tyto furcata": "1", "Tyto alba": "9", "herring gull": "2", "common/mew gull": "3", "moth": "4"},
)


def test_the_page_holds_both_trees_and_needs_nothing_else(tmp_path: Path) -> None:
    page = write_matched_page(match(OLD, NEW), tmp_path / "matched.html", title="<b>", note="ids & names").read_text()
    held = json.loads(re.findall(r'<script type="application/json" id="data">(.*?)</script>', page, re.DOTALL)[0])
    assert held["old"]["names"] == OLD.names.tolist()
    assert held["rows"]["ask"] == [2, 3]
    assert not re.search(r"https?://|src=|@import", page.replace(json.dumps(held), ""))
    assert "&lt;b&gt;" in page
    assert "ids &amp; names" in page


@pytest.fixture
def opened(browser: Any, tmp_path: Path) -> Iterator[Any]:
    """The page of the two trees in a browser."""
    page_file = write_matched_page(match(OLD, NEW), tmp_path / "matched.html")
    page = browser.new_page(viewport={"width": 1300, "height": 1000})
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(page_file.as_uri())
    yield page
    page.close()
    assert errors == []


def saved(page: Any, tmp_path: Path) -> Path:
    with page.expect_download() as download:
        page.get_by_role("button", name="Save matched.csv").click()
    path = tmp_path / "saved.csv"
    download.value.save_as(path)
    return path


def equal(one: Correspondence, other: Correspondence) -> bool:
    return all(
        getattr(one, name).tolist() == getattr(other, name).tolist()
        for name in ("old_nodes", "new_nodes", "certainty", "evidence", "ask", "change")
    )


@pytest.mark.slow
def test_the_saved_table_is_the_written_one(opened: Any, tmp_path: Path) -> None:
    found = match(OLD, NEW)
    written = tmp_path / "written.csv"
    write_matched(found, written)
    read = read_matched(saved(opened, tmp_path), OLD, NEW, undecided="keep")
    assert equal(read, read_matched(written, OLD, NEW, undecided="keep"))
    assert read.rows() == found.rows()


@pytest.mark.slow
def test_decisions_and_edits_are_in_the_saved_table(opened: Any, tmp_path: Path) -> None:
    assert opened.locator("#progress").inner_text() == "0 of 2 rows decided"
    candidates = opened.locator(".candidate")
    candidates.nth(0).get_by_role("button", name="drop").click()
    opened.locator(".candidate").nth(1).get_by_role("button", name="keep").click()
    assert opened.locator("#progress").inner_text() == "2 of 2 rows decided"
    decided = read_matched(saved(opened, tmp_path), OLD, NEW)
    alba = OLD.find("Tyto alba")
    assert decided.only_counterpart[alba] == NEW.find("Tyto alba")
    assert NEW.find("Tyto furcata") in decided.added
    opened.get_by_role("button", name="Undo").click()
    assert opened.locator("#progress").inner_text() == "1 of 2 rows decided"
    opened.locator(".candidate").nth(1).get_by_role("button", name="keep").click()
    opened.get_by_role("button", name=re.compile("^same")).last.click()
    opened.locator("#search").fill("moth")
    opened.wait_for_timeout(300)
    row = opened.locator(".row").filter(has_text="moth")
    row.get_by_role("button", name="change").click()
    opened.get_by_label("new counterpart").fill("wasp")
    opened.get_by_role("button", name='wasp, "red"').click()
    edited = read_matched(saved(opened, tmp_path), OLD, NEW)
    assert edited.only_counterpart[OLD.find("moth")] == NEW.find('wasp, "red"')
    assert ("moth", 'wasp, "red"', "renamed") in edited.rows()
    assert NEW.find("moth") in edited.added


@pytest.mark.slow
def test_rows_are_filtered_by_kind_branch_and_text(opened: Any) -> None:
    rows = opened.locator(".row")
    assert rows.count() == 3, "the rows to decide, and the added one"
    opened.get_by_role("button", name=re.compile("^same")).last.click()
    assert rows.count() == len(match(OLD, NEW))
    opened.locator("#branches").get_by_role("button", name=re.compile("^bird")).click()
    assert rows.count() == 7
    opened.locator("#search").fill("mew")
    opened.wait_for_timeout(300)
    assert rows.count() == 1
    opened.locator("#search").fill("")
    opened.wait_for_timeout(300)
    opened.locator("#sort").select_option("least")
    assert rows.first.inner_text().startswith("split\nbird/Tyto/Tyto alba\n")
