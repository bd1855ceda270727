"""Configurations of runs that were trained before their method had all of its present options."""

from __future__ import annotations

import dataclasses

from cladewise import methods
from cladewise.records import RunConfig


def with_all_options(config: RunConfig) -> RunConfig:
    """The configuration with all present options of its method, see :func:`cladewise.methods.recorded_options`.

    Example:
        >>> with_all_options(RunConfig(method="hace", options={"dilution": 0.7})).options["with_root"]
        'auto'
        >>> with_all_options(RunConfig(method="supcon")).options["compared_views"]
        1
    """
    return dataclasses.replace(config, options=methods.recorded_options(config.method, config.options))
