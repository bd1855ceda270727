"""Positions from bold to careful: hedging with rising promises, as the page's slider offers them."""

from __future__ import annotations

import logging
import threading
from typing import Any

import numpy as np
import torch

from cladewise.decisions import Hedging
from cladewise.engine import Run
from cladewise.engine.answering.fitted_rules import ready
from cladewise.engine.answering.scoring import scored
from cladewise.errors import InputError
from cladewise.serving.rules import has_scores

SHARES = (0.8, 0.85, 0.9, 0.95, 0.98, 0.99)
"""Shares of right answers that positions promise, as far as the run's images can show them."""


MOST_SCORED = 5_000
"""Largest number of images of the validation split that are scored when a model is loaded."""

log = logging.getLogger("cladewise.serving")


class Slider:
    """The positions of a run, computed when they are first asked for.

    Args:
        run: The run.
    """

    def __init__(self, run: Run) -> None:
        self._run, self._lock = run, threading.Lock()
        self._found: dict[str, Any] | None = None

    def positions(self) -> dict[str, Any]:
        """The positions, from bold to careful, with what each promises.

        A position is a caution of hedging in bits, which is the least at which the share is proven on the images of
        the validation split (:class:`~cladewise.decisions.Hedging`), and the mean information of the answers there,
        as a share of that of leaves. Shares that cannot be promised by any answer but the root are left out, and so
        are all where the run folder keeps no scores of the split.
        """
        with self._lock:
            if self._found is None:
                self._found = _positions(self._run)
            return self._found


def score_for_promises(run: Run) -> None:
    """Score the validation split, which promises are proven on, if that has not been done and its images are there.

    The scores are kept in the run folder, as an evaluation keeps them.
    """
    own, split = run.before_migration, Hedging.fits_on
    if has_scores(run, split):
        return
    try:
        dataset = own.dataset_if_there
        if dataset is not None and split in dataset.splits and len(dataset.indices(split)) <= MOST_SCORED:
            scored(own, split, progress=False)
    except (InputError, OSError) as error:  # a folder that may not be written to, for one
        log.warning("no promises can be made for %s: %s", run.path, error)


def _positions(run: Run) -> dict[str, Any]:
    bold = {"label": "bold", "share": None, "caution": 0.0, "specificity": None, "decision": "hedging:caution=0"}
    found: dict[str, Any] = {"positions": [bold], "confidence": Hedging().confidence, "images": 0}
    if not has_scores(run, Hedging.fits_on):
        return found
    own = run.before_migration
    tree, before = own.answer_tree(), ready(own, own.inference, keep=False, progress=False).rule
    scores, rows = (seen := scored(own, Hedging.fits_on, progress=False)).sample()
    infer = seen.bound(before, rows.numpy())
    with torch.inference_mode():
        steps = Hedging(caution=0.0).steps_of(tree.prediction(scores if infer is None else infer(scores)))
    most = np.log2(max(tree.taxonomy.num_leaves, 2))

    def specificity(caution: float) -> float:
        return float(tree.taxonomy.information[steps.at(caution).numpy()].mean() / most)

    bold["specificity"], found["images"] = specificity(0.0), steps.num_images
    for share in SHARES:
        fitted = ready(own, Hedging(guarantee=share), before=before, keep=False, progress=False)
        caution = fitted.values.get("caution")
        if caution is None or not specificity(caution):
            break  # nor can more be promised
        found["positions"].append(
            {
                "label": f"right for {share:.0%}",
                "share": share,
                "caution": caution,
                "specificity": specificity(caution),
                "decision": f"hedging:guarantee={share:g}",
            }
        )
    return found
