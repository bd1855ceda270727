"""open_clip models: an image tower and a text tower in one space."""

from __future__ import annotations

import functools
import logging
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from cladewise.backbones.backbone import ImageInput
from cladewise.backbones.transforms import Resizing
from cladewise.catalogue import nearest
from cladewise.errors import InputError, MissingExtraError

PREFIX = "open_clip:"
"""Names of open_clip models begin with this: ``open_clip:ViT-B-32/openai``, ``open_clip:local-dir:folder``."""
EXTRA = "clip"
_ADVICE = (
    "Give open_clip:MODEL/WEIGHTS from open_clip.list_pretrained(), open_clip:hf-hub:USER/NAME, or "
    "open_clip:local-dir:FOLDER."
)
_RESIZING: dict[str, Resizing] = {"shortest": "shorter-side", "squash": "square"}
"""How open_clip names the ways of resizing that exist here."""


def is_clip(name: str) -> bool:
    """Whether a name refers to an open_clip model.

    Example:
        >>> is_clip("open_clip:RN50/openai"), is_clip("resnet50")
        (True, False)
    """
    return name.startswith(PREFIX)


def open_clip_model(name: str, *, pretrained: bool = True, image_size: int | None = None) -> nn.Module:
    """The whole open_clip model with both towers.

    Args:
        name: ``open_clip:MODEL/WEIGHTS``, or ``open_clip:local-dir:FOLDER`` for a folder with
            ``open_clip_config.json`` and the weights, or ``open_clip:hf-hub:USER/NAME`` for one on the Hugging Face
            Hub.
        pretrained: Whether to load the weights.
        image_size: Side of the input, if different from the model's own.

    Raises:
        MissingExtraError: open_clip is not installed.
        InputError: There is no such model, or its weights are not available.
    """
    package = open_clip_package()
    model, weights = _parts(name)
    if pretrained and not weights and ":" not in model:
        listed = package.list_pretrained_tags_by_model(model)
        if not listed:
            raise InputError("an open_clip model", repr(name), advice=nearest(model, package.list_models()) or _ADVICE)
        raise InputError("an open_clip model and its weights", repr(name), advice=f"Its weights: {', '.join(listed)}.")
    try:
        return package.create_model(
            model,
            pretrained=weights if pretrained else None,
            load_weights=pretrained,
            require_pretrained=pretrained,  # where it finds no weights, open_clip goes on with random ones
            force_image_size=image_size,
            weights_only=True,
        )
    except Exception as error:
        raise _no_such_model(name, error) from error


def tokenizer(name: str) -> Any:
    """The tokenizer of an open_clip model: from texts to ids ``[text, position]``.

    Raises:
        MissingExtraError: open_clip is not installed.
        InputError: There is no such model.
    """
    package = open_clip_package()
    try:
        return package.get_tokenizer(_parts(name)[0])
    except Exception as error:
        raise _no_such_model(name, error) from error


class ImageTower(nn.Module):
    """The image tower, up to the space shared with the texts."""

    def __init__(self, model: Any) -> None:
        super().__init__()
        self.visual: nn.Module = model.visual

    def forward(self, images: Tensor) -> Tensor:
        return self.visual(images)


def image_input(model: Any) -> ImageInput:
    """The input format of the image tower.

    Raises:
        InputError: Its input is not a square, or pictures are padded to a square.
    """
    wanted: dict[str, Any] = model.visual.preprocess_cfg
    size: Any = wanted["size"]
    sides: set[int] = {size} if isinstance(size, int) else set(size)
    if len(sides) > 1:
        raise InputError("an open_clip model with a square input", f"one of {size} pixels")
    mode = str(wanted.get("resize_mode") or "shortest")
    if mode not in _RESIZING:
        expected = "an open_clip model whose pictures are resized by the shorter side, or to a square"
        raise InputError(expected, f"one that resizes the {mode} and pads")
    bilinear = wanted["interpolation"] == "bilinear"  # all else is bicubic in evaluation, "random" as well
    return ImageInput(
        sides.pop(),
        mean=_channels(wanted["mean"]),
        std=_channels(wanted["std"]),
        crop_ratio=1.0,
        interpolation="bilinear" if bilinear else "bicubic",
        resize=_RESIZING[mode],
    )


def _channels(values: Any) -> tuple[float, ...]:
    """A value for each channel; a configuration may have one for all."""
    return tuple(values) if isinstance(values, (list, tuple)) else (float(values),) * 3


def num_features(name: str) -> int:
    """Width of the vectors of both towers.

    Raises:
        MissingExtraError: open_clip is not installed.
        InputError: There is no such model.
    """
    package = open_clip_package()
    try:
        config: dict[str, Any] | None = package.get_model_config(_parts(name)[0])
    except Exception as error:
        raise _no_such_model(name, error) from error
    if config is None:
        raise InputError("an open_clip model", repr(name), advice=_ADVICE)
    return int(config["embed_dim"])


@functools.cache
def open_clip_package() -> Any:
    """The package open_clip, without what it writes to the log.

    Raises:
        MissingExtraError: It is not installed.
    """
    try:
        import open_clip  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise MissingExtraError("open_clip_torch", EXTRA) from error
    logging.getLogger().addFilter(lambda record: not record.pathname.startswith(str(Path(open_clip.__file__).parent)))
    return open_clip


def _parts(name: str) -> tuple[str, str]:
    """Model and weights of a name."""
    rest = name.removeprefix(PREFIX)
    if rest.startswith(("local-dir:", "hf-hub:")):
        return rest, ""
    model, _, weights = rest.partition("/")
    return model, weights


def _no_such_model(name: str, error: Exception) -> InputError:
    """The error for a model that cannot be loaded. Hub clients raise any kind of error, so the kind is not used."""
    package = open_clip_package()
    model, weights = _parts(name)
    if ":" not in model:
        tags, models = package.list_pretrained_tags_by_model(model), package.list_models()
        if model not in models:
            return InputError("an open_clip model", repr(name), advice=nearest(model, models) or _ADVICE)
        if weights and weights not in tags and not Path(weights).exists():
            advice = nearest(weights, tags) or f"Its weights: {', '.join(tags)}."
            return InputError("an open_clip model and its weights", repr(name), advice=advice)
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return InputError("an open_clip model", f"{name} ({reason})", advice=_ADVICE)
