"""An exported file compared with the run in torch, before it is kept."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from cladewise.decisions import Answer
from cladewise.engine.run import Run
from cladewise.errors import InputError
from cladewise.exporting.format import Arrays, Session
from cladewise.exporting.graph import ALLOWED, NONE, RunGraph, has_scores
from cladewise.exporting.pictures import Picture, check_pictures, of_one_size
from cladewise.inference import Subset
from cladewise.predictions import Prediction
from cladewise.progress import track
from cladewise.tracing import traced

IMAGES = 256
"""Images that a file is checked on by default."""
BATCH = 8
"""Images of the batch that a file is checked on, besides single images."""
LARGEST_DIFFERENCE = 1e-4
"""Largest difference of a log-probability, in nats, beside :data:`RELATIVE` of itself."""
RELATIVE = 2e-6
"""Share of a log-probability that counts as rounding: a log-probability of -1000 has no fourth decimal."""

CHOICES = ("node", "chosen", "level_node", "new")
"""Outputs that have to be equal."""


@dataclasses.dataclass(frozen=True)
class Checked:
    """The comparison of an exported file with torch.

    Args:
        source: The images: a split of the run's data, or made-up pictures.
        images: Their number.
        different: Images with another answer, one at a time or in the batch.
        at_threshold: Images with another answer that torch itself gives if the rule's numbers move by 1e-4. They lie on
            the threshold, as do images that it was fitted on, and do not count as different.
        largest: Largest difference of a log-probability, in nats.
        batch: Number of images that were answered together besides, with the same answers.
        seconds: Seconds per image by the file, one image at a time.
        torch_seconds: Seconds per image in torch.
        example: An image with another answer.
        tolerance: The largest difference of a log-probability that is allowed.
    """

    source: str
    images: int
    different: int = 0
    at_threshold: int = 0
    largest: float = 0.0
    batch: int = 0
    seconds: float = 0.0
    torch_seconds: float = 0.0
    example: str = ""
    tolerance: float = LARGEST_DIFFERENCE

    @property
    def passed(self) -> bool:
        """Whether all answers are equal and all log-probabilities nearly so."""
        return not self.different and self.largest <= self.tolerance

    def to_dict(self) -> dict[str, Any]:
        """As plain values."""
        return {key: value for key, value in dataclasses.asdict(self).items() if value != ""}

    def __str__(self) -> str:
        answers = self.images + self.batch
        text = f"{answers - self.different - self.at_threshold:,} of {answers:,} answers as in torch"
        if self.at_threshold:
            text += f", {self.at_threshold:,} of the others on the rule's threshold"
        return (
            f"{text} ({self.images:,} images of {self.source} one by one, {self.batch} in a batch); "
            f"log-probabilities within {self.largest:.1e}"
        )


def check(
    run: Run,
    graph: RunGraph,
    session: Session,
    *,
    images: int = IMAGES,
    split: str | None = None,
    tolerance: float = LARGEST_DIFFERENCE,
    seen: Callable[[Arrays, Arrays], None] | None = None,
    progress: bool = False,
) -> Checked:
    """Compare an exported file with the run in torch, image by image and in a batch.

    Args:
        run: The run.
        graph: The module that was exported.
        session: The function that the file computes.
        images: Number of images of the run's data.
        split: The split they are from: by default the test split, else the validation split.
        tolerance: The largest difference of a log-probability that is allowed, in nats.
        seen: Called with the outputs of the file and of torch for each single image.
        progress: Show a progress bar.

    Raises:
        InputError: There is no such split.
    """
    source, pictures, _ = check_pictures(run, images, split)
    reference = Reference(run, graph)
    total = Checked(source, 0, tolerance=tolerance)
    for picture in track(pictures, "checking", shown=progress):
        total = _together(total, compared(reference, session, [picture], source, seen))
    several = of_one_size(pictures[:BATCH])
    in_batch = dataclasses.replace(compared(reference, session, several, source), seconds=0.0, torch_seconds=0.0)
    together = _together(total, in_batch)
    return dataclasses.replace(
        together, images=total.images, batch=len(several), seconds=total.seconds, torch_seconds=total.torch_seconds
    )


class Reference:
    """The run in torch, by the code that predictions use, with the same inputs as a graph."""

    def __init__(self, run: Run, graph: RunGraph) -> None:
        self.run, self.graph = run, graph
        self.transform = run.backbone.transform()
        self.classifier = run.classifier.to("cpu")
        self.backbone = None if run.classifier.end_to_end else run.backbone.to("cpu").eval()

    @torch.inference_mode()
    def features(self, pictures: Sequence[Picture]) -> Tensor:
        """The input of the head."""
        pixels = torch.stack([self.transform(Image.fromarray(picture)) for picture in pictures])
        return self.classifier.encode(pixels if self.backbone is None else self.backbone(pixels))

    def input(self, pictures: Sequence[Picture]) -> NDArray[np.generic]:
        """The first input of the graph."""
        if self.graph.start == "images":
            return np.stack(pictures)
        pixels = torch.stack([self.transform(Image.fromarray(picture)) for picture in pictures])
        if self.graph.start == "pixels":
            return pixels.numpy()
        with torch.inference_mode():
            return (self.classifier.encode(pixels) if self.backbone is None else self.backbone(pixels)).numpy()

    @torch.inference_mode()
    def prediction(self, features: Tensor) -> Prediction:
        """The prediction that is decided on."""
        own = self.classifier.head(features).settled()
        rules = self.graph.rules
        inferred = own if rules.inference is None else rules.inference(own)
        decided = rules.tree.prediction(inferred)
        possible = self.graph.defaults.get(ALLOWED)
        if possible is None or bool(possible.all()):
            return decided
        leaves = self.graph.taxonomy.leaf_nodes[possible.numpy()]
        return Subset([int(v) for v in leaves])(decided)

    @torch.inference_mode()
    def answer(self, prediction: Prediction) -> Answer:
        """The rule's answer."""
        return self.graph.rules.decision(prediction)

    @torch.inference_mode()
    def nearby(self, prediction: Prediction) -> list[Arrays]:
        """Answers with the rule's numbers moved by the tolerance, in both directions."""
        numbers = {name: value for name, value in self.graph.defaults.items() if name != ALLOWED}
        found: list[Arrays] = []
        for sign in (-1, 1) if numbers else ():
            moved = {
                name: value + sign * LARGEST_DIFFERENCE * value.abs().clamp_min(1.0) for name, value in numbers.items()
            }
            with traced():
                answer = self.graph.rules.decision.traced(prediction, moved)
            found.append(self.outputs(answer, prediction))
        return found

    def outputs(self, answer: Answer, prediction: Prediction) -> Arrays:
        """The outputs of the graph, from an answer in torch."""
        found = self.graph.of_answer(answer, prediction)
        best = prediction.best_leaf()
        found |= {"leaf": best.node, "leaf_log_prob": best.log_prob, "log_probs": prediction.log_prob}
        return {name: value.numpy() for name, value in found.items()}


def failure(graph: RunGraph, checked: Checked) -> InputError:
    """The error of a file that does not answer as torch does."""
    got = f"log-probabilities up to {checked.largest:.1e} apart"
    if checked.different:
        answers = checked.images + checked.batch
        got = f"other answers for {checked.different:,} of {answers:,} images ({checked.example}), and {got}"
    advice = f"Nothing was written. The rules were {graph.rules.spec}."
    return InputError(f"a file that answers as torch does, to {checked.tolerance:g} nats", got, advice=advice)


def compared(
    reference: Reference,
    session: Session,
    pictures: Sequence[Picture],
    source: str,
    seen: Callable[[Arrays, Arrays], None] | None = None,
) -> Checked:
    """A batch of images, answered by a file and by torch."""
    first = reference.input(pictures)
    start = time.perf_counter()
    got = session({reference.graph.start: first})
    between = time.perf_counter()
    features = reference.features(pictures)
    prediction = reference.prediction(features)
    usable = has_scores(prediction.logits).numpy()
    answer = reference.answer(prediction)
    end = time.perf_counter()
    wanted = reference.outputs(answer, prediction)
    if seen is not None:
        seen(got, wanted)
    other = differs(got, wanted, usable)
    near = np.zeros_like(other)
    if other.any():
        for nearby in reference.nearby(prediction):
            near |= other & ~differs(got, nearby, usable)
    counted = ~other & usable
    largest = max(
        (largest_difference(got[name], wanted[name], counted) for name in wanted if "log" in name and name in got),
        default=0.0,
    )
    example = ""
    if (other & ~near).any() and "node" in got:
        place = int(np.flatnonzero(other & ~near)[0])
        names = [reference.graph.taxonomy.path_name(int(found["node"][place])) or "the root" for found in (wanted, got)]
        example = f"{names[1]} instead of {names[0]}"
    return Checked(
        source,
        len(pictures),
        int((other & ~near).sum()),
        int(near.sum()),
        largest,
        seconds=between - start,
        torch_seconds=end - between,
        example=example,
    )


def differs(
    got: Mapping[str, NDArray[Any]], wanted: Mapping[str, NDArray[Any]], usable: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Images whose answers differ; those that are not usable have none."""
    found = np.zeros(len(usable), dtype=np.bool_)
    for name in CHOICES:
        if name in wanted:
            rows = got[name].reshape(len(usable), -1) != wanted[name].reshape(len(usable), -1)
            none = got[name].reshape(len(usable), -1) != (NONE if wanted[name].dtype != np.bool_ else False)
            found |= np.where(usable, rows.any(1), none.any(1))
    return found


def largest_difference(got: NDArray[Any], wanted: NDArray[Any], counted: NDArray[np.bool_]) -> float:
    """Largest difference of finite log-probabilities beyond rounding; infinite where only one is finite."""
    a, b = got[counted].astype(np.float64), wanted[counted].astype(np.float64)
    if (np.isfinite(a) != np.isfinite(b)).any():
        return float("inf")
    both = np.isfinite(b)
    apart = np.abs(a[both] - b[both]) - RELATIVE * np.abs(b[both])
    return float(np.maximum(apart, 0.0).max(initial=0.0))


def _together(first: Checked, second: Checked) -> Checked:
    images = first.images + second.images
    return dataclasses.replace(
        first,
        images=images,
        different=first.different + second.different,
        at_threshold=first.at_threshold + second.at_threshold,
        largest=max(first.largest, second.largest),
        seconds=(first.seconds * first.images + second.seconds) / max(1, images),
        torch_seconds=(first.torch_seconds * first.images + second.torch_seconds) / max(1, images),
        example=first.example or second.example,
    )
