"""``cladewise choose`` as a user runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cladewise.records import read_rule_choice


def test_choose_prints_a_table_and_writes_page_and_record(here: Any, run: str) -> None:
    code, out, err = here("choose", run, "--record", "choose.json", "--examples", "5")
    assert code == 0, err
    choice = read_rule_choice("choose.json")
    lines = out.splitlines()
    number = f"{len(choice.unbeaten)} of {len(choice.rules)}"
    assert lines[0].startswith(f"test: {choice.num_images} images, {number} rules, those that no other beats")
    printed = [line.split("│")[1].strip() for line in lines if line.startswith("│")]
    assert printed == [rule.rule for rule in choice.unbeaten]
    assert [line.partition(":")[0] for line in lines if line.startswith("right at least")] == [
        f"right at least {goal}%" for goal in (80, 90, 95, 99)
    ]
    assert lines[-2:] == ["choose.html", "choose.json"]
    assert "Which rule?" in Path("choose.html").read_text()
    assert 0 < len(choice.examples) <= 5
    code, out, _ = here("choose", run, "--every")
    printed = [line.split("│")[1].strip() for line in out.splitlines() if line.startswith("│")]
    assert (code, printed) == (0, [rule.rule for rule in choice.rules])


def test_choose_judges_given_rules_alone(here: Any, run: str) -> None:
    rules = ("--decision", "leaf", "--decision", "threshold:threshold=0.97")
    code, out, err = here("choose", run, *rules, "--only", "--out", "only.html")
    assert code == 0, err
    assert "test: " in out
    assert Path("only.html").is_file()
    code, out, err = here("choose", run, *rules, "--only", "--out", "only.html", "--group-by", "folder")
    assert (code, " groups, " in out.splitlines()[0]) == (0, True), err
    code, _, err = here("choose", run, "--only")
    assert (code, "Expected --decision ... with --only, but got none" in err) == (2, True), err
    code, _, err = here("choose", run, "--decision", "majorty")
    assert (code, "Did you mean majority?" in err) == (2, True)
    code, _, err = here("choose", "photos")
    assert (code, "Expected a run folder" in err) == (2, True)
