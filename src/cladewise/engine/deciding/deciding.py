"""The verb ``decide``."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import polars as pl

from cladewise.decisions import Decision, Majority
from cladewise.engine.answering.groups import DEFAULT, Grouping
from cladewise.engine.deciding.decided import Decided
from cladewise.engine.deciding.inputs import AnyTaxonomy, GivenLabels, GivenScores, opened
from cladewise.engine.deciding.splits import SHARE, splits_of
from cladewise.engine.rules import decision_of, inference_of, only_allowed
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.predictions import Fittable, Pool


def decide(
    scores: GivenScores,
    taxonomy: AnyTaxonomy | None = None,
    *,
    labels: GivenLabels | None = None,
    decision: str | Decision | Sequence[str | Decision] | None = None,
    inference: str | Inference | None = None,
    out: str | PathLike[str] | None = None,
    fit_share: float | None = None,
    fit_split: str | None = None,
    fitted_on: Run | str | PathLike[str] | None = None,
    allowed: str | Path | Sequence[str] | None = None,
    group_by: str | None = None,
    pool: Pool = DEFAULT,
    seed: int = 0,
    name: str | None = None,
    root: str | PathLike[str] | None = None,
    progress: bool = True,
    **reading: Any,
) -> Decided:
    """Decide on scores that any classifier made: no training, and no images.

    Args:
        scores: Files of scores, see :func:`cladewise.scores.open_scores`; a table; an array with one column per class,
            named by ``classes``; a prediction; or scores that are open already.
        taxonomy: The label tree, or its file. Open scores have theirs.
        labels: True labels, to fit rules on and to evaluate by: a file or table of labels by row, perhaps with a column
            ``split``; or one label per row (names, paths or nodes; ``None`` or -1 for none).
        decision: A rule or its spec, used unless a result asks for another; ``majority`` by default. Of several the
            first is used, and :meth:`Decided.evaluate_all` evaluates all.
        inference: A rule or its spec, several joined with ``+``, before every decision; none by default.
        out: Folder to write a run folder to, which :func:`cladewise.evaluate` and :func:`cladewise.compare` take.
        fit_share: Share of the labelled rows to fit rules on if the labels come without splits, drawn at random; the
            others are judged. By default a half if ``out`` is given or the rules have something to learn, else none.
        fit_split: Split to fit rules on, if the labels come with splits; the rule's own, ``val``, by default.
        fitted_on: A run over the same taxonomy, or its folder, whose labelled rows rules are fitted on instead: earlier
            scores of the same classifier.
        allowed: Labels that are possible, or a file with one per line: the subset inference, after the others.
        group_by: Rows that show the same thing, to be answered as one: a column, ``"folder"``, ``"path:REGEX"``, or a
            table with the columns ``path`` and ``group``; see :func:`cladewise.evaluate`.
        pool: The way of pooling their predictions, see :func:`cladewise.predictions.pooled`.
        seed: Seed of that draw.
        name: Name of the classifier in reports; that of the file by default.
        root: Folder that the names of the rows are relative to, if they are paths of images, for pictures in reports.
        progress: Show progress bars.
        **reading: Options of :func:`cladewise.scores.open_scores`: ``values``, ``over``, ``format`` and others.

    Raises:
        InputError: The scores or labels cannot be read, or there is no such rule.

    Example:
        >>> import polars as pl
        >>> from cladewise import Taxonomy
        >>> t = Taxonomy.from_paths([("cat", "lion"), ("cat", "lynx"), ("dog", "wolf")])
        >>> columns = {"image": ["1.jpg", "2.jpg"], "lion": [0.5, 0.3], "lynx": [0.4, 0.2], "wolf": [0.1, 0.5]}
        >>> table = pl.DataFrame(columns)
        >>> decided = decide(table, t, values="probabilities", progress=False)
        >>> decided.to_frame().select("path", "label", "leaf").rows()
        [('1.jpg', 'cat', 'lion'), ('2.jpg', 'root', 'wolf')]
    """
    source = None if fitted_on is None else Run.open(fitted_on)
    if taxonomy is None and source is not None:
        taxonomy = source.taxonomy
    given = opened(scores, taxonomy, labels, reading)
    if source is not None and source.taxonomy != given.scores.taxonomy:
        got = f"{source.taxonomy} instead of {given.scores.taxonomy}"
        raise InputError("a run over the taxonomy of the scores", got, at=str(source.path))
    several = [decision] if decision is None or isinstance(decision, (str, Decision)) else list(decision) or [None]
    rules, before = (
        [decision_of(each, Majority()) for each in several],
        only_allowed(inference_of(inference, None), allowed),
    )
    if fit_share is None:
        learns = source is None and any(isinstance(each, Fittable) and not each.is_fitted for each in (*rules, before))
        fit_share = SHARE if learns or out is not None else 0.0
    splits = splits_of(given.scores, share=fit_share, seed=seed)
    decided = Decided(
        given,
        splits,
        tuple(rules),
        before,
        seed,
        name or given.name,
        Path(root) if root is not None else _root(given.scores.keys, given.files),
        None if out is None else Path(out),
        source,
        fit_split,
        progress,
        grouping=None if group_by is None else Grouping(group_by, pool),
    )
    if out is not None:
        _ = decided.run
    return decided


def _root(keys: pl.Series, files: Sequence[str]) -> Path | None:
    """The folder in which the first row's name is a file: the present one, or that of the scores."""
    folders = [Path.cwd(), *(Path(file).parent for file in files[:1])]
    return next((folder for folder in folders if keys.len() and (folder / str(keys[0])).is_file()), None)
