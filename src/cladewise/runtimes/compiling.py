"""The choice of a runtime, and encoders compiled for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from math import inf
from pathlib import Path
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from cladewise.backbones import Backbone
from cladewise.errors import InputError, MissingExtraError, warn
from cladewise.progress import say
from cladewise.runtimes import processor
from cladewise.runtimes.choice import chosen
from cladewise.runtimes.dead_leaves import dead_leaves
from cladewise.runtimes.encoder import CHUNK, Encoder
from cladewise.runtimes.graph import ExportError, export, first_line, graph_file, graph_folder, locked
from cladewise.runtimes.known import AUTO, TORCH, available, check_runtime
from cladewise.runtimes.runtime import Forward, Runtime
from cladewise.runtimes.torch_eager import eager
from cladewise.runtimes.verdicts import (
    LARGEST_DIFFERENCE,
    TIMES_TORCH,
    Verdict,
    difference,
    read_verdict,
    seconds_per_image,
    verdict_file,
    worst_difference,
    write_verdict,
)

Precision = Literal["fp32", "bf16", "fp16"]
"""Arithmetic of an encoder; features are float32 in any case."""

WORTH_LOADING = 32
"""Images from which on it pays to load a graph that is there."""
WORTH_EXPORTING = 1000
"""Images from which on it pays to make a graph and to check it, which takes as long as some hundred images."""


def compile(
    backbone: Backbone,
    runtime: str | None = None,
    *,
    precision: Precision = "fp32",
    device: torch.device | str | None = None,
    image_size: int | None = None,
    check: Float[Tensor, "image 3 height width"] | Callable[[], Tensor] | None = None,
    num_images: int | None = None,
    cache_dir: Path | None = None,
    progress: bool = False,
) -> Encoder:
    """An encoder in evaluation mode that is ready to run on one device.

    ``auto`` takes the fastest of torch and the compiled runtimes that are installed and whose features equal torch's:
    in single precision to 1e-5 of the largest feature, in bfloat16 with a cosine of at least 0.999 with torch's in
    single precision, or a distance from them of at most 3 times that of torch's own bfloat16. The graph, the outcome of
    the check and the speeds are kept in the cache, for this encoder with these weights, these versions, this processor
    and number of threads. ``auto`` is torch on any device but the CPU, and for so few images that the time would not be
    regained: below 32 if the graph is there, below 1000 if not.

    Compiled encoders compute with ``torch.get_num_threads()`` threads.

    Args:
        backbone: The encoder. The runtime torch moves it to the device.
        runtime: ``auto``, ``torch``, or one of :func:`available`; by default the one that is :func:`chosen`.
        precision: ``fp32``; ``bf16``, with torch or OpenVINO; or ``fp16``, with torch.
        device: Device to compute on; by default the one that the backbone is on.
        image_size: Side of the input in pixels; the backbone's own by default.
        check: Images to check compiled runtimes on, the first 16 of them, or a function that is called for them when
            there is something to check; if there are fewer, images of random discs are added.
        num_images: Number of images that are to be encoded; ``None`` for many.
        cache_dir: Folder of caches; by default ``CLADEWISE_CACHE`` of the environment, or the user's cache folder.
        progress: Say on standard error when a graph is made.

    Raises:
        InputError: There is no such runtime; or the one that was named is for other devices or precisions, cannot run
            this encoder, or gives other features.
        MissingExtraError: The runtime that was named, or its exporter, is not installed.

    Example:
        >>> from cladewise import backbones
        >>> backbone = backbones.load("test_resnet", pretrained=False, image_size=32)
        >>> encoder = compile(backbone, num_images=1)
        >>> encoder(torch.zeros(1, 3, 32, 32)).shape, encoder.runtime
        (torch.Size([1, 96]), 'torch')
    """
    runtime = runtime or chosen()
    check_runtime(runtime)
    if precision not in get_args(Precision):
        raise InputError(f"a precision: {', '.join(get_args(Precision))}", repr(precision))
    job = _Job(
        backbone, precision, torch.device(device or backbone.device), image_size or backbone.image_size, check, progress
    )
    if runtime == TORCH:
        return job.eager()
    if job.device.type != "cpu":
        if runtime != AUTO:
            raise InputError(f"the CPU for the runtime {runtime}", job.device, advice="Use torch on other devices.")
        return job.eager(f"runs in torch, since compiled runtimes are for CPUs and the device is {job.device}")
    if runtime != AUTO:
        return _named(job, available()[runtime], cache_dir)
    return _fastest(job, num_images, cache_dir)


@dataclasses.dataclass(frozen=True)
class _Job:
    backbone: Backbone
    precision: Precision
    device: torch.device
    image_size: int
    check: Tensor | Callable[[], Tensor] | None
    progress: bool

    def eager(self, note: str = "") -> Encoder:
        if self.precision == "bf16" and self.device.type == "cpu" and not processor.has_bf16():
            warn("This processor has no bfloat16 arithmetic, which torch emulates", advice="fp32 is faster here.")
        forward = eager(self.backbone, precision=self.precision, device=self.device)
        return self.encoder(forward, TORCH, note)

    def encoder(self, forward: Forward, runtime: str, note: str = "") -> Encoder:
        width = self.backbone.num_features
        return Encoder(forward, runtime, self.precision, width, self.image_size, self.device, note)

    def load(self, runtime: type[Runtime], folder: Path) -> Forward:
        return runtime().load(graph_file(folder), precision=self.precision, threads=torch.get_num_threads())

    def verdict_file(self, runtime: str, version: str, folder: Path) -> Path:
        return verdict_file(folder, runtime, version, self.precision)

    def kept(self, runtimes: Mapping[str, type[Runtime]], folder: Path) -> list[Verdict]:
        """Verdicts of earlier checks; empty unless there is one for each, and the graph if one of them needs it."""
        files = [self.verdict_file(name, version, folder) for name, version in _versions(runtimes).items()]
        found = [verdict for file in files if (verdict := read_verdict(file)) is not None]
        usable = any(verdict.passed and verdict.runtime != TORCH for verdict in found)
        whole = len(found) == len(files) and (graph_file(folder).is_file() or not usable)
        return found if whole else []

    def judged(self, runtimes: Mapping[str, type[Runtime]], folder: Path) -> list[Verdict]:
        """Verdicts on compiled runtimes and torch, from an earlier check or a new one."""
        with locked(folder):
            if found := self.kept(runtimes, folder):
                return found
            made = self._judge(runtimes, folder, self._export_problem(folder))
            for verdict in made:
                write_verdict(self.verdict_file(verdict.runtime, verdict.version, folder), verdict)
            return made

    def _export_problem(self, folder: Path) -> str:
        """Make the graph if there is none; the reason if the exporter cannot."""
        if graph_file(folder).is_file():
            return ""
        say(f"cladewise: compiling {self.backbone.name}, once for this machine", shown=self.progress)
        try:
            export(self.backbone, self.image_size, graph_file(folder))
        except ExportError as error:
            return str(error)
        return ""

    def _judge(self, runtimes: Mapping[str, type[Runtime]], folder: Path, problem: str) -> list[Verdict]:
        if problem:
            refused = [Verdict(name, kind.version(), False, inf, inf, problem) for name, kind in runtimes.items()]
            return [*refused, Verdict(TORCH, torch.__version__, True, 0.0, inf)]
        images = self._images()
        wanted = eager(self.backbone, precision="fp32", device=self.device)(images)
        ways: dict[str, Forward] = {TORCH: eager(self.backbone, precision=self.precision, device=self.device)}
        off = {TORCH: difference(ways[TORCH](images), wanted, self.precision) if self.precision != "fp32" else 0.0}
        allowed = max(LARGEST_DIFFERENCE.get(self.precision, 0.0), TIMES_TORCH * off[TORCH])
        problems: dict[str, str] = {}
        for name, kind in runtimes.items():
            try:
                forward = self.load(kind, folder)
                off[name] = worst_difference(forward, images, wanted, self.precision)
                ways[name] = forward
            except Exception as error:  # of any kind, since these are libraries in other languages
                problems[name] = first_line(error)
        seconds = seconds_per_image(ways, images)
        return [
            Verdict(
                name,
                version,
                passed=name == TORCH or off.get(name, inf) <= allowed,
                difference=off.get(name, inf),
                seconds=seconds.get(name, inf),
                problem=problems.get(name, ""),
            )
            for name, version in _versions(runtimes).items()
        ]

    def _images(self) -> Tensor:
        own = self.backbone.image_input
        shape = (3, self.image_size, self.image_size)
        found = self.check() if callable(self.check) else self.check
        given = torch.empty(0, *shape) if found is None or not len(found) else found[:CHUNK].to("cpu", torch.float32)
        if tuple(given.shape[1:]) != shape:
            raise InputError(f"images [image, {', '.join(map(str, shape))}] to check on", list(given.shape))
        made = dead_leaves(CHUNK - len(given), self.image_size, own.mean, own.std)
        return torch.cat([given, made])


def _versions(runtimes: Mapping[str, type[Runtime]]) -> dict[str, str]:
    """Versions of the compiled runtimes and of torch."""
    return {name: kind.version() for name, kind in runtimes.items()} | {TORCH: str(torch.__version__)}


def _named(job: _Job, runtime: type[Runtime], cache_dir: Path | None) -> Encoder:
    name = runtime.name
    if job.precision not in runtime.precisions:
        advice = f"Use {', '.join(runtime.precisions)}, or the runtime torch."
        raise InputError(f"a precision of the runtime {name}", job.precision, advice=advice)
    if not runtime.is_installed():
        raise MissingExtraError(runtime.package, runtime.extra)
    if job.precision == "bf16" and not processor.has_bf16():
        raise InputError("a processor with bfloat16 arithmetic", "one without", advice="Use fp32.")
    folder = graph_folder(job.backbone, job.image_size, cache_dir)
    verdicts = job.kept({name: runtime}, folder) or job.judged({name: runtime}, folder)
    (verdict,) = (verdict for verdict in verdicts if verdict.runtime == name)
    if not verdict.passed:
        raise InputError(
            f"a runtime with the features of torch for {job.backbone.name}",
            verdict.reason,
            advice="Use the runtime torch.",
        )
    try:
        return job.encoder(job.load(runtime, folder), name)
    except Exception as error:  # it could be loaded before
        advice = "Remove that folder, and it is made again."
        raise InputError(f"a graph for {name}", first_line(error), at=str(folder), advice=advice) from error


def _fastest(job: _Job, num_images: int | None, cache_dir: Path | None) -> Encoder:
    if num_images is not None and num_images < WORTH_LOADING:
        return job.eager()
    known = {name: kind for name, kind in available().items() if job.precision in kind.precisions}
    if job.precision == "bf16" and not processor.has_bf16():
        known = {}
    installed = {name: kind for name, kind in known.items() if kind.is_installed()}
    if not installed:
        extras = " or ".join(f"'cladewise[{kind.extra}]'" for kind in known.values())
        return job.eager(f"runs in torch; several times faster after pip install {extras}" if extras else "")
    folder = graph_folder(job.backbone, job.image_size, cache_dir)
    few = num_images is not None and num_images < WORTH_EXPORTING
    try:
        verdicts = job.kept(installed, folder) or ([] if few else job.judged(installed, folder))
    except (InputError, MissingExtraError) as error:  # no exporter, or no place for the graph
        return _fallen_back(job, str(error))
    if not verdicts:
        return job.eager()
    refused = [verdict.reason for verdict in verdicts if not verdict.passed]
    best = min((verdict for verdict in verdicts if verdict.passed), key=lambda verdict: verdict.seconds)
    if best.runtime == TORCH:
        return _fallen_back(job, "; ".join(refused)) if refused else job.eager("runs in torch, the fastest here")
    try:
        return job.encoder(job.load(installed[best.runtime], folder), best.runtime)
    except Exception as error:  # it could be loaded before
        return _fallen_back(job, f"{best.runtime} cannot load {graph_file(folder)} any more: {first_line(error)}")


def _fallen_back(job: _Job, reason: str) -> Encoder:
    warn(f"The encoder {job.backbone.name} runs in torch, since no compiled one can be used: {reason.rstrip('.')}")
    return job.eager(f"runs in torch: {reason}")
