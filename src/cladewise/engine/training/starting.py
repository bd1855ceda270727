"""Start a training run: ``train`` from settings, ``rerun`` from the configuration of an earlier run.

Settings are checked before anything heavy is imported, so that a mistake is reported at once.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, Unpack

from cladewise.datasets import Dataset, with_corrections
from cladewise.datasets.corrections import Tables
from cladewise.datasets.finding import find_data
from cladewise.errors import InputError
from cladewise.records import (
    AblationConfig,
    BackboneConfig,
    RunConfig,
    RunFolder,
    TrainingConfig,
    TrainSettings,
    read_config,
    settings,
    settings_by_table,
    settings_parameters,
)
from cladewise.records.loggers import check_loggers
from cladewise.taxonomy import Taxonomy

if TYPE_CHECKING:
    from cladewise.engine.run import Run
    from cladewise.methods import Method


def train(
    data: Dataset | str | PathLike[str],
    *,
    method: str | Method = "hace",
    options: Mapping[str, Any] | None = None,
    backbone: str = "efficientnet_lite0",
    freeze: bool = False,
    out: str | PathLike[str],
    corrections: Tables = (),
    seed: int = 0,
    name: str = "",
    reuse: bool = False,
    overwrite: bool = False,
    tell: bool = True,
    runtime: str | None = None,
    logger: str | Sequence[str] = (),
    progress: bool = True,
    **chosen: Unpack[TrainSettings],
) -> Run:
    """Train a method on a dataset. An interrupted run is resumed.

    Args:
        data: A dataset; a folder of images; a manifest; or the name of a dataset.
        method: A method, or its name: see ``cladewise list methods``.
        options: Hyper-parameters of the method, if ``method`` is a name.
        backbone: A timm model, or the packaged ``efficientnet_lite0``.
        freeze: Freeze the backbone and train the head on cached features.
        out: Folder of the run.
        corrections: Table of corrected labels to lay over the data, or several, as :func:`cladewise.audit` makes them;
            see :func:`cladewise.datasets.with_corrections`.
        seed: Seed of all randomness.
        name: Name in reports; the method's by default.
        reuse: If ``out`` contains this run and it is finished, return it instead of raising an error.
        overwrite: If ``out`` contains a run, retrain: the files of that run are removed once the settings have been
            checked. Other files stay.
        tell: Print a summary of the data (with ``progress``), and warn about anything odd in it.
        runtime: Runtime that computes the features of a frozen backbone, see :func:`cladewise.runtimes.compile`. Not
            kept in the configuration, since it belongs to the machine.
        logger: Experiment trackers to log to as well: any of ``"tensorboard"``, ``"wandb"`` and ``"mlflow"``. Not kept
            in the configuration; a resumed run continues the tracker's run.
        progress: Show the progress of training.
        **chosen: Any other setting of ``[backbone]``, ``[training]`` or ``[ablation]`` in ``config.toml``, such as
            ``epochs=50, lr=0.01, image_size=160, label_noise=0.1``; see
            :class:`~cladewise.records.BackboneConfig`, :class:`~cladewise.records.TrainingConfig` and
            :class:`~cladewise.records.AblationConfig`.

    Raises:
        InputError: A setting is unknown or invalid, or ``out`` contains another run.
        MissingExtraError: The package of a logger is not installed.
    """
    trackers = check_loggers([logger] if isinstance(logger, str) else logger)
    tables = settings_by_table(chosen)
    encoder = settings(BackboneConfig, {"name": backbone, "freeze": freeze, **tables[BackboneConfig]})
    ablation = settings(AblationConfig, tables[AblationConfig])
    settings(TrainingConfig, tables[TrainingConfig])  # before torch is imported; a method may have other defaults

    from cladewise import methods
    from cladewise.engine.training.fitting import fit
    from cladewise.runtimes import using

    dataset = data if isinstance(data, Dataset) else find_data(str(data))
    dataset = with_corrections(dataset, corrections) if corrections else dataset
    made = methods.make(method, **(options or {})) if isinstance(method, str) else method
    config = RunConfig(
        data=dataset.source,
        method=made.name,
        options=made.options(),
        backbone=encoder,
        training=settings(TrainingConfig, {**made.training(), **tables[TrainingConfig]}),
        ablation=ablation,
        seed=seed,
        name=name,
    )
    with using(runtime):
        return fit(
            config,
            Path(out),
            dataset=dataset,
            method=made,
            reuse=reuse,
            overwrite=overwrite,
            tell=tell,
            logger=trackers,
            progress=progress,
        )


def _with_every_setting(signature: inspect.Signature) -> inspect.Signature:
    """A signature that lists each setting in the place of ``**chosen``, for ``help`` and completion."""
    given = [p for p in signature.parameters.values() if p.kind is not p.VAR_KEYWORD]
    return signature.replace(parameters=[*given, *settings_parameters()])


train.__signature__ = _with_every_setting(inspect.signature(train))  # type: ignore[attr-defined]


def rerun(
    config: str | PathLike[str],
    out: str | PathLike[str],
    *,
    overwrite: bool = False,
    runtime: str | None = None,
    logger: str | Sequence[str] = (),
    progress: bool = True,
) -> Run:
    """Train a run again from the ``config.toml`` in its folder, with the same result.

    Args:
        config: The ``config.toml``.
        out: Folder of the new run.
        overwrite: See :func:`train`.
        runtime: See :func:`train`.
        logger: See :func:`train`.
        progress: Show the progress of training.

    Raises:
        MissingExtraError: The package of a logger is not installed.
        InputError: The file is not a configuration, or ``out`` holds another run.
    """
    path, trackers = Path(config), check_loggers([logger] if isinstance(logger, str) else logger)
    if RunFolder(path.parent).migration.is_dir():
        raise InputError(
            "the configuration of a run that was trained",
            "that of one that was migrated",
            at=str(path),
            advice="Train the run that it was migrated from again, and migrate that.",
        )
    resolved, folder = read_config(path), RunFolder(path.parent)
    if resolved.scores is not None:
        raise InputError("the configuration of a run that was trained", "that of scores of another tool", at=str(path))
    tree = folder.whole_taxonomy if folder.whole_taxonomy.is_file() else folder.tree()

    from cladewise.engine.run import configured_data
    from cladewise.engine.training.fitting import fit
    from cladewise.runtimes import using

    dataset = configured_data(resolved, Taxonomy.read(tree) if tree.is_file() else None)
    with using(runtime):
        return fit(resolved, Path(out), dataset=dataset, overwrite=overwrite, logger=trackers, progress=progress)
