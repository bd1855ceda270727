"""The network over images or cached features: predictions of a split as the head gives them."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
from jaxtyping import Bool
from numpy.typing import NDArray
from torch import Tensor

from cladewise.datasets import Dataset, Skipped
from cladewise.engine.features import cached_features
from cladewise.engine.images import loader
from cladewise.errors import warn
from cladewise.ops import at_least_float
from cladewise.predictions import Prediction
from cladewise.predictions.storage import concatenate
from cladewise.progress import track

if TYPE_CHECKING:
    from cladewise.engine.run import Run

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
    """Predictions for some images of a data set, the indices of those that have one, and the others with reasons.

    The prediction is a settled one: what only a loss needs is shown to ``watch`` batch by batch, and not kept. With a
    frozen backbone features come from the cache, and go there (unless ``cache`` is false). Images for which the network
    gives scores that are not finite are among the others, and a warning names them.
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

    parts, kept, skipped = over_rows(run, dataset, indices, predicted, cache=cache, progress=progress)
    good = torch.cat(scored).numpy() if scored else np.ones(0, dtype=np.bool_)
    return _joined(parts, run), kept[good], (*skipped, *_without_scores(dataset, kept[~good], len(kept)))


def has_scores(prediction: Prediction) -> Bool[Tensor, " image"]:
    """Whether the scores of each image say anything: none is NaN or infinite, but for nodes that are ruled out (-inf).

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


def over_rows(
    run: Run,
    dataset: Dataset,
    indices: IntArray,
    function: Callable[[Tensor], Part],
    *,
    cache: bool = True,
    progress: bool = True,
) -> tuple[list[Part], IntArray, tuple[Skipped, ...]]:
    """Apply a function to every batch of the network's input: images end to end, else their features.

    Returns its results, the indices of the images that could be read, and the others with reasons.
    """
    device = preferred_device(run.config.training.accelerator)
    classifier, size = run.classifier.to(device), run.config.training.batch_size
    if run.config.backbone.freeze and cache:
        features = cached_features(dataset, indices, run.backbone, device=device, progress=progress)
        kept = features.usable(indices)
        with torch.inference_mode():
            parts = [
                function(torch.from_numpy(features.values[kept[i : i + size]]).to(device).float())
                for i in range(0, len(kept), size)
            ]
        return parts, kept, features.skipped
    backbone = run.backbone.to(device)
    batches = loader(dataset, indices, backbone.transform(train=False), batch_size=size, workers=None)
    parts, rows, skipped = [], [], []
    with torch.inference_mode():
        for batch in track(batches, "predicting", shown=progress):
            skipped += [image for _, image in batch.skipped]
            if len(batch.nodes):
                inputs = batch.images.to(device)
                parts.append(function(inputs if classifier.end_to_end else backbone(inputs)))
                rows.append(batch.index.numpy().copy())
    kept = np.concatenate(rows) if rows else np.zeros(0, dtype=np.int64)
    return parts, kept, tuple(skipped)


def _joined(parts: list[Prediction], run: Run) -> Prediction:
    if parts:
        return concatenate(parts)
    head = run.classifier.head  # no image could be read: a prediction for no image
    device = next(head.parameters()).device
    return head(torch.zeros(0, run.backbone.num_features, device=device)).settled().detach().to("cpu")


def preferred_device(accelerator: str) -> torch.device:
    """The device that an accelerator's name stands for here."""
    if accelerator in ("auto", "gpu", "cuda") and torch.cuda.is_available():
        return torch.device("cuda")
    if accelerator in ("auto", "mps") and torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")
