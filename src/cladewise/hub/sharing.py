"""A copy of a run folder for others: complete enough to predict the same bits, without paths of this machine."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Collection
from os import PathLike
from pathlib import Path
from typing import Any

import safetensors.torch
import tomli_w

from cladewise.atomic import making_folder, write_bytes, write_text
from cladewise.datasets.corrections import CORRECTIONS
from cladewise.engine import Run
from cladewise.engine.network import ENCODER, read_header
from cladewise.errors import InputError
from cladewise.hub.card import CardFacts, write_card
from cladewise.hub.numbered_images import share_outcomes, share_scores
from cladewise.hub.places import Places
from cladewise.records import SCHEMA_VERSION, Shared, log, shared_as
from cladewise.records.reading import read_json, read_toml
from cladewise.tensor_files import reproducible
from cladewise.version import __version__

CONFIG = "config.json"
"""Name of the file whose downloads the hub counts."""
_ADVICE = "Remove it, and evaluate again."
_DATA_PLACES = ("root", "hierarchy", "wordnet", "taxonomy", "taxonomy_options")
_READ_WITH_A_TREE = ("folder", "manifest", "export")
_TABLES = ("manifest", "export")
"""Kinds of data that are read from a file, which may be elsewhere than its images."""
_EVENTS = ("epoch", "ablation")
"""Events of the log that name no image."""


@dataclasses.dataclass(frozen=True)
class SharedCopy:
    """A copy of a run folder for others.

    Args:
        path: Its folder, which :meth:`cladewise.Run.open` opens.
        files: Its files, relative to the folder.
        left_out: Files of the run that could be shared but were not, each with the reason.
    """

    path: Path
    files: tuple[str, ...]
    left_out: dict[str, str]


def share(
    run: Run | str | PathLike[str],
    folder: str | PathLike[str],
    *,
    scores: bool = False,
    images: bool = False,
    encoder: bool = False,
    card: CardFacts | None = None,
) -> SharedCopy:
    """Write a copy of a run for others to a new folder, with a model card as ``README.md``.

    The copy has the weights and trees as they are, the configuration, the log of the epochs, the numbers of images per
    node, fitted rules and evaluations. Folders of this machine are cut from the configuration and from every record,
    and the tables that name images are left out, as are checkpoints, pictures and evaluations of other weights.

    Args:
        run: A finished run.
        folder: The new folder.
        scores: Also copy the scores of the splits and the per-image values of evaluations, with numbers in place of
            the images' names, so that further rules can be fitted and evaluated, and runs compared.
        images: Also copy the tables with the path of each image.
        encoder: Also write the weights of a frozen encoder, so that the run opens where they are not installed. Those
            that came from a file are always written.
        card: Facts for the model card.

    Returns:
        The copy.

    Raises:
        InputError: Training has not finished, the run has no network, its encoder or method needs files of this
            machine, or the folder exists.
    """
    run = Run.open(run)
    run.check_network()
    wanted: set[Shared] = {"run"}
    if images:
        wanted.add("images")
    if images and scores:
        wanted.add("scores")
    _check_encoder(run)
    places = _places(run)
    with making_folder(folder) as temporary:
        left_out = _copy(run, temporary, wanted, places)
        if scores and not images:
            _share_numbered(run, temporary, left_out)
        own = run.config.backbone.freeze and (encoder or bool(run.config.backbone.checkpoint))
        if own and not (temporary / ENCODER).is_file():
            _write_encoder(run, temporary / ENCODER)
        _write_configuration(run, temporary, places, own_encoder=own)
        copy = Run.open(temporary)
        _check_same(copy, run)
        facts = card or CardFacts()
        named = dataclasses.replace(facts, name=facts.name or facts.repo.rpartition("/")[2] or run.path.resolve().name)
        write_card(copy, named, has_scores=scores)
    path = Path(folder)
    files = tuple(sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file()))
    return SharedCopy(path, files, left_out)


def _check_encoder(run: Run) -> None:
    name = run.config.backbone.name
    if "local-dir:" in name:
        advice = "Train with a published architecture, and its weights as checkpoint=."
        raise InputError("an encoder that others can load", name, at=str(run.path), advice=advice)


def _places(run: Run) -> Places:
    config = read_toml(run.folder.config, "a run's configuration", advice=_ADVICE)
    data, images = config.get("data", {}), config.get("images", {})
    texts = [value for value in (*data.values(), images.get("root")) if isinstance(value, str)]
    checkpoint = run.config.backbone.checkpoint
    return Places([*texts, checkpoint, run.path.absolute(), run.path.resolve(), Path.home(), Path.cwd()])


def _copy(run: Run, folder: Path, wanted: Collection[Shared], places: Places) -> dict[str, str]:
    """Copy the files of the kinds that are wanted; returns those that are left out, with reasons."""
    left_out: dict[str, str] = {}
    for file in sorted(run.path.rglob("*")):
        name = file.relative_to(run.path).as_posix()
        kind = shared_as(name)
        if kind is None or not file.is_file() or file == run.folder.config:
            continue
        reason = _reason(run, file, name, kind, wanted, places)
        if reason:
            left_out[name] = reason
            continue
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if name == run.folder.log.name:
            lines = [event for event in log.read(file) if event["event"] in _EVENTS]
            write_text(target, "".join(json.dumps(places.cut_all(event), ensure_ascii=False) + "\n" for event in lines))
        elif file.suffix == ".json":
            content = {"schema_version": SCHEMA_VERSION, **read_json(file, "a record of a run", advice=_ADVICE)}
            write_text(target, json.dumps(places.cut_all(content), indent=1, ensure_ascii=False) + "\n")
        else:
            shutil.copyfile(file, target)
    return left_out


def _share_numbered(run: Run, folder: Path, left_out: dict[str, str]) -> None:
    """Share scores and per-image values with numbers in place of names; what was written is no longer left out."""
    for file in sorted(run.path.glob("scores/*.safetensors")):
        split, name = file.stem, file.relative_to(run.path).as_posix()
        if read_header(file).get("model") != run.model_hash:
            left_out[name] = "of other weights"
            continue
        names = share_scores(run, split, folder)
        if not names:
            left_out[name] = "computed from the images in every evaluation"
            continue
        left_out.pop(name, None)
        left_out.pop(run.folder.predictions(split).relative_to(run.path).as_posix(), None)
        for record in sorted(folder.glob("evaluations/**/*.json")):
            table = (run.path / record.relative_to(folder)).with_suffix(".parquet")
            is_of_split = json.loads(record.read_text(encoding="utf-8"))["split"] == split
            if is_of_split and table.is_file() and share_outcomes(table, record.with_suffix(".parquet"), names):
                left_out.pop(table.relative_to(run.path).as_posix(), None)


def _reason(run: Run, file: Path, name: str, kind: Shared, wanted: Collection[Shared], places: Places) -> str:
    """The reason to leave a file out; empty if there is none."""
    if kind not in wanted:
        return "scores of images" if kind == "scores" else "names of images"
    if file.suffix == ".json" and name.startswith("evaluations/"):
        model = str(read_json(file, "an evaluation", advice=_ADVICE).get("model", ""))
        return "of other weights" if model and model != run.model_hash else ""
    if file.suffix == ".parquet" and name.startswith("evaluations/"):
        record = file.with_suffix(".json")
        return _reason(run, record, name.removesuffix(".parquet") + ".json", "run", wanted, places)
    if file.suffix == ".safetensors" and name not in (run.folder.model.name, ENCODER):
        header = read_header(file)
        if header.get("model", run.model_hash) != run.model_hash:
            return "of other weights"
        if places.cut_all(header) != header:
            return "names files of this machine"
    return ""


def _write_encoder(run: Run, file: Path) -> None:
    tensors = {name: value.detach().cpu().clone() for name, value in run.backbone.encoder.state_dict().items()}
    write_bytes(file, reproducible(safetensors.torch.save({name: t.contiguous() for name, t in tensors.items()})))


def _write_configuration(run: Run, folder: Path, places: Places, *, own_encoder: bool) -> None:
    content = read_toml(run.folder.config, "a run's configuration", advice=_ADVICE)
    images: dict[str, Any] = dict(content.get("images", {}))
    images.pop("root", None)
    data = _data(run, dict(content.get("data", {})), str(images.get("name", "")))
    backbone = {**content.get("backbone", {}), "checkpoint": ENCODER if own_encoder else ""}
    changed = {"schema_version": SCHEMA_VERSION, **content, "images": images, "data": data, "backbone": backbone}
    method = places.cut_all(content["method"])
    if method != content["method"]:
        raise InputError("a method whose options others can use", "one with paths of this machine", at=str(run.path))
    write_text(folder / "config.toml", tomli_w.dumps(places.cut_all(changed)))
    about = {
        "library_name": "cladewise",
        "cladewise": __version__,
        "method": run.config.method,
        "num_nodes": run.taxonomy.num_nodes,
        "num_leaves": run.taxonomy.num_leaves,
        "levels": list(run.taxonomy.level_names),
    }
    write_text(folder / CONFIG, json.dumps(about, indent=1, ensure_ascii=False) + "\n")


def _data(run: Run, data: dict[str, Any], name: str) -> dict[str, Any]:
    """The source of the data, with its name in place of its folder, and with the tree of the run.

    Where a folder of that name is in the working folder, with the manifest and tables of corrections if there are any,
    the run finds its images there; otherwise they count as gone.
    """
    kind = str(data.get("kind", ""))
    kept = {key: value for key, value in data.items() if key not in _DATA_PLACES}
    if "path" in kept:
        place = Path(str(kept["path"]))
        kept["path"] = kind if kind not in _READ_WITH_A_TREE else name or kind
        if kind in _TABLES and not place.is_dir():
            kept["path"] = f"{name or kind}/{place.name}"
            kept |= {"root": name or kind} if "root" in data else {}
    if CORRECTIONS in kept:
        kept[CORRECTIONS] = [
            {**step, "path": f"{name or kind}/{Path(str(step['path'])).name}"} for step in kept[CORRECTIONS]
        ]
    if kind in _READ_WITH_A_TREE:
        kept["fingerprint"] = run.labelled_taxonomy.fingerprint
    return kept


def _check_same(copy: Run, run: Run) -> None:
    """Check that the copy opens, with the tree and the encoder that its weights were trained with."""
    if copy.taxonomy != run.taxonomy:
        raise InputError("a copy with the tree of the run", "another", at=str(run.path))
    if copy.classifier.training:  # builds the network and loads its weights
        raise InputError("a network in evaluation mode", "one in training", at=str(run.path))
