"""Predictions on disk: tensors in safetensors, everything else in the header."""

from __future__ import annotations

import inspect
import json
from collections.abc import Mapping
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from cladewise.catalogue import plug_ins
from cladewise.errors import InputError
from cladewise.predictions.prediction import Prediction
from cladewise.taxonomy import Taxonomy
from cladewise.tensor_files import metadata, reproducible

PREFIX = "prediction."


def kinds() -> dict[str, type[Prediction]]:
    """Every concrete kind of prediction by its class name, those of other distributions included.

    A kind is registered when its module is imported. The entry-point group ``cladewise.predictions`` names kinds of
    other distributions, so that stored scores can be read in a process that has not imported them.
    """
    for entry in plug_ins("cladewise.predictions"):
        entry.load()
    public = {name: kind for name, kind in Prediction.registered.items() if not name.startswith("_")}
    return {name: kind for name, kind in public.items() if kind.is_stored and not inspect.isabstract(kind)}


def to_bytes(prediction: Prediction, *, extra: Mapping[str, Tensor], about: Mapping[str, str]) -> bytes:
    """Serialise a prediction and further tensors of the same images as one safetensors file."""
    tensors = {f"{PREFIX}{k}": v.detach().cpu().contiguous() for k, v in prediction.tensors().items()}
    tensors |= {k: v.detach().cpu().contiguous() for k, v in extra.items()}
    header = {
        **about,
        "kind": type(prediction).__name__,
        "settings": json.dumps(prediction.settings()),
        "taxonomy": prediction.taxonomy.fingerprint,
    }
    return reproducible(safetensors.torch.save(tensors, metadata=header))


def load_prediction(path: Path, taxonomy: Taxonomy) -> tuple[Prediction, dict[str, Tensor], dict[str, str]]:
    """The prediction, the further tensors and the header of a file that :func:`to_bytes` made.

    Raises:
        InputError: The file is no such file, or was written for another taxonomy or by a newer version.
    """
    tensors, about = load_tensors(path)
    return _prediction(tensors, about, taxonomy, str(path))


def from_bytes(
    content: bytes, taxonomy: Taxonomy, *, at: str = ""
) -> tuple[Prediction, dict[str, Tensor], dict[str, str]]:
    """The prediction, the further tensors and the header in the result of :func:`to_bytes`.

    Args:
        content: The bytes.
        taxonomy: The tree that the prediction is over.
        at: Where the bytes come from, for errors.

    Raises:
        InputError: They are no such result, or of another taxonomy or a newer version.
    """
    try:
        tensors, about = safetensors.torch.load(content), metadata(content)
    except (SafetensorError, ValueError) as error:
        raise InputError("scores in safetensors", str(error), at=at, advice=_ADVICE) from None
    return _prediction(tensors, about, taxonomy, at)


def _prediction(
    tensors: dict[str, Tensor], about: dict[str, str], taxonomy: Taxonomy, at: str
) -> tuple[Prediction, dict[str, Tensor], dict[str, str]]:
    if about.get("taxonomy") != taxonomy.fingerprint:
        raise InputError(f"scores for taxonomy {taxonomy.fingerprint}", about.get("taxonomy"), at=at, advice=_ADVICE)
    kind = kinds().get(about.get("kind", ""))
    if kind is None:
        raise InputError(f"a prediction: {', '.join(kinds())}", about.get("kind"), at=at, advice=_ADVICE)
    fields = {key.removeprefix(PREFIX): tensors.pop(key) for key in list(tensors) if key.startswith(PREFIX)}
    try:
        return kind(taxonomy=taxonomy, **fields, **json.loads(about["settings"])), tensors, about
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(f"scores of a {about['kind']}", f"{error}", at=at, advice=_ADVICE) from None


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """All tensors of a safetensors file of scores, and its header.

    Raises:
        InputError: The file is no such file.
    """
    try:
        with safe_open(str(path), framework="pt") as file:  # type: ignore[no-untyped-call]
            about: dict[str, str] = dict(file.metadata() or {})
            return {key: file.get_tensor(key) for key in file.keys()}, about  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise InputError("scores in safetensors", str(error), at=str(path), advice=_ADVICE) from None


def header(path: Path) -> dict[str, str]:
    """The header alone of a file that :func:`to_bytes` made.

    Raises:
        InputError: The file is no such file.
    """
    try:
        with safe_open(str(path), framework="pt") as file:  # type: ignore[no-untyped-call]
            return dict(file.metadata() or {})
    except (SafetensorError, OSError) as error:
        raise InputError("scores in safetensors", str(error), at=str(path), advice=_ADVICE) from None


def concatenate(parts: list[Prediction]) -> Prediction:
    """One prediction of several batches from the same head."""
    joined = {k: torch.cat([part.tensors()[k] for part in parts]) for k in parts[0].tensors()}
    tensors = iter(joined.values())
    return parts[0].map(lambda _: next(tensors))


_ADVICE = "Delete the file: it is made again."
