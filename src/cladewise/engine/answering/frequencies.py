"""How often the labels of a run occur among its training images."""

from __future__ import annotations

import numpy as np
import torch

from cladewise.engine.answer_tree import AnswerTree
from cladewise.engine.answering.outcomes import TrainingFrequency
from cladewise.engine.run import Run
from cladewise.records.counts import read_counts
from cladewise.statistics import FrequencyBounds


def training_frequency(run: Run, tree: AnswerTree, bounds: FrequencyBounds) -> TrainingFrequency | None:
    """Number of training images of every node of the tree that a run answers in, when training began.

    The labels are the true ones, also where an ablation trained on others. ``None`` if the run folder does not record
    its training images, as of scores that another tool made.

    Raises:
        InputError: The record of the run folder cannot be read.
    """
    file = run.folder.counts
    if not file.is_file():
        return None
    taxonomy, parts = run.taxonomy, run.config.training.train_split.split("+")
    by_split = read_counts(file, taxonomy.num_nodes)
    known = [by_split[name] for name in parts if name in by_split]
    if not known:
        return None
    counts = np.sum(known, axis=0)
    if taxonomy == tree.taxonomy:
        return TrainingFrequency(counts, bounds)
    moved = np.zeros(tree.taxonomy.num_nodes, dtype=np.int64)
    np.add.at(moved, tree.nodes(torch.arange(taxonomy.num_nodes)).numpy(), counts)
    return TrainingFrequency(moved, bounds)
