"""Configurations of runs that were trained before their method had all of its present options."""

from __future__ import annotations

import dataclasses

from cladewise import methods
from cladewise.catalogue import options_of
from cladewise.records import RunConfig


def with_all_options(config: RunConfig) -> RunConfig:
    """The configuration with options that its method got later, at their defaults, which is what it did without them.

    Example:
        >>> with_all_options(RunConfig(method="hace", options={"dilution": 0.7})).options["with_root"]
        'auto'
    """
    kind = methods.available().get(config.method)
    if kind is None:
        return config
    defaults = {name: field.default for name, field in options_of(kind).items()}
    return dataclasses.replace(config, options={**defaults, **config.options})
