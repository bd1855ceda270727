"""The page of a proposal in a real browser: edits, undo, and the file that it saves."""

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise import Taxonomy
from cladewise.induction import Proposal, induce, write_proposal_page

pytestmark = pytest.mark.slow

NAMES = ["oak tree", "pine tree", "birch tree", "trout fish", "salmon fish", "cod fish", 'an <b>odd</b>, "quoted" name']


@pytest.fixture(scope="module")
def proposal(shared_cache: Path) -> Proposal:
    return induce(NAMES, "texts", encoder="characters", groups=[3])


@pytest.fixture(params=[(1280, "light"), (420, "dark")], ids=lambda case: f"{case[0]}-{case[1]}")
def page(request, browser, proposal, tmp_path):
    width, scheme = request.param
    file = write_proposal_page(proposal, tmp_path / "proposal.html")
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    page.set_default_timeout(8_000)
    complaints, requests = [], []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: requests.append(request.url))
    page.goto(file.as_uri())
    yield page
    context.close()
    assert complaints == []
    assert [url for url in requests if not url.startswith(("data:", "blob:"))] == [file.as_uri()]


def saved(page, tmp_path: Path) -> Taxonomy:
    with page.expect_download() as download:
        page.click("#download")
    file = tmp_path / "saved.csv"
    download.value.save_as(file)
    assert download.value.suggested_filename == "classes.csv"
    return Taxonomy.read(file)


def leaf_paths(tree: Taxonomy) -> set[str]:
    return {tree.path_name(node) for node in tree.leaf_nodes}


def group(page, name: str):
    return page.locator(f'.group:has(> .group-head bdi:text-is("{name}"))')


def test_the_page_shows_the_tree_and_saves_it_unchanged(page, proposal, tmp_path) -> None:
    assert page.locator(".class").count() == len(NAMES)
    assert sorted(page.locator(".class bdi").all_inner_texts()) == sorted(NAMES)
    assert page.locator(".group:not(.top)").count() == proposal.taxonomy.num_nodes - 1 - len(NAMES)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    again = saved(page, tmp_path)
    assert leaf_paths(again) == leaf_paths(proposal.taxonomy)
    ours = {again.path_name(v): str(again.columns["evidence"][v]) for v in range(1, again.num_nodes)}
    assert ours == {proposal.taxonomy.path_name(v): proposal.evidence(v) for v in range(1, proposal.taxonomy.num_nodes)}


def test_a_group_is_renamed_and_that_is_undone(page, tmp_path) -> None:
    group(page, "tree").locator("> .group-head .name").click()
    page.locator("input.name").fill("plants, all")
    page.keyboard.press("Enter")
    assert {path.split("/")[0] for path in leaf_paths(saved(page, tmp_path)) if "oak" in path} == {"plants, all"}
    page.click("#undo")
    assert group(page, "tree").count() == 1
    page.click("#redo")
    assert group(page, "plants, all").count() == 1
    page.keyboard.press("Control+z")
    assert group(page, "tree").count() == 1
    group(page, "tree").locator("> .group-head .name").click()
    page.locator("input.name").fill("fish")
    page.keyboard.press("Enter")
    assert "There is a fish beside it already." in page.locator("#said").inner_text()
    assert group(page, "tree").count() == 1


def test_a_class_is_dragged_to_another_group(page, tmp_path) -> None:
    page.locator(".class", has_text="cod fish").drag_to(group(page, "tree").locator("> .group-head"))
    assert "tree/cod fish" in leaf_paths(saved(page, tmp_path))
    group(page, "fish").locator("> .group-head .grip").drag_to(group(page, "tree").locator("> .group-head"))
    assert "tree/fish/trout fish" in leaf_paths(saved(page, tmp_path))
    group(page, "tree").locator("> .group-head .grip").drag_to(group(page, "fish").locator("> .group-head"))
    assert "cannot be moved into itself" in page.locator("#said").inner_text()
    page.click("#undo")
    page.click("#undo")
    assert "fish/cod fish" in leaf_paths(saved(page, tmp_path))


def test_groups_are_made_and_deleted(page, tmp_path) -> None:
    for name in ("oak tree", "pine tree"):
        page.locator(".class", has_text=name).click()
    assert page.locator("#count").inner_text() == "2"
    page.click("#group")
    page.keyboard.type("of the north")
    page.keyboard.press("Enter")
    tree = saved(page, tmp_path)
    assert {"tree/of the north/oak tree", "tree/of the north/pine tree", "tree/birch tree"} <= leaf_paths(tree)
    assert tree.num_levels == 3
    group(page, "tree").locator("> .group-head .delete").click()
    assert {"of the north/oak tree", "birch tree"} <= leaf_paths(saved(page, tmp_path))
    page.locator(".top > .group-head .add").click()
    page.keyboard.press("Escape")
    assert "without 1 empty group" in [saved(page, tmp_path), page.locator("#said").inner_text()][1]
    assert not any("new group" in path for path in leaf_paths(saved(page, tmp_path)))


def test_members_are_hidden_and_still_saved(page, proposal, tmp_path) -> None:
    fold = group(page, "tree").locator("> .group-head .fold")
    fold.click()
    assert page.locator(".class").count() == len(NAMES) - 3
    assert fold.get_attribute("aria-expanded") == "false"
    assert leaf_paths(saved(page, tmp_path)) == leaf_paths(proposal.taxonomy)
    fold.click()
    assert page.locator(".class").count() == len(NAMES)


def test_selected_classes_move_by_keyboard(page, tmp_path) -> None:
    chip = page.locator(".class", has_text="trout fish")
    chip.focus()
    page.keyboard.press("Enter")
    page.select_option("#target", label="\u2003tree")
    page.locator("#move").focus()
    page.keyboard.press("Enter")
    assert "tree/trout fish" in leaf_paths(saved(page, tmp_path))
    assert page.locator("#count").inner_text() == "0"


def test_ids_and_names_that_look_like_markup_survive(browser, tmp_path, shared_cache) -> None:
    odd = Taxonomy.from_parents(
        [-1, 0, 0, 0, 0],
        ["", "</script><script>alert(1)</script>", "red apple", "green apple", "=1+1"],
        columns={"id": ["", "group_1", "root", "a,b", " x"], "synonyms": ["", "s|t", "", "", '"q"']},
    )
    found = induce(odd, "texts", encoder="characters", groups=[3])
    page = browser.new_page()
    page.goto(write_proposal_page(found, tmp_path / "odd.html").as_uri())
    again = saved(page, tmp_path)
    page.close()
    assert leaf_paths(again) == leaf_paths(found.taxonomy)
    assert again.find("root") == again.find("red apple")
    assert again.columns["synonyms"][again.find("=1+1")] == '"q"'
