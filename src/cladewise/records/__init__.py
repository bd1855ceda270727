"""Everything that is written to disk: the run folder, its configuration, evaluations and log."""

from cladewise.records.audit import AuditRecord, read_audit, write_audit
from cladewise.records.config import (
    FOR_PEOPLE,
    MACHINE_SETTINGS,
    NO_SPLIT,
    AblationConfig,
    BackboneConfig,
    RunConfig,
    TrainingConfig,
    TrainSettings,
    changes,
    config_from_dict,
    differences,
    read_config,
    settings,
    settings_by_table,
    settings_parameters,
)
from cladewise.records.curves import CalibrationBins, CurvePoints, Curves, RiskPoints
from cladewise.records.embedding import (
    EmbeddingConfig,
    EmbeddingFolder,
    read_embedding_config,
    read_results,
    write_embedding_config,
)
from cladewise.records.evaluation import Evaluation, evaluate_command, read_evaluation, write_evaluation
from cladewise.records.few_shot import FewShot, read_few_shot, write_few_shot
from cladewise.records.hub_folder import local_run_folder
from cladewise.records.layout import SCHEMA_VERSION, TREES, RunFolder, Tree, check_tree
from cladewise.records.plates import Measure, NumberTable, Plate, Plates, read_plates, write_plates
from cladewise.records.promises import PromiseKept
from cladewise.records.reading import building, check_schema, read_json, read_toml
from cladewise.records.resources import Resources, read_resources
from cladewise.records.rule_choice import (
    ChoiceExample,
    JudgedRule,
    RuleChoice,
    read_rule_choice,
    write_rule_choice,
)
from cladewise.records.shared_files import SHARED, Shared, shared_as
from cladewise.records.transitions import (
    Transitions,
    naive_parents,
    naive_transition,
    read_transitions,
    write_transitions,
)
from cladewise.records.unknown import Unknown, UnknownRule, UnknownScore, read_unknown, write_unknown

__all__ = [
    "FOR_PEOPLE",
    "MACHINE_SETTINGS",
    "NO_SPLIT",
    "SCHEMA_VERSION",
    "SHARED",
    "TREES",
    "AblationConfig",
    "AuditRecord",
    "BackboneConfig",
    "CalibrationBins",
    "ChoiceExample",
    "CurvePoints",
    "Curves",
    "EmbeddingConfig",
    "EmbeddingFolder",
    "Evaluation",
    "FewShot",
    "JudgedRule",
    "Measure",
    "NumberTable",
    "Plate",
    "Plates",
    "PromiseKept",
    "Resources",
    "RiskPoints",
    "RuleChoice",
    "RunConfig",
    "RunFolder",
    "Shared",
    "TrainSettings",
    "TrainingConfig",
    "Transitions",
    "Tree",
    "Unknown",
    "UnknownRule",
    "UnknownScore",
    "building",
    "changes",
    "check_schema",
    "check_tree",
    "config_from_dict",
    "differences",
    "evaluate_command",
    "local_run_folder",
    "naive_parents",
    "naive_transition",
    "read_audit",
    "read_config",
    "read_embedding_config",
    "read_evaluation",
    "read_few_shot",
    "read_json",
    "read_plates",
    "read_resources",
    "read_results",
    "read_rule_choice",
    "read_toml",
    "read_transitions",
    "read_unknown",
    "settings",
    "settings_by_table",
    "settings_parameters",
    "shared_as",
    "write_audit",
    "write_embedding_config",
    "write_evaluation",
    "write_few_shot",
    "write_plates",
    "write_rule_choice",
    "write_transitions",
    "write_unknown",
]
