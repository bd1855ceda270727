"""Discovers fine classes under a run's coarse classes, and writes a page, a refined taxonomy and agreement scores."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections import Counter
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cladewise.atomic import write_text
from cladewise.datasets import Dataset
from cladewise.discovery.new_images import NEW_IMAGES, new_images
from cladewise.discovery.page import CoarseClass, DiscoveryPage, FoundClass, write_discovery_page
from cladewise.discovery.refining import refine, refine_under
from cladewise.engine import Run
from cladewise.engine.answering.representing import represent
from cladewise.errors import InputError
from cladewise.objectives import clusters_wanted, pseudo_fine
from cladewise.records import SCHEMA_VERSION
from cladewise.statistics import Agreement, agreement
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.level_choice import chosen_levels
from cladewise.taxonomy.names.paths import ROOT_NAME

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Discovery:
    """Result of :func:`discover`.

    Args:
        taxonomy: The tree down to the coarse classes, with the discovered classes below them.
        nodes: Node of every clustered image in this tree.
        index: Indices of these images in the data.
        inside: Agreement with true fine classes inside the coarse classes that have several of them, averaged over
            images; ``None`` if there are none.
        overall: Agreement over all images with a fine label, or ``None``.
        folder: Folder of the files written.
    """

    taxonomy: Taxonomy
    nodes: IntArray
    index: IntArray
    inside: Agreement | None
    overall: Agreement | None
    folder: Path


@dataclasses.dataclass(frozen=True, eq=False)
class _Clustering:
    """Images of coarse classes with their clusters, row by row.

    Args:
        index: Index of each image in the data.
        vectors: Unit features ``[image, feature]``.
        true: Label of each image.
        coarse: Coarse class of each image.
        found: Number of each image's cluster.
    """

    index: IntArray
    vectors: NDArray[np.floating[Any]]
    true: IntArray
    coarse: IntArray
    found: IntArray


def discover(
    run: Run | str | Path,
    *,
    split: str = "train",
    level: str | int | None = None,
    clusters: str | int | None = None,
    examples: int = 8,
    data: Dataset | None = None,
    new_from: str | PathLike[str] | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Discovery:
    """Discover classes under the coarse classes of a run, by k-means on its features of each class's images.

    With a table of predictions in which images are called new, by a decision such as ``new-class``, these images are
    clustered under the nodes that they are answered with, and the discovered classes are added to the whole tree.

    Writes ``page.html``, ``taxonomy.csv`` (the refined tree), ``images.csv`` (a manifest of the images with their new
    labels, to train on) and ``agreement.json`` to ``discovered/<split>`` in the run folder, or ``discovered/new``.

    Args:
        run: A run, or its folder.
        split: Split whose images are clustered; several are joined with ``+``.
        level: Level of the coarse classes, by name or number; by default the level of the labels that the run was
            trained on (``[ablation] coarse_level``), or else of its classes (option ``level``).
        clusters: Number of clusters under each coarse class: a multiple of its number of true fine classes such as
            ``"2x"``, the default, a number, or ``"auto"``, the default for images that are called new; see
            :func:`cladewise.objectives.pseudo_fine`.
        examples: Number of images per discovered class on the page.
        data: Data to use instead of the run's, with the same taxonomy.
        new_from: Table of predictions, CSV or Parquet, with the columns ``path``, ``label_path`` and ``new``, instead
            of a split, level and data.
        seed: Seed of k-means.
        progress: Show progress bars.

    Raises:
        InputError: The split or level does not exist, no level is known, or no image can be read; or the table does not
            say what is new, or nothing is.
    """
    opened = run if isinstance(run, Run) else Run.open(run)
    if clusters is None:
        clusters = "2x" if new_from is None else "auto"
    clusters_wanted(clusters)
    if clusters in (0, "0"):
        raise InputError("at least one cluster", clusters)
    taxonomy = opened.taxonomy
    if new_from is not None:
        if data is not None or level is not None:
            raise InputError("images from a table or data and a level", "both", advice="Leave out data and level.")
        dataset, split = new_images(new_from, taxonomy), NEW_IMAGES
    else:
        dataset = data if data is not None else opened.dataset
    if dataset.taxonomy != taxonomy:
        raise InputError("data with the run's taxonomy", f"{dataset.taxonomy}", at=dataset.name)
    coarse_level = None if new_from is not None else _level(opened, level, taxonomy)
    seen = represent(opened, dataset, dataset.indices(split), progress=progress)
    true = dataset.nodes[seen.index]
    class_of = np.arange(taxonomy.num_nodes) if coarse_level is None else taxonomy.at_level(coarse_level)
    coarse = class_of[true]
    takes_part = np.isin(coarse, coarse if coarse_level is None else taxonomy.level_nodes(coarse_level))
    if not takes_part.any():
        raise InputError("images with a label at or below the level", "none", at=f"{split} of {dataset.name}")
    rows = np.flatnonzero(takes_part)
    true, coarse, index = true[rows], coarse[rows], seen.index[rows]
    vectors = seen.vectors[rows, 0].numpy()
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    leaves = np.bincount(class_of[taxonomy.leaf_nodes], minlength=taxonomy.num_nodes)
    found = _largest_first(pseudo_fine(vectors, coarse, np.maximum(1, leaves), clusters, seed=seed, starts=3), coarse)
    clustering = _Clustering(index, vectors, true, coarse, found)
    if coarse_level is None:
        refined, node_of_cluster = refine_under(taxonomy, coarse, found)
    else:
        refined, node_of_cluster = refine(taxonomy, coarse_level, coarse, found)
    folder = opened.folder.discovered(split)
    classes = _classes(dataset, clustering, refined.names[node_of_cluster].tolist(), examples)
    fine = taxonomy.is_leaf[true]
    several = [c.agreement for c in classes if c.agreement is not None]
    overall = agreement(found[fine], true[fine]) if fine.any() else None
    result = Discovery(refined, node_of_cluster[found], index, _mean(several), overall, folder)
    level_name = "" if coarse_level is None else taxonomy.level_names[coarse_level - 1]
    _write(result, dataset, split=split, level=level_name, clusters=str(clusters))
    page = DiscoveryPage(
        title=f"Classes found in {dataset.name}",
        run=str(opened.path),
        method=opened.method.title,
        split=split,
        clusters=_number_text(clusters),
        classes=tuple(classes),
        inside=result.inside,
        overall=result.overall,
        left_out=int((~takes_part).sum()),
        image_root=dataset.root,
        credit=dataset.credit,
    )
    write_discovery_page(page, folder / "page.html", examples=examples)
    return result


def _level(run: Run, level: str | int | None, taxonomy: Taxonomy) -> int:
    wanted = level if level is not None else run.config.ablation.coarse_level or run.config.options.get("level", "")
    if wanted == "":
        raise InputError(
            "the level of the coarse classes",
            "a run of the finest one",
            at=str(run.path),
            advice=f'Name it: level="{taxonomy.level_names[0] if taxonomy.level_names else 1}".',
        )
    levels = chosen_levels(str(wanted), taxonomy)
    if len(levels) != 1:
        raise InputError("one level", repr(wanted))
    return levels[0]


def _number_text(clusters: str | int) -> str:
    """How the number of clusters was chosen, for the page."""
    if clusters == "auto":
        return "number chosen from the data"
    return f"{clusters} each" if str(clusters).isdecimal() else f"{clusters} the true number"


def _largest_first(found: IntArray, coarse: IntArray) -> IntArray:
    """Renumber clusters by their coarse class, and within it by decreasing size."""
    numbers, first, inverse, counts = np.unique(found, return_index=True, return_inverse=True, return_counts=True)
    order = np.lexsort((numbers, -counts, coarse[first]))
    rank = np.empty_like(order)
    rank[order] = np.arange(order.size)
    return rank[inverse.reshape(-1)]


def _classes(dataset: Dataset, clustering: _Clustering, names: Sequence[str], examples: int) -> list[CoarseClass]:
    """The coarse classes in the order of the tree, with the classes discovered under each; ``names`` by cluster."""
    taxonomy, true, found = dataset.taxonomy, clustering.true, clustering.found
    classes: list[CoarseClass] = []
    for node in np.unique(clustering.coarse).tolist():
        members = np.flatnonzero(clustering.coarse == node)
        of_class: list[FoundClass] = []
        for number in np.unique(found[members]).tolist():
            rows = members[found[members] == number]
            vectors = clustering.vectors[rows]
            typical = rows[np.argsort(-(vectors @ vectors.mean(0)), kind="stable")][:examples]
            fine = Counter(true[rows][taxonomy.is_leaf[true[rows]]].tolist())
            of_class.append(
                FoundClass(
                    name=str(names[number]),
                    count=rows.size,
                    examples=tuple(str(dataset.paths[i]) for i in clustering.index[typical].tolist()),
                    known=tuple((str(taxonomy.names[v]), n / rows.size) for v, n in fine.most_common()),
                )
            )
        leaf = members[taxonomy.is_leaf[true[members]]]
        known = agreement(found[leaf], true[leaf]) if np.unique(true[leaf]).size > 1 else None
        classes.append(CoarseClass(taxonomy.path_names(node) or (ROOT_NAME,), members.size, tuple(of_class), known))
    return classes


def _mean(found: list[Agreement]) -> Agreement | None:
    """The mean weighted by images."""
    if not found:
        return None
    counts = np.array([each.count for each in found])
    values = np.array([[each.adjusted_rand, each.mutual_information, each.purity] for each in found])
    return Agreement(*map(float, counts @ values / counts.sum()), count=int(counts.sum()))


def _write(found: Discovery, dataset: Dataset, *, split: str, level: str, clusters: str) -> None:
    found.folder.mkdir(parents=True, exist_ok=True)
    found.taxonomy.write(found.folder / "taxonomy.csv")
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerow(["path", "label"])
    for image, node in zip(found.index.tolist(), found.nodes.tolist(), strict=True):
        rows.writerow([str(dataset.root / str(dataset.paths[image])), found.taxonomy.path_name(node)])
    write_text(found.folder / "images.csv", text.getvalue())
    record = {
        "schema_version": SCHEMA_VERSION,
        "split": split,
        "level": level,
        "clusters": clusters,
        "num_classes": int(np.unique(found.nodes).size),
        "num_images": found.index.size,
        "inside": None if found.inside is None else dataclasses.asdict(found.inside),
        "overall": None if found.overall is None else dataclasses.asdict(found.overall),
    }
    write_text(found.folder / "agreement.json", json.dumps(record, indent=1) + "\n")
