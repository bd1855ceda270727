"""Configurations of earlier runs, which their method may have had fewer options for."""

from __future__ import annotations

import dataclasses

from cladewise import methods
from cladewise.errors import InputError
from cladewise.records import RunConfig, RunFolder, changes, read_config


def with_all_options(config: RunConfig) -> RunConfig:
    """The configuration with all present options of its method, see :func:`cladewise.methods.recorded_options`.

    Example:
        >>> with_all_options(RunConfig(method="hace", options={"dilution": 0.7})).options["with_root"]
        'auto'
        >>> with_all_options(RunConfig(method="supcon")).options["compared_views"]
        1
    """
    return dataclasses.replace(config, options=methods.recorded_options(config.method, config.options))


OVERWRITE = "Choose another folder with out=, or give overwrite=True to replace that run."


def check_same(folder: RunFolder, config: RunConfig, *, advice: str = OVERWRITE) -> None:
    """Check that a folder is free or holds a run with this configuration.

    Args:
        folder: The folder.
        config: The configuration.
        advice: What to do otherwise.

    Raises:
        InputError: It holds another run.
    """
    if not folder.config.is_file():
        return
    changed = changes(with_all_options(read_config(folder.config)), config)
    if changed:
        raise InputError(
            f"{folder.path} to be free or to contain this run",
            f"a run that differs in {', '.join(changed)}",
            advice=advice,
        )
