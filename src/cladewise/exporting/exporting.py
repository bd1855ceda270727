"""Exporting a run to a file that other programs run."""

from __future__ import annotations

import dataclasses
import json
import shutil
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

from cladewise.atomic import replacing
from cladewise.decisions import Decision
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.exporting import reader as reader_module
from cladewise.exporting.about import about
from cladewise.exporting.checking import IMAGES, Checked, Reference, check, failure
from cladewise.exporting.format import Precision, format_of
from cladewise.exporting.graph import RunGraph, Start
from cladewise.exporting.loss import LEAST_EQUAL, Loss, measured
from cladewise.exporting.precision import check_precision, halve
from cladewise.exporting.quantising import calibration_pictures, quantise
from cladewise.inference import Inference
from cladewise.progress import say


@dataclasses.dataclass(frozen=True)
class Exported:
    """An exported run.

    Args:
        file: The file.
        checked: Its comparison with torch.
        about: Its metadata.
        seconds: Time that writing it took.
        warnings: Warnings about fitting the rules.
        reader: The stand-alone reader that was written next to it; ``None`` if none was asked for.
        beside: The second file of formats that have two; ``None`` for others.
        loss: What an encoder of lower precision costs; ``None`` for single precision.
    """

    file: Path
    checked: Checked
    about: dict[str, str]
    seconds: float
    warnings: tuple[str, ...] = ()
    reader: Path | None = None
    beside: Path | None = None
    loss: Loss | None = None

    @property
    def megabytes(self) -> float:
        """Size of the file in MB, or of both files."""
        files = [self.file] if self.beside is None else [self.file, self.beside]
        return sum(file.stat().st_size for file in files) / 1e6


def export(
    run: Run | str | PathLike[str],
    *,
    to: str = "onnx",
    out: str | PathLike[str] | None = None,
    inference: str | Inference | None = None,
    decision: str | Decision | None = None,
    allowed: Sequence[str] | str | Path | None = None,
    fit_split: str | None = None,
    log_probs: bool = False,
    start: Start = "images",
    precision: Precision = "fp32",
    least_equal: float = LEAST_EQUAL,
    images: int = IMAGES,
    split: str | None = None,
    reader: bool = False,
    progress: bool = True,
) -> Exported:
    """Export a run to a file that takes decoded images and returns answers.

    Preprocessing, encoder, head, inference, calibration and decision are in the file, whose outputs
    :class:`~cladewise.exporting.RunGraph` lists. The file is written, opened by its runtime, and kept only if it
    answers as torch does: the same node for every image that it is checked on, apart from those on a threshold, and
    log-probabilities within the format's tolerance, which is 1e-4 nats for all but OpenVINO from images on.

    Args:
        run: A trained run, or its folder.
        to: The format; :data:`~cladewise.exporting.FORMATS` names them.
        out: The file; by default ``model`` with the format's ending, in the run folder.
        inference: A rule or its spec; the method's own by default, ``"none"`` for none.
        decision: A rule or its spec; the method's own by default. A rule that has to be fitted on scores is fitted
            first.
        allowed: Labels that are possible unless the input ``allowed`` says otherwise; all by default.
        fit_split: Split to fit rules on; their own by default.
        log_probs: Whether the log-probabilities of all nodes are an output.
        start: Where the graph begins: ``"images"``, decoded and uint8; ``"pixels"``, what the encoder takes; or
            ``"features"``, the encoder's output.
        precision: Precision of the encoder: ``"fp32"``; ``"fp16"``; or ``"int8"``, in ``onnx`` alone, by static
            quantisation with images of the training split. All else is computed in single precision. Answers of the
            lower ones are not those of torch: what they cost is measured on ``images`` and kept in the metadata.
        least_equal: Share of images whose answer has to be that of single precision, for lower precisions.
        images: Number of images of the run's data to check the file on; made-up pictures if the data is gone.
        split: Split of those images: the test split if there is one, else the validation split.
        reader: Whether to write a reader next to the file that needs numpy, Pillow and onnxruntime alone.
        progress: Show progress.

    Raises:
        InputError: The run, a rule or the encoder cannot be exported, or not in this precision; or the file does not
            answer as torch does, and nothing is kept.
        MissingExtraError: A package is not installed.
    """
    form = format_of(to)
    run = Run.open(run)
    run.check_network()
    file = run.path / f"model{form.suffix}" if out is None else Path(out)
    if file.is_dir():
        raise InputError(f"a file to write, such as model{form.suffix}", "a folder", at=str(file))
    if images < 0:
        raise InputError("a number of images to check on", images)
    if not 0 <= least_equal <= 1:
        raise InputError("a share of equal answers between 0 and 1", least_equal)
    check_precision(precision, form, start)
    calibration = calibration_pictures(run) if precision == "int8" else []
    began = time.perf_counter()
    graph = RunGraph.of(
        run,
        inference=inference,
        decision=decision,
        allowed=allowed,
        fit_split=fit_split,
        start=start,
        log_probs=log_probs,
        progress=progress,
    )
    if precision == "fp16":
        halve(graph)
    say(f"cladewise: exporting {run.path.name} to {form.name}", shown=progress)
    file.parent.mkdir(parents=True, exist_ok=True)
    with _replacing_both(file, form.beside) as temporary:
        form.write(graph, temporary, {})
        if calibration:
            reference = Reference(run, graph)
            quantise(temporary, ({start: reference.input([picture])} for picture in calibration))
        seconds = time.perf_counter() - began
        session, loss = form.open(temporary), None
        if precision == "fp32":
            tolerance = form.tolerance(start)
            checked = check(run, graph, session, images=images, split=split, tolerance=tolerance, progress=progress)
            if not checked.passed:
                raise failure(graph, checked)
        else:
            checked, loss = measured(run, graph, session, precision, images=images, split=split, progress=progress)
            loss.check(least_equal)
        known = {"measured": json.dumps((loss or checked).to_dict()), "precision": precision}
        facts = about(run, graph) | known
        form.annotate(temporary, facts)
    copied = None
    if reader:
        copied = file.with_name("reader.py")
        with replacing(copied) as temporary:
            shutil.copyfile(Path(str(reader_module.__file__)), temporary)
    second = file.with_suffix(form.beside) if form.beside else None
    return Exported(file, checked, facts, seconds, graph.rules.warnings, copied, second, loss)


@contextmanager
def _replacing_both(file: Path, beside: str) -> Generator[Path, None, None]:
    """:func:`~cladewise.atomic.replacing` for a file and for the second file that a format may write beside it."""
    with replacing(file) as temporary:
        second = temporary.with_suffix(beside) if beside else None
        try:
            yield temporary
            if second is not None:
                second.replace(file.with_suffix(beside))
        finally:
            if second is not None:
                second.unlink(missing_ok=True)
