"""Fitting a head to features in memory: no files, no global state, and a weight per image."""

from __future__ import annotations

import copy
import functools
import math
import threading
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader

from cladewise.datasets import Skipped
from cladewise.engine.classifier import Classifier, FeatureScaling
from cladewise.engine.feeding.images import Batch
from cladewise.engine.feeding.rows import CELLS_AT_ONCE, Order
from cladewise.engine.feeding.sampling import EpochSampler
from cladewise.engine.training.stepping import batch_losses, optimiser_of, seed_epoch, training_vectors
from cladewise.errors import InputError
from cladewise.methods import Method
from cladewise.records import TrainingConfig
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]

_ONE_AT_A_TIME = threading.Lock()  # PyTorch has one generator per process


class ArrayRows:
    """Labelled features in memory, as :class:`~cladewise.engine.feeding.rows.Rows`.

    Args:
        features: One row per image.
        nodes: The label of each image.
    """

    def __init__(self, features: Float[Tensor, "image feature"], nodes: IntArray) -> None:
        self.features, self.nodes = features, nodes
        self.indices: IntArray = np.arange(len(nodes))
        self.skipped: tuple[Skipped, ...] = ()
        self._targets = torch.from_numpy(nodes)

    def set_epoch(self, epoch: int) -> None:
        """Do nothing, since features in memory are the same in every epoch."""

    def __len__(self) -> int:
        return len(self.nodes)

    def __getitems__(self, positions: Sequence[int]) -> Batch:
        chosen = torch.as_tensor(positions, dtype=torch.int64)
        return Batch(self.features[chosen], self._targets[chosen], chosen)

    def loader(self, order: Order, *, batch_size: int, workers: int = 0) -> DataLoader[Batch]:
        del workers
        return DataLoader(self, batch_size=batch_size, sampler=order, collate_fn=_as_it_is)  # type: ignore[arg-type]


def fit_features(
    method: Method,
    taxonomy: Taxonomy,
    features: Float[Tensor, "image feature"],
    nodes: Int[NDArray[np.int64], " image"],
    settings: TrainingConfig,
    *,
    weights: Float[Tensor, " image"] | None = None,
    scaling: str = "l2",
    seed: int = 0,
    device: torch.device | str = "cpu",
) -> Classifier:
    r"""A new head of a method, trained on features in memory by :func:`train_head`.

    The generator of PyTorch is left as it was, and fits in several threads wait for each other.

    Args:
        method: The method.
        taxonomy: The label tree.
        features: Features of the images, in the precision to compute in.
        nodes: The label of each image.
        settings: The training settings. Splits, workers, processes, precision and checkpoints do not apply.
        weights: Weight of each image, not negative; all 1 by default. Images of weight 0 are left out.
        scaling: Scaling of the features, see :class:`~cladewise.engine.classifier.FeatureScaling`.
        seed: Seed of all randomness.
        device: Device to train on.

    Returns:
        The trained classifier, in evaluation mode, on the CPU.

    Raises:
        InputError: All weights are 0, or the loss is no longer finite.
    """
    if weights is not None:
        kept = weights > 0
        if not bool(kept.any()):
            raise InputError("a weight above 0 for at least one image", "weights that are all 0")
        features, nodes, weights = features[kept], nodes[kept.numpy()], weights[kept]
    device, width = torch.device(device), features.shape[1]
    with _own_generator(device):
        torch.manual_seed(seed)
        encoder = FeatureScaling(scaling, width)
        classifier = Classifier(method.head(taxonomy, width), scaling=encoder).to(features.dtype)
        encoder.fit(_parts(features, width), None if weights is None else _parts(weights, width))
        classifier.to(device)
        if settings.epochs > 0:
            train_head(classifier, method, taxonomy, features, nodes, settings, weights=weights, seed=seed)
    return classifier.eval().cpu()


def train_head(
    classifier: Classifier,
    method: Method,
    taxonomy: Taxonomy,
    features: Float[Tensor, "image feature"],
    nodes: Int[NDArray[np.int64], " image"],
    settings: TrainingConfig,
    *,
    weights: Float[Tensor, " image"] | None = None,
    seed: int = 0,
) -> None:
    r"""Train a head on features in memory, with the steps of :func:`cladewise.train` on a frozen encoder.

    Without weights the result is, bit for bit, that of a run on the same features in the same order with the same first
    weights. Features in memory are one view of each image, also for methods that compare several. With weights
    :math:`w_i`, a step over the images :math:`B` minimises

    .. math:: \frac{1}{|B|} \sum_{i \in B} \frac{n w_i}{\sum_j w_j} \, \ell_i

    so that, if one batch holds all images, an image of weight 2 equals the image given twice. Lightning is not used,
    since it logs and saves to a folder, seeds every generator of the process and handles its signals.

    Args:
        classifier: The head with its fitted scaling, on the device to train on.
        method: Its method.
        taxonomy: The label tree.
        features: Features of the images.
        nodes: The label of each image.
        settings: The training settings, as for :func:`fit_features`.
        weights: Weight of each image, above 0; all 1 by default.
        seed: Seed of the order, of dropout and of random losses.

    Raises:
        InputError: The loss is no longer finite.
    """
    rows = ArrayRows(features, nodes)
    head, device = classifier.head, next(classifier.parameters()).device
    share = None if weights is None else (weights * (len(weights) / weights.sum())).to(device)
    counts = torch.from_numpy(nodes).bincount(weights, minlength=taxonomy.num_nodes)
    head.begin(seed)
    loss, objective = method.loss(taxonomy).for_labels(counts).to(device), method.objective(taxonomy, nodes)
    objective = None if objective is None else objective.to(device, features.dtype)
    momentum = method.momentum()
    slow = copy.deepcopy(classifier).requires_grad_(False) if momentum else None
    order = EpochSampler(rows, seed=seed)
    loader = rows.loader(order, batch_size=settings.batch_size)
    plain = rows.loader(range(len(rows)), batch_size=settings.batch_size)
    represent = functools.partial(training_vectors, classifier, plain, device)
    optimizer, schedule = optimiser_of(classifier, settings, settings.epochs * len(loader))
    classifier.train()
    for epoch in range(settings.epochs):
        order.set_epoch(epoch)
        if objective is not None:
            objective.begin_epoch(epoch, seed, represent)
        total = torch.zeros((), dtype=torch.float64, device=device)
        for number, given in enumerate(loader):
            if number == 0:  # after the loader has drawn a number of its own, as in a run
                seed_epoch(seed, epoch)
            batch = given.to(device)
            head.foresee(batch.nodes)
            losses = batch_losses(classifier, loss, batch, objective=objective, slow=slow, momentum=momentum)
            losses = losses if share is None else losses * share[batch.index]
            own = head.own_loss()
            mean = losses.mean() if own is None else losses.mean() + own
            optimizer.zero_grad()
            mean.backward()
            if settings.clip_norm:
                torch.nn.utils.clip_grad_norm_(classifier.parameters(), settings.clip_norm)
            head.own_step(max(group["lr"] for group in optimizer.param_groups))
            optimizer.step()
            schedule.step()
            total += mean.detach()
        if not math.isfinite(float(total)):
            advice = "Scale the features, or use a smaller learning rate."
            raise InputError("a finite loss", f"{float(total)}", at=f"epoch {epoch}", advice=advice)


def _parts(rows: Tensor, width: int) -> Iterator[Tensor]:
    """Rows in parts of about :data:`CELLS_AT_ONCE` features of all images."""
    return iter(rows.split(max(1, CELLS_AT_ONCE // width)))


@contextmanager
def _own_generator(device: torch.device) -> Generator[None, None, None]:
    """Use PyTorch's generators alone, and restore them."""
    with _ONE_AT_A_TIME, torch.random.fork_rng(enabled=True, devices=[device] if device.type == "cuda" else []):
        yield


def _as_it_is(batch: Batch) -> Batch:
    return batch
