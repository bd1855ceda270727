"""The forward pass of a trained network over images or cached features, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from cladewise.backbones import Backbone
from cladewise.datasets import Dataset, Skipped
from cladewise.engine.devices import preferred_device
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.feeding.images import loader
from cladewise.engine.run import Run
from cladewise.errors import warn
from cladewise.ops import at_least_float
from cladewise.predictions import Prediction
from cladewise.predictions.storage import concatenate
from cladewise.progress import track

IntArray = NDArray[np.int64]
Part = TypeVar("Part")


def predict_rows(
    run: Run,
    dataset: Dataset,
    indices: IntArray,
    *,
    cache: bool = True,
    progress: bool = True,
    watch: Callable[[Prediction], None] = lambda _: None,
) -> tuple[Prediction, IntArray, tuple[Skipped, ...]]:
    """Predictions for some images of a dataset.

    Args:
        run: The trained network.
        dataset: The dataset of the images.
        indices: The images.
        cache: Read features of a frozen backbone from the cache, and add to it.
        progress: Show a progress bar.
        watch: Called with every batch's prediction before it is settled, i.e. with what only a loss needs.

    Returns:
        The settled prediction, the indices of the images it is for, and the other images with reasons. Images with
        scores that are not finite are among the latter, and a warning names them.
    """
    classifier = run.classifier
    scored: list[Tensor] = []

    def predicted(inputs: Tensor) -> Prediction:
        prediction = classifier(inputs)
        scored.append(has_scores(prediction).cpu())
        if not bool(scored[-1].all()):
            prediction = prediction[scored[-1].to(prediction.device)]
        watch(prediction)
        return prediction.settled().to("cpu")

    parts, kept, skipped = over_images(run, dataset, indices, predicted, cache=cache, progress=progress)
    good = torch.cat(scored).numpy() if scored else np.ones(0, dtype=np.bool_)
    return _joined(parts, run), kept[good], (*skipped, *_without_scores(dataset, kept[~good], len(kept)))


def has_scores(prediction: Prediction) -> Bool[Tensor, " image"]:
    """Whether each image has usable scores: no NaN or infinity, except -inf for nodes that are ruled out.

    Example:
        >>> from cladewise import Taxonomy
        >>> from cladewise.predictions import LeafSoftmax
        >>> t = Taxonomy.from_paths([("a",), ("b",)])
        >>> logits = torch.tensor([[0.0, 1.0], [0.0, torch.nan], [0.0, torch.inf], [0.0, -torch.inf]])
        >>> has_scores(LeafSoftmax(t, logits))
        tensor([ True, False, False,  True])
    """
    return at_least_float(prediction.logits).logsumexp(-1).isfinite()


def _without_scores(dataset: Dataset, images: IntArray, among: int) -> tuple[Skipped, ...]:
    if images.size == 0:
        return ()
    paths: list[str] = [dataset.paths[i] for i in map(int, images)]
    lost = tuple(Skipped(path, "an image whose scores are not finite numbers") for path in paths)
    shown = ", ".join(paths[:3]) + (", ..." if len(lost) > 3 else "")
    warn(
        f"The network's scores are not finite numbers for {len(lost)} of {among} images, which are left out: {shown}",
        advice="Its weights or these images are damaged: train again, with a lower learning rate if it recurs.",
    )
    return lost


def over_images(
    run: Run,
    dataset: Dataset,
    indices: IntArray,
    function: Callable[[Tensor], Part],
    *,
    views: int | None = None,
    augment: bool = False,
    seed: int = 0,
    cache: bool = True,
    doing: str = "predicting",
    progress: bool = True,
) -> tuple[list[Part], IntArray, tuple[Skipped, ...]]:
    """Apply a function to every batch of the network's inputs: images end to end, features of a frozen backbone.

    Args:
        run: The trained network.
        dataset: The dataset of the images.
        indices: The images.
        function: Called with a batch ``[image, ...]``, or ``[image, view, ...]`` if ``views`` is given.
        views: Number of copies of each image; ``None`` for the image without a dimension for views.
        augment: Transform the copies at random, as in training.
        seed: Seed of the random transforms.
        cache: Read features of a frozen backbone from the cache, and add to it.
        doing: Title of the progress bar.
        progress: Show a progress bar.

    Returns:
        The results of the function, the indices of the images that could be read, and the other images with reasons.
    """
    device = preferred_device(run.config.training.accelerator)
    classifier, backbone = run.classifier.to(device), run.backbone
    size = run.config.training.batch_size
    if run.config.backbone.freeze and cache:
        features = cached_features(
            dataset,
            indices,
            backbone,
            views=views or 1,
            augment=augment,
            seed=seed,
            device=device,
            progress=progress,
        )
        kept = features.usable(indices)
        batches = (torch.from_numpy(features.rows(kept[i : i + size])) for i in range(0, len(kept), size))
        with torch.inference_mode():
            parts = [function(_with_views(batch, views).to(device).float()) for batch in batches]
        return parts, kept, features.skipped
    backbone.to(device)
    images = loader(dataset, indices, backbone.transform(train=augment), batch_size=size, seed=seed, views=views)
    parts, rows, skipped = [], list[IntArray](), list[Skipped]()
    with torch.inference_mode():
        for batch in track(images, doing, shown=progress):
            skipped += [image for _, image in batch.skipped]
            if len(batch.nodes):
                inputs = batch.images.to(device)
                parts.append(function(inputs if classifier.end_to_end else _encoded(backbone, inputs, views)))
                rows.append(batch.index.numpy().copy())
    kept = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    return parts, kept, tuple(skipped)


def _with_views(features: Tensor, views: int | None) -> Tensor:
    """Cached features, with a dimension for views if one was asked for."""
    return features[:, None] if views is not None and features.ndim == 2 else features


def _encoded(backbone: Backbone, images: Tensor, views: int | None) -> Tensor:
    return backbone(images) if views is None else backbone(images.flatten(0, 1)).unflatten(0, images.shape[:2])


def _joined(parts: list[Prediction], run: Run) -> Prediction:
    if parts:
        return concatenate(parts)
    head = run.classifier.head  # no image could be read: an empty prediction
    device = next(head.parameters()).device
    return head(torch.zeros(0, run.backbone.num_features, device=device)).settled().detach().to("cpu")
