"""The configuration of a run without a network."""

from __future__ import annotations

from pathlib import Path

import pytest

from cladewise import InputError
from cladewise.records import NO_SPLIT, RunConfig, RunFolder, read_config
from cladewise.records.scores_table import ScoresTable

TABLE = ScoresTable(
    digest="3f2a", files=("/data/a.csv",), options={"values": "logits"}, labels="77", fit_split="dev", fit_share=0.25
)


def test_it_reads_back_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    config = RunConfig.of_scores(TABLE, seed=3, name="speciesnet")
    config.write(file, cladewise="1", inference="none", decision="majority")
    assert read_config(file) == config
    assert "[method]" not in file.read_text()
    assert (config.training.train_split, config.training.val_split) == (NO_SPLIT, "dev")
    RunFolder(tmp_path).check_trained()


def test_what_does_not_belong_is_named(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for text, message in {
        'schema_version = 1\n[scores]\ndigest = "3f"\n[method]\nname = "hace"\n': "but got 'method'",
        "schema_version = 1\n[scores]\nfiles = []\n": "the digest of the scores",
        'schema_version = 1\n[scores]\ndigest = "3f"\nfiles = "a.csv"\n': "files of another type",
        'schema_version = 1\n[scores]\ndigest = "3f"\nfiles = [1]\n': "files in .scores. that are texts",
        'schema_version = 1\n[scores]\ndigest = "3f"\nfit_share = true\n': "fit_share of another type",
        'schema_version = 9\n[scores]\ndigest = "3f"\n': "schema_version 1",
        "schema_version = 1\nscores = 3\n": "a table .scores.",
    }.items():
        file.write_text(text)
        with pytest.raises(InputError, match=message):
            read_config(file)


def test_a_folder_without_weights_or_scores_is_not_finished(tmp_path: Path) -> None:
    for text in ('schema_version = 1\n[method]\nname = "hace"\n', "schema_version ="):
        (tmp_path / "config.toml").write_text(text)
        with pytest.raises(InputError, match=r"a finished run, but got no model\.safetensors"):
            RunFolder(tmp_path).check_trained()
