"""The settings of ``train`` are those of the configuration, whichever way they are looked at."""

from __future__ import annotations

import dataclasses
import inspect
import subprocess
import sys
from typing import Literal, get_args, get_origin, get_type_hints

import pytest

from cladewise import InputError
from cladewise.engine.training.starting import train
from cladewise.records import (
    AblationConfig,
    BackboneConfig,
    RunConfig,
    TrainingConfig,
    TrainSettings,
    config_from_dict,
    settings_by_table,
)

TABLES = (BackboneConfig, TrainingConfig, AblationConfig)
FIELDS = {field.name: field for table in TABLES for field in dataclasses.fields(table)}


def test_typed_settings_are_the_fields_of_the_configuration() -> None:
    hints = get_type_hints(TrainSettings)
    assert {*hints, "name", "freeze"} == {*FIELDS}
    for name, hint in hints.items():
        choices = FIELDS[name].metadata["choices"]
        if choices:
            assert get_origin(hint) is Literal, name
            assert get_args(hint) == choices, name
        else:
            assert hint is type(FIELDS[name].default), name


def test_each_is_sorted_into_its_table() -> None:
    values = {name: field.default for name, field in FIELDS.items() if name not in ("name", "freeze")}
    found = settings_by_table(values)
    assert [*found] == [*TABLES]
    for table, chosen in found.items():
        assert {*chosen} == {field.name for field in dataclasses.fields(table)} - {"name", "freeze"}, table


def test_the_signature_of_train_lists_them_with_their_defaults() -> None:
    listed = inspect.signature(train).parameters
    assert all(parameter.kind is not parameter.VAR_KEYWORD for parameter in listed.values())
    for name in get_type_hints(TrainSettings):
        assert listed[name].default == FIELDS[name].default, name


WRONG = """
import sys
from cladewise import InputError
from cladewise.engine import train
for wrong in ({"epoch": 3}, {"epochs": "three"}, {"label_noise": 2.0}, {"scaling": "l1"}):
    try:
        train("photos", out="run", **wrong)
    except InputError as error:
        print(error)
print([name for name in ("torch", "lightning") if name in sys.modules])
"""


def test_wrong_ones_are_told_before_torch_is_imported() -> None:
    told = subprocess.run([sys.executable, "-c", WRONG], capture_output=True, text=True, check=True).stdout.splitlines()
    said = ("'epoch'. Did you mean epochs?", "epochs to be", "label_noise of at most 1", "scaling to be one of", "[]")
    for line, wanted in zip(told, said, strict=True):
        assert wanted in line


@pytest.mark.parametrize("version", [None, 2, "1"])
def test_a_configuration_in_memory_has_a_version_too(version: object) -> None:
    config = RunConfig(data={}, method="hace")
    assert config_from_dict(config.to_dict()) == config
    changed = {k: v for k, v in {**config.to_dict(), "schema_version": version}.items() if v is not None}
    with pytest.raises(InputError, match="schema_version 1, but got"):
        config_from_dict(changed)
