"""Accuracy of one classifier trained in five loops: the engine, plain PyTorch, Lightning, transformers and timm.

All train a linear layer on the same cached features with the same loss, optimiser, schedule, batch size and number of
epochs, from their own random numbers. Columns are means and standard deviations over the seeds on the test split.

    python benchmarks/loops.py grocery-store --data-option path=path/to/grocery-store
"""

from __future__ import annotations

import argparse
import logging
import statistics
import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path

import lightning
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import cladewise as cw
from cladewise.cli.settings import parse_pairs
from cladewise.datasets import Dataset
from cladewise.datasets.finding import find_data
from cladewise.engine.classifier import FeatureScaling
from cladewise.engine.feeding.rows import FeatureRows, rows_of
from cladewise.loops import Criterion

METRICS = ("top1", "level_accuracy", "hd@1", "ap")
EPOCHS, BATCH, LR, DECAY, MOMENTUM = 30, 128, 0.03, 5e-4, 0.9
"""The engine's defaults."""


class Split(TensorDataset):
    """Features and class indices."""

    def __init__(self, features: Tensor, index: Tensor) -> None:
        super().__init__(features, index)
        self.features, self.index = features, index


def groups(model: nn.Module) -> list[dict[str, object]]:
    named = list(model.named_parameters())
    return [
        {"params": [p for name, p in named if name.endswith("weight")], "weight_decay": DECAY},
        {"params": [p for name, p in named if name.endswith("bias")], "weight_decay": 0.0},
    ]


def sgd(model: nn.Module, steps: int) -> tuple[torch.optim.Optimizer, torch.optim.lr_scheduler.LRScheduler]:
    optimizer = torch.optim.SGD(groups(model), lr=LR, momentum=MOMENTUM)  # type: ignore[arg-type]
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)


def plain(train: Split, criterion: Criterion, seed: int) -> nn.Module:
    model, loader = linear(train, criterion), DataLoader(train, BATCH, shuffle=True)
    optimizer, schedule = sgd(model, EPOCHS * len(loader))
    for _ in range(EPOCHS):
        for features, index in loader:
            optimizer.zero_grad()
            criterion(model(features), index).backward()
            optimizer.step()
            schedule.step()
    return model


def with_lightning(train: Split, criterion: Criterion, seed: int) -> nn.Module:
    class Module(lightning.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.criterion = linear(train, criterion), criterion

        def training_step(self, batch: list[Tensor], _: int) -> Tensor:
            return self.criterion(self.model(batch[0]), batch[1])

        def configure_optimizers(self) -> object:
            optimizer, schedule = sgd(self.model, EPOCHS * len(loader))
            return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    module, loader = Module(), DataLoader(train, BATCH, shuffle=True)
    quiet = {"logger": False, "enable_checkpointing": False, "enable_progress_bar": False}
    lightning.Trainer(accelerator="cpu", max_epochs=EPOCHS, enable_model_summary=False, **quiet).fit(module, loader)  # type: ignore[arg-type]
    return module.model


def with_transformers(train: Split, criterion: Criterion, seed: int) -> nn.Module:
    import transformers

    class Model(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.linear = linear(train, criterion)

        def forward(self, features: Tensor) -> dict[str, Tensor]:
            return transformers.modeling_outputs.ImageClassifierOutput(logits=self.linear(features))

    def collated(rows: list[tuple[Tensor, Tensor]]) -> dict[str, Tensor]:
        features, index = zip(*rows, strict=True)
        return {"features": torch.stack(features), "labels": torch.stack(index)}

    model = Model()
    steps = EPOCHS * -(-len(train) // BATCH)
    arguments = transformers.TrainingArguments(
        output_dir=tempfile.mkdtemp(),
        num_train_epochs=EPOCHS,
        per_device_train_batch_size=BATCH // 2,
        gradient_accumulation_steps=2,  # the same gradients
        max_grad_norm=0,
        seed=seed,
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        logging_strategy="no",
        remove_unused_columns=False,
        use_cpu=True,
    )
    transformers.Trainer(
        model,
        arguments,
        train_dataset=train,
        data_collator=collated,
        compute_loss_func=criterion,
        optimizers=sgd(model, steps),
    ).train()
    return model.linear


def with_timm(train: Split, criterion: Criterion, seed: int) -> nn.Module:
    from timm.optim import create_optimizer_v2
    from timm.scheduler import create_scheduler_v2
    from timm.task import ClassificationTask

    model, loader = linear(train, criterion), DataLoader(train, BATCH, shuffle=True)
    task = ClassificationTask(model, criterion=criterion, verbose=False)
    optimizer = create_optimizer_v2(model, opt="momentum", lr=LR, weight_decay=DECAY, momentum=MOMENTUM)
    schedule, epochs = create_scheduler_v2(
        optimizer, num_epochs=EPOCHS, step_on_epochs=False, updates_per_epoch=len(loader)
    )
    updates = 0
    for _ in range(epochs):
        for features, index in loader:
            optimizer.zero_grad()
            task(features, index)["loss"].backward()
            optimizer.step()
            updates += 1
            schedule.step_update(updates)
    return model


LOOPS: dict[str, Callable[[Split, Criterion, int], nn.Module]] = {
    "plain PyTorch": plain,
    "Lightning module": with_lightning,
    "transformers Trainer": with_transformers,
    "timm task, optimiser, schedule": with_timm,
}


def linear(train: Split, criterion: Criterion) -> nn.Module:
    return nn.Linear(train.features.shape[1], criterion.num_outputs)


def split_of(run: cw.Run, dataset: Dataset, split: str, nodes: list[int]) -> Split:
    """Scaled features of a split, and the position of each label in a list of nodes."""
    backbone = cw.backbones.load(run.config.backbone.name)
    rows = rows_of(run.config, dataset, split, backbone, train=False, device=torch.device("cpu"), progress=False)
    assert isinstance(rows, FeatureRows)
    features = torch.cat(list(rows.vectors()))
    place = {node: i for i, node in enumerate(nodes)}
    index = torch.tensor([place[node] for node in rows.nodes.tolist()])
    return Split(FeatureScaling(run.config.backbone.scaling, features.shape[1])(features), index)


def compared(dataset: Dataset, method: str, decision: str, seeds: int, folder: Path) -> dict[str, list[list[float]]]:
    """The metrics of every seed, by loop."""
    found: dict[str, list[list[float]]] = {}
    nodes = sorted({int(node) for node in dataset.nodes}, key=lambda node: dataset.taxonomy.path_name(node)[::-1])
    names = [dataset.taxonomy.path_name(node) for node in nodes]
    for seed in range(seeds):
        run = cw.train(dataset, method=method, freeze=True, out=folder / f"{method}-{seed}", seed=seed, progress=False)
        evaluation = cw.evaluate(run, split="test", decision=decision)
        values = evaluation.metrics
        found.setdefault("cladewise train", []).append([values[name].value for name in METRICS])
        train, test = (split_of(run, dataset, split, nodes) for split in ("train", "test"))
        for name, loop in LOOPS.items():
            lightning.seed_everything(seed, verbose=False)
            criterion = Criterion(cw.methods.make(method).loss(dataset.taxonomy), names)
            model = loop(train, criterion, seed).eval()
            metrics = criterion.metrics(METRICS, decision=decision)
            with torch.no_grad():
                for features, index in DataLoader(test, 500):
                    metrics.update(model(features), index)
            computed = metrics.compute()
            found.setdefault(name, []).append([float(computed[metric]) for metric in METRICS])
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data")
    parser.add_argument("--data-option", action="append", default=[])
    parser.add_argument("--methods", nargs="+", default=["flat-softmax", "hace"])
    parser.add_argument("--decision", default="leaf")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore")
    dataset, console = find_data(given.data, **parse_pairs(given.data_option, "--data-option")), Console(width=120)
    with tempfile.TemporaryDirectory() as folder:
        for method in given.methods:
            table = Table("loop", *METRICS, title=f"{method}, {given.data}, {given.decision}, {given.seeds} seeds")
            for name, rows in compared(dataset, method, given.decision, given.seeds, Path(folder)).items():
                columns = zip(*rows, strict=True)
                cells = [f"{statistics.mean(column):.4f} ± {statistics.stdev(column):.4f}" for column in columns]
                table.add_row(name, *cells)
            console.print(table)


if __name__ == "__main__":
    main()
