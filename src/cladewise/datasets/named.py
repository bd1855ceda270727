"""Loading published datasets by name, and recreating a dataset from a run's configuration."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from cladewise.datasets.corrections import CORRECTIONS, corrected_again
from cladewise.datasets.dataset import Dataset
from cladewise.datasets.exports.kinds import EXPORTS
from cladewise.datasets.exports.opening import from_export
from cladewise.datasets.folder import from_folder
from cladewise.datasets.long_tails import long_tail_again
from cladewise.datasets.manifest import from_manifest
from cladewise.datasets.new_classes import HELD_OUT_CLASSES, hold_out_again
from cladewise.datasets.published.published_dataset import check_options
from cladewise.datasets.published.registry import PUBLISHED, published
from cladewise.datasets.relabelling import RELABELLED, relabel_again
from cladewise.datasets.splitting import carve_again, split
from cladewise.errors import InputError
from cladewise.taxonomy import Taxonomy

MANIFEST_OPTIONS = ("path_column", "label_column", "split_column", "separator")
EXPORT_OPTIONS = ("format", "root", "several")


def available() -> dict[str, str]:
    """Names of published datasets with a one-line description each; needs no network.

    Example:
        >>> list(available())[:4]
        ['emoji-food-animals', 'emoji-objects', 'emoji', 'grocery-store']
    """
    return {name: entry.description for name, entry in PUBLISHED.items()}


def load(name: str, *, partial: bool = False, **options: Any) -> Dataset:
    """Load a published dataset by name.

    The numbers of classes and images are compared with the published ones (:func:`cladewise.datasets.facts`).

    Args:
        name: One of :func:`available`.
        partial: Accept a part of the dataset, or other files in its layout, whose numbers differ.
        options: For the emoji, the vendors ``test=("openmoji",)`` and ``exclude=()``. For all others, the folder
            ``path=``, and the further options of the dataset's reader, such as ``hierarchy=`` and ``wordnet=`` of
            ImageNet and BREEDS, or ``corrected=`` of CUB-200-2011.

    Raises:
        InputError: The name or an option is unknown, the dataset cannot be read, or its numbers are not the published
            ones and ``partial`` is false.
    """
    return published(name).load(options, partial=partial)


def open(source: Mapping[str, Any], *, taxonomy: Taxonomy | None = None) -> Dataset:
    """Recreate a dataset from its ``source``, as stored in a run's ``config.toml``.

    Args:
        source: ``kind`` (``folder``, ``manifest``, ``export`` or a name of :func:`available`), the options of that
            reader, ``fractions`` and ``seed`` of a stratified split, the tables of ``corrections``, the
            ``held_out_classes``, the steps of ``held_out``, and those of ``relabelled``.
        taxonomy: The tree of a folder, manifest or export that was read with a tree without a file.

    Raises:
        InputError: The source is incomplete, or no longer gives the same tree.

    Example:
        >>> from PIL import Image
        >>> folder = getfixture("tmp_path") / "wren"
        >>> folder.mkdir()
        >>> Image.new("RGB", (8, 8)).save(folder / "1.png")
        >>> photos = from_folder(folder.parent)
        >>> open(photos.source).paths == photos.paths
        True
    """
    options = dict(source)
    kind = str(options.pop("kind", ""))
    fractions, seed = options.pop("fractions", None), int(options.pop("seed", 0))
    corrections: list[dict[str, Any]] = options.pop(CORRECTIONS, [])
    new_classes: dict[str, Any] | None = options.pop(HELD_OUT_CLASSES, None)
    held_out: list[dict[str, Any]] = options.pop("held_out", [])
    relabelled: list[dict[str, Any]] = options.pop(RELABELLED, [])
    fingerprint = options.pop("fingerprint", None)
    if taxonomy is not None:
        options["taxonomy"] = taxonomy
    dataset = _read(kind, options)
    if fingerprint is not None and dataset.taxonomy.fingerprint != fingerprint:
        raise InputError(
            "the taxonomy that these labels were made with",
            "another one",
            at=str(source.get("path", kind)),
            advice="Pass it as taxonomy=; a run stores it in taxonomy.csv.",
        )
    if fractions is not None:
        dataset = split(dataset, fractions, seed)
    dataset = corrected_again(dataset, corrections)
    if new_classes is not None:
        dataset = hold_out_again(dataset, new_classes)
    for step in held_out:
        dataset = (long_tail_again if "imbalance" in step else carve_again)(dataset, step)
    for step in relabelled:
        dataset = relabel_again(dataset, step)
    return dataset


def _read(kind: str, options: Mapping[str, Any]) -> Dataset:
    """A dataset from its kind and options, without a check of the numbers, so that a run on a partial copy reopens."""
    if kind in PUBLISHED:
        return PUBLISHED[kind].reopen(options)
    readers: dict[str, tuple[Callable[..., Dataset], set[str]]] = {  # reader and its options
        "folder": (from_folder, {"path", "taxonomy", "taxonomy_options", "split_folders"}),
        "manifest": (from_manifest, {"path", "taxonomy", "taxonomy_options", "root", *MANIFEST_OPTIONS}),
        "export": (from_export, {"path", "taxonomy", "taxonomy_options", *EXPORT_OPTIONS, *_of_exports(kind)}),
    }
    if kind not in readers:
        raise InputError(f"a kind of dataset: {', '.join([*readers, *PUBLISHED])}", repr(kind))
    reader, known = readers[kind]
    check_options(kind, options, known, {"path"})
    return reader(**options)


def _of_exports(kind: str) -> set[str]:
    """Options of all formats of exports, whose readers are imported only for one; it refuses those of another."""
    return {option for export in EXPORTS for option in export.options()} if kind == "export" else set()
