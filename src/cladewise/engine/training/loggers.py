"""Lightning's loggers for a run: TensorBoard, Weights & Biases, MLflow, next to the run's own log."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import lightning
import torch
from lightning.pytorch.loggers import Logger
from torch import Tensor

from cladewise.engine.processes import is_first_process
from cladewise.errors import InputError
from cladewise.records import RunConfig, RunFolder
from cladewise.records.loggers import read_logger_runs, write_logger_runs
from cladewise.taxonomy import Taxonomy

PROJECT = "cladewise"
"""Project of Weights & Biases and experiment of MLflow, unless the environment names one."""
STEPS = 50
"""Steps from one logged training loss to the next."""


@contextmanager
def logging_to(
    names: Sequence[str], config: RunConfig, folder: RunFolder, facts: Mapping[str, Any], *, step: int
) -> Generator[list[Logger]]:
    """The loggers of a run, which are closed at the end.

    A resumed training continues the run of each tracker, whose id is kept in the folder. Hyper-parameters are logged
    when a tracker's run begins.

    Args:
        names: Names of the loggers, checked.
        config: The configuration.
        folder: The run folder.
        facts: Further hyper-parameters, such as the size of the tree.
        step: Optimiser steps already done.
    """
    if not names:
        yield []
        return
    if is_first_process():
        folder.loggers.mkdir(parents=True, exist_ok=True)
    ids = read_logger_runs(folder.logger_runs)
    made: dict[str, Logger] = {}
    try:
        for name in names:
            logger = _MAKERS[name](config, folder, ids.get(name), step)
            if is_first_process() and name not in ids:
                _begin(name, logger, {**config.to_dict(), **facts})
                ids[name] = str(logger.version)
                write_logger_runs(folder.logger_runs, ids)
            made[name] = logger
        yield list(made.values())
    except BaseException:
        _close(made, exit_code=1)
        raise
    else:
        _close(made, exit_code=0)


def _begin(name: str, logger: Logger, values: dict[str, Any]) -> None:
    """Begin the run of a tracker.

    Raises:
        InputError: There is no access to the tracker.
    """
    try:
        _ = logger.experiment  # type: ignore[attr-defined] -- which connects
        logger.log_hyperparams(values)
    except Exception as error:  # clients raise any kind of error
        raise InputError(f"access to the tracker {name}", f"{error}".rstrip("."), advice=_ADVICE[name]) from error


def facts_of(taxonomy: Taxonomy, num_images: Tensor) -> dict[str, Any]:
    """Hyper-parameters of a run that its configuration does not have.

    Example:
        >>> facts_of(Taxonomy.from_paths([("a", "b")]), torch.tensor([0, 0, 7]))["taxonomy"]["leaves"]
        1
    """
    tree = {"nodes": taxonomy.num_nodes, "leaves": taxonomy.num_leaves, "levels": ", ".join(taxonomy.level_names)}
    return {"taxonomy": {**tree, "fingerprint": taxonomy.fingerprint}, "training_images": int(num_images.sum())}


class StepLog(lightning.Callback):
    """Logs the training loss and the learning rate of every :data:`STEPS`-th optimiser step."""

    def __init__(self) -> None:
        self.logged = -1

    def on_train_batch_end(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        step = trainer.global_step
        if not trainer.loggers or step % STEPS or step == self.logged:
            return
        self.logged = step
        loss = outputs["loss"] if isinstance(outputs, Mapping) else outputs
        lr = max(group["lr"] for group in trainer.optimizers[0].param_groups)
        values = {"step_loss": float(torch.as_tensor(loss)), "step_lr": lr}
        for logger in trainer.loggers:
            logger.log_metrics(values, step=step)


def _tensorboard(config: RunConfig, folder: RunFolder, run: str | None, step: int) -> Logger:
    from lightning.pytorch.loggers import TensorBoardLogger

    # steps after the last checkpoint are repeated: their first values are hidden
    purge: Any = {"purge_step": step + 1} if run is not None else {}
    return TensorBoardLogger(folder.loggers, name="", version="tensorboard", default_hp_metric=False, **purge)


def _wandb(config: RunConfig, folder: RunFolder, run: str | None, step: int) -> Logger:
    from lightning.pytorch.loggers import WandbLogger

    project = os.environ.get("WANDB_PROJECT", PROJECT)
    return WandbLogger(name=_name(config), save_dir=folder.loggers, project=project, id=run, resume="allow")


def _mlflow(config: RunConfig, folder: RunFolder, run: str | None, step: int) -> Logger:
    from lightning.pytorch.loggers import MLFlowLogger

    # not Lightning's default, a folder of files, which MLflow refuses since version 3
    server = os.environ.get("MLFLOW_TRACKING_URI")
    own = folder.loggers.absolute()
    return MLFlowLogger(
        experiment_name=os.environ.get("MLFLOW_EXPERIMENT_NAME", PROJECT),
        run_name=_name(config),
        tracking_uri=server or f"sqlite:///{own / 'mlflow.db'}",
        artifact_location=None if server else (own / "mlflow").as_uri(),
        run_id=run,
    )


def _name(config: RunConfig) -> str:
    return config.name or config.method


_MAKERS: dict[str, Callable[[RunConfig, RunFolder, str | None, int], Logger]] = {
    "tensorboard": _tensorboard,
    "wandb": _wandb,
    "mlflow": _mlflow,
}
_ADVICE = {
    "tensorboard": "See whether the run folder can be written.",
    "wandb": "Run wandb login, or set WANDB_MODE=offline.",
    "mlflow": "See MLFLOW_TRACKING_URI.",
}


def _close(loggers: Mapping[str, Logger], *, exit_code: int) -> None:
    """End the runs of the trackers; Lightning leaves that of Weights & Biases open for the next training to go on."""
    for name, logger in loggers.items():
        logger.finalize("success" if exit_code == 0 else "failed")
        if name == "wandb" and is_first_process():
            finish: Any = logger.experiment.finish  # type: ignore[attr-defined]
            finish(exit_code=exit_code)
