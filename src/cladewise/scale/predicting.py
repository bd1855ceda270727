"""Prediction into a folder of parts."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, get_args

import polars as pl
import torch

from cladewise import runtimes
from cladewise.backbones import Towers
from cladewise.decisions import Decision
from cladewise.engine.answering.fitted_rules import Ready, identity, ready
from cladewise.engine.answering.forward import check_tower_precision
from cladewise.engine.answering.groups import DEFAULT, Grouping
from cladewise.engine.answering.prediction_table import names_beside
from cladewise.engine.rules import decision_of, inference_of, only_allowed
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.inference import Inference
from cladewise.inference.columns import notes_on
from cladewise.predictions import Pool
from cladewise.runtimes import Precision, chosen
from cladewise.runtimes.known import AUTO, TORCH
from cladewise.scale.answering import Answerer
from cladewise.scale.engines import Engine, Local
from cladewise.scale.folder import Folder
from cladewise.scale.grouped_source import by_group
from cladewise.scale.inputs import first_images
from cladewise.scale.job import Job, Kept
from cladewise.scale.kept import KeptRows
from cladewise.scale.parts import SUBFOLDER, Parts, finished, read_parts
from cladewise.scale.progress import Meter
from cladewise.scale.shards import Shard
from cladewise.scale.worker import Worker
from cladewise.sources import Source
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.columns import columns_of_language, language_code

PART_ROWS = 2048
"""Default rows per part: seconds to minutes of work, which is what a kill costs."""
LARGEST_KEPT = 1 << 26
"""Bytes of scores per part, beyond which parts have fewer rows by default."""


def predict_to(
    out: str | PathLike[str],
    run: Run | str | PathLike[str],
    source: Source | Parts,
    *,
    inference: str | Inference | None = None,
    decision: str | Decision | None = None,
    allowed: str | Path | Sequence[str] | None = None,
    group_by: str | None = None,
    pool: Pool = DEFAULT,
    top: int = 0,
    names: str | None = None,
    keep: Sequence[Kept] = (),
    shard: Shard | None = None,
    engine: Engine | None = None,
    threads: int | None = None,
    runtime: str | None = None,
    precision: Precision = "fp32",
    part_rows: int | None = None,
    storage_options: dict[str, Any] | None = None,
    progress: bool = True,
    warned: Callable[[str], None] = lambda text: None,
) -> Parts:
    """Predict any number of images into a folder of Parquet files, in bounded memory; call it again to resume.

    The rows are cut into parts whose files are named by their numbers. A part is written whole or not at all, and is
    not predicted again. So the same call after a kill, or from many machines with a ``shard`` each, ends with the files
    of an undisturbed call, byte for byte. The columns are those of :meth:`Predicted.to_frame
    <cladewise.engine.Predicted.to_frame>`, after the path the other columns of the source; a column of the source that
    has the name of another gets the prefix ``input_``. An image that cannot be read is a row with its error.

    Args:
        out: The folder, or the URI of one.
        run: A trained run, or its folder.
        source: The images, from :func:`~cladewise.sources.open_source`; or an earlier prediction that kept features or
            scores, from :func:`read_parts`, for which neither images nor the encoder are needed.
        inference: A rule or its spec; the method's own by default, ``"none"`` for none.
        decision: A rule or its spec; the method's own by default.
        allowed: Labels that are possible, or a file with one per line: the subset inference, after the others. An
            inference that needs columns of the images, such as a prior by region, takes those of the source.
        group_by: Images that show the same thing, to be answered as one: a column of the source, ``"folder"``,
            ``"path:REGEX"``, or a table with the columns ``path`` and ``group``; see :func:`cladewise.evaluate`. The
            table then has one row per group: its key as path, the number of its ``images``, the further columns on
            which all its images agree, and its answer; the error is that of a group none of whose images could be read.
            All rows are listed before the first is read.
        pool: The way of pooling the predictions of a group, see :func:`cladewise.predictions.pooled`.
        top: Number of best nodes per image to list in the columns ``top_labels`` and ``top_probabilities``.
        names: Language of the names in the table, if not the nodes' own; see :meth:`Taxonomy.names_in
            <cladewise.taxonomy.Taxonomy.names_in>`. Paths keep the nodes' own names.
        keep: ``"features"`` keeps the encoder's features in half precision, ``"scores"`` all scores of the head.
        shard: The share of the parts to predict; all by default.
        engine: Where to predict: in this process by default.
        threads: Threads per process that read and decode; by default one per processor, and more if images come over a
            network.
        runtime: Runtime of the encoder; see :func:`cladewise.runtimes.compile`. A resumed job keeps the one it began
            with.
        precision: Arithmetic of the encoder.
        part_rows: Rows per part; by default 2048, or fewer if their scores are kept and large.
        storage_options: Options of the storage of ``out``, as fsspec takes them.
        progress: Show images per second, time left, errors and memory.
        warned: Called with each warning from fitting rules, and at the end if the scores are others than rules were
            fitted on.

    Returns:
        The finished parts, also those of earlier calls and of other shards.

    Raises:
        InputError: The folder holds another job, a rule or an option does not exist, the disk is full, or the source
            cannot be read.
    """
    _check_kinds(source, shard, engine)
    where = engine or Local()
    prepared = _prepare(
        run,
        source,
        where,
        inference=inference,
        decision=decision,
        allowed=allowed,
        group_by=group_by,
        pool=pool,
        top=top,
        names=names,
        keep=keep,
        runtime=runtime,
        precision=precision,
        part_rows=part_rows,
        threads=threads,
        progress=progress,
        warned=warned,
    )
    folder = Folder(os.fspath(out), dict(storage_options or {}))
    for place in ("", SUBFOLDER):
        folder.sweep(place)
    done = finished(folder, prepared.job.keep)  # before the job is read, since it is written before any part
    worker = dataclasses.replace(prepared, job=prepared.job.begin(folder, has_parts=bool(done)))
    pending = [number for number in (shard or Shard()).select(range(worker.job.num_parts)) if number not in done]
    if pending:
        with Meter(worker.num_rows(pending), shown=progress) as meter:
            where.predict(worker, folder, pending, meter.add)
        for text in worker.answerer.drift:
            warned(text)
    return read_parts(out, storage_options=storage_options)


def predict_tables(
    run: Run | str | PathLike[str],
    source: Source | Parts,
    *,
    inference: str | Inference | None = None,
    decision: str | Decision | None = None,
    allowed: str | Path | Sequence[str] | None = None,
    group_by: str | None = None,
    pool: Pool = DEFAULT,
    top: int = 0,
    names: str | None = None,
    runtime: str | None = None,
    precision: Precision = "fp32",
    part_rows: int | None = None,
    threads: int | None = None,
    progress: bool = True,
    warned: Callable[[str], None] = lambda text: None,
) -> Iterator[pl.DataFrame]:
    """Predict any number of images in bounded memory, as one table per part; nothing is written.

    The arguments and the tables are those of :func:`predict_to`.

    Raises:
        InputError: As :func:`predict_to`.
    """
    _check_kinds(source, None, None)
    worker = _prepare(
        run,
        source,
        Local(),
        inference=inference,
        decision=decision,
        allowed=allowed,
        group_by=group_by,
        pool=pool,
        top=top,
        names=names,
        keep=(),
        runtime=runtime,
        precision=precision,
        part_rows=part_rows,
        threads=threads,
        progress=progress,
        warned=warned,
    )
    numbers = range(worker.job.num_parts)
    with Meter(worker.num_rows(numbers), shown=progress) as meter:
        yield from (part.table for part in worker.parts(numbers, meter.add))
    for text in worker.answerer.drift:
        warned(text)


def _prepare(
    run: Run | str | PathLike[str],
    source: Source | Parts,
    engine: Engine,
    *,
    inference: str | Inference | None,
    decision: str | Decision | None,
    allowed: str | Path | Sequence[str] | None,
    group_by: str | None,
    pool: Pool,
    top: int,
    names: str | None,
    keep: Sequence[Kept],
    runtime: str | None,
    precision: Precision,
    part_rows: int | None,
    threads: int | None,
    progress: bool,
    warned: Callable[[str], None],
) -> Worker:
    _check(top, keep, part_rows, threads)
    run = Run.open(run)
    run.check_network()
    grouping = None if group_by is None else Grouping(group_by, pool)
    if grouping is not None and (keep or isinstance(source, Parts)):
        raise InputError("images to group", "features or scores that are kept", advice="Leave out keep=, or group_by=.")
    images = KeptRows(source) if isinstance(source, Parts) else source
    if grouping is not None and not isinstance(images, KeptRows):
        images = by_group(images, grouping)
        for text in images.notes[len(images.source.notes) :]:
            warned(text)
    if keep and isinstance(source, Parts):
        raise InputError(
            "images to keep features or scores of",
            "an earlier prediction, which keeps its own",
            at=source.folder.place,
        )
    tree, language = run.answer_tree(), language_code(names) if names else ""
    if language:
        columns_of_language(tree.taxonomy, language)  # before any work
    before = ready(run, only_allowed(inference_of(inference, run.inference), allowed), progress=progress)
    rule = ready(run, decision_of(decision, run.decision), before=before.rule, grouping=grouping, progress=progress)
    _check_columns(before.rule, images, tree.change.own)
    _check_columns(rule.rule, images, tree.before.taxonomy)
    for text in dict.fromkeys((*before.warnings, *rule.warnings)):
        warned(text)
    watches = before.watch(), rule.watch()
    keeps = "scores" in keep
    answerer = Answerer(run, before.rule, rule.rule, tree, top, keeps, language, grouping, watches)
    rows = part_rows or _part_rows(run, keep)
    encoder = _compiled(run, images, runtime, precision, engine.device(run), rows, progress)
    name = TORCH if encoder is None else encoder.runtime
    job = _job(answerer, images, before, rule, keep, name, precision, rows)
    return Worker(job, images, answerer, threads, encoder)


def _check_columns(rule: Inference | Decision | None, images: Source | KeptRows, taxonomy: Taxonomy) -> None:
    """Check before any work that the source has the columns that a rule needs."""
    columns = pl.DataFrame(schema=dict(images.columns)) if images.columns else None
    notes_on(rule, columns, taxonomy)


def _check_kinds(source: object, shard: object, engine: object) -> None:
    """Check what would otherwise be told as a missing attribute."""
    if isinstance(source, (str, os.PathLike, Sequence)):
        advice = "Open it with sources.open_source, or an earlier prediction with scale.read_parts."
        raise InputError("a source of images", repr(source)[:100], advice=advice)
    if shard is not None and not isinstance(shard, Shard):
        raise InputError("a shard, such as scale.Shard(3, 8)", repr(shard))
    if isinstance(engine, str):
        raise InputError("an engine, such as scale.Ray()", repr(engine))


def _check(top: int, keep: Sequence[str], part_rows: int | None, threads: int | None) -> None:
    given: list[tuple[str, Any, int]] = [("top", top, 0), ("part_rows", part_rows, 1), ("threads", threads, 0)]
    for name, value, least in given:
        if value is not None and (not isinstance(value, int) or value < least):
            raise InputError(f"a {name} of at least {least}", repr(value))
    if isinstance(keep, str):
        raise InputError("a list of what to keep", repr(keep), advice="Pass a list.")
    for name in keep:
        if name not in get_args(Kept):
            raise InputError(f"a keep: {', '.join(get_args(Kept))}", repr(name))


def _part_rows(run: Run, keep: Sequence[Kept]) -> int:
    if "scores" not in keep:
        return PART_ROWS
    return max(1, min(PART_ROWS, LARGEST_KEPT // (4 * run.own_taxonomy.num_nodes)))


def _job(
    answerer: Answerer,
    images: Source | KeptRows,
    before: Ready[Any],
    rule: Ready[Any],
    keep: Sequence[Kept],
    runtime: str,
    precision: Precision,
    part_rows: int,
) -> Job:
    run = answerer.run
    if isinstance(images, KeptRows):
        part_rows, num_parts = images.parts.job.part_rows, images.parts.job.num_parts
    else:
        num_parts = len(images.chunks(part_rows))
    learnt = hashlib.sha256(f"{identity(before.rule)}\n{identity(rule.rule)}".encode()).hexdigest()[:32]
    return Job(
        model=run.model_hash,
        taxonomy=(answerer.tree.carried or answerer.tree.taxonomy).fingerprint,
        source=images.identity,
        columns=_names(list(images.columns), answerer),
        inference=before.spec,
        decision=rule.spec,
        rules=learnt,
        top=answerer.top,
        keep=tuple(sorted(set(keep))),
        runtime=runtime,
        precision=precision,
        part_rows=part_rows,
        num_parts=num_parts,
        names=answerer.names,
    )


def _compiled(
    run: Run,
    images: Source | KeptRows,
    runtime: str | None,
    precision: Precision,
    device: torch.device,
    part_rows: int,
    progress: bool,
) -> runtimes.Encoder | None:
    """The encoder in the runtime that ``auto`` stands for here, so that all parts of a job come from one.

    ``None`` if none is needed, if there are several, which run in torch, or for a GPU of other machines.
    """
    if isinstance(images, KeptRows):
        return None
    if isinstance(run.classifier.encoder, Towers):
        check_tower_precision(precision)
        return None
    is_elsewhere = device.type == "cuda" and not torch.cuda.is_available()
    if is_elsewhere and (runtime or chosen()) in (AUTO, TORCH):
        return None
    return runtimes.compile(
        run.backbone,
        runtime,
        precision=precision,
        device=device,
        check=lambda: first_images(images, images.chunks(part_rows), run.backbone.transform()),
        num_images=images.num_rows,
        progress=progress,
    )


def _names(given: list[str], answerer: Answerer) -> dict[str, str]:
    """Names of the columns of the source in the output."""
    of_groups = ["images"] if answerer.grouping else []
    return names_beside(given, ["path", "error", *of_groups, *answerer.nothing().table.columns])
