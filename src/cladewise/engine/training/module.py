"""The Lightning module of a training run: losses, validation, logging, optimiser."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Checkpoint
from torch import Tensor

from cladewise.decisions import Decision
from cladewise.engine.classifier import Classifier
from cladewise.engine.feeding.images import Batch
from cladewise.engine.training.stepping import batch_losses, optimiser_of, seed_epoch, training_vectors
from cladewise.errors import InputError
from cladewise.losses import Loss
from cladewise.metrics import HierarchicalMetrics
from cladewise.objectives import Objective, TrainingVectors
from cladewise.records import TrainingConfig, log
from cladewise.taxonomy import Taxonomy


class LossNotFiniteError(InputError):
    """The training loss is NaN or infinite."""


class Fitting(lightning.LightningModule):
    """A classifier with its loss and the settings of its training.

    Args:
        classifier: The network.
        loss: Nats per image.
        decision: The decision used for validation accuracy.
        taxonomy: The label tree.
        settings: The training settings.
        steps: Total number of optimiser updates.
        seed: Seed; together with the epoch it determines dropout and random losses, so that a resumed run repeats them.
        log_path: ``log.jsonl`` of the run.
        node_weights: Weight of an image by its label, ``[node]``; ``None``: 1.
        views: Views of each image in a training batch.
        objective: What is minimised, if not the mean of the loss.
        momentum: Momentum of the slow (exponential moving average) copy of the network; 0: no copy.
        plain: Yields batches of all training images without augmentation, for objectives that use their vectors.
    """

    loss_sum: Tensor
    node_weights: Tensor | None

    def __init__(
        self,
        classifier: Classifier,
        loss: Loss,
        decision: Decision,
        taxonomy: Taxonomy,
        settings: TrainingConfig,
        *,
        steps: int,
        seed: int,
        log_path: Path,
        node_weights: Tensor | None = None,
        views: int = 1,
        objective: Objective | None = None,
        momentum: float = 0.0,
        plain: Callable[[], Iterable[Batch]] = tuple,
    ) -> None:
        super().__init__()
        self.views, self.objective, self.momentum, self.plain = views, objective, momentum, plain
        self.slow = copy.deepcopy(classifier).requires_grad_(False) if momentum else None
        self.classifier, self.loss, self.settings = classifier, loss, settings
        self.steps, self.seed, self.log_path = max(1, steps), seed, log_path
        self.register_buffer("node_weights", node_weights, persistent=False)
        self.register_buffer("loss_sum", torch.zeros(2, dtype=torch.float64), persistent=False)  # (sum, images)
        self.train_loss = math.nan
        self.validation = HierarchicalMetrics(taxonomy, decision=decision)
        self.skipped: set[str] = set()
        self.epoch_started = 0.0

    # ---------------------------------------------------------------- steps

    def training_step(self, batch: Batch, _: int) -> Tensor:
        if len(batch.nodes) == 0:
            return self._nothing(batch.nodes)
        rows = batch.rows(self.views)
        self.classifier.head.foresee(rows.nodes)
        losses = self._losses(rows)
        self.loss_sum += torch.stack([losses.detach().double().sum(), losses.new_tensor(len(losses)).double()])
        own = self.classifier.head.own_loss()
        return losses.mean() if own is None else losses.mean() + own

    def _nothing(self, no_nodes: Tensor) -> Tensor:
        """The loss of a batch without readable images; in distributed training it must still have gradients."""
        learnt = [p for p in self.classifier.parameters() if p.requires_grad]
        zero = sum((p.sum() * 0.0 for p in learnt), torch.zeros((), device=self.device))
        no_logits = zero.expand(0, self.loss.num_outputs)
        return zero + self.loss(no_logits, no_nodes).sum()

    def _losses(self, batch: Batch) -> Tensor:
        losses = batch_losses(
            self.classifier,
            self.loss,
            batch,
            views=self.views,
            objective=self.objective,
            slow=self.slow,
            momentum=self.momentum,
        )
        return losses if self.node_weights is None else losses * self.node_weights[batch.nodes]

    def _represented(self) -> TrainingVectors:
        """Vectors of all training images."""
        return training_vectors(self.classifier, self.plain(), self.device)

    def validation_step(self, batch: Batch, _: int) -> None:
        if len(batch.nodes) == 0:
            return
        prediction = self.classifier(batch.images)
        self.loss_sum += torch.stack(
            [
                self.loss(prediction.logits, batch.nodes).double().sum(),
                torch.tensor(len(batch.nodes), dtype=torch.float64, device=self.device),
            ]
        )
        self.validation.update(prediction, batch.nodes)

    # ---------------------------------------------------------------- epochs

    def on_train_epoch_start(self) -> None:
        self.epoch_started = time.perf_counter()
        self.loss_sum.zero_()
        if self.objective is not None:
            self.objective.begin_epoch(self.current_epoch, self.seed, self._represented)

    def on_train_batch_start(self, batch: Batch, batch_idx: int) -> None:
        # not at the start of the epoch: the loader's iterator draws a number as well, and earlier after a resumption
        if batch_idx == 0:
            seed_epoch(self.seed, self.current_epoch, self.global_rank)

    def on_validation_epoch_start(self) -> None:
        self.train_loss = self._mean_loss()  # Lightning validates before it ends the training epoch
        self.loss_sum.zero_()
        self.validation.reset()

    def on_validation_epoch_end(self) -> None:
        options: Any = {"logger": False, "rank_zero_only": False, "sync_dist": False}
        self.log("val_loss", self._mean_loss(), **options)
        for name, value in self.validation.compute().items():
            if name in ("top1", "level_accuracy"):
                self.log(f"val_{name}", float(value), **options)

    def on_train_epoch_end(self) -> None:
        watched = {k: float(v) for k, v in self.trainer.callback_metrics.items() if k.startswith("val_")}
        train_loss = self.train_loss if watched else self._mean_loss()
        if not math.isfinite(train_loss):
            raise LossNotFiniteError(
                "a finite loss",
                f"{train_loss}",
                at=f"epoch {self.current_epoch}",
                advice="Lower lr=, add warmup_epochs= or clip_norm=; the last good checkpoint is kept.",
            )
        if self.trainer.is_global_zero:
            values: dict[str, float] = {
                "epoch": self.current_epoch,
                "train_loss": train_loss,
                **watched,
                **self.classifier.head.state(),
                **({} if self.objective is None else self.objective.state()),
                "lr": max(group["lr"] for group in self.trainer.optimizers[0].param_groups),
                "seconds": round(time.perf_counter() - self.epoch_started, 3),
            }
            log.append(self.log_path, "epoch", **values)
            for logger in self.trainer.loggers:
                logger.log_metrics(values, step=self.global_step)

    def on_before_batch_transfer(self, batch: Batch, dataloader_idx: int) -> Batch:
        new = {image.path: image.reason for _, image in batch.skipped if image.path not in self.skipped}
        if new:
            self.skipped |= new.keys()
            log.append_skipped(self.log_path, new.items())
        return batch

    def _mean_loss(self) -> float:
        total = self.trainer.strategy.reduce(self.loss_sum, reduce_op="sum")
        assert isinstance(total, Tensor)
        return float(total[0] / total[1])

    # ---------------------------------------------------------------- optimiser

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        self.classifier.head.own_step(max(group["lr"] for group in optimizer.param_groups))

    def configure_optimizers(self) -> Any:
        optimizer, schedule = optimiser_of(self.classifier, self.settings, self.steps)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class EpochCheckpoint(Checkpoint):
    """Saves a checkpoint at the end of an epoch, at most once every ``seconds``."""

    def __init__(self, path: Path, *, seconds: float) -> None:
        super().__init__()
        self.path, self.seconds, self.saved = path, seconds, time.monotonic()

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        due = time.monotonic() - self.saved >= self.seconds
        if trainer.strategy.reduce_boolean_decision(due, all=False):  # the first process decides for all
            trainer.save_checkpoint(self.path)
            self.saved = time.monotonic()
