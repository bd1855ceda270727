"""Weights from files and from model hubs, never through pickle."""

from __future__ import annotations

import pickle
import socket
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import huggingface_hub
import safetensors
import safetensors.torch
import timm
import torch
from torch import Tensor, nn

from cladewise.errors import InputError

_WRAPPERS = ("state_dict", "model", "state_dict_ema", "model_ema")
_WITHOUT_HUB = (
    "Use the packaged efficientnet_lite0, give checkpoint=PATH with the weights, "
    "or pretrained=False to start from noise."
)


def read_state_dict(path: Path) -> dict[str, Tensor]:
    """Tensors of a ``.safetensors`` file, or of a ``.pth`` file that holds nothing but tensors.

    Raises:
        InputError: The file is missing, broken, or holds something else than named tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return safetensors.torch.load_file(path)
        content: Any = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, safetensors.SafetensorError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise InputError("a file of weights, .safetensors or .pth", reason, at=str(path)) from error
    for wrapper in _WRAPPERS:
        if isinstance(content, dict) and isinstance(content.get(wrapper), dict):
            content = content[wrapper]
    if not (isinstance(content, dict) and content and all(isinstance(value, Tensor) for value in content.values())):
        raise InputError("a file of named tensors", type(content).__name__, at=str(path))
    return {str(key).removeprefix("module."): value for key, value in content.items()}


def load_tensors(encoder: nn.Module, tensors: dict[str, Tensor], *, ignored: tuple[str, ...], at: str) -> None:
    """Give an encoder its weights; every tensor must find its place, but those of the ``ignored`` modules.

    Raises:
        InputError: A tensor is missing, is of another shape, or has no place.
    """
    used = {key: value for key, value in tensors.items() if not key.startswith(tuple(f"{name}." for name in ignored))}
    own = encoder.state_dict()
    problems = [f"{key} is missing" for key in own if key not in used and not key.endswith("num_batches_tracked")]
    problems += [f"{key} has no place" for key in used if key not in own]
    problems += [
        f"{key} is {list(used[key].shape)} and should be {list(own[key].shape)}"
        for key in own
        if key in used and used[key].shape != own[key].shape
    ]
    if problems:
        more = f" and {len(problems) - 1} more like it" if len(problems) > 1 else ""
        raise InputError("the weights of this architecture", problems[0] + more, at=at)
    encoder.load_state_dict(used, strict=False)


def check_downloadable(name: str) -> None:
    """Raise at once where a download would only be tried, and tried again, in vain.

    Raises:
        InputError: No pretrained weights exist for the name, or they are not here and their host is out of reach.
    """
    config = timm.models.get_pretrained_cfg(name) if timm.is_model(name) else None
    if config is None or config.file or config.state_dict:
        return
    if not (config.url or config.hf_hub_id):
        raise InputError(f"pretrained weights of {name}", "a model that has none", advice=_WITHOUT_HUB)
    if not config.hf_hub_id or urllib.request.getproxies():
        return
    files = ("model.safetensors", "pytorch_model.bin")
    if any(isinstance(huggingface_hub.try_to_load_from_cache(config.hf_hub_id, file), str) for file in files):
        return
    host = urlsplit(huggingface_hub.constants.ENDPOINT).hostname
    try:
        socket.getaddrinfo(host, 443)
    except OSError as error:
        raise unreachable(name, f"no way to reach {host}") from error


def unreachable(name: str, reason: str) -> InputError:
    """The error for weights that cannot be fetched."""
    return InputError(f"the pretrained weights of {name}", reason, advice=_WITHOUT_HUB)
