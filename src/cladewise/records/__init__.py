"""What is written to disk: the run folder, its configuration, its log."""

from cladewise.records.config import (
    FOR_PEOPLE,
    MACHINE_SETTINGS,
    NO_SPLIT,
    AblationConfig,
    BackboneConfig,
    RunConfig,
    TrainingConfig,
    changes,
    config_from_dict,
    differences,
    read_config,
    settings,
)
from cladewise.records.embedding import (
    EmbeddingConfig,
    EmbeddingFolder,
    read_embedding_config,
    read_results,
    write_embedding_config,
)
from cladewise.records.few_shot import FewShot, read_few_shot, write_few_shot
from cladewise.records.layout import SCHEMA_VERSION, TREES, RunFolder, Tree, check_tree
from cladewise.records.plates import Measure, NumberTable, Plate, Plates, read_plates, write_plates
from cladewise.records.reading import building, check_schema, read_json, read_toml
from cladewise.records.resources import Resources, read_resources
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
    "TREES",
    "AblationConfig",
    "BackboneConfig",
    "EmbeddingConfig",
    "EmbeddingFolder",
    "FewShot",
    "Measure",
    "NumberTable",
    "Plate",
    "Plates",
    "Resources",
    "RunConfig",
    "RunFolder",
    "TrainingConfig",
    "Transitions",
    "Tree",
    "building",
    "changes",
    "check_schema",
    "check_tree",
    "config_from_dict",
    "differences",
    "naive_parents",
    "naive_transition",
    "read_config",
    "read_embedding_config",
    "read_few_shot",
    "read_json",
    "read_plates",
    "read_resources",
    "read_results",
    "read_toml",
    "read_transitions",
    "settings",
    "write_embedding_config",
    "write_few_shot",
    "write_plates",
    "write_transitions",
]
