"""Embedding the labels of a taxonomy: training, scoring, and a resumable output folder."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any, Literal

import safetensors.torch
import torch
from safetensors import safe_open
from torch import Tensor

from cladewise.atomic import write_bytes, write_text
from cladewise.catalogue import from_spec, spec
from cladewise.embeddings.geometries import available
from cladewise.embeddings.graph_reconstruction import reconstruction
from cladewise.embeddings.hypernym_edges import EdgeSplits, split_edges
from cladewise.embeddings.label_geometry import Geometry
from cladewise.embeddings.label_space import LabelSpace
from cladewise.embeddings.negatives import Strategy
from cladewise.embeddings.vector_training import VectorTraining
from cladewise.errors import InputError
from cladewise.progress import bar
from cladewise.records import (
    SCHEMA_VERSION,
    EmbeddingConfig,
    EmbeddingFolder,
    differences,
    log,
    read_embedding_config,
    settings,
    write_embedding_config,
)
from cladewise.taxonomy import Taxonomy
from cladewise.version import __version__

CHECKPOINT_SECONDS = 5.0


def embed(
    taxonomy: Taxonomy | str | PathLike[str],
    *,
    geometry: Geometry | str = "hyperbolic",
    out: str | PathLike[str] | None = None,
    device: torch.device | str = "cpu",
    progress: bool = True,
    dim: int = 10,
    closure: float = 0.25,
    negatives: Strategy = "pick-per-level",
    num_negatives: int = 5,
    margin: float = 1.0,
    margins: str = "",
    initial: Literal["random", "poincare"] = "random",
    epochs: int = 500,
    batch_size: int = 10,
    lr: float = 0.01,
    evaluate_every: int = 10,
    seed: int = 0,
) -> LabelSpace:
    """Embed the labels of a taxonomy so that their vectors preserve its order.

    Args:
        taxonomy: The label tree, or its file or folder; its root gets no vector.
        geometry: The geometry, or a text that names it: ``order``, ``euclidean``, ``hyperbolic:aperture=0.2``.
        out: Folder for the vectors, their scores and the log. An interrupted run in it is resumed, and a finished one
            is loaded. Without it nothing is written.
        device: Device to compute on. Most trees are fastest on the CPU.
        progress: Show progress bars.
        dim: Dimension of the vectors.
        closure: Share of the edges implied by others, without val and test, to train on.
        negatives: Labels that negative edges are drawn from; see :class:`NegativeSampler`.
        num_negatives: Negatives per edge with another parent, and as many with another child.
        margin: Minimum energy of a negative edge.
        margins: Margins with commas, such as ``"0.01,0.1,1"``. The labels are embedded with each, and the embedding
            with the best F1 of hypernym prediction on val is kept; of several, the one with the margin named first.
        initial: Initial vectors: random ones of the geometry, or a Poincaré embedding.
        epochs: Passes over the edges.
        batch_size: Edges per step.
        lr: Learning rate.
        evaluate_every: Epochs between evaluations on val, of which the best is kept.
        seed: Seed of everything random.

    Raises:
        InputError: A setting is wrong, the taxonomy has no edge between labels, or ``out`` holds something else.

    Example:
        >>> t = Taxonomy.from_paths([("bird", "wren"), ("bird", "robin"), ("moth", "luna")])
        >>> space = embed(t, geometry="euclidean", dim=3, epochs=60, progress=False)
        >>> space.entails("bird", "wren"), space.entails("moth", "wren")
        (True, False)
    """
    tree = taxonomy if isinstance(taxonomy, Taxonomy) else Taxonomy.read(taxonomy)
    made = from_spec(available(), "geometry", geometry) if isinstance(geometry, str) else geometry
    chosen = {
        "dim": dim,
        "closure": closure,
        "negatives": negatives,
        "num_negatives": num_negatives,
        "margin": margin,
        "margins": margins,
        "initial": initial,
        "epochs": epochs,
        "batch_size": batch_size,
        "lr": lr,
        "evaluate_every": evaluate_every,
        "seed": seed,
    }
    config = settings(EmbeddingConfig, {"geometry": spec(made), **chosen})
    files = None if out is None else EmbeddingFolder(Path(out))
    if files is not None:
        _check_free(files, tree, config)
        if files.results.is_file():
            return LabelSpace.load(files.path)
    task = _Task(tree, made, split_edges(tree, closure=config.closure, seed=config.seed), device, progress)
    if not config.margins:
        return task.embedded(config, files)[0]
    return _with_best_margin(task, config, files)


@dataclasses.dataclass(frozen=True)
class _Task:
    """A tree to embed in a geometry, with its edges."""

    taxonomy: Taxonomy
    geometry: Geometry
    splits: EdgeSplits
    device: torch.device | str
    progress: bool

    def embedded(self, config: EmbeddingConfig, files: EmbeddingFolder | None) -> tuple[LabelSpace, dict[str, Any]]:
        """The embedding and its results: those of the folder if it is finished, otherwise trained and written there."""
        if files is not None and files.results.is_file():
            found: dict[str, Any] = json.loads(files.results.read_text(encoding="utf-8"))
            return LabelSpace.load(files.path), found
        training = VectorTraining(
            self.taxonomy, self.geometry, self.splits, config, device=self.device, progress=self.progress
        )
        if files is not None:
            _begin(files, self.taxonomy, config)
        _train(training, config, files, progress=self.progress)
        space, results = _finished(training, self.taxonomy, self.geometry, config)
        counts = {f"num_{name}": len(edges) for name, edges in vars(self.splits).items()}
        results = {**results, **counts}
        if files is not None:
            _write(files, space, results)
        return space, results


def _with_best_margin(task: _Task, config: EmbeddingConfig, files: EmbeddingFolder | None) -> LabelSpace:
    """Embed with every margin, in folders of their own, and keep the embedding with the best F1 on val."""
    margins = _margins(config.margins)
    if not len(task.splits.val):
        advice = "Give a single margin= instead."
        raise InputError("edges to choose a margin on", "no transitive edges to hold out", at="margins", advice=advice)
    if files is not None:
        _begin(files, task.taxonomy, config)
    f1: dict[str, float] = {}
    best: tuple[LabelSpace, dict[str, Any]] | None = None
    for margin in margins:
        one = dataclasses.replace(config, margin=margin, margins="")
        space, results = task.embedded(one, None if files is None else files.with_margin(margin))
        f1[f"{margin:g}"] = value = results["hypernyms"]["val"]["f1"]
        if best is None or value > best[1]["hypernyms"]["val"]["f1"]:
            best = space, results
    assert best is not None
    if files is not None:
        _write(files, best[0], {**best[1], "val_f1_by_margin": f1})
    return best[0]


def _margins(text: str) -> tuple[float, ...]:
    try:
        found = tuple(float(margin) for margin in text.split(","))
    except ValueError as error:
        raise InputError("margins as numbers with commas, such as 0.01,0.1,1", repr(text), at="margins") from error
    if not all(0 <= margin < float("inf") for margin in found):
        raise InputError("margins of at least 0", repr(text), at="margins")
    return tuple(dict.fromkeys(found))


def _write(files: EmbeddingFolder, space: LabelSpace, results: Mapping[str, Any]) -> None:
    space.save(files.path)
    write_text(files.results, json.dumps(results, indent=2) + "\n")  # last: it says that all is there
    files.checkpoint.unlink(missing_ok=True)


def _train(training: VectorTraining, config: EmbeddingConfig, files: EmbeddingFolder | None, *, progress: bool) -> None:
    if files is not None and files.checkpoint.is_file():
        training.restore(_read_state(files.checkpoint))
    if files is not None and files.log.is_file():
        log.forget_epochs_from(files.log, training.epoch)
    saved = time.monotonic()
    with bar(shown=progress) as shown:
        task = shown.add_task(f"embedding in {config.geometry}", total=config.epochs, completed=training.epoch)
        while training.epoch < config.epochs:
            begun = time.monotonic()
            report = training.run_epoch()
            shown.advance(task)
            if files is None:
                continue
            log.append(files.log, "epoch", epoch=training.epoch - 1, **report, seconds=time.monotonic() - begun)
            if time.monotonic() - saved > CHECKPOINT_SECONDS:
                write_bytes(files.checkpoint, safetensors.torch.save(training.state()))
                saved = time.monotonic()


@torch.no_grad()
def _finished(
    training: VectorTraining, taxonomy: Taxonomy, geometry: Geometry, config: EmbeddingConfig
) -> tuple[LabelSpace, dict[str, Any]]:
    """The embedding, and everything that is reported.

    Its threshold is the best one for all pairs of labels. With only ten negatives per edge, as in hypernym prediction,
    a higher threshold would be best.
    """
    vectors = training.vectors
    whole = reconstruction(taxonomy, geometry, vectors)
    hypernyms = training.task.scores(geometry, vectors) if training.task.has_edges else None
    results = {
        "schema_version": SCHEMA_VERSION,
        "fingerprint": taxonomy.fingerprint,
        "geometry": spec(geometry),
        "dim": config.dim,
        "margin": config.margin,
        "num_labels": taxonomy.num_nodes - 1,
        "best_epoch": training.best_epoch,
        "hypernyms": None if hypernyms is None else {k: v.to_dict() for k, v in vars(hypernyms).items()},
        "reconstruction": whole.to_dict(),
    }
    return LabelSpace(taxonomy, vectors.cpu(), geometry, whole.threshold), results


def _check_free(files: EmbeddingFolder, taxonomy: Taxonomy, config: EmbeddingConfig) -> None:
    """Check that the folder is empty or holds this embedding."""
    if not files.config.is_file():
        return
    there: Mapping[str, Any] = dataclasses.asdict(read_embedding_config(files.config))
    changed = differences(there, dataclasses.asdict(config))
    if files.taxonomy.is_file() and Taxonomy.read(files.taxonomy) != taxonomy:
        changed.append("the taxonomy")
    if changed:
        raise InputError(
            f"{files.path} to be free or to hold this very embedding",
            f"one that differs in {', '.join(changed)}",
            advice="Choose another folder with out=, or remove this one.",
        )


def _begin(files: EmbeddingFolder, taxonomy: Taxonomy, config: EmbeddingConfig) -> None:
    if not files.config.is_file():
        taxonomy.write(files.taxonomy)
        write_embedding_config(config, files.config, cladewise=__version__)


def _read_state(path: Path) -> dict[str, Tensor]:
    with safe_open(str(path), framework="pt") as file:  # type: ignore[no-untyped-call]
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
