"""Actors of a Ray cluster that predict parts of a job, and return every failure as a value."""

from __future__ import annotations

import dataclasses
import hashlib
import os
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Self

import torch
from PIL.Image import Image

from cladewise.engine.run import Run
from cladewise.errors import InputError, MissingExtraError
from cladewise.scale.folder import JOB_FILE, Folder
from cladewise.scale.kept import KeptRows
from cladewise.scale.parts import kept_name, read_parts, table_name, write_part
from cladewise.scale.worker import Worker
from cladewise.sources import Source
from cladewise.version import __version__

LARGEST_TRIES = 4
"""Times that a part is begun: one that ends the process of its actor each time is given up."""
SEEN_AFTER = (0.0, 2.0, 10.0, 30.0)
"""Seconds to wait for the job in the output folder; other machines may see new files of a shared disk later."""
_TRIED = 20  # rows among which one is sought that can be read


@dataclasses.dataclass(frozen=True)
class Problem:
    """Why something failed, as the fields of an :class:`~cladewise.errors.InputError`.

    Args:
        expected: The rule.
        got: What was found; empty if nothing failed.
        at: Where.
        advice: What to do.
        lasts: Whether it will fail again.
    """

    expected: str = ""
    got: str = ""
    at: str = ""
    advice: str = ""
    lasts: bool = True

    @classmethod
    def of(cls, error: Exception, at: str) -> Self:
        """The problem that an exception tells of."""
        if isinstance(error, InputError):
            return cls(error.expected, str(error.got), error.at or at, error.advice)
        text = " ".join(f"{type(error).__name__}: {error}".split())[:500]
        if isinstance(error, MissingExtraError):
            return cls(f"the package {error.package}", "none", at, f"Run there: pip install 'cladewise[{error.extra}]'")
        return cls("a part that can be predicted", text, at, "Repeat the command to try again.", lasts=False)

    def error(self) -> InputError:
        """The exception for it."""
        return InputError(self.expected, self.got, at=self.at, advice=self.advice)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """The outcome of a part: its numbers of rows and errors, or a problem.

    Args:
        number: Number of the part.
        rows: Number of rows.
        errors: Number of rows without an answer.
        problem: Why it failed.
        stops: Whether the machine cannot do any part.
    """

    number: int
    rows: int = 0
    errors: int = 0
    problem: Problem = Problem()
    stops: bool = False

    def row(self) -> dict[str, Any]:
        """A flat row of plain values."""
        return {**vars(self), "problem": "", **vars(self.problem)}

    @classmethod
    def from_row(cls, row: Mapping[str, Any]) -> Self:
        """The reverse of :meth:`row`."""
        problem = Problem(**{field.name: row[field.name] for field in dataclasses.fields(Problem)})
        return cls(int(row["number"]), int(row["rows"]), int(row["errors"]), problem, bool(row["stops"]))


@dataclasses.dataclass(frozen=True)
class Cargo:
    """All that an actor needs, as one value in the object store.

    Args:
        worker: The worker, whose run is loaded.
        folder: The output folder.
        job: Content of its ``job.json``.
        probe: Number of a part, position of one of its rows, and hash of its image, to see that an actor reads the same
            images; ``None`` if the machine that began the job reads none.
        where: Folder that relative paths start from.
        cpus: Processors per actor.
        on_gpu: Whether actors have GPUs.
    """

    worker: Worker
    folder: Folder
    job: bytes | None
    probe: tuple[int, int, str] | None
    where: str
    cpus: int
    on_gpu: bool


def pack(worker: Worker, folder: Folder, numbers: Sequence[int], *, cpus: int, on_gpu: bool) -> Cargo:
    """All that an actor needs to predict parts of a job."""
    source = _with_whole_path(worker.source)
    run = _loaded(worker.answerer.run, "gpu" if on_gpu else "cpu")
    answerer = dataclasses.replace(worker.answerer, run=run)
    moved = dataclasses.replace(worker, source=source, answerer=answerer, compiled=None, processors=cpus)
    probe = _probe(source, worker.job.part_rows, numbers[0])
    return Cargo(moved, folder, folder.read(JOB_FILE), probe, os.getcwd(), cpus, on_gpu)


def _loaded(run: Run, accelerator: str) -> Run:
    """The run with all that prediction needs of its folder in memory, since other machines do not have the folder."""
    training = dataclasses.replace(run.config.training, accelerator=accelerator)
    loaded = Run(run.path)
    run.classifier.to("cpu")
    values: dict[str, Any] = {
        "config": dataclasses.replace(run.config, training=training),
        "header": run.header,
        "model_hash": run.model_hash,
        "alteration": run.alteration,
        "carried": run.carried,
        "method": run.method,
        "_network": (run.classifier, run.backbone.to("cpu")),
    }
    vars(loaded).update(values)
    return loaded


def _with_whole_path(source: Source | KeptRows) -> Source | KeptRows:
    if not isinstance(source, KeptRows) or source.parts.folder.is_remote:
        return source
    folder = dataclasses.replace(source.parts.folder, place=os.path.abspath(source.parts.folder.place))
    return KeptRows(dataclasses.replace(source.parts, folder=folder))


def _probe(source: Source | KeptRows, part_rows: int, number: int) -> tuple[int, int, str] | None:
    """The first row of a part whose image can be read here."""
    if isinstance(source, KeptRows):
        return number, 0, _digest(source, part_rows, number, 0)
    for position in range(_TRIED):
        try:
            return number, position, _digest(source, part_rows, number, position)
        except (InputError, ImportError):
            raise
        except Exception:  # an image that is missing or broken, or the end of the part
            continue
    return None


def _digest(source: Source | KeptRows, part_rows: int, number: int, position: int) -> str:
    """Hash of an image as it is read."""
    if isinstance(source, KeptRows):
        content = source.parts.folder.read(table_name(number))
    else:
        row = next(islice(source.rows(source.chunks(part_rows)[number]), position, None))
        content = row.read()
    return hashlib.sha256(content.tobytes() if isinstance(content, Image) else content or b"").hexdigest()


class Tally:
    """Counts how often each part was begun; an actor of its own, which outlives those that count in it."""

    def __init__(self) -> None:
        self._begun: dict[int, int] = {}

    def begin(self, number: int) -> int:
        """Count a part that is begun; how often it was begun before."""
        before = self._begun.get(number, 0)
        self._begun[number] = before + 1
        return before


class PartPredictor:
    """Predicts parts by their numbers, and writes them.

    Exceptions become values, since Ray Data would end the job with one, or drop it with the rows beside it.

    Args:
        cargo: Reference to a :class:`Cargo`, in a list so that Ray hands over the reference.
        tally: An actor of :class:`Tally`.
        version: Version of the library that packed the cargo.
    """

    def __init__(self, cargo: list[Any], tally: Any, version: str) -> None:
        import ray

        self._tally = tally
        self._name = f"{socket.gethostname()} ({ray.util.get_node_ip_address()})"
        self._problem: Problem | None = None
        try:
            if version != __version__:
                raise InputError(f"cladewise {version} on every machine", __version__)
            self._cargo: Cargo = ray.get(cargo[0])
            check(self._cargo)
            self._cargo.worker.load()
        except Exception as error:
            problem = Problem.of(error, self._name)
            if not problem.lasts:
                problem = dataclasses.replace(problem, expected="a machine that can load the run")
            elif self._name not in problem.at:
                problem = dataclasses.replace(problem, at=f"{problem.at} on {self._name}")
            self._problem = problem

    def __call__(self, batch: dict[str, Any]) -> Iterator[dict[str, list[Any]]]:
        for number in batch["number"].tolist():
            yield {name: [value] for name, value in self._outcome(number).row().items()}

    def _outcome(self, number: int) -> Outcome:
        if self._problem is not None:
            return Outcome(number, problem=self._problem, stops=True)
        folder, worker = self._cargo.folder, self._cargo.worker
        try:
            names = [table_name(number), *(kept_name(number, kept) for kept in worker.job.keep)]
            if all(folder.read(name) is not None for name in names):  # by an actor that died before it could say so
                parts = read_parts(folder.place, storage_options=folder.options)
                return Outcome(number, *dataclasses.replace(parts, numbers=(number,)).counts())
            if self._begun_before(number) >= LARGEST_TRIES:
                got = f"one that ended the process that worked on it, {LARGEST_TRIES} times"
                advice = (
                    "Is there enough memory? Fewer actors per machine need less; the logs of Ray tell why it ended."
                )
                return Outcome(number, problem=Problem("a part that can be predicted", got, self._name, advice))
            (part,) = worker.parts([number])
            write_part(folder, part)
            return Outcome(number, part.table.height, part.num_errors)
        except Exception as error:
            return Outcome(number, problem=Problem.of(error, self._name))

    def _begun_before(self, number: int) -> int:
        import ray
        from ray.exceptions import RayError

        try:
            return ray.get(self._tally.begin.remote(number))
        except RayError:  # its machine is gone
            return 0


def check(cargo: Cargo) -> None:
    """Check that this process does what that of the driver would, and prepare it.

    Raises:
        InputError: It has no GPU, or sees other files.
    """
    if cargo.on_gpu and not torch.cuda.is_available():
        raise InputError("a GPU that torch can use", "none", advice="Is torch installed for this GPU?")
    if os.path.isdir(cargo.where):
        os.chdir(cargo.where)
    torch.set_num_threads(cargo.cpus)
    if _read_job(cargo) != cargo.job:
        raise InputError(
            "a folder for the parts that all machines share",
            "one without this job",
            at=cargo.folder.place,
            advice="Give a folder on shared storage, or the URI of an object store.",
        )
    if cargo.probe is None:
        return
    number, position, wanted = cargo.probe
    try:
        found = _digest(cargo.worker.source, cargo.worker.job.part_rows, number, position)
        got = "another one" if found != wanted else ""
    except Exception as error:
        got = " ".join(f"none ({error})".split())
    if got:
        raise InputError(
            "the images on every machine",
            f"{got} for row {position} of part {number}",
            advice="Put them on shared storage, under the same path, or in an object store.",
        )


def _read_job(cargo: Cargo) -> bytes | None:
    found = None
    for pause in SEEN_AFTER:
        time.sleep(pause)
        found = cargo.folder.read(JOB_FILE)
        if found == cargo.job:
            break
    return found
