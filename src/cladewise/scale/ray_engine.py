"""Prediction on the machines of a Ray cluster."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import logging
import os
import socket
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from math import inf
from typing import Any

import torch

from cladewise.engine.run import Run
from cladewise.errors import InputError, MissingExtraError
from cladewise.progress import say
from cladewise.scale.folder import Folder
from cladewise.scale.parts import finished
from cladewise.scale.ray_worker import Outcome, PartPredictor, Problem, Tally, pack
from cladewise.scale.worker import Watch, Worker
from cladewise.version import __version__

CPUS_PER_ACTOR = 4
"""Default number of processors per actor, if machines have as many."""
ROUNDS = 3
"""Largest number of times that parts are handed out: the last ones are for those that failed for no lasting reason."""
MAX_TASKS = 10_000
"""Largest number of tasks in Ray's queue; a task is one part, or several if there are more."""
PATIENCE = (0.0, 1.0, 4.0, 15.0, 40.0)
"""Seconds to wait for a part that was written elsewhere; shared file systems show new files after up to a minute."""


@dataclasses.dataclass(frozen=True)
class Ray:
    """Predicts on a Ray cluster: in actors that load the run once and then take parts, until none is left.

    The run and its fitted rules travel with the job; images and the output folder must be where every machine reaches
    them, by a shared file system or an object store. A part is written by the actor that predicts it, whole or not at
    all, under the name that follows from its number. So an actor or a machine that dies loses the part that it was
    working on, which another one takes, and no row is lost or doubled. An actor that joins later is used as well.

    The parts are the bytes that :class:`Local` writes on a machine of the same kind with as many threads.

    Args:
        address: Address of the cluster, ``auto`` or ``host:port``. By default the one that this process is connected
            to, that ``RAY_ADDRESS`` names, or that runs on this machine; otherwise Ray is started on this machine.
        actors: Largest number of actors; by default as many as the cluster has place for, also while it grows.
        cpus_per_actor: Processors per actor, which are its threads for the encoder; by default 4, or fewer on
            small machines; with GPUs their share of the machine's.
        gpus_per_actor: GPUs per actor; 0 for actors on processors, with a compiled encoder.

    Raises:
        InputError: A number is not allowed.

    Example:
        >>> Ray(actors=8, gpus_per_actor=1)
        Ray(address=None, actors=8, cpus_per_actor=None, gpus_per_actor=1)
    """

    address: str | None = None
    actors: int | None = None
    cpus_per_actor: int | None = None
    gpus_per_actor: float = 0

    def __post_init__(self) -> None:
        for name, least in (("actors", 1), ("cpus_per_actor", 1), ("gpus_per_actor", 0)):
            value = getattr(self, name)
            if value is not None and value < least:
                raise InputError(f"{name} of at least {least}", value)

    def device(self, run: Run) -> torch.device:
        return torch.device("cuda" if self.gpus_per_actor else "cpu")

    def predict(self, worker: Worker, folder: Folder, numbers: Sequence[int], watch: Watch) -> None:
        ray = _ray()
        with _connected(ray, self.address) as is_own:
            cpus, places = self._places(ray, is_own=is_own)
            where = folder if folder.is_remote else dataclasses.replace(folder, place=os.path.abspath(folder.place))
            cargo = ray.put(pack(worker, where, numbers, cpus=cpus, on_gpu=bool(self.gpus_per_actor)))
            reported: set[int] = set()
            left, known = list(numbers), dict[int, Problem]()
            for _ in range(ROUNDS):
                before, broken = len(left), None
                again = [number for number in left if number not in known or not known[number].lasts]
                try:
                    for outcome in self._outcomes(ray, cargo, again, cpus, places):
                        if outcome.stops:
                            raise outcome.problem.error() from None
                        if outcome.problem.got:
                            known[outcome.number] = outcome.problem
                        elif outcome.number not in reported:
                            reported.add(outcome.number)
                            watch(outcome.rows, outcome.errors)
                except (ray.exceptions.RayError, ray.data.exceptions.SystemException) as error:
                    broken = error
                left = missing(folder, left, reported)
                if not left:
                    return
                if broken is not None and len(left) == before:
                    raise _stopped(broken) from broken
                if all(number in known and known[number].lasts for number in left):
                    break
            raise unfinished(left, known, reported, folder)

    def _outcomes(self, ray: Any, cargo: Any, numbers: list[int], cpus: int, places: int) -> Iterator[Outcome]:
        """The outcome of each part, as it is done, in any order."""
        per_task = -(-len(numbers) // MAX_TASKS)
        num_tasks = -(-len(numbers) // per_task)
        context = ray.data.DataContext.get_current().copy()
        context.enable_progress_bars = False
        context.print_on_execution_start = False
        context.max_consecutive_actor_init_deaths = 3
        largest = min(self.actors or num_tasks, num_tasks)
        pool = ray.data.ActorPoolStrategy(min_size=1, max_size=largest, initial_size=max(1, min(largest, places)))
        here = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(
            ray.get_runtime_context().get_node_id(), soft=True
        )
        tally = ray.remote(Tally).options(num_cpus=0, scheduling_strategy=here).remote()
        with ray.data.DataContext.current(context):
            items = [{"number": number} for number in numbers]
            outcomes = ray.data.from_items(items, override_num_blocks=num_tasks).map_batches(
                PartPredictor,
                batch_size=per_task,
                compute=pool,
                fn_constructor_args=([cargo], tally, __version__),
                num_cpus=cpus,
                num_gpus=self.gpus_per_actor or None,
            )
            for row in outcomes.iter_rows():
                yield Outcome.from_row(row)

    def _places(self, ray: Any, *, is_own: bool) -> tuple[int, int]:
        """Processors per actor, and how many actors the machines have place for now."""
        machines = [node["Resources"] for node in ray.nodes() if node["Alive"]]
        gpus = self.gpus_per_actor
        cpus = self.cpus_per_actor or share_of(machines, gpus)
        places = num_places(machines, cpus, gpus)
        if not places:
            wanted = f"{cpus} processor{'s' * (cpus > 1)}" + (f" and {gpus:g} GPU{'s' * (gpus > 1)}" if gpus else "")
            if is_own:
                raise InputError(f"a machine with {wanted} for an actor", f"one with {_resources(machines)}")
            say(f"cladewise: no machine of the cluster has {wanted} for an actor yet; waiting for one")
        return cpus, places


def num_places(machines: Sequence[Mapping[str, float]], cpus: int, gpus: float) -> int:
    """Number of actors that fit on machines with these resources.

    Example:
        >>> num_places([{"CPU": 8, "GPU": 1}, {"CPU": 9}], 4, 0), num_places([{"CPU": 8, "GPU": 2}, {"CPU": 9}], 4, 0.5)
        (4, 2)
    """
    on_each = (min(found.get("CPU", 0) // cpus, found.get("GPU", 0) // gpus if gpus else inf) for found in machines)
    return int(sum(on_each))


def share_of(machines: Sequence[Mapping[str, float]], gpus: float) -> int:
    """Processors per actor.

    With GPUs, an actor's share of the processors. Otherwise four, or so many fewer that a tenth of all processors at
    most is left over: each actor holds the run, so small actors need more memory.

    Example:
        >>> share_of([{"CPU": 64}, {"CPU": 1}], 0), share_of([{"CPU": 2}, {"CPU": 4}], 0), share_of([], 0)
        (4, 2, 1)
        >>> share_of([{"CPU": 32, "GPU": 4}, {"CPU": 64}], 1)
        8
    """
    if gpus:
        fit = [found for found in machines if found.get("GPU", 0) >= gpus]
        return max(1, int(min((found.get("CPU", 0) * gpus / found["GPU"] for found in fit), default=1)))
    used = {cpus: cpus * num_places(machines, cpus, 0) for cpus in range(1, CPUS_PER_ACTOR + 1)}
    return max((cpus for cpus, number in used.items() if number and number >= 0.9 * used[1]), default=1)


def _ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        ray = importlib.import_module("ray")
        for module in ("ray.data.exceptions", "ray.util.scheduling_strategies"):
            importlib.import_module(module)
    except ImportError as error:
        raise MissingExtraError("ray[data]", "ray") from error
    return ray


@contextlib.contextmanager
def _connected(ray: Any, address: str | None) -> Generator[bool, None, None]:
    """A connection to a cluster, closed at the end if it was not there before; whether Ray was started for it."""
    quiet = logging.getLogger("ray.data")
    level, was_connected = quiet.level, ray.is_initialized()
    if not was_connected:
        _check_address(address or os.environ.get("RAY_ADDRESS", ""))
        try:
            ray.init(address=address, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
        except (ConnectionError, ValueError, RuntimeError) as error:
            text = " ".join(str(error).split())[:300]
            raise InputError("the address of a Ray cluster", f"{address or 'none'} ({text})") from error
    quiet.setLevel(logging.ERROR)
    try:
        yield not was_connected and address is None and len(ray.nodes()) == 1
    finally:
        quiet.setLevel(level)
        if not was_connected:
            ray.shutdown()


def _check_address(address: str) -> None:
    """Check that a server answers, since Ray waits for minutes.

    Raises:
        InputError: None does, or it is the address of another kind.
    """
    if address in ("", "auto", "local"):
        return
    host, colon, port = address.rpartition(":")
    if "/" in address or not (colon and port.isdecimal()):
        raise InputError("the address of a Ray cluster, auto or host:port", repr(address))
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
    except (OSError, OverflowError) as error:
        advice = "Is Ray started there, and does this machine reach it?"
        raise InputError("the address of a Ray cluster", f"{address} ({error})", advice=advice) from error


def _resources(machines: list[dict[str, float]]) -> str:
    return " and ".join(f"{found.get('CPU', 0):g} processors and {found.get('GPU', 0):g} GPUs" for found in machines)


def missing(folder: Folder, numbers: list[int], reported: set[int]) -> list[int]:
    """The parts that are not in the folder, after waiting for those that were reported as written."""
    left = list(numbers)
    for pause in PATIENCE:
        time.sleep(pause)
        there = finished(folder)
        left = [number for number in left if number not in there]
        if not any(number in reported for number in left):
            break
    return left


def _stopped(error: Exception) -> InputError:
    text = " ".join(str(error).split())
    return InputError(
        "a Ray cluster that finishes a part",
        f"{type(error).__name__}: {text[:300]}",
        advice="An actor that ends while it loads the run is often out of memory. Repeat the command to resume.",
    )


def unfinished(left: list[int], known: dict[int, Problem], reported: set[int], folder: Folder) -> InputError:
    """The error for parts that are missing in the end."""
    unseen = [number for number in left if number in reported]
    if unseen:
        return InputError(
            "a folder that all machines share",
            f"one without what other machines wrote: {len(unseen)} of the parts, such as part {unseen[0]}",
            at=folder.place,
            advice="Give a folder on shared storage, or the URI of an object store.",
        )
    told = [number for number in left if number in known]
    if not told:
        return InputError("all parts", f"none for {len(left)} of them, such as {left[0]}", advice="Repeat the command.")
    problem = known[told[0]]
    others = f", one of {len(left)} that are missing" if len(left) > 1 else ""
    return dataclasses.replace(problem, got=f"{problem.got} (in part {told[0]}{others})").error()
