"""Records that are damaged, foreign or newer are one line that names the file, whichever record it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cladewise import InputError
from cladewise.records import RunConfig, counts, log, read_config, read_plates, read_resources
from cladewise.records.explanations import read_explanation_index
from cladewise.records.transitions import read_transitions

READERS: dict[str, Callable[[Path], Any]] = {
    "config.toml": read_config,
    "resources.json": read_resources,
    "plates.json": read_plates,
    "explanations.json": read_explanation_index,
    "transitions.safetensors": read_transitions,
    "counts.csv": lambda file: counts.read_counts(file, 3),
    "log.jsonl": log.read,
}
CONTENTS = {
    "foreign": b"\x89PNG\r\n\x1a\n" + bytes(range(256)),
    "list": b"[1, 2]\n",
    "deep": b"[" * 100_000 + b"\n",
    "zeros": bytes(64) + b"\n",
}


@pytest.mark.parametrize("content", CONTENTS)
@pytest.mark.parametrize("name", READERS)
def test_what_is_no_record_is_named(tmp_path: Path, name: str, content: str) -> None:
    file = tmp_path / name
    file.write_bytes(CONTENTS[content])
    with pytest.raises(InputError, match=name.replace(".", r"\.")) as caught:
        READERS[name](file)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("version", ["2", "0", '"1"', "true", ""])
def test_other_versions_are_refused_by_every_reader(tmp_path: Path, version: str) -> None:
    file = tmp_path / "config.toml"
    RunConfig(data={}, method="hace").write(file)
    new = f"schema_version = {version}" if version else ""
    file.write_text(file.read_text().replace("schema_version = 1", new))
    with pytest.raises(InputError, match=r"schema_version 1, but got .* at .*config\.toml\."):
        read_config(file)
    index = tmp_path / "index.json"
    index.write_text(f'{{"schema_version": {version}}}' if version else "{}")
    for read in (read_plates, read_explanation_index):
        with pytest.raises(InputError, match=r"schema_version 1, but got .* at .*index\.json\."):
            read(index)


def test_a_log_is_read_up_to_an_unfinished_line(tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    log.append(file, "epoch", epoch=0, train_loss=0.5)
    log.append(file, "skipped", path="a\udcff.png", reason="broken")  # a name that is not UTF-8
    with file.open("ab") as stream:
        stream.write(b'{"event": "epoch", "epo')
    assert [event["event"] for event in log.read(file)] == ["epoch", "skipped"]
    assert log.read(file)[1]["path"] == "a\udcff.png"
    log.append(file, "warning", text="on")
    assert [event["event"] for event in log.read(file)] == ["epoch", "skipped", "warning"]


@pytest.mark.parametrize("line", ["garbage", "5", "{}", '{"event": "epoch"}', '{"event": "epoch", "epoch": "1"}'])
def test_a_line_that_is_no_event_is_named(tmp_path: Path, line: str) -> None:
    file = tmp_path / "log.jsonl"
    log.append(file, "epoch", epoch=0)
    file.write_text(file.read_text() + line + "\n")
    with pytest.raises(InputError, match=r"an event of a run's log in JSON, but got .* at .*log\.jsonl:2\. Remove"):
        log.read(file)
