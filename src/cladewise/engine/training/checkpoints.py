"""Checkpoints, written atomically and checked to belong to the run that resumes from them."""

from __future__ import annotations

import dataclasses
import json
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from lightning.fabric.plugins.io.torch_io import TorchCheckpointIO
from torch import Tensor

from cladewise.atomic import writing
from cladewise.engine.training.earlier import with_all_options
from cladewise.errors import InputError
from cladewise.records import RunConfig, changes, config_from_dict

_ENTRIES: dict[str, type] = {
    "epoch": int,
    "global_step": int,
    "state_dict": dict,
    "optimizer_states": list,
    "lr_schedulers": list,
    "loops": dict,
    "callbacks": dict,
}
"""Entries of a checkpoint that Lightning needs to resume."""
_STAMP = "cladewise"


@dataclasses.dataclass(frozen=True)
class Origin:
    """Everything that determines the state of a training run.

    Args:
        config: The resolved configuration.
        tree: Hash of the label trees.
        data: Hash of the training and validation images and labels.
    """

    config: RunConfig
    tree: str
    data: str

    def check(self, stamp: Mapping[str, str], at: Path) -> None:
        """Check that a checkpoint was written by a run of the same origin.

        Raises:
            InputError: It was not.
        """
        before = with_all_options(config_from_dict(json.loads(stamp["config"]), at=str(at)))
        changed = changes(before, self.config)
        if changed:
            got = f"one of a run that differs in {', '.join(changed)}"
            raise InputError("a checkpoint of this run", got, at=str(at), advice=f"{_anew(at)}.")
        followed = (("label tree", stamp["tree"], self.tree), ("images and labels", stamp["data"], self.data))
        for what, then, now in followed:
            if then != now:
                advice = f"Restore the original, or {_anew(at)[:1].lower()}{_anew(at)[1:]}."
                raise InputError(f"the {what} with which training started", "a change", at=str(at), advice=advice)

    def stamp(self) -> dict[str, str]:
        """The origin as a checkpoint stores it."""
        return {"config": json.dumps(self.config.to_dict()), "tree": self.tree, "data": self.data}


class WholeCheckpoints(TorchCheckpointIO):
    """Writes checkpoints atomically, like every other file of a run, and refuses those of another run.

    Args:
        origin: Everything that determines the state of training.
    """

    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self.origin = origin

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        with writing(Path(path)) as file:
            torch.save({**checkpoint, _STAMP: self.origin.stamp()}, file)

    def load_checkpoint(self, path: Any, map_location: Any = "cpu", weights_only: bool | None = True) -> dict[str, Any]:
        return self.read(Path(path))

    def steps_in(self, file: Path) -> int:
        """Number of optimiser steps before a checkpoint; 0 without one.

        Raises:
            InputError: It is damaged, or belongs to another run.
        """
        return int(self.read(file)["global_step"]) if file.is_file() else 0

    def read(self, file: Path) -> dict[str, Any]:
        """Read the content of a checkpoint.

        Raises:
            InputError: It is damaged, or belongs to another run.
        """
        try:
            content = torch.load(file, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            raise _damaged(file, "no such file") from None
        except (OSError, RuntimeError, EOFError, ValueError, KeyError, pickle.UnpicklingError) as error:
            raise _damaged(file, "one that is damaged") from error
        if not isinstance(content, dict):
            raise _damaged(file, f"a {type(content).__name__}")
        wrong = [name for name, kind in _ENTRIES.items() if not isinstance(content.get(name), kind)]
        if wrong:
            raise _damaged(file, f"a file without {', '.join(wrong)}")
        if _STAMP in content:  # early versions did not write it
            stamp = content.pop(_STAMP)
            try:
                self.origin.check(stamp, file)
            except (KeyError, TypeError, json.JSONDecodeError) as error:
                raise _damaged(file, "one that is damaged") from error
        return content


def check_fits(content: Mapping[str, Any], own: Mapping[str, Tensor], file: Path) -> None:
    """Check that a checkpoint holds the weights of this network.

    Raises:
        InputError: A tensor is missing, superfluous, or has another shape.
    """
    saved = content["state_dict"]
    wrong = [key for key in {**own, **saved} if _shape(own.get(key)) != _shape(saved.get(key))]
    if wrong:
        raise _damaged(file, f"one of another network, with another {wrong[0]}")


def _shape(value: Any) -> torch.Size | None:
    return value.shape if isinstance(value, Tensor) else None


def _damaged(file: Path, got: str) -> InputError:
    return InputError("a checkpoint of this run", got, at=str(file), advice=f"{_anew(file)}.")


def _anew(file: Path) -> str:
    return f"Remove {file.parent} to train from the start"
