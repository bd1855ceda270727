"""Weights from files, without unpickling code, renamed to fit an encoder."""

from __future__ import annotations

import argparse
import inspect
import pickle
import sys
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from cladewise.errors import InputError, warn

_WRAPPERS = ("state_dict_ema", "model_ema", "state_dict", "model")
"""Entries of training checkpoints that hold weights, in timm's order: the averaged ones first."""
_SEVERAL = 3
"""Number of tensor names shown in an error."""
_TENSORS_ALONE = "Save its tensors alone: torch.save(model.state_dict(), PATH)."


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file or of a file written by ``torch.save``, whatever its suffix.

    Of a training checkpoint, such as that of timm's script or of Lightning, the weights: the averaged ones where it has
    both. Code in a pickle never runs.

    Raises:
        InputError: The file is missing, broken, holds something else than named tensors, or weights that are not
            finite.
    """
    content = _read(path)
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not isinstance(content, dict):
        raise InputError("a file of named tensors", type(content).__name__, at=str(path), advice=_TENSORS_ALONE)
    named: dict[str, Any] = {str(key): value for key, value in content.items()}
    others = [key for key, value in named.items() if not isinstance(value, Tensor)]
    if others or not named:
        got = f"one with {_some(others)}" if others else "none"
        raise InputError("a file of named tensors", got, at=str(path), advice=_TENSORS_ALONE)
    broken = [key for key, value in named.items() if value.is_floating_point() and not value.isfinite().all()]
    if broken:
        got = f"NaN or infinity in {len(broken)} of {len(named)} tensors, such as {broken[0]}"
        raise InputError("weights that are finite", got, at=str(path), advice="Take an earlier checkpoint.")
    return named


def load_tensors(encoder: nn.Module, tensors: dict[str, Tensor], *, ignored: tuple[str, ...], at: str) -> None:
    """Load weights into an encoder, whatever prefix they were saved with.

    Weights of another image size are resized where timm knows how. Tensors of modules that the encoder does not have,
    such as classifiers and projections, are left out, and told unless they are of the ``ignored`` ones. Every tensor of
    the encoder must be there.

    Raises:
        InputError: A tensor is missing, is of another shape, or belongs into a module that has no place for it; or
            several networks in the file fit.
    """
    own = encoder.state_dict()
    found = _as_timm_names(encoder, _inner(tensors, own, at), at)
    modules = {key.partition(".")[0] for key in own}
    # a classifier may have further layers before its last one
    heads = tuple(f"{name.rpartition('.')[0] or name}." for name in ignored)
    rest = {key: value for key, value in found.items() if key in own or not key.startswith(heads)}
    used = {key: value for key, value in rest.items() if key.partition(".")[0] in modules}
    missing = [key for key in own if key not in used and not key.endswith("num_batches_tracked")]
    if 2 * len(missing) > len(own):
        got = f"{_some(tensors)} where it has {_some(own)}"
        raise InputError("the weights of this architecture", got, at=at, advice="Is it the backbone of the checkpoint?")
    problems = [f"{key} is missing" for key in missing]
    problems += [f"{key} has no place" for key in used if key not in own]
    problems += [
        f"{key} is {list(used[key].shape)} and should be {list(own[key].shape)}"
        for key in own
        if key in used and used[key].shape != own[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 1} more like it" if len(problems) > 1 else ""
        raise InputError("the weights of this architecture", problems[0] + more, at=at)
    others = [key for key in rest if key not in used]
    if others:
        warn(f"{len(others)} tensors that are no part of the encoder were left out, such as {others[0]}", at=at)
    encoder.load_state_dict(used, strict=False)


def _read(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            if file.read(9)[8:] == b"{":  # after the length of its header
                return safetensors.torch.load_file(path)
            file.seek(0)
            # an open file, since torch trusts the suffix of a path; timm's script also saves its arguments
            with torch.serialization.safe_globals([argparse.Namespace]):
                return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # whose text advises to switch the guard off
        objects = _objects_in(path)
        got = f"one with objects that could run code ({_some(objects)})" if objects else "a file of another kind"
        raise InputError(
            "a file of weights, .safetensors or .pth", got, at=str(path), advice=_TENSORS_ALONE if objects else ""
        ) from None
    except (OSError, RuntimeError, EOFError, ValueError, KeyError, safetensors.SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError("a file of weights, .safetensors or .pth", reason, at=str(path)) from error


def _objects_in(path: Path) -> list[str]:
    """Classes and functions that a pickle refers to; empty for other files and for the format before torch 1.6."""
    try:
        return torch.serialization.get_unsafe_globals_in_checkpoint(path)
    except Exception:  # whatever a broken pickle raises
        return []


def _inner(tensors: dict[str, Tensor], own: Mapping[str, Tensor], at: str) -> dict[str, Tensor]:
    """The tensors whose names, without a common prefix, are those of the encoder."""
    # torch.compile inserts a name of its own
    plain = {".".join(part for part in key.split(".") if part != "_orig_mod"): key for key in tensors}
    counts = Counter(
        ".".join(parts[:start])
        for parts in (key.split(".") for key in plain)
        for start in range(len(parts))
        if ".".join(parts[start:]) in own
    )
    best = [prefix for prefix, count in counts.items() if count == max(counts.values())]
    if len(best) > 1 and 2 * counts[best[0]] > len(own):
        raise InputError(
            "one network that fits",
            f"{len(best)}: {', '.join(map(repr, sorted(best)))}",
            at=at,
            advice="Save the tensors of one of them alone.",
        )
    start = f"{best[0]}." if best and best[0] else ""
    return {name.removeprefix(start): tensors[key] for name, key in plain.items() if name.startswith(start)}


def _as_timm_names(encoder: nn.Module, tensors: dict[str, Tensor], at: str) -> dict[str, Tensor]:
    """Names and shapes as in timm, whose models convert original checkpoints and resize position embeddings."""
    convert = getattr(sys.modules[type(encoder).__module__], "checkpoint_filter_fn", None)
    if convert is None:
        return tensors
    takes_encoder = len(inspect.signature(convert).parameters) > 1
    try:
        return dict(convert(dict(tensors), encoder) if takes_encoder else convert(dict(tensors)))
    except Exception as error:  # written for files of its own kind
        raise InputError("the weights of this architecture", f"others ({error!r})", at=at) from error


def _some(names: Iterable[str]) -> str:
    listed = list(names)
    return ", ".join(listed[:_SEVERAL]) + (", ..." if len(listed) > _SEVERAL else "")
