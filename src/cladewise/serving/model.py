"""A run that is loaded and ready to answer."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from cladewise import runtimes
from cladewise.backbones import Towers
from cladewise.datasets import UnreadableImageError, decode
from cladewise.engine import Run
from cladewise.engine.answering.forward import NOT_FINITE, has_scores
from cladewise.engine.devices import preferred_device
from cladewise.engine.feeding.threads import usable_processors
from cladewise.errors import InputError
from cladewise.serving.answers import Namer, results
from cladewise.serving.asking import Given, Rules, Shown
from cladewise.serving.batching import Item, Line, Result, Ticket
from cladewise.serving.refusals import Refused
from cladewise.serving.rules import RuleBook
from cladewise.serving.settings import Settings
from cladewise.serving.slider import Slider, score_for_promises
from cladewise.taxonomy import Taxonomy
from cladewise.taxonomy.names.columns import language_code, languages

MOST_LANGUAGES = 16
"""Languages whose names are kept at the same time."""
OWN = Rules()
"""The run's own rules."""


class Model:
    """A run with its encoder compiled, its own rules fitted, and a thread that answers.

    Args:
        name: Its name in addresses.
        run: The run.
        settings: Settings of the server.
        pool: Threads that decode.
        batched: Called with the size of every batch.

    Raises:
        InputError: The run is unfinished or damaged, or its encoder cannot be compiled.
    """

    def __init__(
        self,
        name: str,
        run: Run,
        settings: Settings,
        pool: ThreadPoolExecutor,
        batched: Callable[[int], None] = lambda size: None,
    ) -> None:
        run.check_network()
        self.name, self.run, self.loaded = name, run, time.time()
        self.fingerprint = fingerprint(run.path)
        self.tree = run.answer_tree()
        self.rules = RuleBook(run)
        self._settings = settings
        self._transform = run.backbone.transform()
        self._encode = _encoder(run, settings)
        score_for_promises(run)
        self._namers: OrderedDict[str, Namer] = OrderedDict()
        self._namer_lock = threading.Lock()
        try:
            self._own = self.rules.answerer(OWN)
        except Refused as error:
            raise error.problem from error
        self.slider = Slider(run)
        self._check()
        batch = max(1, min(settings.batch, self._own.rows_at_once))
        self._line = Line(self._decode, self._answer, pool, batch=batch, wait=settings.wait, batched=batched)

    @property
    def taxonomy(self) -> Taxonomy:
        """The tree that answers are in."""
        return self.tree.taxonomy

    @property
    def waiting(self) -> int:
        """Number of images that have no result yet."""
        return self._line.waiting

    async def predict(self, images: Sequence[Given], rules: Rules, shown: Shown) -> tuple[list[Result], bool]:
        """The result of each image, in order, and whether one of them failed by a fault of the server."""
        ticket = Ticket(images, rules, shown)
        self._line.submit(ticket, images)
        return await ticket.wait(), ticket.failed

    def check_image(self, content: bytes) -> None:
        """Check that an image can be decoded.

        Raises:
            Refused: It cannot.
        """
        try:
            self._decode(Given("", content))
        except UnreadableImageError as error:
            raise Refused(422, "an image that can be decoded", error.reason, kind="image") from error

    def close(self) -> None:
        """End when the images that wait now have been answered."""
        self._line.close()

    def join(self) -> None:
        """Wait for that."""
        self._line.join()

    def namer(self, language: str) -> Namer:
        """The names of the nodes in a language; blank for their own.

        Raises:
            InputError: The tree has no names in the language.
        """
        code = language_code(language) if language else ""
        with self._namer_lock:
            found = self._namers.get(code)
            if found is None:
                found = self._namers[code] = Namer(self.taxonomy, code)
            self._namers.move_to_end(code)
            while len(self._namers) > MOST_LANGUAGES:
                self._namers.popitem(last=False)
            return found

    def promise(self, rules: Rules) -> float | None:
        """The share of right answers that the fitted decision promises; ``None`` if it promises none."""
        return self.rules.promise(rules)

    @cached_property
    def about(self) -> dict[str, Any]:
        """The model as it is listed."""
        inference, decision = self.rules.specs(OWN)
        return {
            "name": self.name,
            "title": self.run.config.name or self.run.path.resolve().name,
            "method": self.run.config.method,
            "num_nodes": self.taxonomy.num_nodes,
            "num_leaves": self.taxonomy.num_leaves,
            "levels": list(self.taxonomy.level_names),
            "decision": decision,
            "inference": inference,
            "promise": self.promise(OWN),
            "languages": list(languages(self.taxonomy)),
            "default": self.name == self._settings.default,
            "weights": self.run.model_hash,
        }

    def _decode(self, image: Given) -> Tensor:
        limits = self._settings.limits
        _ = image.id  # computed here, in a thread of its own, since the answer needs it
        picture = decode(
            "",
            size=self._transform.decode_size,
            max_bytes=limits.decode_bytes,
            max_pixels=limits.pixels,
            formats=self._settings.formats,
            content=image.content,
        )
        return self._transformed(picture)

    def _transformed(self, picture: Image.Image) -> Tensor:
        try:
            return self._transform(picture)
        except Exception as error:  # an image that breaks a transform must not end the thread
            detail = " ".join(f"{type(error).__name__}: {error}".split())[:200]
            raise UnreadableImageError("", f"an image that cannot be transformed ({detail})") from error

    def _answer(self, batch: list[Item]) -> list[Result]:
        with torch.inference_mode():
            features = self._encode(torch.stack([image for _, _, image in batch])).float().cpu()
        scores = self._own.score(features)
        good: list[bool] = has_scores(scores).tolist()
        told: list[Result] = [{"error": NOT_FINITE} for _ in batch]
        alike: dict[tuple[Rules, Shown], list[int]] = {}
        for place, (ticket, _, _) in enumerate(batch):
            if good[place]:
                alike.setdefault((ticket.rules, ticket.shown), []).append(place)
        for (rules, shown), places in alike.items():
            answerer = self.rules.answerer(rules)
            rows = np.array(places, dtype=np.int64)
            some = scores if len(places) == len(batch) else scores[torch.from_numpy(rows)]
            with torch.inference_mode():
                answer, seen, inferred = answerer.decided(answerer.inferred(rows, some), answerer.decision)
                namer = self.namer(shown.names)
                found = results(answer, seen, inferred, namer, top=shown.top, ladder=shown.ladder)
            for place, result in zip(places, found, strict=True):
                told[place] = result
        return told

    def _check(self) -> None:
        """Answer one grey image, so that damage is found at once and the first request does not wait.

        Raises:
            InputError: Its scores are not finite.
        """
        side = self.run.backbone.image_size
        with torch.inference_mode():
            features = self._encode(torch.zeros(1, 3, side, side)).float().cpu()
        if not bool(has_scores(self._own.score(features)).all()):
            advice = "The weights are damaged: train again, with a lower learning rate if it recurs."
            raise InputError("a network with finite scores", "others", at=str(self.run.path), advice=advice)


def load(
    name: str,
    path: Path,
    settings: Settings,
    pool: ThreadPoolExecutor,
    batched: Callable[[int], None] = lambda size: None,
) -> Model:
    """Open a run folder and make it ready to answer.

    Raises:
        InputError: It is not a finished run with a network, or as :class:`Model`.
    """
    return Model(name, Run.open(path), settings, pool, batched)


def fingerprint(path: Path) -> tuple[tuple[str, int, int, int], ...]:
    """Names, sizes, times and inodes of the files that a model is made of, which change when it does."""
    files = [path / name for name in ("config.toml", "model.safetensors", "taxonomy.csv", "true_taxonomy.csv")]
    found = [(file.name, file.stat()) for file in files if file.is_file()]
    return tuple((name, status.st_size, status.st_mtime_ns, status.st_ino) for name, status in found)


def _encoder(run: Run, settings: Settings) -> Callable[[Tensor], Tensor]:
    """The function from images to what the head is given, on all threads of the server."""
    device, classifier = preferred_device(run.config.training.accelerator), run.classifier
    classifier.to(device)
    torch.set_num_threads(settings.threads or usable_processors())
    if isinstance(classifier.encoder, Towers):
        return lambda images: classifier.encode(images.to(device))
    encoder = runtimes.compile(run.backbone, settings.runtime, device=device, progress=True)
    if encoder.runtime != "torch":
        torch.set_num_threads(1)  # or small sums of the head would wake threads that decode
    return encoder
