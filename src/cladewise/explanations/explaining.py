"""Grad-CAM maps per level for some images of a run, written into the run folder as pictures."""

from __future__ import annotations

import dataclasses
import io
from collections.abc import Sequence
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cladewise.atomic import write_bytes
from cladewise.backbones import Backbone
from cladewise.datasets import Dataset
from cladewise.engine import Run
from cladewise.engine.devices import preferred_device
from cladewise.engine.digests import images_digest
from cladewise.engine.feeding.files import unlabelled
from cladewise.engine.feeding.images import loader
from cladewise.errors import InputError
from cladewise.explanations.cam import grad_cam, grad_cam_package
from cladewise.explanations.feature_map import FeatureMap, last_feature_map
from cladewise.explanations.level_scores import LevelScores
from cladewise.explanations.overlaying import overlay
from cladewise.progress import track
from cladewise.records import explanations as records
from cladewise.records.explanations import OF_FILES, ExplainedImage, Explanations, LevelMap
from cladewise.taxonomy import Taxonomy

IntArray = NDArray[np.int64]
TARGETS = ("predicted", "true")
IMAGES_AT_ONCE = 8
QUALITY = 88
"""Quality of the WebP pictures."""


def explain(
    run: Run | str | PathLike[str],
    *,
    split: str = "test",
    images: int = 12,
    files: Sequence[str | PathLike[str]] = (),
    levels: Sequence[int | str] = (),
    target: str = "predicted",
    progress: bool = True,
) -> Explanations:
    """Grad-CAM by level: for every image and level, where the model saw the node that it answers there.

    The pictures and their index (``index.json``) are written to ``explanations/<split>/`` in the run folder, replacing
    earlier ones of that split; the report shows them. The images of a split are chosen by their labels alone,
    one per label first, so that runs on the same data explain the same images.

    Args:
        run: A run, or its folder; with a frozen encoder too.
        split: Split to take images from.
        images: Number of images.
        files: Image files to explain instead of a split; they go to ``explanations/files/``.
        levels: Names or numbers of levels, 1 being the coarsest; all by default.
        target: Node whose map is drawn at each level: the ``predicted`` one, or the ``true`` one at levels that the
            label determines.
        progress: Show a progress bar.

    Returns:
        What was written.

    Raises:
        InputError: A setting is wrong, or the network has no map of features.
        MissingExtraError: The package ``grad-cam`` is not installed.
    """
    grad_cam_package()  # before anything that takes time
    run = run if isinstance(run, Run) else Run.open(run)
    if target not in TARGETS or (target == "true" and files):
        expected = "predicted, since nobody labelled the files" if files else " or ".join(TARGETS)
        raise InputError(f"a target: {expected}", repr(target))
    if images < 1:
        raise InputError("at least 1 image", images)
    run.check_not_carried()
    chosen = _levels(levels, run.taxonomy)
    if files:
        dataset = unlabelled([Path(file).as_posix() for file in files], run.taxonomy, OF_FILES)
        rows = np.arange(len(dataset))
    else:
        dataset, rows = _of_split(run, split, images)
    folder = run.folder.explanations(OF_FILES if files else split).parent
    made = _Explainer(run, chosen, target, folder).explain(dataset, rows, labelled=not files, progress=progress)
    _replace(folder / "index.json", made)
    return made


def representatives(dataset: Dataset, split: str, number: int) -> IntArray:
    """Indices of some images of a split: one a label in an order drawn once and for all, then a second one, and so on.

    Example:
        >>> from cladewise import Taxonomy
        >>> taxonomy, nodes = Taxonomy.from_paths([("a",), ("b",)]), np.array([1, 1, 1, 2])
        >>> data = Dataset("d", taxonomy, Path(), ["0", "1", "2", "3"], nodes, {"test": np.arange(4)})
        >>> sorted(nodes[representatives(data, "test", 3)].tolist())
        [1, 1, 2]
    """
    indices = dataset.indices(split)
    shuffled = indices[np.random.default_rng(0).permutation(indices.size)]
    nodes = dataset.nodes[shuffled]
    order = np.argsort(nodes, kind="stable")
    first = np.searchsorted(nodes[order], nodes[order])
    turn = np.empty(order.size, dtype=np.int64)
    turn[order] = np.arange(order.size) - first
    return shuffled[np.argsort(turn, kind="stable")[:number]]


def _of_split(run: Run, split: str, number: int) -> tuple[Dataset, IntArray]:
    rows = representatives(run.dataset, split, number)
    if rows.size == 0:
        raise InputError("images to explain", f"an empty split {split!r}", at=run.dataset.name)
    return run.dataset, rows


def _levels(asked: Sequence[int | str], taxonomy: Taxonomy) -> tuple[int, ...]:
    """Numbers of levels, ascending."""
    by_name = {name: level for level, name in enumerate(taxonomy.level_names, start=1)}
    numbers = {str(level): level for level in by_name.values()}
    found = {by_name.get(str(level), numbers.get(str(level))) for level in asked or by_name}
    if None in found:
        unknown = next(level for level in asked if str(level) not in by_name and str(level) not in numbers)
        names = ", ".join(f"{level} ({name})" for name, level in by_name.items())
        raise InputError(f"a level: {names}", repr(unknown))
    if not found:
        raise InputError("a taxonomy with levels", "only a root")
    return tuple(sorted(level for level in found if level is not None))


@dataclasses.dataclass
class _Explainer:
    """Maps of batches of images, and their pictures."""

    run: Run
    levels: tuple[int, ...]
    target: str
    folder: Path

    def explain(self, dataset: Dataset, rows: IntArray, *, labelled: bool, progress: bool) -> Explanations:
        run, device = self.run, preferred_device(self.run.config.training.accelerator)
        classifier, backbone = run.classifier.to(device), run.backbone.to(device)
        networks = [LevelScores(classifier, backbone, level).eval() for level in self.levels]
        layers: dict[int, FeatureMap] = {}
        explained: list[ExplainedImage] = []
        skipped: list[tuple[str, str]] = []
        batches = loader(dataset, rows, backbone.transform(train=False), batch_size=IMAGES_AT_ONCE, workers=0)
        for batch in track(batches, "explaining", shown=progress):
            skipped += [(image.path, image.reason) for _, image in batch.skipped]
            if len(batch) == 0:
                continue
            images, pictures = batch.images.to(device), unnormalised(batch.images, backbone)
            layers = layers or {network.level: last_feature_map(network, images) for network in networks}
            stems = [f"{len(explained) + place:04d}" for place in range(len(batch))]
            maps = [
                self._level_maps(network, layers[network.level], images, batch.nodes, pictures, stems)
                for network in networks
            ]
            for place, stem in enumerate(stems):
                self._save(pictures[place], f"{stem}.webp")
                path, label = dataset.paths[int(batch.index[place])], int(batch.nodes[place])
                told = tuple(each for of_level in maps if (each := of_level[place]) is not None)
                explained.append(ExplainedImage(path, label if labelled else None, f"{stem}.webp", told))
        return Explanations(
            split=self.folder.name,
            method="grad-cam",
            target=self.target,
            layers={level: found.name for level, found in layers.items()},
            model=run.model_hash,
            fingerprint=run.taxonomy.fingerprint,
            images=tuple(explained),
            skipped=tuple(skipped),
            digest=images_digest(dataset, dataset.indices(self.folder.name)) if labelled else "",
        )

    def _level_maps(
        self,
        network: LevelScores,
        feature_map: FeatureMap,
        images: Tensor,
        labels: Int[Tensor, " batch"],
        pictures: NDArray[np.uint8],
        stems: Sequence[str],
    ) -> list[LevelMap | None]:
        """Draw the map of each image at a level and describe it; ``None`` where the label is coarser than the level."""
        with torch.inference_mode():
            nodes, log_prob = (tensor.cpu() for tensor in network.answer(images))
        predicted = log_prob.argmax(-1)
        columns = predicted if self.target == "predicted" else _columns_of(labels, nodes, network.level, self.run)
        heats = grad_cam(network, images, columns.clamp_min(0), feature_map)
        found: list[LevelMap | None] = []
        for place, (column, heat) in enumerate(zip(columns.tolist(), heats, strict=True)):
            if column < 0:
                found.append(None)
                continue
            file = f"{stems[place]}-{network.level}.webp"
            self._save(overlay(pictures[place], heat), file)
            found.append(
                LevelMap(
                    level=network.level,
                    predicted=int(nodes[predicted[place]]),
                    node=int(nodes[column]),
                    log_prob=float(log_prob[place, column]),
                    file=file,
                    is_blank=not bool(heat.any()),
                )
            )
        return found

    def _save(self, pixels: NDArray[np.uint8], name: str) -> None:
        content = io.BytesIO()
        Image.fromarray(pixels).save(content, "WEBP", quality=QUALITY)
        write_bytes(self.folder / name, content.getvalue(), durable=False)


def _columns_of(labels: Int[Tensor, " batch"], nodes: Int[Tensor, " level_node"], level: int, run: Run) -> Tensor:
    """Place of each label's representative among the nodes of a level; -1 where the label is coarser."""
    taxonomy, target = run.taxonomy, labels.cpu().numpy()
    told = taxonomy.speaks(level)[target]
    representative = taxonomy.at_level(level)[target]
    place = np.searchsorted(nodes.numpy(), representative).clip(max=len(nodes) - 1)
    told &= nodes.numpy()[place] == representative
    return torch.from_numpy(np.where(told, place, -1))


def unnormalised(images: Float[Tensor, "batch channel height width"], backbone: Backbone) -> NDArray[np.uint8]:
    """The pictures as the network saw them, [batch, height, width, channel]."""
    mean, std = (torch.tensor(values)[:, None, None] for values in (backbone.mean, backbone.std))
    return (images * std + mean).mul(255).round().clamp(0, 255).to(torch.uint8).movedim(1, -1).numpy()


def _replace(index: Path, made: Explanations) -> None:
    """Write the index, and remove the pictures that only the one before it named."""
    before = records.read_explanation_index(index).files if index.is_file() else set[str]()
    records.write_explanation_index(index, made)
    for name in before - made.files:
        (index.parent / Path(name).name).unlink(missing_ok=True)
