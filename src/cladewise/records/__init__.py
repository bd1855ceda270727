"""What is written to disk: the run folder, its configuration, its log."""

from cladewise.records.config import (
    FOR_PEOPLE,
    MACHINE_SETTINGS,
    NO_SPLIT,
    BackboneConfig,
    RunConfig,
    TrainingConfig,
    config_from_dict,
    read_config,
    settings,
)
from cladewise.records.layout import SCHEMA_VERSION, RunFolder
from cladewise.records.transitions import (
    Transitions,
    naive_parents,
    naive_transition,
    read_transitions,
    write_transitions,
)

__all__ = [
    "FOR_PEOPLE",
    "MACHINE_SETTINGS",
    "NO_SPLIT",
    "SCHEMA_VERSION",
    "BackboneConfig",
    "RunConfig",
    "RunFolder",
    "TrainingConfig",
    "Transitions",
    "config_from_dict",
    "naive_parents",
    "naive_transition",
    "read_config",
    "read_transitions",
    "settings",
    "write_transitions",
]
