"""A suite carried out: settings searched, runs trained and evaluated, tables and a report written."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from os import PathLike
from pathlib import Path
from typing import TypeVar

from rich.progress import Progress, TaskID

from cladewise.atomic import write_text
from cladewise.engine import Run
from cladewise.errors import InputError
from cladewise.progress import bar
from cladewise.records import read_json
from cladewise.report import compare
from cladewise.suites.entries import DataEntry
from cladewise.suites.few_shot import write_few_shot_table
from cladewise.suites.figures import draw
from cladewise.suites.folders import LEFT_OUT, data_folder, default_folder, folder_name
from cladewise.suites.hypernym_entries import HypernymEntry
from cladewise.suites.hypernym_trees import part_of, tree_of
from cladewise.suites.hypernyms import write_hypernym_table
from cladewise.suites.jobs import (
    Job,
    carry_out,
    check_on_data,
    few_shot_results,
    open_data,
    train_and_evaluate,
    try_settings,
    workers,
)
from cladewise.suites.lighter import features_of, smoke_of
from cladewise.suites.locating import (
    ARGUMENT_OR_OPTION,
    Where,
    missing_options,
    missing_text,
    missing_tree,
    with_data,
    with_made_up_data,
)
from cladewise.suites.reading import read_suite
from cladewise.suites.search import Choice, Measured, Trials, search
from cladewise.suites.suite import Settings, Suite
from cladewise.suites.tables import gaps, table_rows, write_table
from cladewise.taxonomy import Taxonomy


def benchmark(
    suite: Suite | str | PathLike[str],
    *,
    out: str | PathLike[str] | None = None,
    seeds: int | None = None,
    jobs: int = 1,
    data: Where | None = None,
    tables: str | Sequence[str] = (),
    smoke: bool = False,
    features: bool = False,
    progress: bool = True,
) -> list[Path]:
    """Search settings, train, evaluate and compare every method of a suite. A repeated call resumes it.

    Datasets whose files nobody located are left out, as long as there is another one: ``left_out.txt`` in the
    dataset's folder says which files are missing.

    Args:
        suite: A suite, its file, or the name of one that comes with the package.
        out: Folder for all results, with one folder per dataset; by default :func:`default_folder`.
        seeds: Runs of each method; by default the number in the suite.
        jobs: Number of processes that train at the same time.
        data: The path of the suite's only dataset; ``"name=path"`` for one of several, where ``"name.option=value"``
            gives another option of its reader; a list of these; or a mapping from names to paths or options.
        tables: Names of the tables and figures to make, with the runs that they need; by default all.
        smoke: Run everything once, on made-up files in the layout of the datasets and with a tiny untrained encoder, to
            see that it works. The results mean nothing.
        features: Linear probes: the same rows and tables on features of a frozen encoder, with rates that are searched.
        progress: Show a progress bar.

    Returns:
        The files to look at: the report, the tables and the figures of every dataset.

    Raises:
        InputError: The suite or its data cannot be read, no dataset has its files, a row does not fit the data, or
            ``out`` holds runs of another suite.
    """
    if not isinstance(suite, Suite):
        suite = read_suite(suite)
    folder = default_folder(suite, smoke=smoke, features=features) if out is None else Path(out)
    suite = with_data(suite, data)
    if tables:
        suite = suite.only([tables] if isinstance(tables, str) else tables)
    suite = features_of(suite) if features else suite
    suite = with_made_up_data(smoke_of(suite), folder / "made-up") if smoke else suite
    suite = dataclasses.replace(suite, seeds=seeds or suite.seeds)
    lacking = [entry for entry in suite.data if missing_options(entry)]
    unread = [entry for entry in suite.hypernyms if missing_tree(suite, entry)]
    parts = [part for part in (suite.on(entry.name) for entry in suite.data if entry not in lacking) if part.methods]
    planted = [entry for entry in suite.hypernyms if entry not in unread]
    if not parts and not planted:
        advice = missing_text(lacking[0]) if lacking else missing_tree(suite, unread[0])
        names = [entry.name for entry in lacking or unread]
        raise InputError(f"the files of {' or '.join(names)}", "none", advice=f"{advice[0].upper()}{advice[1:]}")
    for part in parts:
        check_on_data(part)
    trees = [(entry, _tree(suite, entry)) for entry in planted]
    for entry in lacking:
        text = missing_text(entry, ARGUMENT_OR_OPTION)
        write_text(folder / data_folder(entry.name) / LEFT_OUT, f"{', '.join(suite.on(entry.name).drawn)}: {text}\n")
    if suite.hypernyms:
        lines = [f"{entry.name}: {missing_tree(suite, entry, ARGUMENT_OR_OPTION)}\n" for entry in unread]
        write_text(folder / LEFT_OUT, "".join(lines))
    written: list[Path] = []
    with workers(jobs) as pool, bar(shown=progress) as shown:
        for part in parts:
            written += _Benchmark(part, folder / data_folder(part.data[0].name), pool, shown).write()
        for entry, tree in trees:
            written += write_hypernym_table(folder, entry, tree, seeds=suite.seeds, pool=pool)
    return written


def _tree(suite: Suite, entry: HypernymEntry) -> Taxonomy:
    """The label tree of a hypernym table: that of a dataset of the suite, or one from a file."""
    for data in suite.data:
        if data.name == entry.tree:
            return part_of(open_data(data, searching=False).taxonomy, entry)
    return tree_of(entry)


Result = TypeVar("Result")


class _Benchmark:
    """A suite on one dataset."""

    def __init__(self, suite: Suite, out: Path, pool: Executor | None, shown: Progress) -> None:
        self.suite, self.out, self.pool, self.shown = suite, out, pool, shown
        self.data: DataEntry = suite.data[0]

    def write(self) -> list[Path]:
        """Do all that is still to be done; the files that show it."""
        chosen = self.choose()
        runs, impossible = self.train(chosen)
        pages = self._pages(runs)
        tables: list[Path] = []
        for table in self.suite.tables:
            rows = table_rows(self.suite, table, runs, self.data.test)
            impossible += [f"{table.name}: {line}" for line in gaps(table, rows)]
            tables += write_table(self.out, self.suite, table, rows)
        for figure in self.suite.figures:
            drawn, lines = draw(self.out, self.suite, figure, runs)
            impossible += [f"{figure.name}: {line}" for line in lines]
            tables += drawn
        write_text(self.out / LEFT_OUT, "".join(f"{line}\n" for line in dict.fromkeys(impossible)))
        shown = dataclasses.replace(self.suite, few_shot=tuple(entry for entry in self.suite.few_shot if entry.table))
        if shown.few_shot:
            results = {
                method: [few_shot_results(shown, run, self.data.test) for run in of_method]
                for method, of_method in runs.items()
            }
            tables += write_few_shot_table(self.out, results)
        records = [self.out / "chosen.json"] if self.suite.search else []
        return [*pages, *records, *tables]

    def _pages(self, runs: Mapping[str, list[Run]]) -> list[Path]:
        """A report of all runs, or of those under each condition: a page of all conditions would be too large."""
        by_condition: dict[str, dict[str, list[Run]]] = {}
        for label, of_method in runs.items():
            by_condition.setdefault(self.suite.variant(label).condition, {})[label] = of_method
        return [self._page(condition, under) for condition, under in by_condition.items()]

    def _page(self, condition: str, runs: Mapping[str, list[Run]]) -> Path:
        """The report under a condition; of variants that come to the same configuration it shows one."""
        distinct: dict[str, Run] = {}
        for run in (run for of_method in runs.values() for run in of_method):
            distinct.setdefault(_key(run), run)
        named = [label for label in runs if self.suite.baseline in self.suite.baselines_of(label)]
        first = min(named, key=lambda label: self.suite.variant(label).plain != self.suite.baseline, default=None)
        return compare(
            [run.path for run in distinct.values()],
            self.out / (f"report-{folder_name(condition)}.html" if condition else "report.html"),
            split=self.data.test,
            title=f"{self.suite.title} {condition}".strip(),
            baseline=str(distinct[_key(runs[first][0])].path) if first else None,
        )

    def choose(self) -> dict[str, Choice]:
        """Search the settings of every method, and write them down."""
        if self.suite.search is None:
            return search(self.suite, lambda _: {})
        metric = self.suite.search.metric
        task = self.shown.add_task(f"{self.data.name}: settings", total=0)

        def measure(trials: Trials) -> Measured:
            jobs = [self._trial(method, settings) for method, wanted in trials.items() for settings in wanted]
            found: Measured = {method: {} for method in trials}
            for job, value in self._carried_out(try_settings, jobs, task):
                found[job.method][job.settings] = value
            return found

        chosen = search(self.suite, measure)
        record = {
            method: {
                "lr": choice.settings.lr,
                **dict(choice.settings.options),
                metric: choice.value,
                "trials": choice.trials,
            }
            for method, choice in chosen.items()
        }
        file = self.out / "chosen.json"
        before = (
            read_json(file, "chosen settings", advice="Remove the file.", versioned=False) if file.is_file() else {}
        )
        write_text(file, json.dumps({**before, **record}, indent=1) + "\n")
        return chosen

    def train(self, chosen: Mapping[str, Choice]) -> tuple[dict[str, list[Run]], list[str]]:
        """The runs of every method, trained and evaluated, and lines about what could not be evaluated."""
        jobs = [
            self._job(
                method,
                chosen[self.suite.settings_of(method) if self.suite.search else method].settings,
                seed,
                self.out / "runs" / f"{folder_name(method)}-{seed}",
            )
            for method in self.suite.methods
            for seed in range(self.suite.seeds_of(method))
        ]
        task = self.shown.add_task(f"{self.data.name}: runs", total=0)
        takes = [job for job in jobs if self.suite.variant(job.method).encoder]  # after the rows that they take it from
        first = [job for job in jobs if job not in takes]
        impossible = [
            line
            for part in (first, takes)
            for _, lines in self._carried_out(train_and_evaluate, part, task)
            for line in lines
        ]
        runs: dict[str, list[Run]] = {}
        for job in jobs:
            runs.setdefault(job.method, []).append(Run.open(job.folder))
        return runs, impossible

    def _carried_out(
        self, work: Callable[[Job], Result], jobs: Sequence[Job], task: TaskID
    ) -> Iterator[tuple[Job, Result]]:
        """Results as they come, while a bar goes on."""
        total = next(t.total or 0 for t in self.shown.tasks if t.id == task)
        self.shown.update(task, total=total + len(jobs))
        for job, result in carry_out(work, jobs, self.pool):
            self.shown.advance(task)
            yield job, result

    def _trial(self, method: str, settings: Settings) -> Job:
        folder = self.out / "search" / folder_name(method) / settings.name
        return self._job(method, settings, self.suite.search.seed if self.suite.search else 0, folder)

    def _job(self, method: str, settings: Settings, seed: int, folder: Path) -> Job:
        return Job(self.suite, self.data, method, settings, seed, folder)


def _key(run: Run) -> str:
    """Key that is equal for runs that differ only in their names."""
    return json.dumps({**run.config.to_dict(), "name": ""}, sort_keys=True)
