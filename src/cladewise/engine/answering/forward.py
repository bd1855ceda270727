"""The forward pass of a trained network over images or cached features, batch by batch."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from cladewise.backbones import Towers
from cladewise.datasets import Dataset, Skipped
from cladewise.engine.devices import preferred_device
from cladewise.engine.feeding.augmenting import copied_by
from cladewise.engine.feeding.features import cached_features
from cladewise.engine.feeding.images import loader
from cladewise.engine.run import Run
from cladewise.errors import InputError, warn
from cladewise.ops import at_least_float
from cladewise.predictions import Prediction
from cladewise.predictions.storage import concatenate
from cladewise.progress import track
from cladewise.runtimes import Precision, at_first_batch, compile

IntArray = NDArray[np.int64]
Part = TypeVar("Part")

NOT_FINITE = "an image whose scores are not finite numbers"


def predict_rows(
    run: Run,
    dataset: Dataset,
    indices: IntArray,
    *,
    cache: bool = True,
    precision: Precision = "fp32",
    progress: bool = True,
    watch: Callable[[Prediction], None] = lambda _: None,
) -> tuple[Prediction, IntArray, tuple[Skipped, ...]]:
    """Predictions for some images of a dataset.

    Args:
        run: The trained network.
        dataset: The dataset of the images.
        indices: The images.
        cache: Read features of a frozen backbone from the cache, and add to it.
        precision: Arithmetic of the encoder.
        progress: Show a progress bar.
        watch: Called with every batch's prediction before it is settled, i.e. with what only a loss needs.

    Returns:
        The settled prediction, the indices of the images it is for, and the other images with reasons. Images with
        scores that are not finite are among the latter, and a warning names them.
    """
    classifier = run.classifier
    scored: list[Tensor] = []

    def predicted(features: Tensor) -> Prediction:
        prediction = classifier.head(features)
        scored.append(has_scores(prediction).cpu())
        if not bool(scored[-1].all()):
            prediction = prediction[scored[-1].to(prediction.device)]
        watch(prediction)
        return prediction.settled().to("cpu")

    parts, kept, skipped = over_images(
        run, dataset, indices, predicted, cache=cache, precision=precision, progress=progress
    )
    good = torch.cat(scored).numpy() if scored else np.ones(0, dtype=np.bool_)
    return _joined(parts, run), kept[good], (*skipped, *without_scores(dataset, kept[~good], len(kept)))


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


def without_scores(dataset: Dataset, images: IntArray, among: int) -> tuple[Skipped, ...]:
    """Images whose scores are not finite numbers, with that reason, after a warning about them.

    Args:
        dataset: The data.
        images: Their indices.
        among: Number of all images.
    """
    if images.size == 0:
        return ()
    paths: list[str] = [dataset.paths[i] for i in map(int, images)]
    lost = tuple(Skipped(path, NOT_FINITE) for path in paths)
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
    precision: Precision = "fp32",
    doing: str = "predicting",
    progress: bool = True,
) -> tuple[list[Part], IntArray, tuple[Skipped, ...]]:
    """Apply a function to the features of every batch, as the head is given them.

    Args:
        run: The trained network.
        dataset: The dataset of the images.
        indices: The images.
        function: Called with features ``[image, ...]``, or ``[image, view, ...]`` if ``views`` is given.
        views: Number of copies of each image; ``None`` for the image without a dimension for views.
        augment: Transform the copies at random, as in training.
        seed: Seed of the random transforms.
        cache: Read features of a frozen backbone from the cache, and add to it.
        precision: Arithmetic of the encoder.
        doing: Title of the progress bar.
        progress: Show a progress bar.

    Returns:
        The results of the function, the indices of the images that could be read, and the other images with reasons.
    """
    device = preferred_device(run.config.training.accelerator)
    classifier = run.classifier.to(device)
    size = run.config.training.batch_size
    if run.config.backbone.freeze and cache:
        features = cached_features(
            dataset,
            indices,
            run.backbone,
            views=views or 1,
            augment=augment,
            augmentation=copied_by(run.config.training),
            seed=seed,
            device=device,
            precision=precision,
            progress=progress,
        )
        kept = features.usable(indices)
        batches = (torch.from_numpy(features.rows(kept[i : i + size])) for i in range(0, len(kept), size))
        with torch.inference_mode():
            parts = [function(classifier.encode(_with_views(batch, views).to(device).float())) for batch in batches]
        return parts, kept, features.skipped
    encode = image_encoder(run, device, precision=precision, num_images=len(indices) * (views or 1), progress=progress)
    transform = run.backbone.transform(train=augment, **copied_by(run.config.training))
    images = loader(dataset, indices, transform, batch_size=size, seed=seed, views=views)
    parts, rows, skipped = [], list[IntArray](), list[Skipped]()
    with torch.inference_mode():
        for batch in track(images, doing, shown=progress):
            skipped += [image for _, image in batch.skipped]
            if len(batch.nodes):
                seen = encode(batch.images.flatten(0, -4))
                parts.append(function(seen if views is None else seen.unflatten(0, batch.images.shape[:2])))
                rows.append(batch.index.numpy().copy())
    kept = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    return parts, kept, tuple(skipped)


def image_encoder(
    run: Run,
    device: torch.device,
    *,
    precision: Precision = "fp32",
    num_images: int | None = None,
    progress: bool = False,
) -> Callable[[Tensor], Tensor]:
    """The function from images ``[image, channel, height, width]`` to what the head of a run is given.

    It is compiled for the :func:`~cladewise.runtimes.chosen` runtime when the first batch arrives, except for methods
    with several towers, which run in torch.

    Args:
        run: The trained network.
        device: The device of the network.
        precision: Arithmetic of the encoder.
        num_images: Number of images that are to be encoded; ``None`` for many.
        progress: Say when an encoder is compiled.

    Raises:
        InputError: The runtime cannot run the encoder, when the first batch arrives.
    """
    classifier, backbone = run.classifier, run.backbone
    if isinstance(classifier.encoder, Towers):
        check_tower_precision(precision)
        return lambda images: classifier.encode(images.to(device))
    encode = at_first_batch(
        lambda images: compile(
            backbone, precision=precision, device=device, check=images, num_images=num_images, progress=progress
        )
    )
    return encode if classifier.end_to_end else lambda images: classifier.encode(encode(images))


def check_tower_precision(precision: Precision) -> None:
    """Check the precision for a method with several encoders, which run in torch.

    Raises:
        InputError: It is not single precision.
    """
    if precision != "fp32":
        raise InputError("fp32 for a method with an encoder for each level", precision)


def _with_views(features: Tensor, views: int | None) -> Tensor:
    """Cached features, with a dimension for views if one was asked for."""
    return features[:, None] if views is not None and features.ndim == 2 else features


def _joined(parts: list[Prediction], run: Run) -> Prediction:
    if parts:
        return concatenate(parts)
    head = run.classifier.head  # no image could be read: an empty prediction
    device = next(head.parameters()).device
    return head(torch.zeros(0, run.backbone.num_features, device=device)).settled().detach().to("cpu")
