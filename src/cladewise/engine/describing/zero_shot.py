"""The verb ``zero_shot``: a run folder from the texts of the nodes, without training."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import numpy as np
from numpy.typing import NDArray

from cladewise import backbones
from cladewise.atomic import writing
from cladewise.backbones import text
from cladewise.backbones.clip import PREFIX, is_clip
from cladewise.backbones.text import TextEncoder
from cladewise.backbones.transforms import Resizing
from cladewise.catalogue import nearest
from cladewise.datasets import Dataset
from cladewise.datasets.finding import find_data
from cladewise.engine.classifier import FeatureScaling
from cladewise.engine.describing.node_vectors import TEXTS_AT_ONCE, NodeVectors, TextPrecision, node_vectors
from cladewise.engine.describing.templates import Ensemble, templates
from cladewise.engine.devices import preferred_device
from cladewise.engine.network import HEAD
from cladewise.engine.rules import handle_of
from cladewise.engine.run import Run
from cladewise.engine.training.locking import training_lock
from cladewise.errors import InputError, warn
from cladewise.heads.image_text import Over, scored_by_text
from cladewise.methods.image_text import TextClassifierMethod
from cladewise.records import (
    NO_SPLIT,
    BackboneConfig,
    RunConfig,
    RunFolder,
    TrainingConfig,
    changes,
    counts,
    read_config,
)
from cladewise.records.clearing import check_clearable, clear
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.alteration import Alteration
from cladewise.taxonomy.class_texts import TemplatedTexts
from cladewise.tensor_files import TensorParts, write_in_parts
from cladewise.version import __version__

IntArray = NDArray[np.int64]

LOCAL = f"{PREFIX}local-dir:"


def zero_shot(
    taxonomy: Taxonomy | str | PathLike[str] | None = None,
    *,
    model: str | PathLike[str],
    out: str | PathLike[str],
    data: Dataset | str | PathLike[str] | None = None,
    texts: str = "clip",
    ensemble: Ensemble = "none",
    over: Over = "leaves",
    precision: TextPrecision = "float32",
    resize: Resizing | None = None,
    name: str = "zero-shot",
    chunk: int = TEXTS_AT_ONCE,
    overwrite: bool = False,
    progress: bool = True,
) -> Run:
    r"""A classifier over a label tree from an open_clip model and the texts of the nodes, without training.

    The result is an ordinary run of the method ``text-classifier``, which can predict, be evaluated, calibrated,
    exported and served:

    .. math:: s_v = e^{\sigma}\, \frac{f}{\lVert f \rVert} \cdot t_v + \beta

    with the image's features f, the unit vector of the node's texts :math:`t_v`
    (:func:`~cladewise.engine.describing.node_vectors.node_vectors`), and the model's own scale and bias.

    Vectors of texts are kept in the cache, found by the model and the texts: the same call after a kill computes what
    is missing, and after an edit of the tree the texts that are new. Memory does not grow with the number of nodes,
    apart from their names; the run needs the vectors in memory when it predicts.

    Args:
        taxonomy: The label tree, or a file of it in any format; by default the tree of the data.
        model: An open_clip model: ``open_clip:MODEL/WEIGHTS``, ``open_clip:hf-hub:USER/NAME``, or a folder in its
            format.
        out: The run folder.
        data: Images with labels in the tree, to evaluate on and to fit rules on: a dataset, a folder, a manifest or
            the name of a dataset. Without it the run can only predict, by rules that learn from no images.
        texts: Templates of the texts, separated by ``|`` (:class:`~cladewise.taxonomy.class_texts.TemplatedTexts`), or
            the name of known ones: ``clip`` (``a photo of a {name}``), ``bioclip`` (``a photo of {taxonomic}.``) or
            ``bioclip-common`` (the same with the English name where there is one).
        ensemble: Phrasings around every template, whose vectors are averaged: ``none``, or OpenAI's, ``simple`` (7) or
            ``imagenet`` (80).
        over: What competes: ``leaves``, so that an inner node has the sum of its leaves; or the nodes' own texts: the
            nodes of each of the ``levels``, ``siblings``, all ``nodes`` in one softmax, or each node for itself by a
            sigmoid (``independent``, for models trained with one, such as SigLIP).
        precision: Precision in which vectors of texts are kept, in the cache and in the file of the run: ``float32``,
            or ``float16`` for half the size on disk; scores then differ by about 0.001 nats. In memory, and in what is
            computed, it is single precision.
        resize: Which sides of an image are resized before the crop; by default as the model says.
        name: Name of the run in reports.
        chunk: Number of texts encoded at once.
        overwrite: If ``out`` contains another run, replace it; other files stay.
        progress: Show progress.

    Raises:
        InputError: There is no such model, tree, template or option, the data has another tree, or ``out`` holds
            something else.
        MissingExtraError: open_clip is not installed.

    Example:
        >>> zero_shot(Taxonomy.from_paths([("bird", "wren")]), model="resnet50", out="runs/zero")
        Traceback (most recent call last):
        ...
        cladewise.errors.InputError: Expected an open_clip model, but got 'resnet50'. Give open_clip:MODEL/WEIGHTS, ...

    References: Radford et al., Learning transferable visual models from natural language supervision, ICML 2021,
        arXiv:2103.00020; Ilharco et al., OpenCLIP, 2021; Stevens et al., BioCLIP, CVPR 2024, arXiv:2311.18803 (texts of
        taxa). Zhai et al., ICCV 2023, arXiv:2303.15343 (sigmoids).
    """
    named, folder = _named(model), RunFolder(Path(out))
    for what, value, known in (("scores over", over, Over), ("a precision:", precision, TextPrecision)):
        if value not in get_args(known):
            choices = get_args(known)
            raise InputError(f"{what} {', '.join(choices)}", repr(value), advice=nearest(value, choices))
    tree, dataset = _opened(taxonomy, data)
    if overwrite:
        check_clearable(folder)
    said = templates(texts, ensemble, tree)
    described = TemplatedTexts(tree, said)
    backbone = backbones.load(named, resize=resize).eval()
    encoder = text.load(named)
    has_val = dataset is not None and "val" in dataset.splits
    method = TextClassifierMethod(text=named, texts=said, over=over, bias=encoder.bias != 0, projection=False)
    config = RunConfig(
        data={} if dataset is None else dataset.source,
        method=method.name,
        options=method.options(),
        backbone=BackboneConfig(name=named, freeze=True, scaling="none", resize=backbone.image_input.resize),
        training=TrainingConfig(train_split=NO_SPLIT, val_split="val" if has_val else NO_SPLIT, epochs=0),
        name=name,
    )
    change = Alteration.none(tree)
    about = {
        "encoder": backbone.fingerprint,
        "tree": change.fingerprint,
        "data": "",
        "texts": encoder.fingerprint,
        "precision": precision,
    }
    with training_lock(folder):
        if overwrite:
            clear(folder)
        elif _is_there(folder, config, about):
            return Run.open(folder.path)
        scored = scored_by_text(tree, over)
        device = preferred_device("auto")
        vectors = node_vectors(
            encoder, described, np.unique(scored), precision=precision, chunk=chunk, device=device, progress=progress
        )
        _warn_of(vectors, described)
        change.write(folder.taxonomy, folder.true_taxonomy)
        images = {"name": _tree_name(taxonomy), "root": ".", "credit": ""}
        if dataset is not None:
            counts.write_counts(folder.counts, {split: dataset.nodes[rows] for split, rows in dataset.splits.items()})
            images = {"name": dataset.name, "root": str(dataset.root), "credit": dataset.credit}
        rules = {"inference": handle_of(method.inference()), "decision": handle_of(method.decision())}
        config.write(folder.config, cladewise=__version__, **rules, images=images)
        with writing(folder.model) as file:
            write_in_parts(file, _weights(vectors, scored, encoder, precision, backbone.num_features), about)
    return Run.open(folder.path)


def _tree_name(taxonomy: Taxonomy | str | PathLike[str] | None) -> str:
    """Name of the tree for reports: that of its file; blank for one that is in memory."""
    return "" if taxonomy is None or isinstance(taxonomy, Taxonomy) else Path(taxonomy).name


def _named(model: str | PathLike[str]) -> str:
    """The name by which the model is loaded, wherever the process runs."""
    given = str(model)
    if not is_clip(given) and Path(given).is_dir():
        given = f"{LOCAL}{given}"
    if not is_clip(given):
        advice = f"Give {PREFIX}MODEL/WEIGHTS, {PREFIX}hf-hub:USER/NAME, or a folder with open_clip_config.json."
        raise InputError("an open_clip model", repr(given), advice=advice)
    if given.startswith(LOCAL):
        return f"{LOCAL}{Path(given.removeprefix(LOCAL)).absolute()}"
    return given


def _opened(
    taxonomy: Taxonomy | str | PathLike[str] | None, data: Dataset | str | PathLike[str] | None
) -> tuple[Taxonomy, Dataset | None]:
    """The tree, and the data if there is some."""
    if data is None:
        if taxonomy is None:
            raise InputError("a label tree, or data that has one", "neither", advice="Give taxonomy= or data=.")
        return taxonomy if isinstance(taxonomy, Taxonomy) else Taxonomy.read(Path(taxonomy)), None
    if isinstance(data, Dataset):
        dataset = data
    elif isinstance(taxonomy, Taxonomy):
        advice = "Give the file of the tree, or open the data with it first."
        raise InputError("data that is open, beside a taxonomy in memory", repr(str(data)), advice=advice)
    else:
        dataset = find_data(str(data), None if taxonomy is None else Path(taxonomy))
    tree = dataset.taxonomy
    if not isinstance(data, Dataset) or taxonomy is None:
        return tree, dataset
    wanted = taxonomy if isinstance(taxonomy, Taxonomy) else Taxonomy.read(Path(taxonomy))
    if wanted != tree:
        raise InputError(f"data with the taxonomy {wanted}", f"{tree}", at=dataset.name)
    return tree, dataset


def _is_there(folder: RunFolder, config: RunConfig, about: Mapping[str, str]) -> bool:
    """Whether the folder has this very run; false if it is free, or if a process was killed that began to write it.

    Raises:
        InputError: It holds another run.
    """
    if not folder.config.is_file():
        return False
    changed = changes(read_config(folder.config), config)
    if folder.model.is_file() and not changed:
        header = Run(folder.path).header
        changed = [key for key, value in about.items() if header.get(key, "") != value]
    if changed:
        raise InputError(
            f"{folder.path} to be free or to contain this run",
            f"a run that differs in {', '.join(changed)}",
            advice="Choose another folder with out=, or give overwrite=True to replace that run.",
        )
    return folder.model.is_file()


def _weights(
    vectors: NodeVectors, scored: IntArray, encoder: TextEncoder, precision: TextPrecision, num_features: int
) -> dict[str, TensorParts]:
    """The weights of the network, as its own ``state_dict`` has them."""
    scale = encoder.scale
    assert scale is not None, "models of open_clip have one"

    def rows() -> Iterator[NDArray[Any]]:
        for part in vectors.parts(scored):
            yield (part.astype(np.float32) * np.float32(scale)).astype(precision)

    scaling = FeatureScaling("none", num_features).state_dict()
    found = {f"encoder.{name}": _whole(value.numpy()) for name, value in scaling.items()}
    found[f"{HEAD}weight"] = TensorParts((len(scored), vectors.width), precision, rows())
    if encoder.bias:
        found[f"{HEAD}bias"] = _whole(np.full(len(scored), encoder.bias, dtype=np.float32))
    return found


def _whole(values: NDArray[Any]) -> TensorParts:
    return TensorParts(values.shape, "float32", [values])


def _warn_of(vectors: NodeVectors, described: TemplatedTexts) -> None:
    """Warn about texts that say less than they should: those that are cut off, and equal ones of several nodes."""
    example, count = vectors.cut
    if count:
        warn(
            f"{count:,} texts fill the context of the text encoder, and their ends may be cut off, such as {example!r}",
            advice="Use shorter templates.",
        )
    shared = len(vectors.nodes) - vectors.num_distinct
    if shared:
        _, first, number = np.unique(vectors.places, return_index=True, return_counts=True)
        node = int(vectors.nodes[first[int(number.argmax())]])
        warn(
            f"{shared:,} nodes have the texts of another one, and so its scores, such as {described.of(node)[0]!r}",
            advice="Use {path} or {taxonomic} in the templates, which tell equal names apart.",
        )
