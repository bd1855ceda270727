"""The runs of a suite: trained where they are not there yet, in this process or in several."""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import json
import logging
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from cladewise import datasets, engine, episodes
from cladewise.atomic import write_text
from cladewise.catalogue import nearest
from cladewise.datasets import Dataset
from cladewise.datasets.finding import find_data
from cladewise.datasets.overview import overview
from cladewise.engine.ablation import altered_tree, relabelled
from cladewise.engine.answering.evaluation import evaluate_metric
from cladewise.engine.answering.scoring import data_digest
from cladewise.engine.digests import labels_digest
from cladewise.engine.rules import decision_of, handle_of, inference_of
from cladewise.engine.training.earlier import check_same
from cladewise.errors import InputError, warn
from cladewise.records import (
    NO_SPLIT,
    SCHEMA_VERSION,
    AblationConfig,
    BackboneConfig,
    FewShot,
    RunConfig,
    RunFolder,
    TrainingConfig,
    Tree,
    read_evaluation,
    read_json,
    settings,
)
from cladewise.statistics import FrequencyBounds
from cladewise.suites.columns import level_of
from cladewise.suites.entries import OWN, DataEntry
from cladewise.suites.folders import folder_name
from cladewise.suites.places import within
from cladewise.suites.suite import Settings, Suite

Task = TypeVar("Task")
Result = TypeVar("Result")

SEARCH, UNUSED = "search", "unused"
"""The split that settings are chosen on, and that of training images which a variant does without."""


@dataclasses.dataclass(frozen=True)
class Job:
    """One run: a method or variant of a suite on one dataset, by its label, with settings and a seed, in a folder."""

    suite: Suite
    data: DataEntry
    method: str
    settings: Settings
    seed: int
    folder: Path

    def train(self, dataset: Dataset) -> engine.Run:
        """The run of the folder, trained if it is not finished."""
        dataset = self.training_data(dataset)
        config = self.checked_config(dataset)
        parts = (config.backbone, config.training, config.ablation)
        chosen = {k: v for part in parts for k, v in dataclasses.asdict(part).items()}
        return engine.train(
            dataset,
            method=config.method,
            options=config.options,
            backbone=chosen.pop("name"),
            out=self.folder,
            seed=self.seed,
            name=self.method,
            reuse=True,
            progress=False,
            tell=False,  # the data's oddities are told once for all runs
            **chosen,
        )

    def training_data(self, dataset: Dataset) -> Dataset:
        """The data with the share and the long tail that the run has of it."""
        dataset = with_share(dataset, self.data.train, self.suite.variant(self.method).share, self.seed)
        if self.data.imbalance == 1:
            return dataset
        return datasets.with_long_tail(dataset, self.data.imbalance, split=self.data.train, seed=self.seed)

    def checked_config(self, dataset: Dataset) -> RunConfig:
        """The configuration of the run on its data.

        Raises:
            InputError: The folder holds a run with another configuration.
        """
        name, options, backbone, training, ablation = self.suite.resolved(self.data.name, self.method, self.settings)
        config = RunConfig(
            data=dataset.source,
            method=name,
            options=options,
            backbone=self._with_trained_encoder(backbone),
            training=training,
            ablation=ablation,
            seed=self.seed,
            name=self.method,
        )
        check_same(RunFolder(self.folder), config, advice="Choose another folder with out=, or remove that one.")
        return config

    def _with_trained_encoder(self, backbone: BackboneConfig) -> BackboneConfig:
        """The encoder, with the weights that the row which the suite names has trained."""
        from cladewise.engine.training.frozen import with_frozen_encoder

        label = self.suite.variant(self.method).encoder
        if not label:
            return backbone
        name = f"{folder_name(label)}-{min(self.seed, self.suite.seeds_of(label) - 1)}"
        file = self.folder.parents[1] / "encoders" / f"{name}.safetensors"
        advice = "Name a row with another method as the encoder."
        found = with_frozen_encoder(engine.Run.open(self.folder.with_name(name)), file, advice=advice).backbone
        return dataclasses.replace(
            backbone, name=found.name, pretrained=found.pretrained, checkpoint=found.checkpoint, freeze=True
        )


def try_settings(job: Job) -> float | None:
    """The metric of the search for a job's settings, None where training them came to nothing.

    Raises:
        InputError: The folder holds a trial with another configuration.
    """
    record = job.folder / "trial.json"
    assert job.suite.search is not None
    metric = job.suite.search.metric
    dataset = open_data(job.data, searching=True)
    digest = labels_digest(dataset, np.concatenate([dataset.indices(job.data.train), dataset.indices(SEARCH)]))
    if record.is_file():
        kept = read_json(record, "a trial of settings", advice="Remove the file.", versioned=False)
        if kept.get("metric") == metric and kept.get("data", digest) == digest:
            job.checked_config(job.training_data(dataset))
            return kept.get("value")
    try:
        value = evaluate_metric(job.train(dataset), metric, split=SEARCH, bounds=job.suite.bounds)
    except engine.LossNotFiniteError:
        value = None
    content = {"schema_version": SCHEMA_VERSION, "metric": metric, "value": value, "data": digest}
    write_text(record, json.dumps(content) + "\n")
    return value


def train_and_evaluate(job: Job) -> list[str]:
    """Train a job's run and make every evaluation that a table wants of it; lines about those that cannot be.

    The report compares all runs in the true tree, so there it is evaluated too where tables want another.
    """
    dataset = open_data(job.data, searching=False)
    run, impossible = job.train(dataset), list[str]()
    trees: tuple[Tree, ...] = ("true", job.suite.variant(job.method).tree)
    digest = data_digest(run, job.data.test, dataset)
    for tree, (infer, decide) in itertools.product(dict.fromkeys(trees), job.suite.rules_for(job.method).items()):
        of_split = functools.partial(
            _is_done, run, job.data.test, infer, tree=tree, data=digest, bounds=job.suite.bounds
        )
        missing = [None if rule == OWN else rule for rule in decide if not of_split(rule)]
        if missing:
            engine.evaluate_all(
                run,
                split=job.data.test,
                inferences=[None if infer == OWN else infer],
                decisions=missing,
                few_below=job.suite.few_below,
                many_above=job.suite.many_above,
                tree=tree,
                progress=False,
                impossible=impossible,
            )
    for result in few_shot_results(job.suite, run, job.data.test):
        if result.left_out:
            impossible.append(f"{result.title}: {result.left_out} classes have too few images")
    return [f"{job.method}: {line}" for line in dict.fromkeys(impossible)]


def few_shot_results(suite: Suite, run: engine.Run, split: str) -> list[FewShot]:
    """Every few-shot evaluation of a run that the suite asks for, computed if it is missing."""
    return [
        result
        for entry in suite.few_shot
        for result in episodes.few_shot_all(
            run, ways=entry.ways, split=split, reuse=True, progress=False, **entry.options()
        )
    ]


def few_shot_accuracies(suite: Suite, run: engine.Run, split: str) -> dict[str, float]:
    """Few-shot accuracy of a run by the ways of the episodes; of several entries with the same ways, of the first."""
    found: dict[str, float] = {}
    for result in few_shot_results(suite, run, split):
        found.setdefault(result.ways, result.accuracy)
    return found


def evaluation_path(run: engine.Run, split: str, infer: str, decide: str, tree: Tree = "true") -> Path:
    """Path of the evaluation that a table shows."""
    before = inference_of(None if infer == OWN else infer, run.method.inference())
    rule = decision_of(None if decide == OWN else decide, run.method.decision())
    return run.folder.evaluation(split, handle_of(before), rule.handle, run.answer_tree(tree).tree)


def check_on_data(suite: Suite) -> None:
    """Check that a dataset has what a suite needs: splits, named levels, and leaves that can get a wrong parent.

    Of anything odd in its training images it warns once for all runs.

    Raises:
        InputError: It has not.
    """
    (data,) = suite.data
    dataset = open_data(data, searching=False)
    for split in (data.train, data.test):
        dataset.indices(split)
    for oddity in overview(dataset, data.train, NO_SPLIT).oddities:
        warn(oddity, at=dataset.name)
    for entry in (*suite.tables, *suite.figures):
        for level in filter(None, map(level_of, entry.columns)):
            if level not in dataset.taxonomy.level_names:
                names = dataset.taxonomy.level_names
                at, advice = f"{entry.name}, {data.name}", nearest(level, names) or "Restrict it: data = [...]."
                raise InputError(f"columns of levels: {', '.join(names)}", repr(level), at=at, advice=advice)
    for variant in suite.variants:
        ablation, split = settings(AblationConfig, variant.ablation), TrainingConfig(train_split=data.train)
        config = RunConfig(data={}, method=variant.method, ablation=ablation, training=split)
        with within(f"variant {variant.name}, {data.name}"):
            altered_tree(dataset.taxonomy, config)
            relabelled(with_share(dataset, data.train, variant.share, seed=0), config)


def with_share(dataset: Dataset, split: str, share: float, seed: int) -> Dataset:
    """The data with a stratified share of a split's images; the others make a split of their own.

    Raises:
        InputError: There is no such split, or it is several.
    """
    return dataset if share == 1 else datasets.hold_out(dataset, split, 1 - share, seed, into=UNUSED)


def _is_done(
    run: engine.Run, split: str, infer: str, decide: str, *, tree: Tree, data: str, bounds: FrequencyBounds
) -> bool:
    path = evaluation_path(run, split, infer, decide, tree)
    if not path.is_file():
        return False
    kept = read_evaluation(path)
    if FrequencyBounds(**kept.frequencies) != bounds:
        return False
    return kept.model == run.model_hash and kept.data == data


def open_data(entry: DataEntry, *, searching: bool) -> Dataset:
    """A suite's dataset; for the search with a share of the training images held out."""
    return _open_data(json.dumps(dataclasses.asdict(entry), sort_keys=True), searching)


@functools.cache
def _open_data(entry_json: str, searching: bool) -> Dataset:
    entry = DataEntry(**json.loads(entry_json))
    options: dict[str, Any] = {**entry.options, **({"path": entry.path} if entry.path else {})}
    if entry.dataset in datasets.available():
        dataset = datasets.load(entry.dataset, **options)
    else:
        dataset = find_data(str(options.pop("path", entry.dataset)), None, seed=0, **options)
    if entry.val and "val" not in dataset.splits:
        dataset = datasets.hold_out(dataset, entry.train, entry.val, into="val")
    if searching:
        dataset = datasets.hold_out(dataset, entry.train.split("+")[0], entry.search, into=SEARCH)
    return dataset


@contextlib.contextmanager
def workers(count: int) -> Generator[Executor | None, None, None]:
    """Processes with a thread each, or none where one is enough."""
    if count <= 1:
        yield None
        return
    before = os.environ.get("OMP_NUM_THREADS")
    os.environ["OMP_NUM_THREADS"] = "1"  # read by the children as they start
    pool = ProcessPoolExecutor(count, multiprocessing.get_context("spawn"), initializer=_start_worker)
    try:
        yield pool
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        if before is None:
            del os.environ["OMP_NUM_THREADS"]
        else:
            os.environ["OMP_NUM_THREADS"] = before


def carry_out(
    work: Callable[[Task], Result], jobs: Iterable[Task], pool: Executor | None
) -> Iterator[tuple[Task, Result]]:
    """Results as they come, in any order."""
    if pool is None:
        for job in jobs:
            yield job, work(job)
        return
    started = {pool.submit(work, job): job for job in jobs}
    for done in as_completed(started):
        yield started[done], done.result()


def _start_worker() -> None:
    """Say little, and do not outlive the process that wants the results, however it ended."""
    logging.getLogger("lightning").setLevel(logging.ERROR)
    wanted_by = multiprocessing.parent_process()
    assert wanted_by is not None

    def watch() -> None:
        wanted_by.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
