"""The experiment trackers that training can also log to, and which of their runs belong to a run folder."""

from __future__ import annotations

import importlib.metadata
import json
from collections.abc import Iterable, Mapping
from pathlib import Path

from cladewise.atomic import write_text
from cladewise.catalogue import check_name
from cladewise.errors import InputError, MissingExtraError
from cladewise.records.layout import SCHEMA_VERSION
from cladewise.records.reading import read_json

LOGGERS: dict[str, tuple[str, ...]] = {
    "tensorboard": ("tensorboard",),
    "wandb": ("wandb",),
    "mlflow": ("mlflow-skinny", "mlflow"),
}
"""Distributions of every logger, any of which provides it; the extra has the logger's name."""


def check_loggers(names: Iterable[str]) -> tuple[str, ...]:
    """The loggers' names, each once, checked to be installed.

    Raises:
        InputError: There is no such logger.
        MissingExtraError: Its package is not installed.

    Example:
        >>> check_loggers(["tensorbord"])
        Traceback (most recent call last):
        ...
        cladewise.errors.InputError: Expected a logger: tensorboard, wandb, mlflow, but got 'tensorbord'. ...
    """
    wanted = tuple(dict.fromkeys(names))
    for name in wanted:
        check_name(LOGGERS, "logger", name)
        if not any(_is_installed(distribution) for distribution in LOGGERS[name]):
            raise MissingExtraError(LOGGERS[name][0], name)
    return wanted


def _is_installed(distribution: str) -> bool:
    # not find_spec: a folder that a logger left in the working directory, such as wandb/, would count as a package
    try:
        importlib.metadata.distribution(distribution)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def read_logger_runs(file: Path) -> dict[str, str]:
    """Id of the run in every tracker, by the logger's name; empty without a file.

    Raises:
        InputError: The file is damaged, or of another version.
    """
    if not file.is_file():
        return {}
    advice = "Remove it to begin a new run in the trackers."
    runs = read_json(file, "the ids of runs in experiment trackers", advice=advice).get("runs")
    if not isinstance(runs, dict) or not all(isinstance(run, str) for run in runs.values()):
        raise InputError("the ids of runs in experiment trackers", repr(runs), at=str(file), advice=advice)
    return runs


def write_logger_runs(file: Path, ids: Mapping[str, str]) -> None:
    """Write the ids of the runs in the trackers.

    Example:
        >>> file = getfixture("tmp_path") / "runs.json"
        >>> write_logger_runs(file, {"wandb": "a1b2"})
        >>> read_logger_runs(file)
        {'wandb': 'a1b2'}
    """
    write_text(file, json.dumps({"schema_version": SCHEMA_VERSION, "runs": dict(ids)}, indent=1) + "\n")
