"""The resolved configuration of a run, as in ``config.toml``, and its settings."""

from __future__ import annotations

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypedDict, TypeVar

import tomli_w

from cladewise.atomic import write_text
from cladewise.catalogue import nearest, type_text
from cladewise.errors import InputError
from cladewise.records.channel_values import channel_values
from cladewise.records.layout import SCHEMA_VERSION, SCORES
from cladewise.records.reading import check_schema, read_toml
from cladewise.records.scores_table import ScoresTable, read_scores_table

Table = TypeVar("Table")


PRECISIONS = ("32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true")
LARGEST_SEED = 2**32 - 1
LARGEST_NUMBER = 2**31 - 1
"""Upper limit of integer settings without a limit of their own."""
NO_SPLIT = "none"
"""Name for no split, for a run without validation."""


def setting(
    default: Any,
    text: str,
    *,
    least: float | None = None,
    most: float | None = None,
    choices: tuple[str, ...] = (),
    reads: Callable[[str], object] | None = None,
) -> Any:
    """A setting with its default, help text and allowed values; ``reads`` raises if it cannot read a text."""
    limits = {"least": least, "most": most, "choices": choices, "reads": reads}
    return dataclasses.field(default=default, metadata={"help": text, **limits})


@dataclasses.dataclass(frozen=True, kw_only=True)
class BackboneConfig:
    """The image encoder, and whether it is trained."""

    name: str = setting("efficientnet_lite0", "a timm model, the packaged efficientnet_lite0, or resnet12")
    pretrained: bool = setting(True, "start from published weights")
    checkpoint: str = setting("", "weights file to start from instead")
    image_size: int = setting(
        0, "side of the square input in pixels; 0: the size the backbone was trained with", least=0, most=16_384
    )
    crop_ratio: float = setting(
        0.0,
        "fraction of the shorter side kept by the centre crop; 0: as the backbone was trained",
        least=0,
        most=1,
    )
    resize: str = setting(
        "shorter-side",
        "which sides of an image are resized before the crop: the shorter one, or both to a square",
        choices=("shorter-side", "square"),
    )
    mean: str = setting(
        "",
        "mean of red, green and blue, such as 0.485,0.456,0.406; empty: as the backbone was trained",
        reads=channel_values,
    )
    std: str = setting(
        "",
        "standard deviation of red, green and blue; empty: as the backbone was trained",
        reads=functools.partial(channel_values, name="std"),
    )
    stem: str = setting(
        "own",
        "first layers of a ResNet of timm: its own, or a 3x3 convolution without stride and pooling, for CIFAR",
        choices=("own", "cifar"),
    )
    drop_rate: float = setting(0.0, "dropout of the backbone in training", least=0, most=0.99)
    adapter_rank: int = setting(
        0, "rank of low-rank adapters, trained instead of the encoders' own weights; 0: no adapters", least=0, most=4096
    )
    adapter_alpha: float = setting(0.0, "scale of the adapters times their rank; 0: twice the rank", least=0)
    adapter_targets: str = setting(
        "",
        "ends of the names of layers with adapters, such as qkv,proj; empty: linear layers and attentions, "
        "or convolutions in an encoder without these",
    )
    freeze: bool = setting(False, "freeze the backbone and train the head on cached features")
    views: int = setting(1, "augmented copies of each training image to cache if frozen; 1: the image itself", least=1)
    scaling: str = setting(
        "l2",
        "scaling of frozen features before the head",
        choices=("l2", "standardise", "none"),
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TrainingConfig:
    """How the weights are trained."""

    train_split: str = setting("train", "split to train on; join several with +")
    val_split: str = setting("val", "split to validate on, if the data has it; none: no validation")
    epochs: int = setting(30, "passes over the training images", least=0)
    batch_size: int = setting(128, "images per step and process", least=1)
    optimizer: str = setting("sgd", "optimiser", choices=("sgd", "adamw", "adam"))
    lr: float = setting(0.03, "learning rate of the head", least=0)
    backbone_lr: float = setting(0.005, "learning rate of the backbone, if it is trained", least=0)
    weight_decay: float = setting(5e-4, "weight decay", least=0)
    decay: str = setting(
        "weights",
        "parameters that weight decay applies to: weights, or all, with biases and normalisation layers",
        choices=("weights", "all"),
    )
    momentum: float = setting(0.9, "momentum of SGD", least=0, most=1)
    schedule: str = setting("cosine", "learning rate schedule after the warm-up", choices=("cosine", "constant"))
    lr_floor: float = setting(0.0, "learning rate at the end of the cosine schedule", least=0)
    cycles: int = setting(1, "periods of the cosine schedule, each of which starts again at the full rate", least=1)
    warmup_epochs: float = setting(0.0, "epochs of linear warm-up of the learning rates", least=0)
    precision: str = setting("32-true", "numeric precision, in Lightning's terms", choices=PRECISIONS)
    chunk: int = setting(
        0,
        "images encoded at a time (gradient caching); the loss still sees the whole batch; 0: all",
        least=0,
    )
    accumulate: int = setting(1, "batches to accumulate gradients over before an update", least=1)
    clip_norm: float = setting(0.0, "gradient norm to clip at; 0: no clipping", least=0)
    balance: str = setting(
        "none",
        "class balancing: sample classes equally often, or weight the loss accordingly",
        choices=("none", "sample", "weight"),
    )
    augment: str = setting(
        "crop-flip",
        "augmentation, if the backbone is trained or views are cached",
        choices=("crop-flip", "pad-crop-flip", "moco", "none"),
    )
    pad: int = setting(4, "black pixels that pad-crop-flip adds on every side", least=0, most=1024)
    smallest: float = setting(0.08, "smallest fraction of the area that crop-flip and moco keep", least=0.001, most=1)
    early_stop: int = setting(
        0, "stop after this many epochs without a lower validation loss and keep the best weights; 0: never", least=0
    )
    accelerator: str = setting("auto", "accelerator, in Lightning's terms", choices=("auto", "cpu", "gpu", "mps"))
    devices: int = setting(1, "processes per machine, one per device", least=1)
    num_nodes: int = setting(1, "machines", least=1)
    checkpoint_seconds: float = setting(5.0, "minimum time between checkpoints, in seconds", least=0)
    workers: int = setting(-1, "worker processes that decode images; -1: the number of cores minus one", least=-1)


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationConfig:
    """Wrong or missing information in the tree and labels used for training; the run is scored by the true ones."""

    hierarchy: str = setting(
        "true", "the true tree, or a random one: the same shape with shuffled leaves", choices=("true", "random")
    )
    wrong_parents: float = setting(
        0.0, "fraction of the leaves moved to a wrong parent at the same level", least=0, most=1
    )
    drop_levels: str = setting("", "levels to remove, by number or name, such as 1,2; the finest cannot be removed")
    label_noise: float = setting(0.0, "fraction of the training images given a wrong label", least=0, most=1)
    coarse_labels: float = setting(0.0, "fraction of the training images given only a coarse label", least=0, most=1)
    coarse_level: str = setting("", "level of those coarse labels, by number or name; empty: the parent")
    label_levels: str = setting(
        "", "fractions of the training images labelled at each level, like family=0.4,species=0.6; empty: as they are"
    )
    ablation_seed: int = setting(-1, "seed of the ablations; -1: the seed of the run", least=-1)


class TrainSettings(TypedDict, total=False):
    """Settings that :func:`cladewise.train` takes by name.

    They are the fields of :class:`BackboneConfig`, :class:`TrainingConfig` and :class:`AblationConfig`, which describe
    them; ``name`` and ``freeze`` of the backbone are arguments of their own.
    """

    pretrained: bool
    checkpoint: str
    image_size: int
    crop_ratio: float
    resize: Literal["shorter-side", "square"]
    mean: str
    std: str
    stem: Literal["own", "cifar"]
    drop_rate: float
    adapter_rank: int
    adapter_alpha: float
    adapter_targets: str
    views: int
    scaling: Literal["l2", "standardise", "none"]
    train_split: str
    val_split: str
    epochs: int
    batch_size: int
    optimizer: Literal["sgd", "adamw", "adam"]
    lr: float
    backbone_lr: float
    weight_decay: float
    decay: Literal["weights", "all"]
    momentum: float
    schedule: Literal["cosine", "constant"]
    lr_floor: float
    cycles: int
    warmup_epochs: float
    precision: Literal["32-true", "bf16-mixed", "16-mixed", "bf16-true", "16-true", "64-true"]
    chunk: int
    accumulate: int
    clip_norm: float
    balance: Literal["none", "sample", "weight"]
    augment: Literal["crop-flip", "pad-crop-flip", "moco", "none"]
    pad: int
    smallest: float
    early_stop: int
    accelerator: Literal["auto", "cpu", "gpu", "mps"]
    devices: int
    num_nodes: int
    checkpoint_seconds: float
    workers: int
    hierarchy: Literal["true", "random"]
    wrong_parents: float
    drop_levels: str
    label_noise: float
    coarse_labels: float
    coarse_level: str
    label_levels: str
    ablation_seed: int


SETTING_TABLES = (BackboneConfig, TrainingConfig, AblationConfig)
_ARGUMENTS = ("name", "freeze")
"""Fields of the backbone that ``train`` takes as arguments of their own."""


def settings_by_table(chosen: Mapping[str, Any]) -> dict[type, dict[str, Any]]:
    """Sort settings that were given by name into the tables of a configuration.

    Raises:
        InputError: A setting is not known.

    Example:
        >>> settings_by_table({"lr": 0.1, "views": 2})[BackboneConfig]
        {'views': 2}
        >>> settings_by_table({"epoch": 3})  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        cladewise.errors.InputError: Expected a setting: pretrained, ..., but got 'epoch'. Did you mean epochs?
    """
    table_of = {field.name: table for table, field in _chosen_fields()}
    found: dict[type, dict[str, Any]] = {table: {} for table in SETTING_TABLES}
    for name, value in chosen.items():
        if name not in table_of:
            raise InputError(f"a setting: {', '.join(table_of)}", repr(name), advice=nearest(name, table_of))
        found[table_of[name]][name] = value
    return found


def settings_parameters() -> list[inspect.Parameter]:
    """Every setting as a keyword with its default, for the signature of a function that takes them."""
    return [
        inspect.Parameter(f.name, inspect.Parameter.KEYWORD_ONLY, default=f.default, annotation=type(f.default))
        for _, f in _chosen_fields()
    ]


def _chosen_fields() -> list[tuple[type, dataclasses.Field[Any]]]:
    fields = [(table, field) for table in SETTING_TABLES for field in dataclasses.fields(table)]
    return [(table, field) for table, field in fields if table is not BackboneConfig or field.name not in _ARGUMENTS]


MACHINE_SETTINGS = ("accelerator", "workers", "checkpoint_seconds")
"""Training settings that affect where and how a run is computed, not its result."""


FOR_PEOPLE = ("cladewise", "inference", "decision", "images")
"""Further entries of the file, for people and reports; they are not read back."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class RunConfig:
    """Everything that determines a run: data, method and settings, or the scores that another tool made.

    A run of such scores has no network. It has neither data nor method, and of the other tables only what rules ask:
    ``training.val_split`` is the split they are fitted on, and nothing was trained on any.
    """

    data: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    method: str = ""
    options: Mapping[str, Any] = dataclasses.field(default_factory=dict[str, Any])
    backbone: BackboneConfig = dataclasses.field(default_factory=BackboneConfig)
    training: TrainingConfig = dataclasses.field(default_factory=TrainingConfig)
    ablation: AblationConfig = dataclasses.field(default_factory=AblationConfig)
    scores: ScoresTable | None = None
    seed: int = 0
    name: str = ""

    @classmethod
    def of_scores(cls, scores: ScoresTable, *, seed: int = 0, name: str = "") -> RunConfig:
        """The configuration of a run without a network."""
        training = TrainingConfig(train_split=NO_SPLIT, val_split=scores.fit_split or NO_SPLIT)
        return cls(scores=scores, training=training, seed=seed, name=name)

    def to_dict(self, **extra: Any) -> dict[str, Any]:
        """As nested tables of plain values; ``extra`` entries are for people and reports, and are not read back."""
        start = {"schema_version": SCHEMA_VERSION, **extra, "name": self.name, "seed": self.seed}
        if self.scores is not None:
            return {**start, "scores": self.scores.to_dict()}
        return {
            **start,
            "data": dict(self.data),
            "method": {"name": self.method, **self.options},
            "backbone": dataclasses.asdict(self.backbone),
            "training": dataclasses.asdict(self.training),
            "ablation": dataclasses.asdict(self.ablation),
        }

    def write(self, path: Path, **extra: Any) -> None:
        """Write the file atomically."""
        write_text(path, tomli_w.dumps(self.to_dict(**extra)))


def read_config(path: Path) -> RunConfig:
    """Read a ``config.toml``.

    Raises:
        InputError: The file is missing or not TOML, or a setting is unknown or not allowed.
    """
    if not path.is_file():
        raise InputError("a run's config.toml", "no such file", at=str(path), advice="Give a folder that train wrote.")
    return _config(read_toml(path, "a run's configuration", advice=_ADVICE), str(path))


def config_from_dict(content: Mapping[str, Any], *, at: str = "") -> RunConfig:
    """Build a configuration from nested tables; the reverse of :meth:`RunConfig.to_dict`.

    Raises:
        InputError: It is of another version of the layout, or a setting is not known or not allowed.
    """
    check_schema(content, at=at, advice=_ADVICE)
    return _config({key: value for key, value in content.items() if key != "schema_version"}, at)


def _config(content: Mapping[str, Any], at: str) -> RunConfig:
    known = {"name", "seed", *FOR_PEOPLE}
    known |= {SCORES} if SCORES in content else {"data", "method", "backbone", "training", "ablation"}
    for key in content:
        if key not in known:
            raise InputError(f"one of {', '.join(sorted(known))}", repr(key), at=at, advice=nearest(key, known))
    seed, name = content.get("seed", 0), content.get("name", "")
    if type(seed) is not int or not 0 <= seed <= LARGEST_SEED:
        raise InputError(f"seed to be an int from 0 to {LARGEST_SEED}", repr(seed), at=at)
    if not isinstance(name, str):
        raise InputError("name to be a text", repr(name), at=at)
    if SCORES in content:
        return RunConfig.of_scores(read_scores_table(_table(content, SCORES, at), at=at), seed=seed, name=name)
    data, method, backbone, training, ablation = (
        _table(content, name, at) for name in ("data", "method", "backbone", "training", "ablation")
    )
    if not isinstance(method.get("name"), str):
        got = repr(method["name"]) if "name" in method else "none"
        raise InputError("a method's name", got, at=f"{at} [method]", advice="List them: cladewise list methods.")
    return RunConfig(
        data=data,
        method=method.pop("name"),
        options=method,
        backbone=settings(BackboneConfig, backbone, at=f"{at} [backbone]"),
        training=settings(TrainingConfig, training, at=f"{at} [training]"),
        ablation=settings(AblationConfig, ablation, at=f"{at} [ablation]"),
        seed=seed,
        name=name,
    )


def _table(content: Mapping[str, Any], name: str, at: str) -> dict[str, Any]:
    table = content.get(name, {})
    if not isinstance(table, Mapping):
        raise InputError(f"a table [{name}]", repr(table), at=at)
    return dict(table)


def settings(kind: type[Table], values: Mapping[str, Any], *, at: str = "") -> Table:
    """Check values against the fields of a table and build it, with defaults for the others.

    Raises:
        InputError: A setting is unknown, has the wrong type, is too small or large, or is not among its choices.
    """
    fields = {f.name: f for f in dataclasses.fields(kind)}  # type: ignore[arg-type]
    for key, value in values.items():
        if key not in fields:
            raise InputError(f"a setting: {', '.join(fields)}", repr(key), at=at, advice=nearest(key, fields))
        field, wanted = fields[key], type(fields[key].default)
        fits = isinstance(value, wanted) or (wanted is float and isinstance(value, int))
        if not fits or (isinstance(value, bool) and wanted is not bool):
            raise InputError(f"{key} to be {type_text(wanted)}", repr(value), at=at)
        least, most, choices = (field.metadata[rule] for rule in ("least", "most", "choices"))
        if wanted is float and not math.isfinite(value):
            raise InputError(f"{key} to be a finite number", value, at=at)
        if wanted is int and most is None:
            most = LARGEST_NUMBER
        if least is not None and not value >= least:
            raise InputError(f"{key} of at least {least}", value, at=at)
        if most is not None and not value <= most:
            raise InputError(f"{key} of at most {most}", value, at=at)
        if choices and value not in choices:
            raise InputError(f"{key} to be one of {', '.join(choices)}", repr(value), at=at)
        reads = field.metadata["reads"]
        if reads is not None:
            try:
                reads(value)
            except InputError as error:
                raise InputError(error.expected, error.got, at=at, advice=error.advice) from None
    return kind(**{k: float(v) if isinstance(fields[k].default, float) else v for k, v in values.items()})


def changes(before: RunConfig, after: RunConfig) -> list[str]:
    """Differences between two configurations, apart from settings of the machine: one text per entry."""
    tables = [config.to_dict() for config in (before, after)]
    if (before.scores is None) != (after.scores is None):
        there, here = ("a network" if config.scores is None else "scores of another tool" for config in (before, after))
        return [f"its kind ({there} there, {here} here)"]
    if before.scores is not None:
        return differences(tables[0], tables[1])
    for table in tables:
        for of_the_machine in MACHINE_SETTINGS:
            del table["training"][of_the_machine]
    if before.method != after.method:  # whose options are others in any case
        for table in tables:
            table["method"] = {"name": table["method"]["name"]}
    return differences(tables[0], tables[1])


def differences(before: Mapping[str, Any], after: Mapping[str, Any], prefix: str = "") -> list[str]:
    """Differences between two configurations given as nested tables, one text per entry.

    Example:
        >>> differences({"seed": 0, "training": {"lr": 0.1}}, {"seed": 0, "training": {"lr": 0.2}})
        ['training.lr (0.1 there, 0.2 here)']
    """
    found: list[str] = []
    for key in [*before, *(k for k in after if k not in before)]:
        old, new = before.get(key), after.get(key)
        if isinstance(old, dict) and isinstance(new, dict):
            found += differences(old, new, f"{prefix}{key}.")
        elif old != new:
            found.append(f"{prefix}{key} ({old!r} there, {new!r} here)")
    return found


_ADVICE = "Restore the file written by train, or train again."
