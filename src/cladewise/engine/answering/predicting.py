"""Prediction for image files by a trained run."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from cladewise.datasets import Skipped
from cladewise.decisions import Answer, Decision, Nodes
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.answering.forward import predict_rows
from cladewise.engine.answering.groups import DEFAULT, Grouping
from cladewise.engine.answering.prediction_table import answer_table, whole_table
from cladewise.engine.answering.scored_images import CELLS_AT_ONCE
from cladewise.engine.feeding.files import unlabelled
from cladewise.engine.rules import decision_of, inference_of, only_allowed
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.inference.columns import bound_to, notes_on
from cladewise.predictions import Pool, Prediction, pooled
from cladewise.runtimes import Precision, check_runtime, using

IntArray = NDArray[np.int64]


@dataclasses.dataclass(frozen=True)
class Predicted:
    """Predictions of a run for some images.

    ``paths``, ``errors``, :attr:`log_prob`, :meth:`node` and :meth:`to_frame` have one row per input, in the order
    given. ``prediction`` and :meth:`decide` have one row per image without an error; ``index`` says which inputs
    those are.

    Args:
        paths: The inputs.
        errors: Why each input has no prediction; ``None`` if it has one.
        prediction: Prediction over the nodes of the true tree after the inference, ``[image without error, node]``.
        index: Position in ``paths`` of every row of ``prediction``, ascending.
        default: The decision to use unless another is given.
        prepare: Fits a decision that learns from scores.
        warnings: Warnings from fitting rules; those of a decision are added when it is first used.
        columns: What else is known of the images, one row per row of ``prediction``, for decisions that need it.
    """

    paths: tuple[str, ...]
    errors: tuple[str | None, ...]
    prediction: Prediction
    index: IntArray
    default: Decision
    prepare: Callable[[Decision], Decision] = lambda rule: rule
    warnings: list[str] = dataclasses.field(default_factory=list[str])
    columns: pl.DataFrame | None = None

    @property
    def skipped(self) -> tuple[Skipped, ...]:
        """The inputs without a prediction, with reasons."""
        return tuple(Skipped(path, error) for path, error in zip(self.paths, self.errors, strict=True) if error)

    @property
    def log_prob(self) -> Tensor:
        """Log-probability at or under every node, ``[input, node]``; NaN for an input with an error."""
        found = self.prediction.log_prob
        if len(self.index) == len(self.paths):
            return found
        return found.new_full((len(self.paths), found.shape[1]), torch.nan).index_copy(0, self._rows, found)

    def decide(self, decision: str | Decision | None = None, **parameters: Any) -> Answer:
        """Apply a rule, its name or its spec; the method's own by default. One row per image without an error."""
        return bound_to(self._rule(decision, **parameters), self.columns)(self.prediction)

    def node(self, decision: str | Decision | None = None, **parameters: Any) -> IntArray:
        """Node of each input by a rule that gives one; -1 for an input with an error.

        Raises:
            InputError: The rule may give several nodes per image.
        """
        answer = self.decide(decision, **parameters)
        if not isinstance(answer, Nodes):
            raise InputError("a decision with one node per image", type(answer).__name__, advice="Use decide().")
        nodes = np.full(len(self.paths), -1, dtype=np.int64)
        nodes[self.index] = answer.node.cpu().numpy()
        return nodes

    def to_frame(
        self, decision: str | Decision | None = None, *, names: str | None = None, **parameters: Any
    ) -> pl.DataFrame:
        """One row per input, in the order given; ``error`` is the reason where an input has no prediction.

        By a rule with one node per image: its ``label`` (name), ``label_path``, ``node`` and ``probability``; for every
        level the name of the node on the path to it, and the probability at or under that one, empty at levels that the
        path skips or does not reach; and the most probable leaf (``leaf``, ``leaf_path``, ``leaf_probability``).
        By a rule with one node per level: name, path and probability of each level's node, empty where it is the node
        of a coarser level. By a rule with any set of labels: their paths and probabilities as lists, in the order of
        the taxonomy.

        ``names`` is the language of names, see :meth:`Taxonomy.names_in <cladewise.taxonomy.Taxonomy.names_in>`. Paths
        are of the nodes' own names in any case; sets of labels get the column ``label_names``.

        Raises:
            InputError: There is no such rule, or the taxonomy has no names in the language.
        """
        rule, prediction = self._rule(decision, **parameters), self.prediction
        size = max(1, CELLS_AT_ONCE // prediction.taxonomy.num_nodes)
        shown = None if names is None else prediction.taxonomy.names_in(names)
        told: list[pl.DataFrame] = []
        for start in range(0, max(1, len(self.index)), size):
            rows = slice(start, start + size)
            seen = bound_to(rule, None if self.columns is None else self.columns[rows]).decided_on(prediction[rows])
            told.append(answer_table(rule.final(seen), seen, shown))
        return whole_table(self.paths, self.errors, self.index, pl.concat(told))

    def _rule(self, decision: str | Decision | None, **parameters: Any) -> Decision:
        return self.prepare(decision_of(decision, self.default, **parameters))

    @property
    def _rows(self) -> Tensor:
        return torch.from_numpy(self.index).to(self.prediction.device)


def predict(
    run: Run | str | PathLike[str],
    paths: Sequence[str | PathLike[str]],
    *,
    inference: str | Inference | None = None,
    decision: str | Decision | None = None,
    columns: pl.DataFrame | None = None,
    allowed: str | Path | Sequence[str] | None = None,
    group_by: str | None = None,
    pool: Pool = DEFAULT,
    runtime: str | None = None,
    precision: Precision = "fp32",
    progress: bool = True,
) -> Predicted:
    """Predict for image files. Row ``i`` of the result is input ``i``; broken files have an error in their row.

    Args:
        run: A trained run, or its folder.
        paths: The image files.
        inference: A rule or its spec; the method's own by default, ``"none"`` for none.
        decision: A rule or its spec, used unless a result asks for another; the method's own by default. A rule that
            learns from scores is fitted before the images are read.
        columns: What else is known of the images, one row per path: a region, a date, a sequence.
        allowed: Labels that are possible, or a file with one per line: the subset inference, after the others.
        group_by: Images that show the same thing, to be answered as one; see :func:`cladewise.evaluate`. The result
            then has one row per group, whose path is its key.
        pool: The way of pooling the predictions of a group, see :func:`cladewise.predictions.pooled`.
        runtime: Runtime of the image encoder, see :func:`cladewise.runtimes.compile`: ``auto``, ``torch``,
            ``onnxruntime`` or ``openvino``.
        precision: Arithmetic of the encoder: ``fp32``, ``bf16`` or ``fp16``. Rules are fitted on scores in ``fp32``.
        progress: Show progress bars.

    Raises:
        InputError: ``paths`` is a single path instead of a sequence, there is no such rule, or the folder is not that
            of a finished run.
    """
    if isinstance(paths, (str, bytes, PathLike)):
        raise InputError("a list of image files", f"the single path {os.fsdecode(paths)!r}", advice="Pass a list.")
    check_runtime(runtime)
    run = Run.open(run)
    run.check_network()
    if columns is not None and len(columns) != len(paths):
        raise InputError(f"columns with a row for each of {len(paths)} images", f"{len(columns)} rows")
    grouping = None if group_by is None else Grouping(group_by, pool)
    default = decision_of(decision, run.decision)
    with using(runtime):
        before = ready(run, only_allowed(inference_of(inference, run.inference), allowed), progress=progress)
    told_of_columns = notes_on(before.rule, columns, run.own_taxonomy)
    infer, told = before.rule, [*before.warnings, *told_of_columns]
    tree = run.answer_tree()

    predicted: list[tuple[Prediction, pl.DataFrame | None]] = []  # none until the images are read

    def prepare(rule: Decision) -> Decision:
        with using(runtime):
            made = ready(run, rule, before=infer, grouping=grouping, progress=progress)
        watch = made.watch()
        if made.profile is not None:
            for seen, known in predicted:
                watch.add(seen, bound_to(made.rule, known)(seen))
        notes = notes_on(made.rule, columns, tree.before.taxonomy)
        told.extend(text for text in (*made.warnings, *notes, *watch.warnings) if text not in told)
        return made.rule

    if decision is not None:
        prepare(default)  # before the images are read, which takes long: it may fail, and is kept in the run folder
    images = unlabelled(paths, run.taxonomy)
    groups = None if grouping is None else grouping.of(images.paths, columns)
    rows = np.arange(len(paths))
    with using(runtime):
        prediction, kept, skipped = predict_rows(run, images, rows, cache=False, precision=precision, progress=progress)
    watch = before.watch()
    watch.add(prediction)
    told.extend(watch.warnings)
    bound = bound_to(infer, columns[kept]) if columns is not None else infer
    own = prediction if bound is None else bound(prediction)
    reasons = {image.path: image.reason for image in skipped}
    errors: list[str | None] = [reasons.get(path) for path in images.paths]
    for row in kept.tolist():
        errors[row] = None
    names = tuple(images.paths)
    if groups is not None:
        reasons_of: list[str | None] = [None] * len(groups.keys)
        for group, error in zip(groups.group.tolist(), errors, strict=True):
            reasons_of[group] = reasons_of[group] or error
        found, group = np.unique(groups.group[kept], return_inverse=True)
        if found.size:
            own = pooled(own, torch.from_numpy(group.reshape(-1)), len(found), pool)
        for group in found.tolist():
            reasons_of[group] = None
        names, errors, kept = groups.keys, reasons_of, found
    inferred = tree.prediction(own)
    known = None if columns is None or groups is not None else columns[kept]
    predicted.append((inferred, known))
    return Predicted(names, tuple(errors), inferred, kept, default, prepare, told, known)
