"""An audit of a small run: planted errors first, files, corrections, the server, and what is refused."""

from __future__ import annotations

import csv
import dataclasses
import http.client
import json
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

import cladewise as cw
from cladewise import datasets
from cladewise.auditing import Audit, audit
from cladewise.auditing.evidence import was_trained_on
from cladewise.auditing.page import write_audit_page
from cladewise.datasets import Dataset
from cladewise.engine import Run, train
from cladewise.errors import InputError
from cladewise.records import read_audit
from shared_runs import TINY


@pytest.fixture(scope="module")
def noisy(colour_folder: Path, colours: Dataset, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on labels with three planted errors, laid over the data as a table."""
    folder, tree = tmp_path_factory.mktemp("noisy"), colours.taxonomy
    red = [i for i in colours.indices("train").tolist() if tree.path_name(int(colours.nodes[i])) == "warm/red"][:3]
    rows = [f"{colours.paths[i]},cold/blue/navy,label" for i in red]
    (folder / "errors.csv").write_text("path,label,action\n" + "\n".join(rows) + "\n")
    settings: dict[str, Any] = {**TINY, "method": "flat-softmax", "freeze": True, "epochs": 20, "lr": 1.0}
    return train(colours, corrections=folder / "errors.csv", out=folder / "run", tell=False, **settings)


@pytest.fixture(scope="module")
def found(noisy: Run) -> Audit:
    return audit(noisy, folds=3, most=20, progress=False)


def planted(run: Run) -> set[str]:
    table = Path(str(run.config.data["corrections"][0]["path"]))
    return {row["path"] for row in csv.DictReader(table.open())}


def test_planted_errors_are_among_the_first(found: Audit, noisy: Run) -> None:
    truth = planted(noisy)
    order = np.argsort(-found.found.bits, kind="stable")[:9]
    first = [found.dataset.paths[i] for i in found.index[order].tolist()]
    assert len(truth & set(first)) >= 2
    assert found.suspects.size + found.finer.size <= found.index.size
    assert set(found.index.tolist()) <= set(found.dataset.indices("train").tolist())
    assert found.index.size == found.dataset.indices("train").size - found.record.num_skipped


def test_images_decided_before_are_not_listed_again(found: Audit, noisy: Run) -> None:
    listed = {found.dataset.paths[i] for i in found.index[found.suspects].tolist()}
    assert not listed & planted(noisy)
    assert found.record.num_reviewed == 3


def test_files_say_the_same(found: Audit) -> None:
    record = read_audit(found.folder / "audit.json")
    assert record == found.record
    assert record is not None
    assert record.folds == 3
    suspects = pl.read_csv(found.folder / "suspects.csv")
    assert suspects["rank"].to_list() == list(range(1, record.suspects + 1))
    assert (suspects["bits"].diff().drop_nulls() <= 1e-12).all()
    whole = pl.read_parquet(found.folder / "labels.parquet")
    assert whole.height == record.num_images
    assert whole["wrong"].sum() == pytest.approx(record.expected_wrong)
    page = found.page.read_text()
    assert "Labels worth a second look" in page
    assert page.count("data:image") > 0


def test_a_repeated_audit_fits_nothing_and_says_the_same(found: Audit, noisy: Run) -> None:
    heads = {file: file.stat().st_mtime_ns for file in noisy.folder.audit_folds.rglob("model.safetensors")}
    assert len(heads) == 3
    again = cw.audit(noisy.path, folds=3, most=20, progress=False)
    assert {file: file.stat().st_mtime_ns for file in noisy.folder.audit_folds.rglob("model.safetensors")} == heads
    np.testing.assert_array_equal(again.found.bits, found.found.bits)


def test_splits_that_were_not_trained_on_are_scored_by_the_run(noisy: Run) -> None:
    seen = audit(noisy, split="test", progress=False)
    assert seen.record.folds == 0
    assert set(seen.index.tolist()) <= set(seen.dataset.indices("test").tolist())
    assert seen.index.size == seen.dataset.indices("test").size - seen.record.num_skipped


def test_splits_that_share_images_with_the_training_were_trained_on(noisy: Run, colours: Dataset) -> None:
    train, val = colours.indices("train"), colours.indices("val")
    data = dataclasses.replace(colours, splits={**colours.splits, "shelf": np.append(val[:2], train[:1])})
    assert [was_trained_on(noisy.config, data, name) for name in ("train", "shelf", "val+test", "val+shelf")] == [
        True,
        True,
        False,
        True,
    ]


def test_a_root_without_a_name_cannot_be_accepted(found: Audit, tmp_path: Path) -> None:
    evidence = dataclasses.replace(found.found, proposal=np.zeros_like(found.found.proposal))
    shown = dataclasses.replace(found, found=evidence, folder=tmp_path)
    page = write_audit_page(shown, tmp_path / "page.html", most=20).read_text()
    text = page.split('<script type="application/json" id="data">')[1].split("</script>")[0]
    items = [item for each in json.loads(text)["lists"] if each["key"] == "suspects" for item in each["items"]]
    assert items
    assert {item["proposal"] for item in items} == {None}


def test_settings_are_checked(noisy: Run, trained: Callable[..., Run]) -> None:
    refused: tuple[tuple[dict[str, Any], str], ...] = (
        ({"folds": 1}, "at least 2 folds, but got 1"),
        ({"most": 0}, "most of at least 1"),
        ({"split": "no"}, "a split of"),
        ({"expected_errors": 0.0}, "expected_errors=... above 0 and below 1, but got 0"),
    )
    for settings, message in refused:
        with pytest.raises(InputError, match=message):
            audit(noisy, progress=False, **settings)
    with pytest.raises(InputError, match="trained on true labels"):
        audit(trained(method="flat-softmax", freeze=True, epochs=1, label_noise=0.3), progress=False)


# ------------------------------------------------------------------ the server


@pytest.fixture
def served(found: Audit, tmp_path: Path) -> Iterator[Any]:
    """The page, served from a folder of its own."""
    (tmp_path / "page.html").write_bytes(found.page.read_bytes())
    with dataclasses.replace(found, folder=tmp_path).serve() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def asked(server: Any, method: str, path: str, body: object = None, **headers: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
    text = None if body is None else body if isinstance(body, str) else json.dumps(body)
    connection.request(method, path, text, headers)
    answer = connection.getresponse()
    content = answer.read().decode()
    connection.close()
    return answer.status, content


def test_decisions_are_on_disk_before_they_are_answered(served: Any, found: Audit) -> None:
    tree, paths = found.taxonomy, found.dataset.paths
    token = {"X-Token": served.token}
    for path, action, node in (
        (paths[0], "label", tree.find("grey")),
        (paths[1], "keep", -1),
        (paths[2], "remove", -1),
    ):
        assert asked(served, "POST", "/corrections", {"path": path, "action": action, "node": node}, **token)[0] == 200
    assert asked(served, "POST", "/corrections", {"path": paths[2], "action": None}, **token)[0] == 200
    rows = list(csv.DictReader(served.table.open()))
    assert [(row["path"], row["action"]) for row in rows] == [(paths[0], "label"), (paths[1], "keep")]
    plain = datasets.open({k: v for k, v in found.dataset.source.items() if k != "corrections"})
    better = datasets.with_corrections(plain, served.table)
    assert better.taxonomy.path_name(int(better.nodes[0])) == "grey"
    status, made = asked(served, "GET", f"/corrections?token={served.token}")
    assert (status, list(json.loads(made))) == (200, [paths[0], paths[1]])


def test_what_the_server_refuses(served: Any, found: Audit) -> None:
    path, token = found.dataset.paths[0], {"X-Token": served.token}
    assert asked(served, "GET", f"/?token={served.token}")[0] == 200
    assert asked(served, "GET", "/")[0] == 403
    assert asked(served, "GET", f"/../../etc/passwd?token={served.token}")[0] == 404
    assert asked(served, "GET", f"/?token={served.token}", Host="evil.example")[0] == 403
    assert asked(served, "POST", "/corrections", {"path": path, "action": "keep"})[0] == 403
    for body, status in (
        ("{", 400),
        ("[]", 400),
        ({"path": "no.png", "action": "keep"}, 422),
        ({"path": path, "action": "burn"}, 422),
        ({"path": path, "action": "label", "node": 10**9}, 422),
        ({"path": path, "action": "label", "node": 0}, 422),
        ({"path": [path], "action": "keep"}, 422),
        ("x" * 100_000, 413),
    ):
        assert asked(served, "POST", "/corrections", body, **token)[0] == status, body
    assert not served.table.exists()


@pytest.mark.slow
def test_the_page_is_walked_by_keyboard(found: Audit, browser: Any, tmp_path: Path) -> None:
    shown = dataclasses.replace(found, reviewed=np.zeros_like(found.reviewed), folder=tmp_path / "audit" / "train")
    write_audit_page(shown, shown.page, most=20)
    page = browser.new_page()
    failed: list[str] = []
    page.on("pageerror", lambda error: failed.append(str(error)))
    page.goto(shown.page.as_uri())
    total = page.evaluate("data.lists[0].items.length")
    assert total >= 2
    page.keyboard.press("k")
    page.keyboard.press("l")
    page.keyboard.type("grey")
    page.keyboard.press("Enter")
    table = page.evaluate("table()").splitlines()
    first, second = (page.evaluate(f"data.lists[0].items[{k}].path") for k in (0, 1))
    assert table[0] == "path,label,action"
    assert table[1].startswith(f"{first},")
    assert table[1].endswith(",keep")
    assert table[2] in (f"{second},grey,label", f"{second},grey,keep")
    page.keyboard.press("z")
    assert len(page.evaluate("table()").splitlines()) == 2
    page.reload()
    assert page.evaluate("decided.size") == 1
    with page.expect_download() as saved:
        page.click("#download")
    assert Path(saved.value.path()).read_text() == page.evaluate("table()")
    assert failed == []
    page.close()


@pytest.mark.slow
def test_decisions_that_cannot_be_saved_are_offered_as_a_file(found: Audit, browser: Any, tmp_path: Path) -> None:
    shown = dataclasses.replace(found, reviewed=np.zeros_like(found.reviewed), folder=tmp_path / "audit" / "train")
    write_audit_page(shown, shown.page, most=20)
    with shown.serve() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        page = browser.new_page()
        page.goto(server.address)
        page.get_by_text("written to").wait_for()
        server.token = "another"  # as after a restart
        page.keyboard.press("k")
        page.get_by_text("1 not saved").wait_for()
        with page.expect_download() as saved:
            page.click("#download")
        assert Path(saved.value.path()).read_text().endswith(",keep\n")
        page.close()
        server.shutdown()
        thread.join()


@pytest.mark.slow
def test_two_tabs_show_the_same_decisions(found: Audit, browser: Any, tmp_path: Path) -> None:
    shown = dataclasses.replace(found, reviewed=np.zeros_like(found.reviewed), folder=tmp_path / "audit" / "train")
    write_audit_page(shown, shown.page, most=20)
    context = browser.new_context()
    one, other = context.new_page(), context.new_page()
    for page in (one, other):
        page.goto(shown.page.as_uri())
    one.keyboard.press("k")
    other.locator(".film .done").wait_for()
    one.keyboard.press("z")
    other.locator(".film .done").wait_for(state="detached")
    context.close()
